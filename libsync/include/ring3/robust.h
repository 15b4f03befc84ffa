/* SPDX-License-Identifier: MIT */
/*
 * Robust mutex: when its owner dies, thread or process, the next one to lock it is told so, and can
 * repair what the mutex protects.
 *
 *     result = ring3_robust_lock(&shared->mutex);
 *     if (result == -EOWNERDEAD) {
 *         … make the data consistent …
 *         ring3_robust_consistent(&shared->mutex);
 *     }
 *     …
 *     ring3_robust_unlock(&shared->mutex);
 *
 * word, in the kernel's layout
 *     bits   name        set by                                cleared by
 *     0-29   owner       whoever locks: its kernel thread id   the owner, or the kernel at its end
 *     30     owner died  the kernel                            the next owner
 *     31     waiters     whoever goes to sleep                 an unlock
 * state  whether what it protects is consistent; written by the owner
 * prev, next  the owner's list of robust objects, of which the kernel walks `next` when the owner
 *             ends. The list is glibc's own, and so is the layout: one thread has one list
 *
 * Unlocked without ring3_robust_consistent after -EOWNERDEAD, the mutex is lost: every lock fails
 * with -ENOTRECOVERABLE until it is initialised anew.
 *
 * The memory may be shared between processes, at different addresses too. All-zero is free. A kernel
 * thread owns it, so a user thread must not move to another one meanwhile. Not recursive; not
 * async-signal-safe; no cancellation point. A child of fork owns nothing that its parent does.
 *
 * Order: what came before an unlock, or before the owner's death, happens before everything after
 * the next lock. Source: set_robust_list(2) and Documentation/locking/robust-futex-ABI.rst.
 */
#ifndef RING3_ROBUST_H
#define RING3_ROBUST_H

#include "ring3/api.h"
#include "ring3/wait.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_robust {
    uint32_t word, state;
    uint64_t unused[2];
    void *prev, *next;
} ring3_robust_t;

#define RING3_ROBUST_INIT                                                                          \
    {                                                                                              \
        0, 0, {0, 0}, 0, 0                                                                         \
    }

/**
 * Lock, waiting until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -EOWNERDEAD: locked, and the last owner died with it; -ENOTRECOVERABLE; -ETIMEDOUT;
 * -EDEADLK if the caller has it; -EINVAL for another clock or a malformed time; -ENOSYS where the
 * thread has no robust list (a C library other than glibc's)
 */
int ring3_robust_clocklock(ring3_robust_t *mutex, clockid_t clock, const struct timespec *deadline);

/** The same without a deadline. */
static inline int ring3_robust_lock(ring3_robust_t *mutex)
{
    return ring3_robust_clocklock(mutex, CLOCK_MONOTONIC, NULL);
}

/** The same without waiting: -EBUSY if it is held. */
int ring3_robust_trylock(ring3_robust_t *mutex);

/** What the mutex protects is consistent again. 0; -EINVAL unless the caller got -EOWNERDEAD from
 * the lock that it holds. */
int ring3_robust_consistent(ring3_robust_t *mutex);

/** 0; -EPERM if the caller does not have it. */
int ring3_robust_unlock(ring3_robust_t *mutex);

RING3_API_END

#endif
