/* SPDX-License-Identifier: MIT */
/*
 * Heaps of one's own, which are destroyed whole.
 *
 *     ring3_heap_t *heap;
 *     int err = ring3_heap_create(&heap, NULL);
 *     char *text = ring3_heap_allocate(heap, 100, 0);
 *     ring3_heap_destroy(heap);                     text is gone too
 *
 * Small blocks lie in one stretch of address space that grows as needed, placed by a rule of
 * ring3/fit.h. A block of `threshold` bytes or more gets a mapping of its own, which goes back to
 * the system when the block is freed.
 *
 * The stretch is a reservation, or the process's data segment (RING3_HEAP_SBRK): then it grows by
 * moving the program break up, free does not move the break, and ring3_heap_trim moves it down by
 * the hole at its end. The break belongs to everybody: when somebody else (such as libc's malloc)
 * has moved it, the stretch cannot grow further, and later blocks get mappings of their own.
 *
 * Thread-safe. Not async-signal-safe. In a child of fork the heap is the child's own copy, and must
 * not be used if another thread was inside. Functions leave errno alone.
 *
 * Source: the classic malloc over sbrk(2) with a threshold for mmap(2), as in Doug Lea's.
 */
#ifndef RING3_HEAP_H
#define RING3_HEAP_H

#include "ring3/api.h"
#include "ring3/fit.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_heap ring3_heap_t;

#define RING3_HEAP_SBRK 1u

typedef struct ring3_heap_options {
    ring3_fit_order_t order; /* the rule of placement */
    unsigned flags;
    size_t most;      /* bytes that the stretch may have; 0: 1 GiB, or what limits allow */
    size_t step;      /* bytes that it grows by at least; 0: 128 KiB */
    size_t threshold; /* from this size on blocks are mapped one by one; 0: 128 KiB */
} ring3_heap_options_t;

typedef struct ring3_heap_statistics {
    ring3_fit_statistics_t fit; /* of the stretch */
    size_t ready;               /* its bytes now */
    size_t mapped_blocks, mapped_bytes;
} ring3_heap_statistics_t;

/** @param options  NULL: all zero. @return 0; -EINVAL; -ENOMEM */
int ring3_heap_create(ring3_heap_t **heap, const ring3_heap_options_t *options);

/** `size` bytes aligned to `align`, a power of two up to the page's size; 0 for 16. NULL when there
 * is no memory. */
void *ring3_heap_allocate(ring3_heap_t *heap, size_t size, size_t align);

/** 0; -EINVAL for what is no block of this heap in use; -EUCLEAN when a boundary tag was overwritten. */
int ring3_heap_free(ring3_heap_t *heap, void *block);

/** Bytes usable in a block in use, or 0. */
size_t ring3_heap_usable(ring3_heap_t *heap, const void *block);

/** Give the hole at the stretch's end back to the system, and the pages of the other holes. Returns
 * the bytes. */
size_t ring3_heap_trim(ring3_heap_t *heap);

/** Free every block at once. */
void ring3_heap_destroy(ring3_heap_t *heap);

void ring3_heap_statistics(ring3_heap_t *heap, ring3_heap_statistics_t *statistics);

RING3_API_END

#endif
