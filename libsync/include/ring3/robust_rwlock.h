/* SPDX-License-Identifier: MIT */
/*
 * Robust read-write lock for processes: when a reader or the writer is killed, at any instruction,
 * the next writer gets the lock and is told so.
 *
 * Every reader stands in a slot of its own, which is a robust word of that reader (ring3/robust.h):
 * a counter could not say whose share of it has died. Readers take a slot and look whether a writer
 * is there; a writer takes the writer's mutex and waits until each slot is free or its reader dead.
 * Writers go first: readers that find one wait for its mutex. A thread reads a lock once at a time.
 *
 *     struct { ring3_robust_rwlock_t lock; ring3_robust_slot_t slots[32]; … } *shared;
 *     ring3_robust_rwlock_init(&shared->lock, 32);    (the slots must follow the lock)
 *
 * As many can read at a time as there are slots; others wait. As for memory, fork, signals and
 * cancellation: see ring3/robust.h. Order: what came before an unlock happens before everything
 * after the next lock that excludes it.
 */
#ifndef RING3_ROBUST_RWLOCK_H
#define RING3_ROBUST_RWLOCK_H

#include "ring3/api.h"
#include "ring3/robust.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_robust_slot {
    ring3_robust_t reader;
} RING3_CACHE_ALIGNED ring3_robust_slot_t;

typedef struct ring3_robust_rwlock {
    ring3_robust_t writer;
    uint32_t slots; /* how many follow */
} RING3_CACHE_ALIGNED ring3_robust_rwlock_t;

/** Make the lock and the `slots` (at least 1) behind it free. Once, before anybody uses it. */
void ring3_robust_rwlock_init(ring3_robust_rwlock_t *lock, uint32_t slots);

/**
 * Lock for reading.
 *
 * @return 0; -EOWNERDEAD: not locked, because a dead process left it to a writer to repair;
 * -ENOTRECOVERABLE; -ETIMEDOUT; -EDEADLK if the caller writes; -EINVAL; -ENOSYS, as
 * ring3_robust_clocklock
 */
int ring3_robust_rwlock_clockrdlock(ring3_robust_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *deadline);

static inline int ring3_robust_rwlock_rdlock(ring3_robust_rwlock_t *lock)
{
    return ring3_robust_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, NULL);
}

/** 0; -EPERM if the caller does not read. */
int ring3_robust_rwlock_rdunlock(ring3_robust_rwlock_t *lock);

/** Lock for writing. 0; -EOWNERDEAD: locked, and a writer or a reader died with it; -ETIMEDOUT;
 * -ENOTRECOVERABLE; -EDEADLK if the caller reads or writes; -EINVAL; -ENOSYS. */
int ring3_robust_rwlock_clockwrlock(ring3_robust_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *deadline);

static inline int ring3_robust_rwlock_wrlock(ring3_robust_rwlock_t *lock)
{
    return ring3_robust_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, NULL);
}

/** As ring3_robust_consistent, by a writer. */
int ring3_robust_rwlock_consistent(ring3_robust_rwlock_t *lock);

/** 0; -EPERM. Without ring3_robust_rwlock_consistent after -EOWNERDEAD the lock is lost. */
int ring3_robust_rwlock_wrunlock(ring3_robust_rwlock_t *lock);

RING3_API_END

#endif
