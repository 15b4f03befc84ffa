/* SPDX-License-Identifier: MIT */
/*
 * Test-and-test-and-set lock with exponential backoff: after each failed look a waiter stays away
 * twice as long, up to a bound, so that a release is not met by all waiters at once. Unfair, more
 * so than TTAS: who has waited long looks less often. Source: Anderson 1990 (delay after each
 * reference); Mellor-Crummey and Scott 1991, algorithm 1.
 *
 * The lock word and its operations are those of ring3/ttas.h; only the waiting differs, so the two
 * may be mixed on one lock. A timed waiter keeps its place in the parking table. For threads of one
 * process; not async-signal-safe.
 */
#ifndef RING3_BACKOFF_H
#define RING3_BACKOFF_H

#include "ring3/ttas.h"

RING3_API_BEGIN

typedef ring3_ttas_t ring3_backoff_t;

int ring3_backoff_lock_slow(ring3_backoff_t *lock, ring3_wait_t how,
                            const struct timespec *deadline);

/** 0 or -EBUSY. */
static inline int ring3_backoff_trylock(ring3_backoff_t *lock)
{
    return ring3_ttas_trylock(lock);
}

static inline void ring3_backoff_lock(ring3_backoff_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(ring3_ttas_trylock(lock) != 0))
        (void)ring3_backoff_lock_slow(lock, how, NULL);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time (unless the lock is free). The deadline is absolute,
 * on CLOCK_MONOTONIC; NULL waits for ever. */
static inline int ring3_backoff_timedlock(ring3_backoff_t *lock, ring3_wait_t how,
                                          const struct timespec *deadline)
{
    return ring3_ttas_trylock(lock) == 0 ? 0 : ring3_backoff_lock_slow(lock, how, deadline);
}

static inline void ring3_backoff_unlock(ring3_backoff_t *lock)
{
    ring3_ttas_unlock(lock);
}

RING3_API_END

#endif
