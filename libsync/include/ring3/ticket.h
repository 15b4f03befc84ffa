/* SPDX-License-Identifier: MIT */
/*
 * Ticket lock: arrivals draw a number, the holder serves the next one. Strict FIFO.
 * Source: Mellor-Crummey and Scott 1991, algorithm 2, also for proportional backoff.
 *
 * next     incremented by every arrival
 * serving  written by the holder only
 *
 * Invariant: next - serving (mod 2^32) = holder + waiters.
 *
 * A waiter that parks is called when its own number comes up, and no other is woken. A ticket
 * cannot be handed back, so a timed waiter draws none: it looks again and again from outside the
 * queue (at least every millisecond) and may be passed by untimed waiters for ever. For threads of
 * one process; not async-signal-safe.
 */
#ifndef RING3_TICKET_H
#define RING3_TICKET_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_ticket {
    uint32_t next, serving;
} ring3_ticket_t;

void ring3_ticket_wait(ring3_ticket_t *lock, uint32_t mine, ring3_wait_t how);

static inline void ring3_ticket_lock(ring3_ticket_t *lock, ring3_wait_t how)
{
    const uint32_t mine = ring3_fetch_add(&lock->next, 1, RING3_RELAXED);

    /* Pairs with the release in ring3_ticket_unlock: we see all that earlier holders wrote. */
    if (ring3_unlikely(ring3_load(&lock->serving, RING3_ACQUIRE) != mine))
        ring3_ticket_wait(lock, mine, how);
}

void ring3_ticket_wait_backoff(ring3_ticket_t *lock, uint32_t mine, ring3_wait_t how);

/** The same with proportional backoff: a waiter looks the less often the more are before it. Both
 * forms may be mixed on one lock. */
static inline void ring3_ticket_lock_backoff(ring3_ticket_t *lock, ring3_wait_t how)
{
    const uint32_t mine = ring3_fetch_add(&lock->next, 1, RING3_RELAXED);

    /* As in ring3_ticket_lock. */
    if (ring3_unlikely(ring3_load(&lock->serving, RING3_ACQUIRE) != mine))
        ring3_ticket_wait_backoff(lock, mine, how);
}

/** 0 or -EBUSY. */
static inline int ring3_ticket_trylock(ring3_ticket_t *lock)
{
    /*
     * Pairs with the release in ring3_ticket_unlock. While next equals the number being served,
     * nobody holds the lock and `serving` stands still, so drawing that number takes the lock.
     */
    uint32_t serving = ring3_load(&lock->serving, RING3_ACQUIRE);

    return ring3_cas_try(&lock->next, &serving, serving + 1, RING3_RELAXED) ? 0 : -EBUSY;
}

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_ticket_timedlock(ring3_ticket_t *lock, ring3_wait_t how, const struct timespec *deadline);
int ring3_ticket_timedlock_backoff(ring3_ticket_t *lock, ring3_wait_t how,
                                   const struct timespec *deadline);

static inline void ring3_ticket_unlock(ring3_ticket_t *lock)
{
    /* Only the holder writes `serving`, so it may read it without order. */
    const uint32_t coming = ring3_load(&lock->serving, RING3_RELAXED) + 1;

    /* Pairs with the acquires in lock, trylock and wait. */
    ring3_store(&lock->serving, coming, RING3_RELEASE);
    ring3_park_announce(lock, coming);
}

RING3_API_END

#endif
