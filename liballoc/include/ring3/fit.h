/* SPDX-License-Identifier: MIT */
/*
 * Free-list allocator with boundary tags over memory the caller provides: first, next, best and
 * worst fit.
 *
 *     ring3_fit_t *fit;
 *     int err = ring3_fit_init(&fit, control, memory, size, size, RING3_FIT_FIRST);
 *     void *block = ring3_fit_allocate(fit, 100, 0, NULL);
 *     err = ring3_fit_release(fit, block);
 *
 * A request is cut from the front of a hole; what remains stays a hole. A release joins the block
 * with the holes before and after it. What differs is which of the holes that are large enough is
 * taken:
 *
 *     first   the lowest address                                 holes ordered by address
 *     next    the first behind the last block cut, then round    by address
 *     best    the smallest                                       by size
 *     worst   the largest                                        by size
 *
 * None searches a list: see fit_first.c and fit_best.c for how.
 *
 * Every block costs 8 bytes and takes a multiple of 16, at least 32. A bit per 16 bytes tells where
 * blocks start, so a pointer that was never handed out, or not any more, is always recognised.
 *
 * Control block and memory hold offsets only: when both lie in one shared mapping they may sit at
 * different addresses in each process (ring3_fit_t * is then simply the control block's address).
 * No locks, no system calls: not thread-safe by itself, and as safe in signal handlers and across
 * fork as the caller's lock makes it. Sizes are in bytes.
 *
 * Source: Knuth, The Art of Computer Programming, volume 1, section 2.5, algorithms A and C.
 */
#ifndef RING3_FIT_H
#define RING3_FIT_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_fit ring3_fit_t;

typedef enum ring3_fit_order {
    RING3_FIT_FIRST, /* lowest address */
    RING3_FIT_BEST,  /* smallest size */
    RING3_FIT_NEXT,  /* lowest address from where the last block was cut, else lowest of all */
    RING3_FIT_WORST  /* largest size */
} ring3_fit_order_t;

/** Largest capacity: 2^30 units of 16 bytes, less one. */
#define RING3_FIT_CAPACITY_MAX (((size_t)1 << 34) - 16)

typedef struct ring3_fit_statistics {
    size_t total;   /* bytes under management */
    size_t free;    /* bytes in holes */
    size_t largest; /* bytes of the largest hole: one request of 8 bytes less would succeed */
    size_t holes;   /* number of holes */
    size_t blocks;  /* blocks in use */
    size_t asked;   /* bytes asked for by all allocations so far … */
    size_t given;   /* … and the bytes of the blocks they got: the difference is internal waste */
    size_t searches; /* for a hole, so far … */
    size_t looked;   /* … and the holes looked at: the mean length of a search */
} ring3_fit_statistics_t;

/** Bytes of control block for `capacity` bytes of memory. */
size_t ring3_fit_control_size(size_t capacity);

/**
 * Start a fit heap over `memory`: one hole.
 *
 * @param control  zeroed memory of ring3_fit_control_size(capacity) bytes, aligned to 8
 * @param memory   aligned to 16; its first `ready` bytes are used at once, the rest (up to
 *                 `capacity`) when ring3_fit_extend says so, and is not touched before
 * @return 0; -EINVAL for unaligned arguments, less than 64 bytes ready, or too large a capacity
 */
int ring3_fit_init(ring3_fit_t **fit, void *control, void *memory, size_t capacity, size_t ready,
                   ring3_fit_order_t order);

/** Put the memory up to `ready` bytes (a multiple of 16) from its start under management too. 0, or
 * -EINVAL beyond the capacity. */
int ring3_fit_extend(ring3_fit_t *fit, size_t ready);

/** Give up the hole at the end of the memory, but for `keep` bytes: the reverse of ring3_fit_extend.
 * Returns how much is ready now; what lies above is the caller's again, and holds nothing. */
size_t ring3_fit_retract(ring3_fit_t *fit, size_t keep);

/** Bytes that a hole at the end of the memory lacks to hold `size` bytes aligned to `alignment`:
 * how much to extend by at least. */
size_t ring3_fit_shortage(const ring3_fit_t *fit, size_t size, size_t alignment);

/**
 * A block of at least `size` bytes.
 *
 * @param alignment  a power of two; all blocks are aligned to 16
 * @param dirty      if not NULL, gets the number of bytes at the block's start that may be other
 *                   than zero, given that `memory` was zero to begin with
 * @return the block, or NULL when no hole is large enough. O(log holes) on average; best fit up to 1 KiB: O(1)
 */
void *ring3_fit_allocate(ring3_fit_t *fit, size_t size, size_t alignment, size_t *dirty);

/**
 * Free a block. O(log holes) on average.
 *
 * @return 0; -EFAULT for a pointer outside the memory; -EINVAL for one that is no block in use;
 *         -EUCLEAN when its boundary tag was overwritten. Nothing has changed then
 */
int ring3_fit_release(ring3_fit_t *fit, void *block);

/** Change the size where the block stands: the tail becomes a hole, or a hole behind it is taken.
 * 0; -ENOMEM when there is no room (nothing changed); else as release. */
int ring3_fit_resize(ring3_fit_t *fit, void *block, size_t size);

/** Bytes usable in a block in use, or 0 for what is none. */
size_t ring3_fit_usable(const ring3_fit_t *fit, const void *block);

/** The block in use that covers `p`, or NULL. For reports: searches backwards. */
void *ring3_fit_covering(const ring3_fit_t *fit, const void *p);

/** Call `visit` for all memory that holds nothing, in pieces of at least `least` bytes: the inside
 * of holes, and of the control block what belongs to them. The visitor may clear it, or give its
 * pages back. */
void ring3_fit_for_each_idle(ring3_fit_t *fit, size_t least,
                             void (*visit)(void *start, size_t length, void *context),
                             void *context);

/** Call `visit` for every block and hole, in the order of their addresses, until one is overwritten. */
void ring3_fit_for_each(const ring3_fit_t *fit,
                        void (*visit)(void *start, size_t length, bool in_use, void *context),
                        void *context);

/** Bytes in holes. O(1). */
size_t ring3_fit_free_bytes(const ring3_fit_t *fit);

void ring3_fit_statistics(const ring3_fit_t *fit, ring3_fit_statistics_t *statistics);

/** Verify every tag, bit and link. 0, or -EUCLEAN when something was overwritten. O(memory). */
int ring3_fit_check(const ring3_fit_t *fit);

RING3_API_END

#endif
