/* SPDX-License-Identifier: MIT */
/*
 * The seam between the malloc front end and what serves it. A policy is one table; front.c picks
 * one when the process starts and never changes it. To add one: write policy_NAME.c with a table,
 * declare the table here, and enter it in front.c's list.
 *
 * The front end has dealt with overflow, alignment rules, errno and foreign pointers before it
 * comes here: sizes are at most PTRDIFF_MAX, alignments powers of two, and `owner` is what the
 * policy itself entered in ring3_heap_pages for the chunk that holds the block. Functions are
 * called by any thread at any time and lock for themselves.
 */
#ifndef RING3_POLICY_H
#define RING3_POLICY_H

#include "ring3/malloc.h"
#include "ring3/pages.h"

#include <stdbool.h>
#include <stddef.h>

/* What a walk hands on, where it looks at the pieces itself first. */
struct ring3_walk {
    ring3_malloc_visit_t *visit;
    void *context;
};

struct ring3_policy {
    const char *name;
    void *heap; /* handed to the functions below that have no owner to go by */
    bool exact; /* `usable` tells the bytes that were asked for (1 for 0) */

    /* Called once, before any other; or NULL. */
    void (*start)(void);

    /* `dirty` gets the number of bytes at the start that may be other than zero. */
    void *(*allocate)(void *heap, size_t size, size_t alignment, size_t *dirty);
    /* 0; -EINVAL for what is no block in use; -EUCLEAN when its surroundings were overwritten. */
    int (*release)(void *owner, void *block);
    /* 0; -ENOMEM when the block must move; else as release. */
    int (*resize)(void *owner, void *block, size_t size);
    /* Bytes usable, or 0 for what is no block in use. */
    size_t (*usable)(void *owner, const void *block);
    /* The block in use that covers the pointer, or NULL. For misuse reports. */
    void *(*covering)(void *owner, const void *p);

    /* Give whole free pages back to the system; returns the bytes. */
    size_t (*trim)(void *heap);
    void (*statistics)(void *heap, ring3_malloc_statistics_t *statistics);
    /* As ring3_malloc_walk. */
    void (*walk)(void *heap, ring3_malloc_visit_t *visit, void *context);
    /* Bytes of free memory kept for reuse before pages go back, and bytes to grow by at least;
     * 0 leaves the setting as it is. */
    void (*tune)(void *heap, size_t retain, size_t step);

    /* Around fork: no other thread is inside between lock and unlock (in the parent) or
     * after_fork (in the child). The thread that forks may allocate meanwhile: it passes the locks
     * (guard.h). */
    void (*lock)(void *heap);
    void (*unlock)(void *heap);
    void (*after_fork)(void *heap);
};

extern const struct ring3_policy ring3_policy_slab, ring3_policy_first_fit, ring3_policy_next_fit,
    ring3_policy_best_fit, ring3_policy_worst_fit, ring3_policy_buddy, ring3_policy_debug;

/* All memory of the process's malloc, whatever the policy: the front end asks it whose a pointer
 * is. */
extern ring3_pages_t ring3_heap_pages;

#endif
