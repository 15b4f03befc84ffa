/* SPDX-License-Identifier: MIT */
/* policy=first-fit: every block goes into the hole with the lowest address that is large enough. */
#include "policy_fit.h"

static int start(void **floor, void *control, void *memory, size_t capacity, size_t ready)
{
    return ring3_fit_init((ring3_fit_t **)floor, control, memory, capacity, ready, RING3_FIT_FIRST);
}

static const struct ring3_placement placement = {
    .start = start,
    RING3_POLICY_FIT_PLACEMENT,
};

static struct arena arenas[RING3_PAGES_REGIONS];
static struct ring3_arenas heap = {.placement = &placement, .arenas = arenas};

const struct ring3_policy ring3_policy_first_fit = {
    .name = "first-fit",
    .heap = &heap,
    RING3_ARENAS_POLICY,
};
