/* SPDX-License-Identifier: MIT */
/*
 * Condition variable: give up a lock, wait to be told that something has changed, take the lock
 * again. For ring3_mutex_t, and for any other lock through a pair of functions.
 *
 *     waiting:   ring3_mutex_lock(&mutex);
 *                while (!condition)
 *                    ring3_cond_wait(&changed, &mutex);
 *                …
 *                ring3_mutex_unlock(&mutex);
 *
 *     changing:  ring3_mutex_lock(&mutex);
 *                condition = true;
 *                ring3_mutex_unlock(&mutex);
 *                ring3_cond_signal(&changed);          (or before the unlock; both are right)
 *
 * Test in a loop: between the signal and the return another context may have locked the mutex and
 * undone the condition (Mesa semantics, Lampson and Redell 1980). A signal that finds nobody waiting
 * has no effect.
 *
 * waiters  how many stand in the queue; changed under its lock, read without it by signals
 * shared   RING3_PRIVATE or RING3_SHARED
 * calls    shared only: counts signals and broadcasts; the futex on which waiters sleep
 * chain    shared only: the futex on which those sleep whom a broadcast wakes one after another
 *
 * The queue is first come, first served. Those who wait with a ring3_mutex_t are not woken into a
 * held mutex: a signal moves them to the end of the mutex's own queue, and a broadcast moves all,
 * so that each is woken by an unlock. With other locks, and between processes, a broadcast wakes
 * one, and each wakes the next when it has the lock again. So the waiters of one condition must all
 * use one lock at a time.
 *
 * All-zero is ready for use, private. None of these functions is async-signal-safe or a
 * cancellation point, and no signal handler ends a wait. A private condition may be freed when its
 * waiters have been told to leave, even before they have the lock again. In a child of fork, a
 * condition on which others were waiting must be initialised again. If a process is killed in a
 * shared wait, the rest of a broadcast goes on with the next signal or broadcast.
 *
 * Order: that of the lock; a signal orders nothing by itself.
 */
#ifndef RING3_COND_H
#define RING3_COND_H

#include "ring3/api.h"
#include "ring3/mutex.h"
#include "ring3/wait.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_cond {
    uint32_t waiters, shared;
    uint32_t calls, chain;
} ring3_cond_t;

#define RING3_COND_INIT                                                                            \
    {                                                                                              \
        0, 0, 0, 0                                                                                 \
    }

/* How a condition gives up and takes some other lock. */
typedef struct ring3_lock_ops {
    void (*lock)(void *lock);
    void (*unlock)(void *lock);
} ring3_lock_ops_t;

static inline void ring3_cond_init(ring3_cond_t *cond, int shared)
{
    const ring3_cond_t fresh = RING3_COND_INIT;

    *cond = fresh;
    cond->shared = shared == RING3_SHARED;
}

/**
 * Unlock `mutex`, wait for a signal, lock it again. Unlocking and beginning to wait are one step: a
 * signal by whoever locks the mutex after us finds us waiting. The caller holds the mutex.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0 (perhaps without a reason: test again); -ETIMEDOUT; -EINVAL for another clock or a
 * malformed time, without having waited. The mutex is held again in every case.
 */
int ring3_cond_clockwait(ring3_cond_t *cond, ring3_mutex_t *mutex, clockid_t clock,
                         const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_cond_timedwait(ring3_cond_t *cond, ring3_mutex_t *mutex,
                                       const struct timespec *deadline)
{
    return ring3_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. */
static inline void ring3_cond_wait(ring3_cond_t *cond, ring3_mutex_t *mutex)
{
    (void)ring3_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, NULL);
}

/** The same with any other lock, which the caller holds; the only form for shared conditions. */
int ring3_cond_clockwait_with(ring3_cond_t *cond, const ring3_lock_ops_t *ops, void *lock,
                              clockid_t clock, const struct timespec *deadline);

/** Let the longest waiter go on, if there is one. The caller need not hold the lock. */
void ring3_cond_signal(ring3_cond_t *cond);

/** Let all go on who are waiting now. */
void ring3_cond_broadcast(ring3_cond_t *cond);

RING3_API_END

#endif
