/* SPDX-License-Identifier: MIT */
/*
 * Latch: a count that falls to zero once, and those who wait for that. For one use.
 *
 *     ring3_latch_t done;
 *     ring3_latch_init(&done, workers, RING3_PRIVATE);
 *     ring3_latch_count_down(&done, 1);      by each worker, when it has finished
 *     ring3_latch_wait(&done);
 *
 * word
 *     bits   name     set by                         cleared by
 *     0-29   count    ring3_latch_init               ring3_latch_count_down
 *     30     shared   ring3_latch_init               nobody: the latch may lie in shared memory
 *     31     waiters  a waiter, before it sleeps     nobody
 *
 * All-zero is a private latch that is open. ring3_latch_count_down is async-signal-safe. After its
 * one atomic step it touches only the latch's address, so a waiter may free the latch at once.
 * Source: ISO C++20 [thread.latch].
 *
 * Order: what came before every count-down happens before the return of every wait.
 */
#ifndef RING3_LATCH_H
#define RING3_LATCH_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_latch {
    uint32_t word;
} ring3_latch_t;

#define RING3_LATCH_MAX     0x3fffffffu
#define RING3_LATCH_SHARED  0x40000000u
#define RING3_LATCH_WAITERS 0x80000000u

/** Close the latch until `count` has been counted down. 0; -EINVAL if it exceeds RING3_LATCH_MAX.
 */
int ring3_latch_init(ring3_latch_t *latch, uint32_t count, int shared);

/** Is the count zero? */
static inline bool ring3_latch_is_open(const ring3_latch_t *latch)
{
    /* Pairs with the release in ring3_latch_count_down. */
    return (ring3_load(&latch->word, RING3_ACQUIRE) & RING3_LATCH_MAX) == 0;
}

/** Subtract `count`. 0; -EOVERFLOW, and nothing is changed, if that is more than there is. */
int ring3_latch_count_down(ring3_latch_t *latch, uint32_t count);

/**
 * Wait until the count is zero.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. A signal handler does not
 * end the wait.
 */
int ring3_latch_clockwait(ring3_latch_t *latch, clockid_t clock, const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_latch_timedwait(ring3_latch_t *latch, const struct timespec *deadline)
{
    return ring3_latch_clockwait(latch, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. */
static inline void ring3_latch_wait(ring3_latch_t *latch)
{
    if (!ring3_latch_is_open(latch))
        (void)ring3_latch_clockwait(latch, CLOCK_MONOTONIC, NULL);
}

RING3_API_END

#endif
