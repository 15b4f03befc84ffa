/* SPDX-License-Identifier: MIT */
/*
 * policy=buddy: every block is the smallest power of two that is large enough, from 32 bytes up.
 * No block has a header; a byte per 32 bytes says what starts there.
 *
 * An arena is aligned to its size, so that a block of 2^k bytes is aligned to 2^k, and an aligned
 * request is simply one of at least that size. Where limits make arenas small, alignments beyond
 * theirs fail.
 */
#include "placement_buddy.h"

#include "ring3/buddy.h"

#define UNIT    32
#define REGION  ((size_t)32 << 30)
#define LARGEST (REGION / 2)

static size_t control_size(size_t capacity)
{
    return ring3_buddy_control_size(capacity, UNIT, 0);
}

static int start(void **floor, void *control, void *memory, size_t capacity, size_t ready)
{
    return ring3_buddy_init((ring3_buddy_t **)floor, control, memory, capacity, ready, UNIT, 0);
}

static size_t wanted(const void *floor, size_t ready, size_t size, size_t alignment)
{
    return placement_buddy_wanted(floor, ready, placement_buddy_block(size, alignment, UNIT),
                                  alignment);
}

static void *allocate(void *floor, size_t size, size_t alignment, size_t *dirty)
{
    return placement_buddy_allocate(floor, placement_buddy_block(size, alignment, UNIT), alignment,
                                    UNIT, dirty);
}

static const struct ring3_placement placement = {
    .region = REGION,
    .largest = LARGEST,
    .control_size = control_size,
    .start = start,
    .wanted = wanted,
    .allocate = allocate,
    PLACEMENT_BUDDY,
};

static struct arena arenas[RING3_PAGES_REGIONS];
static struct ring3_arenas heap = {.placement = &placement, .arenas = arenas};

const struct ring3_policy ring3_policy_buddy = {
    .name = "buddy",
    .heap = &heap,
    RING3_ARENAS_POLICY,
};
