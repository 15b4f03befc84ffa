/* SPDX-License-Identifier: MIT */
/* Figures for tools: see figures.h. */
#include "figures.h"

#include "arenas.h"
#include "classes.h"
#include "slab.h"

#include "ring3/counters.h"

#include <string.h>

void ring3_figures_publish(const struct ring3_policy *policy)
{
    char name[RING3_COUNTER_NAME] = FIGURES_POLICY;
    struct ring3_arenas *const heap = policy->heap;

    strncat(name, policy->name, sizeof name - sizeof FIGURES_POLICY);
    ring3_counter_set(ring3_counter(name, RING3_COUNTER_LEVEL), 1);
    if (heap) {
        ring3_counter_table(FIGURES_ARENAS, heap->arenas, RING3_PAGES_REGIONS,
                            sizeof heap->arenas[0]);
        ring3_counter_table(FIGURES_CALLS, &heap->allocations, 1, 2 * sizeof(uint64_t));
    }
    if (policy->heap == ring3_policy_slab.heap) {
        ring3_counter_table(FIGURES_CLASSES, &ring3_classes[1], CLASS_SLABS,
                            sizeof ring3_classes[0]);
        ring3_slabs_publish(FIGURES_SLABS);
    }
}
