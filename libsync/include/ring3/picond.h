/* SPDX-License-Identifier: MIT */
/*
 * Condition variable for priority-inheriting mutexes: a signal hands the mutex, or a place in its
 * queue, to the most urgent waiter, without a moment in which a waiter is awake but does not count
 * for inheritance.
 *
 *     ring3_pimutex_lock(&mutex);
 *     while (!condition)
 *         ring3_picond_wait(&changed, &mutex);
 *
 * calls    counts signals and broadcasts; the futex on which waiters sleep
 * waiters  how many wait, or are on their way back; signals without any cost no system call
 *
 * All-zero is ready for use, private. All waiters of one condition use one mutex. As for threads,
 * signals and fork: see ring3/pimutex.h. Order: that of the mutex.
 * Source: futex(2), FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI (Hart and Guniguntala 2009).
 */
#ifndef RING3_PICOND_H
#define RING3_PICOND_H

#include "ring3/api.h"
#include "ring3/pimutex.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_picond {
    uint32_t calls, waiters;
} ring3_picond_t;

#define RING3_PICOND_INIT                                                                          \
    {                                                                                              \
        0, 0                                                                                       \
    }

/**
 * Unlock `mutex`, wait for a signal, have it locked again.
 *
 * @return 0 (perhaps without a reason: test again); -ETIMEDOUT; -EINVAL for another clock or a
 * malformed time; -EPERM if the caller does not hold the mutex; both without having waited. The
 * mutex is held in every case but the last.
 */
int ring3_picond_clockwait(ring3_picond_t *cond, ring3_pimutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline);

static inline void ring3_picond_wait(ring3_picond_t *cond, ring3_pimutex_t *mutex)
{
    (void)ring3_picond_clockwait(cond, mutex, CLOCK_MONOTONIC, NULL);
}

/** Let the most urgent waiter go on. The caller need not hold the mutex. */
void ring3_picond_signal(ring3_picond_t *cond, ring3_pimutex_t *mutex);

/** Let all go on who are waiting now. */
void ring3_picond_broadcast(ring3_picond_t *cond, ring3_pimutex_t *mutex);

RING3_API_END

#endif
