/* SPDX-License-Identifier: MIT */
/*
 * Queued lock in four bytes: an MCS queue whose nodes are numbered, so that its tail fits beside the
 * lock bit. One waiter needs no node: it sets `pending` and waits on the word. Strict FIFO among
 * those who wait. Source: Linux's queued spinlocks (Long and Zijlstra, 2014), after Mellor-Crummey
 * and Scott 1991.
 *
 * word
 *     bits   name     set by                                   cleared by
 *     0      locked   whoever takes the lock                   the holder
 *     1      pending  the first to wait, if the word was 1     itself, as it takes the lock
 *     2-15   zero
 *     16-31  tail     arrivals behind: the number of their     the last in the queue, as it takes
 *                     node, by exchange                        the lock
 *
 * The nodes lie in a table of the process. A timed waiter polls outside the queue, and may be passed
 * over; so does everybody while all 1023 nodes are in use. All-zero is free. For threads of one
 * process; not async-signal-safe. In a child of fork a lock that had waiters is dead.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_QLOCK_H
#define RING3_QLOCK_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_qlock {
    uint32_t word;
} ring3_qlock_t;

#define RING3_QLOCK_LOCKED  UINT32_C(1)
#define RING3_QLOCK_PENDING UINT32_C(2)

void ring3_qlock_lock_slow(ring3_qlock_t *lock, ring3_wait_t how);

/** 0 or -EBUSY (also when it is free and somebody waits). */
static inline int ring3_qlock_trylock(ring3_qlock_t *lock)
{
    uint32_t seen = 0;

    /* Pairs with the release in ring3_qlock_unlock. */
    return ring3_cas_try(&lock->word, &seen, RING3_QLOCK_LOCKED, RING3_ACQUIRE) ? 0 : -EBUSY;
}

static inline void ring3_qlock_lock(ring3_qlock_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(ring3_qlock_trylock(lock) != 0))
        ring3_qlock_lock_slow(lock, how);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever, and in the queue. */
int ring3_qlock_timedlock(ring3_qlock_t *lock, ring3_wait_t how, const struct timespec *deadline);

static inline void ring3_qlock_unlock(ring3_qlock_t *lock)
{
    /* Pairs with the acquires of those who take the lock. */
    const uint32_t seen = ring3_fetch_sub(&lock->word, RING3_QLOCK_LOCKED, RING3_RELEASE);

    /* Under one address of the parking table, `pending` and the first in the queue have a key each. */
    if (ring3_unlikely(seen != RING3_QLOCK_LOCKED))
        ring3_park_announce(lock, seen & RING3_QLOCK_PENDING);
}

RING3_API_END

#endif
