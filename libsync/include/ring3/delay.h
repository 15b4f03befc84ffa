/* SPDX-License-Identifier: MIT */
/*
 * Test-and-test-and-set lock with a delay after the release: a waiter that sees the lock become
 * free does not try at once, because all others see it too, but after a delay of its own; if
 * another was quicker it looks on. Compare ring3/backoff.h, which delays after each look.
 * Unfair. Source: Anderson 1990 (delay after a spinner notices that the lock was released, with a
 * static delay for each waiter).
 *
 * The lock word and its operations are those of ring3/ttas.h; only the waiting differs, so the two
 * may be mixed on one lock. A timed waiter keeps its place in the parking table. For threads of one
 * process; not async-signal-safe.
 */
#ifndef RING3_DELAY_H
#define RING3_DELAY_H

#include "ring3/ttas.h"

RING3_API_BEGIN

typedef ring3_ttas_t ring3_delay_t;

int ring3_delay_lock_slow(ring3_delay_t *lock, ring3_wait_t how, const struct timespec *deadline);

/** 0 or -EBUSY. */
static inline int ring3_delay_trylock(ring3_delay_t *lock)
{
    return ring3_ttas_trylock(lock);
}

static inline void ring3_delay_lock(ring3_delay_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(ring3_ttas_trylock(lock) != 0))
        (void)ring3_delay_lock_slow(lock, how, NULL);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time (unless the lock is free). The deadline is absolute,
 * on CLOCK_MONOTONIC; NULL waits for ever. */
static inline int ring3_delay_timedlock(ring3_delay_t *lock, ring3_wait_t how,
                                        const struct timespec *deadline)
{
    return ring3_ttas_trylock(lock) == 0 ? 0 : ring3_delay_lock_slow(lock, how, deadline);
}

static inline void ring3_delay_unlock(ring3_delay_t *lock)
{
    ring3_ttas_unlock(lock);
}

RING3_API_END

#endif
