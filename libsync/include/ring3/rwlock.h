/* SPDX-License-Identifier: MIT */
/*
 * Read-write lock: many readers or one writer. Three policies say who goes first.
 *
 *     static ring3_rwlock_t lock = RING3_RWLOCK_INIT;   (all-zero is free and phase-fair)
 *     ring3_rwlock_rdlock(&lock);  …  ring3_rwlock_rdunlock(&lock);
 *     ring3_rwlock_wrlock(&lock);  …  ring3_rwlock_wrunlock(&lock);
 *
 *     policy           a reader comes while      a writer leaves while       who may starve
 *                      readers read and          readers and writers wait
 *                      a writer waits
 *     phase-fair       waits                     all waiting readers         nobody
 *     prefer readers   reads                     all waiting readers         writers
 *     prefer writers   waits                     the first writer            readers
 *
 * Phase-fair: read and write phases alternate while both sides wait, so that a reader waits for one
 * writer at most, and a writer for those before it and one read phase between any two.
 *
 * The policy rules over those who wait awake (every waiter spins for a bounded time) and those who
 * have waited for a millisecond. In between a waiter sleeps without a claim: others may pass, so
 * that threads which run need not wait for threads that do not. Whoever leaves the lock free asks
 * the longest sleeper to look again.
 *
 * word
 *     bits   name          set by                                   cleared by
 *     0-19   readers       a reader adds itself, or is added by     each reader subtracts itself
 *                          whoever lets it in
 *     20     writer        the writer, or whoever lets it in        the writer
 *     21     upgrader      a reader that waits to become writer     whoever lets it in, or itself
 *     22     readers wait  under the queue's lock, while a reader (a writer) with a claim waits
 *     23     writers wait
 *     24     sleepers      under the queue's lock, while someone sleeps without a claim and nobody
 *                          has been asked to look again
 *     25-31  zero
 *
 * Waiters stand in the parking table; those with a claim are handed the lock: it is never seen free
 * while there is one. A timed waiter keeps its place. A reader
 * that reads again while it holds the lock deadlocks with a waiting writer, except where readers
 * are preferred. For contexts of one process; not async-signal-safe, no cancellation point. In a
 * child of fork the lock is as it was in the parent; initialise it again if others used it.
 *
 * Order: what came before a wrunlock happens before everything after later locks of either kind;
 * what came before a rdunlock happens before everything after the next wrlock.
 * Sources: Courtois, Heymans and Parnas 1971 (the two preferences); Brandenburg and Anderson 2010
 * (phase-fair locks).
 */
#ifndef RING3_RWLOCK_H
#define RING3_RWLOCK_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef enum ring3_rwlock_policy {
    RING3_RWLOCK_PHASE_FAIR, /* the default, all-zero */
    RING3_RWLOCK_PREFER_READERS,
    RING3_RWLOCK_PREFER_WRITERS,
    RING3_RWLOCK_POLICIES /* how many there are */
} ring3_rwlock_policy_t;

typedef struct ring3_rwlock {
    uint32_t word;
    uint32_t policy; /* ring3_rwlock_policy_t */
} ring3_rwlock_t;

#define RING3_RWLOCK_READERS      0xfffffu
#define RING3_RWLOCK_WRITER       0x100000u
#define RING3_RWLOCK_UPGRADER     0x200000u
#define RING3_RWLOCK_READERS_WAIT 0x400000u
#define RING3_RWLOCK_WRITERS_WAIT 0x800000u
#define RING3_RWLOCK_SLEEPERS     0x1000000u

#define RING3_RWLOCK_INIT                                                                          \
    {                                                                                              \
        0, RING3_RWLOCK_PHASE_FAIR                                                                 \
    }

/** Make `lock` free, with this policy. 0 or -EINVAL. */
int ring3_rwlock_init(ring3_rwlock_t *lock, ring3_rwlock_policy_t policy);

/** "phase-fair", "prefer-readers", "prefer-writers"; NULL for another value. */
const char *ring3_rwlock_name(ring3_rwlock_policy_t policy);

/** The policy of that name, or -ENOENT. */
int ring3_rwlock_find(const char *name);

/* --- Reading --------------------------------------------------------------------------------- */

/** What keeps a reader out. */
static inline uint32_t ring3_rwlock_bars(const ring3_rwlock_t *lock)
{
    return lock->policy == RING3_RWLOCK_PREFER_READERS
               ? RING3_RWLOCK_WRITER
               : RING3_RWLOCK_WRITER | RING3_RWLOCK_UPGRADER | RING3_RWLOCK_WRITERS_WAIT;
}

/** 0; -EBUSY; -EAGAIN if there are too many readers (a million). */
static inline int ring3_rwlock_tryrdlock(ring3_rwlock_t *lock)
{
    uint32_t seen = ring3_load(&lock->word, RING3_RELAXED);

    do {
        if (seen & ring3_rwlock_bars(lock))
            return -EBUSY;
        if ((seen & RING3_RWLOCK_READERS) == RING3_RWLOCK_READERS)
            return -EAGAIN;
        /* Pairs with the release of the writer before. */
    } while (!ring3_cas_weak(&lock->word, &seen, seen + 1, RING3_ACQUIRE));
    return 0;
}

/**
 * Lock for reading, waiting until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -ETIMEDOUT; -EAGAIN for too many readers; -EINVAL for another clock or a malformed
 * time, unless the lock can be had at once
 */
int ring3_rwlock_clockrdlock(ring3_rwlock_t *lock, clockid_t clock,
                             const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_rwlock_timedrdlock(ring3_rwlock_t *lock, const struct timespec *deadline)
{
    return ring3_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. 0 or -EAGAIN. */
static inline int ring3_rwlock_rdlock(ring3_rwlock_t *lock)
{
    return ring3_likely(ring3_rwlock_tryrdlock(lock) == 0)
               ? 0
               : ring3_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, NULL);
}

void ring3_rwlock_hand_over(ring3_rwlock_t *lock, uint32_t released);

/** The caller, a reader, leaves. */
static inline void ring3_rwlock_rdunlock(ring3_rwlock_t *lock)
{
    uint32_t seen = ring3_load(&lock->word, RING3_RELAXED);

    do {
        const uint32_t others = (seen & RING3_RWLOCK_READERS) - 1;

        /* The last one lets waiters in, the last but one an upgrader. */
        if ((others == 0 && seen & (RING3_RWLOCK_WRITERS_WAIT | RING3_RWLOCK_SLEEPERS)) ||
            (others == 1 && seen & RING3_RWLOCK_UPGRADER)) {
            ring3_rwlock_hand_over(lock, 1);
            return;
        }
        /* Pairs with the acquires of the next writer. */
    } while (!ring3_cas_weak(&lock->word, &seen, seen - 1, RING3_RELEASE));
}

/* --- Writing --------------------------------------------------------------------------------- */

/** 0 or -EBUSY. */
static inline int ring3_rwlock_trywrlock(ring3_rwlock_t *lock)
{
    uint32_t seen = 0;

    /* Pairs with the releases of all holders before. */
    return ring3_cas_try(&lock->word, &seen, RING3_RWLOCK_WRITER, RING3_ACQUIRE) ? 0 : -EBUSY;
}

/** As ring3_rwlock_clockrdlock, for writing. 0; -ETIMEDOUT; -EINVAL. */
int ring3_rwlock_clockwrlock(ring3_rwlock_t *lock, clockid_t clock,
                             const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_rwlock_timedwrlock(ring3_rwlock_t *lock, const struct timespec *deadline)
{
    return ring3_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. */
static inline void ring3_rwlock_wrlock(ring3_rwlock_t *lock)
{
    if (ring3_unlikely(ring3_rwlock_trywrlock(lock) != 0))
        (void)ring3_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, NULL);
}

/** The caller, the writer, leaves. */
static inline void ring3_rwlock_wrunlock(ring3_rwlock_t *lock)
{
    uint32_t seen = RING3_RWLOCK_WRITER;

    /* Pairs with the acquires of the next holders. */
    if (ring3_unlikely(!ring3_cas_try(&lock->word, &seen, 0, RING3_RELEASE)))
        ring3_rwlock_hand_over(lock, RING3_RWLOCK_WRITER);
}

/* --- From one to the other ------------------------------------------------------------------- */

/**
 * The caller, a reader, becomes the writer as soon as the other readers have left; no other writer
 * comes in between.
 *
 * @return 0: the caller is the writer; else it is still a reader: -EBUSY if another reader is
 * waiting for the same (one of the two must leave first), -ETIMEDOUT, -EINVAL
 */
int ring3_rwlock_clockupgrade(ring3_rwlock_t *lock, clockid_t clock,
                              const struct timespec *deadline);

/** The same without a deadline. 0 or -EBUSY. */
static inline int ring3_rwlock_upgrade(ring3_rwlock_t *lock)
{
    return ring3_rwlock_clockupgrade(lock, CLOCK_MONOTONIC, NULL);
}

/** The same without waiting: -EBUSY unless the caller is the only reader. */
int ring3_rwlock_tryupgrade(ring3_rwlock_t *lock);

/** The caller, the writer, becomes a reader; no other writer comes in between. */
void ring3_rwlock_downgrade(ring3_rwlock_t *lock);

RING3_API_END

#endif
