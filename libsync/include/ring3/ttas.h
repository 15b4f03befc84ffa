/* SPDX-License-Identifier: MIT */
/*
 * Test-and-test-and-set lock: waiters look at the word, which stays in their cache, and exchange
 * only when it is free. Unfair. When the lock is released, all spinning waiters try at once: O(n^2)
 * line transfers for n waiters. Source: Rudolph and Segall 1984; Anderson 1990.
 *
 * word  0 free, 1 held; set by whoever locks, cleared by the owner
 *
 * Waiters that park (ring3_wait_t) stand in the parking table, first come, and the first competes
 * with newcomers. A timed waiter keeps its place there. For threads of one process; not
 * async-signal-safe.
 */
#ifndef RING3_TTAS_H
#define RING3_TTAS_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_ttas {
    uint32_t word;
} ring3_ttas_t;

int ring3_ttas_lock_slow(ring3_ttas_t *lock, ring3_wait_t how, const struct timespec *deadline);

/** 0 or -EBUSY. */
static inline int ring3_ttas_trylock(ring3_ttas_t *lock)
{
    /* The acquire pairs with the release in ring3_ttas_unlock. */
    return ring3_load(&lock->word, RING3_RELAXED) == 0 &&
                   ring3_exchange(&lock->word, 1, RING3_ACQUIRE) == 0
               ? 0
               : -EBUSY;
}

static inline void ring3_ttas_lock(ring3_ttas_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(ring3_ttas_trylock(lock) != 0))
        (void)ring3_ttas_lock_slow(lock, how, NULL);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time (unless the lock is free). The deadline is absolute,
 * on CLOCK_MONOTONIC; NULL waits for ever. */
static inline int ring3_ttas_timedlock(ring3_ttas_t *lock, ring3_wait_t how,
                                       const struct timespec *deadline)
{
    return ring3_ttas_trylock(lock) == 0 ? 0 : ring3_ttas_lock_slow(lock, how, deadline);
}

static inline void ring3_ttas_unlock(ring3_ttas_t *lock)
{
    /* Pairs with the acquire in ring3_ttas_trylock. */
    ring3_store(&lock->word, 0, RING3_RELEASE);
    ring3_park_release(lock);
}

RING3_API_END

#endif
