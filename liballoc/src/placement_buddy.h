/* SPDX-License-Identifier: MIT */
/*
 * A buddy as the floor of arenas (arenas.h): what policy=buddy and the spans of policy=slab share. They differ in
 * their unit and in what else their control block holds. The floor is the ring3_buddy_t.
 */
#ifndef RING3_PLACEMENT_BUDDY_H
#define RING3_PLACEMENT_BUDDY_H

#include "arenas.h"

/* The block that a request takes: the next power of two, at least `unit`. */
size_t placement_buddy_block(size_t size, size_t alignment, size_t unit);

/* What `ready` must become for such a block. */
size_t placement_buddy_wanted(const void *floor, size_t ready, size_t block, size_t alignment);

/* The block itself. NULL where the memory is aligned too badly for it; a unit is always aligned. */
void *placement_buddy_allocate(void *floor, size_t block, size_t alignment, size_t unit,
                               size_t *dirty);

/* The same for a run of whole units. */
void *placement_buddy_allocate_run(void *floor, size_t size, size_t alignment, size_t unit,
                                   size_t *dirty);

/* Fit straight into a struct ring3_placement. */
int placement_buddy_extend(void *floor, size_t ready);
int placement_buddy_release(void *floor, void *block);
int placement_buddy_resize(void *floor, void *block, size_t size);
size_t placement_buddy_usable(const void *floor, const void *block);
void *placement_buddy_covering(const void *floor, const void *p);
size_t placement_buddy_free_bytes(const void *floor);
void placement_buddy_for_each_idle(void *floor, size_t least,
                                   void (*visit)(void *start, size_t length, void *context),
                                   void *context);
void placement_buddy_for_each(const void *floor, ring3_malloc_visit_t *visit, void *context);
void placement_buddy_statistics(const void *floor, ring3_malloc_statistics_t *total);

/* These, in a placement. */
#define PLACEMENT_BUDDY                                                                            \
    .extend = placement_buddy_extend, .release = placement_buddy_release,                          \
    .resize = placement_buddy_resize, .usable = placement_buddy_usable,                            \
    .covering = placement_buddy_covering, .free_bytes = placement_buddy_free_bytes,                \
    .for_each_idle = placement_buddy_for_each_idle, .for_each = placement_buddy_for_each,          \
    .statistics = placement_buddy_statistics

#endif
