/* SPDX-License-Identifier: MIT */
/*
 * A heap made of arenas: what the simple policies share. An arena is one reservation, filled from
 * below by a floor (fit or buddy) that decides where blocks go; the heap adds one lock, growth, and
 * the return of free pages. The functions fit straight into a struct ring3_policy.
 */
#ifndef RING3_ARENAS_H
#define RING3_ARENAS_H

#include "policy.h"

#include "ring3/mutex.h"
#include "ring3/pages.h"

struct ring3_arenas;

/* The floor an arena stands on. `floor` is its ring3_fit_t or ring3_buddy_t. */
struct ring3_placement {
    size_t region;  /* bytes to reserve for an arena, where limits allow; a power of two */
    size_t largest; /* requests above this fail */

    size_t (*control_size)(size_t capacity);
    int (*start)(void **floor, void *control, void *memory, size_t capacity, size_t ready);
    int (*extend)(void *floor, size_t ready);
    /* What `ready` must become for a request that does not fit now. */
    size_t (*wanted)(const void *floor, size_t ready, size_t size, size_t alignment);

    void *(*allocate)(void *floor, size_t size, size_t alignment, size_t *dirty);
    int (*release)(void *floor, void *block);
    int (*resize)(void *floor, void *block, size_t size);
    size_t (*usable)(const void *floor, const void *block);
    void *(*covering)(const void *floor, const void *p);
    size_t (*free_bytes)(const void *floor);
    void (*for_each_idle)(void *floor, size_t least,
                          void (*visit)(void *start, size_t length, void *context), void *context);
    void (*for_each)(const void *floor, ring3_malloc_visit_t *visit, void *context);
    /* Adds to what is there. */
    void (*statistics)(const void *floor, ring3_malloc_statistics_t *statistics);
};

struct arena {
    struct ring3_arenas *heap;
    void *floor;
    ring3_region_t *region;
    size_t capacity, ready; /* bytes of region->base; the control block follows the capacity */
    size_t free;            /* bytes of `ready`, when it changed last; for tools (figures.h) */
    size_t clean;           /* free bytes that are not worth purging: purged, or never used */
};

struct ring3_arenas {
    const struct ring3_placement *placement;
    ring3_mutex_t lock;
    uint32_t count;
    size_t retain, step; /* 0: the defaults of arenas.c */
    uint64_t allocations, releases;
    uint64_t allocations_seen; /* when the reclaimer last looked */
    struct arena
        *arenas; /* RING3_PAGES_REGIONS of them, apart: these take no page of a program that
                             uses another policy */
};

void *ring3_arenas_allocate(void *heap, size_t size, size_t alignment, size_t *dirty);
/* The same, but the heap does not grow for it. */
void *ring3_arenas_allocate_ready(struct ring3_arenas *heap, size_t size, size_t alignment,
                                  size_t *dirty);
int ring3_arenas_release(void *arena, void *block);
int ring3_arenas_resize(void *arena, void *block, size_t size);
size_t ring3_arenas_usable(void *arena, const void *block);
void *ring3_arenas_covering(void *arena, const void *p);
size_t ring3_arenas_trim(void *heap);
/* Give the pages of large holes back, unless as much is in demand. Returns true if there are more. */
bool ring3_arenas_reclaim(void *heap);
/* Bytes under management: no lock, and right to the last growth. */
size_t ring3_arenas_ready(const struct ring3_arenas *heap);
/* The same without what is free: right to the last block. */
size_t ring3_arenas_in_use(const struct ring3_arenas *heap);
void ring3_arenas_statistics(void *heap, ring3_malloc_statistics_t *statistics);
/* `unlocked` is for who holds the lock. */
void ring3_arenas_walk(void *heap, ring3_malloc_visit_t *visit, void *context);
void ring3_arenas_walk_unlocked(struct ring3_arenas *heap, ring3_malloc_visit_t *visit,
                                void *context);
void ring3_arenas_tune(void *heap, size_t retain, size_t step);
void ring3_arenas_lock(void *heap);
void ring3_arenas_unlock(void *heap);
void ring3_arenas_after_fork(void *heap);

/* All of these, in the table of a policy. */
#define RING3_ARENAS_POLICY                                                                        \
    .allocate = ring3_arenas_allocate, .release = ring3_arenas_release,                            \
    .resize = ring3_arenas_resize, .usable = ring3_arenas_usable,                                  \
    .covering = ring3_arenas_covering, .trim = ring3_arenas_trim,                                  \
    .statistics = ring3_arenas_statistics, .walk = ring3_arenas_walk, .tune = ring3_arenas_tune,   \
    .lock = ring3_arenas_lock, .unlock = ring3_arenas_unlock,                                      \
    .after_fork = ring3_arenas_after_fork

#endif
