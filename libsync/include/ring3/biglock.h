/* SPDX-License-Identifier: MIT */
/*
 * Big-reader lock: a read lock is a store to a slot of the reader's own, without an atomic
 * instruction, however many CPUs read. A writer pays for it.
 *
 *     static ring3_biglock_t lock;                      (all-zero is free)
 *     ring3_biglock_rdlock(&lock);  …  ring3_biglock_rdunlock(&lock);
 *     ring3_biglock_wrlock(&lock);  …  ring3_biglock_wrunlock(&lock);
 *
 * below      an ordinary read-write lock (phase-fair); writers hold it, and readers that found no
 *            way around it
 * open       1 while readers may pass by their slots. Set by a reader that holds `below`, cleared
 *            by a writer that holds it
 * closed_until  no reader opens the lock before this time (nanoseconds on CLOCK_MONOTONIC)
 *
 *     reader:   slot = lock;   ring3_fence_light();   if (open) it has the lock
 *     writer:   open = 0;      ring3_fence_heavy();   wait until no slot says lock
 *
 * A writer that had to close the lock keeps it closed for 9 times as long as that took, so that it
 * costs writers at most a tenth of the time. Each context has 8 slots in a row of its own, chosen by
 * the lock's address; the first 1024 contexts alive have rows, and others use `below`, as does a
 * reader whose slot is taken by another lock or by an outer lock of the same kind.
 *
 * A read lock must be released by the context that took it. Contexts that wait for the lock sleep,
 * but the one writer that waits for readers in slots looks for them at least every millisecond. For
 * contexts of one process; not async-signal-safe, no cancellation point. Fork: a child inherits the
 * slots of its own context only; locks that others held must be initialised again.
 *
 * Order: as ring3/rwlock.h.
 * Source: Dice and Kogan 2019 (BRAVO), with the fence pair of ring3/arch.h for its fences.
 */
#ifndef RING3_BIGLOCK_H
#define RING3_BIGLOCK_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/rwlock.h"
#include "ring3/self.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_biglock {
    ring3_rwlock_t below;
    uint32_t open, unused;
    uint64_t closed_until;
} ring3_biglock_t;

#define RING3_BIGLOCK_SLOTS 8 /* per context: one cache line on most machines */

typedef struct ring3_biglock_row {
    const ring3_biglock_t *slot[RING3_BIGLOCK_SLOTS];
} RING3_CACHE_ALIGNED ring3_biglock_row_t;

static inline const ring3_biglock_t **ring3_biglock_slot(ring3_self_t *self,
                                                         const ring3_biglock_t *lock)
{
    ring3_biglock_row_t *const row = (ring3_biglock_row_t *)self->readers;

    return &row->slot[((uintptr_t)lock >> 5 ^ (uintptr_t)lock >> 8) % RING3_BIGLOCK_SLOTS];
}

int ring3_biglock_rdlock_slow(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline);

/* Read by way of the context's slot; false if that is not possible now. */
static inline bool ring3_biglock_pass(ring3_biglock_t *lock)
{
    ring3_self_t *const self = ring3_self();
    const ring3_biglock_t **slot;

    if (ring3_unlikely(!self->readers || !ring3_load(&lock->open, RING3_RELAXED)))
        return false;
    slot = ring3_biglock_slot(self, lock);
    if (ring3_unlikely(*slot != NULL))
        return false;
    /* A release for the writer of another lock, which may find this instead of our last unlock. */
    ring3_store(slot, lock, RING3_RELEASE);
    ring3_fence_light();
    /* Pairs with the release in biglock.c that opened the lock, after the last writer left. */
    if (ring3_likely(ring3_load(&lock->open, RING3_ACQUIRE)))
        return true;
    ring3_store(slot, (const ring3_biglock_t *)NULL, RING3_RELEASE);
    return false;
}

/** Lock for reading. 0, or -EAGAIN for too many readers. */
static inline int ring3_biglock_rdlock(ring3_biglock_t *lock)
{
    return ring3_likely(ring3_biglock_pass(lock))
               ? 0
               : ring3_biglock_rdlock_slow(lock, CLOCK_MONOTONIC, NULL);
}

/** 0; -ETIMEDOUT; -EAGAIN; -EINVAL for another clock or a malformed time. The deadline is absolute,
 * NULL waits for ever. */
int ring3_biglock_clockrdlock(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline);

/** 0; -EBUSY; -EAGAIN. */
int ring3_biglock_tryrdlock(ring3_biglock_t *lock);

static inline void ring3_biglock_rdunlock(ring3_biglock_t *lock)
{
    ring3_self_t *const self = ring3_self();

    if (ring3_likely(self->readers != NULL)) {
        const ring3_biglock_t **const slot = ring3_biglock_slot(self, lock);

        if (ring3_likely(*slot == lock)) {
            /* Pairs with the acquire of the writer that looks for readers. */
            ring3_store(slot, (const ring3_biglock_t *)NULL, RING3_RELEASE);
            return;
        }
    }
    ring3_rwlock_rdunlock(&lock->below);
}

/** Lock for writing: 0; -ETIMEDOUT; -EINVAL. As ring3_biglock_clockrdlock. */
int ring3_biglock_clockwrlock(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline);

static inline void ring3_biglock_wrlock(ring3_biglock_t *lock)
{
    (void)ring3_biglock_clockwrlock(lock, CLOCK_MONOTONIC, NULL);
}

/** 0 or -EBUSY: also when readers are in their slots. */
int ring3_biglock_trywrlock(ring3_biglock_t *lock);

static inline void ring3_biglock_wrunlock(ring3_biglock_t *lock)
{
    ring3_rwlock_wrunlock(&lock->below);
}

RING3_API_END

#endif
