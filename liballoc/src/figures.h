/* SPDX-License-Identifier: MIT */
/*
 * What `ring3 heap top` reads from outside (ring3/counters.h): figures that the heap keeps for its
 * own use anyway, shown where they are. Names end with the version of their layout.
 *
 *     heap.policy.NAME   1
 *     heap.arenas.v1     rows of struct arena (arenas.h): of which capacity, ready, free
 *     heap.calls.v1      allocations and releases from the arenas
 *     heap.classes.v1    struct class_info from class 1 on (classes.h)
 *     heap.slabs.v1      per class: slabs, slabs ever, blocks ever taken, blocks ever given back
 */
#ifndef RING3_FIGURES_H
#define RING3_FIGURES_H

#include "policy.h"

#include <stdint.h>

#define FIGURES_POLICY  "heap.policy."
#define FIGURES_ARENAS  "heap.arenas.v1"
#define FIGURES_CALLS   "heap.calls.v1"
#define FIGURES_CLASSES "heap.classes.v1"
#define FIGURES_SLABS   "heap.slabs.v1"

/* The first words of a row of FIGURES_SLABS. */
struct figures_slabs {
    uint64_t slabs, made, taken, given;
};

/* Once, when the policy is chosen. */
void ring3_figures_publish(const struct ring3_policy *policy);

#endif
