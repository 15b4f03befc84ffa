/* SPDX-License-Identifier: MIT */
/*
 * Test-and-set lock: every attempt is an atomic exchange. The smallest lock, and the yardstick for
 * the others. Unfair: who is running wins. Under contention each attempt takes the cache line away
 * from the owner. Source: Anderson 1990; Mellor-Crummey and Scott 1991, algorithm 1.
 *
 * word  0 free, 1 held; set by whoever locks, cleared by the owner
 *
 * Waiters that park (ring3_wait_t) stand in the parking table, first come, and the first competes
 * with newcomers. A timed waiter keeps its place there. For threads of one process; not
 * async-signal-safe.
 */
#ifndef RING3_TAS_H
#define RING3_TAS_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_tas {
    uint32_t word;
} ring3_tas_t;

int ring3_tas_lock_slow(ring3_tas_t *lock, ring3_wait_t how, const struct timespec *deadline);

/** 0 or -EBUSY. */
static inline int ring3_tas_trylock(ring3_tas_t *lock)
{
    /* Pairs with the release in ring3_tas_unlock. */
    return ring3_exchange(&lock->word, 1, RING3_ACQUIRE) == 0 ? 0 : -EBUSY;
}

static inline void ring3_tas_lock(ring3_tas_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(ring3_tas_trylock(lock) != 0))
        (void)ring3_tas_lock_slow(lock, how, NULL);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time (unless the lock is free). The deadline is absolute,
 * on CLOCK_MONOTONIC; NULL waits for ever. */
static inline int ring3_tas_timedlock(ring3_tas_t *lock, ring3_wait_t how,
                                      const struct timespec *deadline)
{
    return ring3_tas_trylock(lock) == 0 ? 0 : ring3_tas_lock_slow(lock, how, deadline);
}

static inline void ring3_tas_unlock(ring3_tas_t *lock)
{
    /* Pairs with the acquire in ring3_tas_trylock. */
    ring3_store(&lock->word, 0, RING3_RELEASE);
    ring3_park_release(lock);
}

RING3_API_END

#endif
