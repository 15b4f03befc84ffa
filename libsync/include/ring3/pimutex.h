/* SPDX-License-Identifier: MIT */
/*
 * Priority-inheriting mutex: while a more urgent thread waits, the owner runs at that thread's
 * priority, so that threads in between cannot keep both waiting (priority inversion). The kernel
 * does it, along chains of such mutexes too.
 *
 *     static ring3_pimutex_t mutex = RING3_PIMUTEX_INIT;    (all-zero is free)
 *
 * word, in the kernel's layout
 *     bits   name        set by                                 cleared by
 *     0-29   owner       whoever locks: its kernel thread id;   the owner, if nobody waits; else
 *                        the kernel, when it hands over         the kernel
 *     30     owner died  the kernel, for robust mutexes; not used here
 *     31     waiters     the kernel, before a thread sleeps     the kernel
 *
 * Waiters queue in the kernel by priority; the mutex is handed over to the first. A kernel thread
 * owns it, so a user thread must not be switched to another kernel thread meanwhile. RING3_SHARED:
 * the word may lie in memory that several processes map. Not robust: who ends holding it leaves it
 * locked. Not async-signal-safe, no cancellation point; a signal handler does not end a wait. In a
 * child of fork the thread ids are those of the parent: initialise a private mutex again.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 * Source: futex(2), FUTEX_LOCK_PI and FUTEX_LOCK_PI2; Sha, Rajkumar and Lehoczky 1990.
 */
#ifndef RING3_PIMUTEX_H
#define RING3_PIMUTEX_H

#include "ring3/api.h"
#include "ring3/wait.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_pimutex {
    uint32_t word;
    uint32_t shared; /* RING3_PRIVATE or RING3_SHARED */
} ring3_pimutex_t;

#define RING3_PIMUTEX_INIT                                                                         \
    {                                                                                              \
        0, 0                                                                                       \
    }

void ring3_pimutex_init(ring3_pimutex_t *mutex, int shared);

/**
 * Lock, waiting until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC (Linux 5.14; -ENOSYS before that) or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -EDEADLK if the caller has it, or waits for itself along a chain of such mutexes;
 * -ETIMEDOUT; -ESRCH if the owner has ended; -EINVAL for another clock or a malformed time
 */
int ring3_pimutex_clocklock(ring3_pimutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline);

/** The same without a deadline. 0; -EDEADLK; -ESRCH. */
static inline int ring3_pimutex_lock(ring3_pimutex_t *mutex)
{
    return ring3_pimutex_clocklock(mutex, CLOCK_REALTIME, NULL);
}

/** 0; -EBUSY. */
int ring3_pimutex_trylock(ring3_pimutex_t *mutex);

/** 0; -EPERM if the caller does not have it. */
int ring3_pimutex_unlock(ring3_pimutex_t *mutex);

RING3_API_END

#endif
