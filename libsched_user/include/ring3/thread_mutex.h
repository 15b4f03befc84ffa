/* SPDX-License-Identifier: MIT */
/*
 * Mutex of user threads with priority inheritance.
 *
 *     static ring3_thread_mutex_t mutex = {0};
 *     ring3_thread_mutex_lock(&mutex);
 *     …
 *     ring3_thread_mutex_unlock(&mutex);
 *
 * While a more urgent thread waits, the owner is as urgent as that one, and so is whoever the owner
 * waits for in turn, along any chain of such mutexes. So a thread in between cannot keep both waiting
 * (priority inversion). An owner of several has the urgency of the most urgent of all that wait for
 * them, and falls back to that of the rest with each unlock. Urgency is the scheduling class (policy
 * "linux"), then `priority`, then the absolute deadline, which policy "edf" goes by; what other
 * policies go by (nice values, weights, periods) is not inherited.
 *
 * An unlock hands the mutex over to the most urgent waiter; of equals, to the first.
 *
 * For user threads of this runtime only (ring3/thread.h); kernel threads have ring3/pimutex.h. A bound
 * thread is scheduled by the kernel, which knows nothing of this. Waits do not end by
 * ring3_thread_cancel. When a thread ends, those of its mutexes that others wait for are unlocked; it
 * should hold none. Not async-signal-safe. In a child of fork mutexes that other threads held stay
 * locked: initialise them again.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 * Source: Sha, Rajkumar and Lehoczky 1990 (basic inheritance).
 */
#ifndef RING3_THREAD_MUTEX_H
#define RING3_THREAD_MUTEX_H

#include "ring3/api.h"
#include "ring3/list.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/** All-zero is free and inherits. The fields are private. */
typedef struct ring3_thread_mutex {
    uintptr_t owner;
    uint32_t options;
    ring3_list_t waiters, held;
} ring3_thread_mutex_t;

/** Nobody inherits: for comparison, and where owners must keep their place. */
#define RING3_THREAD_MUTEX_PLAIN 1U

/** Make it free. 0; -EINVAL for an unknown option. */
int ring3_thread_mutex_init(ring3_thread_mutex_t *mutex, uint32_t options);

/** 0; -EBUSY while somebody has it. An all-zero one needs no destroy. */
int ring3_thread_mutex_destroy(ring3_thread_mutex_t *mutex);

/** Lock. 0; -EDEADLK if the caller has it, or would wait for itself along a chain of such mutexes;
 * -EPERM outside user threads; from _lock_until -ETIMEDOUT (`deadline` on CLOCK_MONOTONIC, or on the
 * virtual clock), -EINVAL for a malformed time. */
int ring3_thread_mutex_lock(ring3_thread_mutex_t *mutex);
int ring3_thread_mutex_lock_until(ring3_thread_mutex_t *mutex, const struct timespec *deadline);

/** 0; -EBUSY if somebody has it; -EPERM outside user threads. */
int ring3_thread_mutex_trylock(ring3_thread_mutex_t *mutex);

/** 0; -EPERM if the caller does not have it. */
int ring3_thread_mutex_unlock(ring3_thread_mutex_t *mutex);

RING3_API_END

#endif
