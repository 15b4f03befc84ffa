/* SPDX-License-Identifier: MIT */
/*
 * Slabs: 64 KiB chunks cut into blocks of one size class, with a bit per free block in a descriptor
 * apart from the memory. Threads keep magazines of blocks (cache.h) and come here for half a
 * magazine at a time.
 *
 * Free blocks hold no links and no tags: nothing that a stray write could turn against the
 * allocator, and nothing that keeps the system from taking their pages back.
 *
 * Source: Bonwick 1994 and 2001 (slabs, magazines, depot); the bitmap as in the classic kernel
 * slab.
 */
#ifndef RING3_SLAB_H
#define RING3_SLAB_H

#include "classes.h"

#include "ring3/list.h"
#include "ring3/malloc.h"

#include <stdbool.h>
#include <stdint.h>

#define SLAB_WORDS (RING3_CHUNK / CLASS_STEP / 64)

/* Guarded by the lock of the class. */
struct slab {
    ring3_list_t link; /* among the slabs of its class that have free blocks */
    char *memory;
    uint16_t used; /* blocks handed out, to threads or into the depot */
    uint8_t class;
    bool dirty;     /* may have pages in memory that hold free blocks only */
    uint64_t words; /* bit w: free[w] is not zero */
    uint64_t free[SLAB_WORDS];
};

/* Take up to `count` blocks of a class. Returns how many; 0 when there is no memory. */
unsigned ring3_slab_take(unsigned class, void **blocks, unsigned count);

/*
 * Give blocks back. NULL, or the first that is no block in use (freed twice: the magazine it went
 * through could not tell); the others before it have been given back then.
 */
void *ring3_slab_give(unsigned class, void *const *blocks, unsigned count);

/* True if `block` is one that its slab has handed out. */
bool ring3_slab_in_use(const void *block);

/*
 * Give back the depots' blocks and, unless `given` is NULL, every page that holds only free ones;
 * adds the bytes to it. Returns as ring3_slab_give does.
 */
void *ring3_slabs_trim(size_t *given);

/*
 * The same for the classes that were not in demand since the last call. `left` becomes true if there
 * is more to give back. Returns as ring3_slab_give does.
 */
void *ring3_slabs_reclaim(bool *left);

/* Puts right figures in which every slab ever made counts as one block. */
void ring3_slabs_statistics(ring3_malloc_statistics_t *statistics);

/* As ring3_malloc_walk, for the slab that starts here. The locks of all classes are held. */
void ring3_slab_walk(void *memory, ring3_malloc_visit_t *visit, void *context);

/* True for an address among the places of any depot. */
bool ring3_slabs_store(const void *p);

/* Show the figures of every class to tools (figures.h). */
void ring3_slabs_publish(const char *name);

void ring3_slabs_start(void);
void ring3_slabs_lock(void);
void ring3_slabs_unlock(void);
void ring3_slabs_after_fork(void);

#endif
