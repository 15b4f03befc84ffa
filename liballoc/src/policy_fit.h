/* SPDX-License-Identifier: MIT */
/*
 * What first-fit and best-fit have in common: arenas over a fit floor. Large blocks are no
 * exception to the rule: they too are placed by the policy, among the small ones, and the pages of
 * large holes go back to the system by purging.
 */
#ifndef RING3_POLICY_FIT_H
#define RING3_POLICY_FIT_H

#include "arenas.h"

#include "ring3/fit.h"

/* 16 GiB of address space per arena, because that is what a fit heap can count. */
#define RING3_POLICY_FIT_REGION ((size_t)16 << 30)
#define RING3_POLICY_FIT_LARGEST                                                                   \
    (RING3_POLICY_FIT_REGION - RING3_POLICY_FIT_REGION / 64) /* room for the control block */

int ring3_policy_fit_extend(void *floor, size_t ready);
size_t ring3_policy_fit_wanted(const void *floor, size_t ready, size_t size, size_t alignment);
void *ring3_policy_fit_allocate(void *floor, size_t size, size_t alignment, size_t *dirty);
int ring3_policy_fit_release(void *floor, void *block);
int ring3_policy_fit_resize(void *floor, void *block, size_t size);
size_t ring3_policy_fit_usable(const void *floor, const void *block);
void *ring3_policy_fit_covering(const void *floor, const void *p);
size_t ring3_policy_fit_free_bytes(const void *floor);
void ring3_policy_fit_for_each_idle(void *floor, size_t least,
                                    void (*visit)(void *start, size_t length, void *context),
                                    void *context);
void ring3_policy_fit_for_each(const void *floor, ring3_malloc_visit_t *visit, void *context);
void ring3_policy_fit_statistics(const void *floor, ring3_malloc_statistics_t *statistics);

/* All of a placement but its start, in which the two differ. */
#define RING3_POLICY_FIT_PLACEMENT                                                                 \
    .region = RING3_POLICY_FIT_REGION, .largest = RING3_POLICY_FIT_LARGEST,                        \
    .control_size = ring3_fit_control_size, .extend = ring3_policy_fit_extend,                     \
    .wanted = ring3_policy_fit_wanted, .allocate = ring3_policy_fit_allocate,                      \
    .release = ring3_policy_fit_release, .resize = ring3_policy_fit_resize,                        \
    .usable = ring3_policy_fit_usable, .covering = ring3_policy_fit_covering,                      \
    .free_bytes = ring3_policy_fit_free_bytes, .for_each_idle = ring3_policy_fit_for_each_idle,    \
    .for_each = ring3_policy_fit_for_each, .statistics = ring3_policy_fit_statistics

#endif
