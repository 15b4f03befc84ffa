/* SPDX-License-Identifier: MIT */
/*
 * A lock for data that processes share, which is repaired before anybody else sees it when its owner dies;
 * and a condition to wait for under it.
 *
 *     static int repair(void *data, pid_t dead) { … recompute … return 0; }
 *
 *     err = ring3_sharedlock_lock(&shared->lock, repair, shared, deadline);
 *     while (!err && shared->empty)
 *         err = ring3_sharedcond_wait(&shared->filled, &shared->lock, repair, shared, deadline);
 *     …
 *     ring3_sharedlock_unlock(&shared->lock);
 *
 * Whoever gets the lock first after its owner has died runs `repair` before its own lock call returns; no
 * other waiter runs meanwhile. If that process dies as well, the next one repairs. If repair fails, the lock is lost:
 * every call says -ENOTRECOVERABLE from then on. Good data can be recomputed from what was committed by one
 * store; see LMDB.
 *
 * lock   robust    ring3/robust.h: the kernel tells of the owner's death
 *        owner     pid of the last owner; written by owners
 *        repaired  how often it was repaired
 * cond   sequence  counts notifications; waiters sleep on it. Written by notifiers
 *        waiting   1 when somebody may sleep. Set by waiters, cleared by the notifier
 *
 * A notification wakes everybody who waits: one waiter alone might be killed before it has looked.
 *
 * All-zero is ready for use. Thread-safe; not async-signal-safe. A forked child owns nothing.
 * Order: what came before an unlock, or an owner's death and the repair, happens before what comes after the
 * next lock.
 */
#ifndef RING3_SHAREDLOCK_H
#define RING3_SHAREDLOCK_H

#include "ring3/api.h"
#include "ring3/robust.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_sharedlock {
    ring3_robust_t robust;
    int32_t owner;
    uint32_t repaired;
} ring3_sharedlock_t;

typedef struct ring3_sharedcond {
    uint32_t sequence, waiting;
} ring3_sharedcond_t;

/** Repairs what the lock protects, after process `dead` (0: unknown) died with it. 0, or the data are lost. */
typedef int ring3_repair_t(void *data, pid_t dead);

/**
 * Lock. `repair` NULL: what was being changed when an owner dies is lost.
 * @return 0 (ring3_sharedlock_t.repaired tells whether there was a repair); -ENOTRECOVERABLE;
 *         -ETIMEDOUT, -EDEADLK, -EINVAL, -ENOSYS as in ring3/robust.h
 */
int ring3_sharedlock_lock(ring3_sharedlock_t *lock, ring3_repair_t *repair, void *data,
                          const struct timespec *deadline);

/** @return 0; -EPERM if the caller does not have it */
int ring3_sharedlock_unlock(ring3_sharedlock_t *lock);

/** Unlock, wait for a notification (or for no reason), lock again: look whether what you wait for is so.
 * @return 0; -ETIMEDOUT (the lock is held again all the same); otherwise it is not held, as
 *         ring3_sharedlock_lock */
int ring3_sharedcond_wait(ring3_sharedcond_t *cond, ring3_sharedlock_t *lock,
                          ring3_repair_t *repair, void *data, const struct timespec *deadline);

/** Wake all who wait. After the change, with or without the lock; a change made without it may be
 * missed by who looks just then. */
void ring3_sharedcond_notify(ring3_sharedcond_t *cond);

RING3_API_END

#endif
