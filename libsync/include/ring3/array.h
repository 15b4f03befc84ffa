/* SPDX-License-Identifier: MIT */
/*
 * Anderson's array lock: arrivals draw a number, and each waits on a slot of its own, in its own
 * cache line. Strict FIFO, one line transfer per hand-over. The caller brings the slots.
 * Source: Anderson 1990, with the number in the slot instead of a flag, so that nothing has to be
 * reset and more contexts than slots only share lines.
 *
 *     static ring3_array_slot_t slots[8];               (all-zero; a power of two of them)
 *     static ring3_array_t lock = RING3_ARRAY_INIT(slots, 8);
 *
 * next         incremented by every arrival
 * holder       the number of the holder; holder only
 * slot.turn    the number that may enter; number i looks in slot i modulo their count. Written by
 *              the holder only: i + 1 into the slot after its own
 *
 * A number cannot be handed back, so a timed waiter draws none: it looks again and again from
 * outside the queue, at least every millisecond, and may be passed by untimed waiters for ever. For
 * threads of one process; not async-signal-safe. In a child of fork a lock that had waiters is dead.
 */
#ifndef RING3_ARRAY_H
#define RING3_ARRAY_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_array_slot {
    uint32_t turn;
} RING3_CACHE_ALIGNED ring3_array_slot_t;

typedef struct ring3_array {
    ring3_array_slot_t *slots;
    uint32_t mask, next, holder, unused;
} ring3_array_t;

#define RING3_ARRAY_INIT(slots, count)                                                             \
    {                                                                                              \
        (slots), (count)-1, 0, 0, 0                                                                \
    }

/** Make the lock free. `slots` are cleared and must outlive it. 0; -EINVAL unless `count` is a power
 * of two. */
int ring3_array_init(ring3_array_t *lock, ring3_array_slot_t *slots, uint32_t count);

void ring3_array_wait(ring3_array_t *lock, uint32_t mine, ring3_wait_t how);

static inline void ring3_array_lock(ring3_array_t *lock, ring3_wait_t how)
{
    const uint32_t mine = ring3_fetch_add(&lock->next, 1, RING3_RELAXED);

    /* Pairs with the release in ring3_array_unlock. */
    if (ring3_unlikely(ring3_load(&lock->slots[mine & lock->mask].turn, RING3_ACQUIRE) != mine))
        ring3_array_wait(lock, mine, how);
    lock->holder = mine;
}

/** 0 or -EBUSY. */
static inline int ring3_array_trylock(ring3_array_t *lock)
{
    uint32_t mine = ring3_load(&lock->next, RING3_RELAXED);

    /* As in lock. While the next number may enter, nobody holds the lock, and drawing it takes it. */
    if (ring3_load(&lock->slots[mine & lock->mask].turn, RING3_ACQUIRE) != mine ||
        !ring3_cas_try(&lock->next, &mine, mine + 1, RING3_RELAXED))
        return -EBUSY;
    lock->holder = mine;
    return 0;
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_array_timedlock(ring3_array_t *lock, ring3_wait_t how, const struct timespec *deadline);

static inline void ring3_array_unlock(ring3_array_t *lock)
{
    const uint32_t coming = lock->holder + 1;

    /* Pairs with the acquires in lock, trylock and wait. */
    ring3_store(&lock->slots[coming & lock->mask].turn, coming, RING3_RELEASE);
    ring3_park_announce(lock, coming);
}

RING3_API_END

#endif
