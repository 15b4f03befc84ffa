/* SPDX-License-Identifier: MIT */
/*
 * Mutex for memory that processes share: one word, no pointers, waiters sleep in the kernel.
 * Robust ones, which survive the death of their owner, are in ring3/robust.h.
 *
 * word  0 free; 1 held; 2 held, and somebody may sleep. Set by whoever locks; cleared by the owner;
 *       a thread that goes to sleep makes it 2, and keeps it so when it has got the lock
 *
 * All-zero is free. Not recursive, not fair beyond what the kernel's queue is: a running thread may
 * pass sleepers. Works as the lock of a shared condition (ring3_shmutex_ops, ring3/cond.h). Not
 * async-signal-safe; no cancellation point; after fork it is held by whoever held it.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 * Source: Drepper, "Futexes are tricky", mutex 3, with a bounded spin in front.
 */
#ifndef RING3_SHMUTEX_H
#define RING3_SHMUTEX_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/cond.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_shmutex {
    uint32_t word;
} ring3_shmutex_t;

/** 0 or -EBUSY. */
static inline int ring3_shmutex_trylock(ring3_shmutex_t *mutex)
{
    uint32_t seen = 0;

    /* Pairs with the release in ring3_shmutex_unlock. */
    return ring3_cas_try(&mutex->word, &seen, 1, RING3_ACQUIRE) ? 0 : -EBUSY;
}

int ring3_shmutex_lock_slow(ring3_shmutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline);

/** 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. */
static inline int ring3_shmutex_clocklock(ring3_shmutex_t *mutex, clockid_t clock,
                                          const struct timespec *deadline)
{
    return ring3_likely(ring3_shmutex_trylock(mutex) == 0)
               ? 0
               : ring3_shmutex_lock_slow(mutex, clock, deadline);
}

static inline void ring3_shmutex_lock(ring3_shmutex_t *mutex)
{
    (void)ring3_shmutex_clocklock(mutex, CLOCK_MONOTONIC, NULL);
}

static inline void ring3_shmutex_unlock(ring3_shmutex_t *mutex)
{
    /* Pairs with the acquires of the locks. */
    if (ring3_unlikely(ring3_exchange(&mutex->word, 0, RING3_RELEASE) == 2))
        (void)ring3_futex_wake(&mutex->word, 1, RING3_SHARED);
}

/** For ring3_cond_clockwait_with. */
extern const ring3_lock_ops_t ring3_shmutex_ops;

RING3_API_END

#endif
