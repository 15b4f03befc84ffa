/* SPDX-License-Identifier: MIT */
/*
 * Two read-write locks as textbooks build them from smaller parts. For teaching and comparison;
 * ring3/rwlock.h is faster and fairer than both.
 *
 * ring3_rwcounter_t, the resource counter: a mutex guards a number that stands for the resource (a
 * proxy: the resource itself is used outside the mutex), and two conditions tell who may go on.
 * Readers are told first. Source: the pattern "lock; while not allowed, wait; update; unlock".
 *
 *     resource  0 free, n > 0 read by n, -1 written
 *
 * ring3_rwsemaphores_t, the first readers-writers problem with two semaphores: the first reader
 * takes `resource` for all, the last gives it back. No reader waits unless a writer has the
 * resource, so writers may starve. Source: Courtois, Heymans and Parnas 1971, problem 1.
 *
 *     guard     guards `readers`
 *     resource  held by the one writer, or on behalf of all readers; the reader that gives it back
 *               need not be the one that took it, which is why it cannot be a mutex
 *
 * All-zero is free, except that ring3_rwsemaphores_t needs RING3_RWSEMAPHORES_INIT. A timed reader
 * of ring3_rwsemaphores_t waits with the guard in its hands, and so keeps other readers waiting, as
 * the construction has it. Deadlines are absolute; see ring3/wait.h for clocks and errors. For
 * contexts of one process; not async-signal-safe.
 *
 * Order: that of the parts.
 */
#ifndef RING3_RWCLASSIC_H
#define RING3_RWCLASSIC_H

#include "ring3/api.h"
#include "ring3/cond.h"
#include "ring3/mutex.h"
#include "ring3/sem.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_rwcounter {
    ring3_mutex_t mutex;
    int32_t resource;
    ring3_cond_t read_phase, write_phase;
} ring3_rwcounter_t;

/** 0; -EBUSY. */
int ring3_rwcounter_tryrdlock(ring3_rwcounter_t *lock);
int ring3_rwcounter_trywrlock(ring3_rwcounter_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. */
int ring3_rwcounter_clockrdlock(ring3_rwcounter_t *lock, clockid_t clock,
                                const struct timespec *deadline);
int ring3_rwcounter_clockwrlock(ring3_rwcounter_t *lock, clockid_t clock,
                                const struct timespec *deadline);

static inline void ring3_rwcounter_rdlock(ring3_rwcounter_t *lock)
{
    (void)ring3_rwcounter_clockrdlock(lock, CLOCK_MONOTONIC, NULL);
}

static inline void ring3_rwcounter_wrlock(ring3_rwcounter_t *lock)
{
    (void)ring3_rwcounter_clockwrlock(lock, CLOCK_MONOTONIC, NULL);
}

void ring3_rwcounter_rdunlock(ring3_rwcounter_t *lock);
void ring3_rwcounter_wrunlock(ring3_rwcounter_t *lock);

typedef struct ring3_rwsemaphores {
    ring3_sem_t guard, resource;
    uint32_t readers;
} ring3_rwsemaphores_t;

#define RING3_RWSEMAPHORES_INIT                                                                    \
    {                                                                                              \
        {1, 1, 0}, {1, 1, 0}, 0                                                                    \
    }

/** 0; -EBUSY. */
int ring3_rwsemaphores_tryrdlock(ring3_rwsemaphores_t *lock);
int ring3_rwsemaphores_trywrlock(ring3_rwsemaphores_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. */
int ring3_rwsemaphores_clockrdlock(ring3_rwsemaphores_t *lock, clockid_t clock,
                                   const struct timespec *deadline);
int ring3_rwsemaphores_clockwrlock(ring3_rwsemaphores_t *lock, clockid_t clock,
                                   const struct timespec *deadline);

static inline void ring3_rwsemaphores_rdlock(ring3_rwsemaphores_t *lock)
{
    (void)ring3_rwsemaphores_clockrdlock(lock, CLOCK_MONOTONIC, NULL);
}

static inline void ring3_rwsemaphores_wrlock(ring3_rwsemaphores_t *lock)
{
    (void)ring3_rwsemaphores_clockwrlock(lock, CLOCK_MONOTONIC, NULL);
}

void ring3_rwsemaphores_rdunlock(ring3_rwsemaphores_t *lock);
void ring3_rwsemaphores_wrunlock(ring3_rwsemaphores_t *lock);

RING3_API_END

#endif
