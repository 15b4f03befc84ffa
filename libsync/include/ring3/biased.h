/* SPDX-License-Identifier: MIT */
/*
 * Owner-biased lock: the context that took it first takes it again and again by plain stores,
 * without an atomic instruction. The first other one to come pays for both with membarrier and
 * takes the bias away; from then on it is a plain mutex, until its owner comes again after a while
 * and finds it free. The owner stays the same for ever, because it alone may write `inside`.
 *
 * bias    the owner's address; bit 0 set while it may not enter by `inside`; 0 before there is one.
 *         Changed by a holder of `below`
 * inside  1 while the biased context holds the lock by that way, or tries; written by it only
 * below   the mutex that everybody else takes
 * plain   the lock is held by way of `below`; written and read by the holder only
 * again   no bias before this time: 9 times as long as taking the last one away took
 *
 * Who meets the biased holder polls it, by the waiting policy, and others wait as for a mutex. A timed
 * waiter keeps its place among those, but not while it polls. All-zero is free. For threads of one process; not recursive; not async-signal-safe. After fork it is held by
 * whoever held it.
 *
 * Order: what came before an unlock happens before everything after the next lock. Sources: Dice,
 * Moir and Scherer, "Quickly reacquirable locks", 2003; the revocation after BRAVO (Dice and Kogan
 * 2019).
 */
#ifndef RING3_BIASED_H
#define RING3_BIASED_H

#include "ring3/api.h"
#include "ring3/mutex.h"
#include "ring3/self.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_biased {
    uintptr_t bias;
    uint16_t inside, plain;
    ring3_mutex_t below;
    uint64_t again;
} ring3_biased_t;

int ring3_biased_lock_slow(ring3_biased_t *lock, ring3_wait_t how, const struct timespec *deadline);
void ring3_biased_unlock_slow(ring3_biased_t *lock);

static inline bool ring3_biased_enter(ring3_biased_t *lock)
{
    const uintptr_t self = (uintptr_t)ring3_self();

    /* Who is inside already has to wait like everybody. */
    if (ring3_load(&lock->bias, RING3_RELAXED) != self ||
        ring3_unlikely(ring3_load(&lock->inside, RING3_RELAXED)))
        return false;
    ring3_store(&lock->inside, 1, RING3_RELAXED);
    /* Pairs with the heavy fence in revoke: it sees us inside, or we see that the bias is gone. */
    ring3_fence_light();
    /* Relaxed: what others did under the lock we saw when we gave ourselves the bias. */
    if (ring3_likely(ring3_load(&lock->bias, RING3_RELAXED) == self))
        return true;
    ring3_store(&lock->inside, 0, RING3_RELAXED);
    return false;
}

static inline void ring3_biased_lock(ring3_biased_t *lock, ring3_wait_t how)
{
    if (ring3_unlikely(!ring3_biased_enter(lock)))
        (void)ring3_biased_lock_slow(lock, how, NULL);
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_biased_timedlock(ring3_biased_t *lock, ring3_wait_t how, const struct timespec *deadline);

/** 0 or -EBUSY: also when taking the bias away would not succeed at once. */
int ring3_biased_trylock(ring3_biased_t *lock);

static inline void ring3_biased_unlock(ring3_biased_t *lock)
{
    if (ring3_likely(!lock->plain))
        /* Pairs with the acquire in revoke. */
        ring3_store(&lock->inside, 0, RING3_RELEASE);
    else
        ring3_biased_unlock_slow(lock);
}

RING3_API_END

#endif
