/* SPDX-License-Identifier: MIT */
/* A lock that is repaired when its owner dies: see ring3/sharedlock.h. */
#include "ring3/sharedlock.h"

#include "ring3/atomic.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* A waiter whose wake-up may have been swallowed by a death looks again so often. Wake-ups go to all, so
 * this is for a notifier that is killed between its change and its notification. */
#define LOOK_AGAIN_NS 100000000

int ring3_sharedlock_lock(ring3_sharedlock_t *lock, ring3_repair_t *repair, void *data,
                          const struct timespec *deadline)
{
    int err = ring3_robust_clocklock(&lock->robust, CLOCK_MONOTONIC, deadline);

    if (err == -EOWNERDEAD) {
        if (!repair || repair(data, ring3_load(&lock->owner, RING3_RELAXED))) {
            (void)ring3_robust_unlock(&lock->robust); /* lost */
            return -ENOTRECOVERABLE;
        }
        err = ring3_robust_consistent(&lock->robust);
        lock->repaired++;
    }
    if (!err)
        ring3_store(&lock->owner, (int32_t)getpid(), RING3_RELAXED);
    return err;
}

int ring3_sharedlock_unlock(ring3_sharedlock_t *lock)
{
    return ring3_robust_unlock(&lock->robust);
}

int ring3_sharedcond_wait(ring3_sharedcond_t *cond, ring3_sharedlock_t *lock,
                          ring3_repair_t *repair, void *data, const struct timespec *deadline)
{
    const uint32_t sequence = ring3_load(&cond->sequence, RING3_RELAXED);
    struct timespec soon;
    const struct timespec *until = deadline;
    int err, late;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline)) {
        (void)ring3_sharedlock_unlock(lock);
        return -EINVAL;
    }
    /* Under the lock, so that a notifier that changes something after us sees it. */
    ring3_store(&cond->waiting, 1, RING3_SEQ_CST);
    err = ring3_sharedlock_unlock(lock);
    if (err)
        return err;
    soon = ring3_deadline_in(CLOCK_MONOTONIC, LOOK_AGAIN_NS);
    if (!deadline || soon.tv_sec < deadline->tv_sec ||
        (soon.tv_sec == deadline->tv_sec && soon.tv_nsec < deadline->tv_nsec))
        until = &soon;
    (void)ring3_futex_wait(&cond->sequence, sequence, RING3_SHARED, CLOCK_MONOTONIC, until);
    late = ring3_deadline_passed(CLOCK_MONOTONIC, deadline) ? -ETIMEDOUT : 0;
    err = ring3_sharedlock_lock(lock, repair, data, NULL);
    return err ? err : late;
}

void ring3_sharedcond_notify(ring3_sharedcond_t *cond)
{
    if (!ring3_exchange(&cond->waiting, 0, RING3_SEQ_CST))
        return;
    (void)ring3_fetch_add(&cond->sequence, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&cond->sequence, INT_MAX, RING3_SHARED);
}
