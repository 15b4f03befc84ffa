/* SPDX-License-Identifier: MIT */
/*
 * Binary buddy allocator over memory the caller provides.
 *
 *     void *control = …zeroed, ring3_buddy_control_size(size, 4096, 0) bytes…;
 *     ring3_buddy_t *buddy;
 *     int err = ring3_buddy_init(&buddy, control, memory, size, size, 4096, 0);
 *     void *run = ring3_buddy_allocate(buddy, 3 * 4096, NULL);        four units
 *     err = ring3_buddy_release(buddy, run);
 *
 * Blocks are powers of two times the unit, aligned to their size relative to the memory's start.
 * A request takes the smallest block that satisfies it, splitting larger ones in halves; the half
 * that is not needed goes to the list of its order. A release merges the block with its buddy (the
 * block whose number differs in one bit) as long as that one is free too.
 *
 * The control block and the memory hold offsets only: when both lie in one shared mapping they may
 * sit at different addresses in each process (ring3_buddy_t * is then simply the control block's
 * address). No locks, no system calls, no allocation: not thread-safe by itself, and as safe in
 * signal handlers and across fork as the caller's lock makes it. Sizes are in bytes.
 *
 * Source: Knowlton 1965; Knuth, The Art of Computer Programming, volume 1, section 2.5.
 */
#ifndef RING3_BUDDY_H
#define RING3_BUDDY_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_BUDDY_ORDERS 32

typedef struct ring3_buddy ring3_buddy_t;

/** Keep the list links in the control block, so that free memory is never touched (for units too
 * large to pay 8 bytes each for nothing). Without it links live in the free blocks themselves. */
#define RING3_BUDDY_LINKS_APART 1u

typedef struct ring3_buddy_statistics {
    size_t total;   /* bytes under management */
    size_t free;    /* bytes in free blocks */
    size_t largest; /* bytes in the largest free block */
    size_t blocks;  /* blocks in use */
    size_t asked;   /* bytes asked for by all allocations so far … */
    size_t given;   /* … and the bytes of the blocks they got: the difference is internal waste */
    size_t free_blocks[RING3_BUDDY_ORDERS]; /* free blocks of each order */
} ring3_buddy_statistics_t;

/** Bytes of control block for `capacity` bytes of memory. */
size_t ring3_buddy_control_size(size_t capacity, size_t unit, unsigned flags);

/**
 * Start a buddy over `memory`, all of it free.
 *
 * @param control       zeroed memory of ring3_buddy_control_size(capacity, unit, flags) bytes,
 *                      aligned to 8
 * @param memory        aligned to 8; its first `ready` bytes are used at once, the rest (up to
 *                      `capacity`) when ring3_buddy_extend says so, and is not touched before
 * @param unit          size of an order-0 block: a power of two of at least 8 bytes
 * @return 0; -EINVAL for a bad unit, an unaligned argument or more than 2^31 units
 */
int ring3_buddy_init(ring3_buddy_t **buddy, void *control, void *memory, size_t capacity,
                     size_t ready, size_t unit, unsigned flags);

/** Put the memory up to `ready` bytes from its start under management too. -EINVAL beyond the
 * capacity. */
int ring3_buddy_extend(ring3_buddy_t *buddy, size_t ready);

/**
 * A block of at least `size` bytes (0 counts as 1), or NULL. O(orders).
 *
 * @param dirty  if not NULL, gets the number of bytes at the block's start that may be other than
 *               zero, given that `memory` was zero to begin with
 */
void *ring3_buddy_allocate(ring3_buddy_t *buddy, size_t size, size_t *dirty);

/**
 * Free a block. O(orders).
 *
 * @return 0; -EFAULT for a pointer outside the memory; -EINVAL for one that is no block in use
 *         (inside of a block, unaligned, or free already)
 */
int ring3_buddy_release(ring3_buddy_t *buddy, void *block);

/** Change the size where the block stands, giving back upper halves or taking free ones. 0; -ENOMEM
 * when the neighbours are in use (nothing changed); -EFAULT and -EINVAL as release. */
int ring3_buddy_resize(ring3_buddy_t *buddy, void *block, size_t size);

/**
 * A run of whole units: the smallest block that satisfies the request, whose tail goes back at once.
 * It is a row of blocks in use, which only ring3_buddy_resize_run may free.
 *
 * @param alignment  a power of two, relative to the memory's start
 * @param dirty      as ring3_buddy_allocate
 */
void *ring3_buddy_allocate_run(ring3_buddy_t *buddy, size_t size, size_t alignment, size_t *dirty);

/**
 * Give back a run's tail, take it again, or free the whole.
 *
 * @param size  bytes it has now
 * @param want  bytes it shall have, both rounded up to whole units; 0 frees it
 * @return 0; -ENOMEM when what lies behind is in use (nothing changed); -EFAULT and -EINVAL as
 *         release. O(orders), and growing O(free blocks taken)
 */
int ring3_buddy_resize_run(ring3_buddy_t *buddy, void *run, size_t size, size_t want);

/** Bytes usable in a block in use, or 0 for what is none. */
size_t ring3_buddy_usable(const ring3_buddy_t *buddy, const void *block);

/** The block in use that covers `p`, or NULL. O(orders); for reports. */
void *ring3_buddy_covering(const ring3_buddy_t *buddy, const void *p);

/** Call `visit` for all memory that holds nothing, in pieces of at least `least` bytes: the inside
 * of free blocks, and of the control block the tags that belong to it. The visitor may clear it, or
 * give its pages back. */
void ring3_buddy_for_each_idle(ring3_buddy_t *buddy, size_t least,
                               void (*visit)(void *start, size_t length, void *context),
                               void *context);

/** Call `visit` for every block, free ones too, in the order of their addresses. */
void ring3_buddy_for_each(const ring3_buddy_t *buddy,
                          void (*visit)(void *start, size_t length, bool in_use, void *context),
                          void *context);

/** Where the memory starts. */
void *ring3_buddy_memory(const ring3_buddy_t *buddy);

/** Bytes in free blocks. O(1). */
size_t ring3_buddy_free_bytes(const ring3_buddy_t *buddy);

void ring3_buddy_statistics(const ring3_buddy_t *buddy, ring3_buddy_statistics_t *statistics);

/** Verify every list and tag. 0, or -EUCLEAN when something was overwritten. O(memory). */
int ring3_buddy_check(const ring3_buddy_t *buddy);

RING3_API_END

#endif
