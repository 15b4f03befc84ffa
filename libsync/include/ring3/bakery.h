/* SPDX-License-Identifier: MIT */
/*
 * Lamport's bakery: a lock for N contexts from loads and stores alone, first come, first served.
 * For teaching: each lock looks at the slots of all N, and every access in it must be sequentially
 * consistent. Source: Lamport 1974.
 *
 *     ring3_bakery_slot_t slots[N] = {{0}};
 *     ring3_bakery_t lock = {slots, N};
 *
 * choosing  1 while its context draws a number; written by its context only
 * number    0, or the number drawn: more than all that were seen; written by its context only
 *
 * Two may draw the same number; the lower index goes first. Who begins to draw after another has
 * finished drawing comes after it. Numbers grow while the lock is contended without a break; 64
 * bits last. Lock and unlock only. A waiter pauses and naps between its looks. For threads of one
 * process; not async-signal-safe.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_BAKERY_H
#define RING3_BAKERY_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_bakery_slot {
    uint64_t number;
    uint32_t choosing;
} RING3_CACHE_ALIGNED ring3_bakery_slot_t;

typedef struct ring3_bakery {
    ring3_bakery_slot_t *slots; /* all-zero at first; the caller's */
    uint32_t contexts;
} ring3_bakery_t;

static inline uint64_t ring3_bakery_draw(const ring3_bakery_t *lock)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < lock->contexts; i++) {
        const uint64_t number = ring3_load(&lock->slots[i].number, RING3_SEQ_CST);

        most = number > most ? number : most;
    }
    return most + 1;
}

/** Lock as context `me`, 0 to contexts - 1. */
static inline void ring3_bakery_lock(ring3_bakery_t *lock, uint32_t me, ring3_wait_t how)
{
    ring3_bakery_slot_t *const mine = &lock->slots[me];
    ring3_pause_t pause = {0};

    ring3_store(&mine->choosing, 1, RING3_SEQ_CST);
    const uint64_t number = ring3_bakery_draw(lock);

    ring3_store(&mine->number, number, RING3_SEQ_CST);
    ring3_store(&mine->choosing, 0, RING3_SEQ_CST);
    for (uint32_t i = 0; i < lock->contexts; i++) {
        ring3_bakery_slot_t *const slot = &lock->slots[i];
        uint64_t other;

        while (ring3_load(&slot->choosing, RING3_SEQ_CST))
            (void)ring3_pause(&pause, how, NULL);
        /* Pairs with the release in unlock. */
        while ((other = ring3_load(&slot->number, RING3_SEQ_CST)) != 0 &&
               (other < number || (other == number && i < me)))
            (void)ring3_pause(&pause, how, NULL);
    }
}

static inline void ring3_bakery_unlock(ring3_bakery_t *lock, uint32_t me)
{
    /* Pairs with the load of the number in lock. */
    ring3_store(&lock->slots[me].number, UINT64_C(0), RING3_RELEASE);
}

RING3_API_END

#endif
