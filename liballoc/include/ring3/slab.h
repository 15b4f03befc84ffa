/* SPDX-License-Identifier: MIT */
/*
 * Object caches: blocks of one size that stay constructed while they are free.
 *
 *     ring3_slab_t *tasks;
 *     int err = ring3_slab_create(&tasks, "task", sizeof(struct task), 0, task_init, task_fini);
 *     struct task *t = ring3_slab_allocate(tasks);        t is as task_init left it
 *     err = ring3_slab_free(tasks, t);                    leave it as it was after task_init
 *     err = ring3_slab_destroy(tasks);
 *
 * A slab is a piece of memory of a power of two bytes, cut into objects, with a bit for each: set
 * while the object is in use. All objects of a new slab are constructed at once, and destructed
 * only when the slab goes (ring3_slab_reap, ring3_slab_destroy); in between they pass from user to
 * user with their locks initialised and their lists empty. Allocation takes from partly used slabs
 * first, so that others stay whole. The objects of successive slabs start at different offsets
 * (colours), so that they do not all compete for the same cache lines.
 *
 * In front of the slabs each CPU has a magazine: a stack of `limit` objects at most, refilled and
 * emptied by `batch`, the object freed last first out.
 *
 * Thread-safe. Not async-signal-safe. In a child of fork a cache that another thread was inside of
 * must not be used. Constructors, destructors and sources run without a lock that they could need,
 * except that they must not use the same cache.
 *
 * Source: Bonwick, "The slab allocator: an object-caching kernel memory allocator", 1994; Bonwick
 * and Adams, "Magazines and vmem", 2001. A magazine per CPU is what they have; avail, limit and
 * batch are the terms of Linux's array_cache.
 */
#ifndef RING3_SLAB_H
#define RING3_SLAB_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_slab ring3_slab_t;

/** Where slabs get their memory: malloc, a buddy, an arena in a file. */
typedef struct ring3_slab_source {
    /** `size` bytes aligned to `alignment`, both powers of two, or NULL. */
    void *(*take)(void *context, size_t size, size_t alignment);
    void (*give)(void *context, void *memory, size_t size);
    void *context;
} ring3_slab_source_t;

#define RING3_SLAB_NAME 32 /* bytes of a name that are kept, with the terminator */

typedef struct ring3_slab_statistics {
    char name[RING3_SLAB_NAME];
    size_t size;       /* bytes asked for per object … */
    size_t stride;     /* … and what one takes, alignment included */
    size_t slab_bytes; /* per slab */
    unsigned per_slab; /* objects in a slab */
    unsigned colours;  /* different offsets of the first object */
    size_t slabs;      /* now; `objects` in them, of which `used` are with the program … */
    size_t objects, used;
    size_t cached;              /* … and these in magazines */
    unsigned limit, batch;      /* of each magazine */
    uint64_t allocations, hits; /* so far; hits found an object in the magazine */
    uint64_t grown, reaped;     /* slabs, so far */
} ring3_slab_statistics_t;

/**
 * Make a cache whose memory comes from ring3_malloc.
 *
 * @param name   for the statistics; cut to RING3_SLAB_NAME - 1 characters
 * @param size   bytes per object, 1 to 1 MiB
 * @param align  a power of two up to 4096; 0 for 16
 * @param ctor   called once for each object before it is first allocated, or NULL: zeroed then, when
 *               it is allocated for the first time
 * @param dtor   called once for each object before its memory goes, or NULL
 * @return 0; -EINVAL; -ENOMEM
 */
int ring3_slab_create(ring3_slab_t **cache, const char *name, size_t size, size_t align,
                      void (*ctor)(void *object), void (*dtor)(void *object));

/** The same over another source, which also holds the cache itself. */
int ring3_slab_create_over(ring3_slab_t **cache, const char *name, size_t size, size_t align,
                           void (*ctor)(void *object), void (*dtor)(void *object),
                           const ring3_slab_source_t *source);

/** An object in its constructed state, or NULL when there is no memory. */
void *ring3_slab_allocate(ring3_slab_t *cache);

/**
 * Give an object back, in its constructed state.
 *
 * @return 0; -EINVAL for what is no object of this cache in use. (A second free while the object is
 *         in a magazine is noticed when the magazine is emptied: -EUCLEAN from the free that does.)
 *         `object` must point into readable memory of the source.
 */
int ring3_slab_free(ring3_slab_t *cache, void *object);

/** Empty the magazines, and give back all slabs without an object in use. Returns the bytes. */
size_t ring3_slab_reap(ring3_slab_t *cache);

/** Give back everything. -EBUSY, and nothing changes, while objects are in use. */
int ring3_slab_destroy(ring3_slab_t *cache);

/** Let each CPU's magazine hold `limit` objects (1 to 128), and travel `batch` of them at a time.
 * -EINVAL unless batch is 1 to limit. */
int ring3_slab_tune(ring3_slab_t *cache, unsigned limit, unsigned batch);

void ring3_slab_statistics(ring3_slab_t *cache, ring3_slab_statistics_t *statistics);

/** The statistics of every cache of the process, in the order they were made. No cache can be made
 * or destroyed meanwhile. */
void ring3_slab_for_each(void (*visit)(const ring3_slab_statistics_t *statistics, void *context),
                         void *context);

RING3_API_END

#endif
