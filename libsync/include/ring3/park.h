/* SPDX-License-Identifier: MIT */
/*
 * The parking table: who waits for what, outside the objects themselves.
 *
 * A private lock has no room for a queue. Its waiters stand in a table hashed by address, each a
 * record on the waiter's own stack that names the waiter's context, so that kernel threads and user
 * threads can wait for one lock. Three ways to wait:
 *
 *   turn     the waiter sleeps until its turn is announced; the announcer takes it out of the
 *            queue. For queue locks, where the one who releases knows who comes next. A key (say, a
 *            ticket) tells waiters of one address apart.
 *
 *   contest  the waiter stays in the queue while it competes with newcomers, and keeps its place
 *            when it loses and sleeps again. Only the first in the queue competes, and while it is
 *            awake nobody wakes another: a release costs a system call only when that is needed.
 *
 *   queue    the object's own code, under the queue's lock, decides who waits and who goes on. For
 *            objects whose word says whether anybody waits: semaphores, events, conditions. The
 *            plainest form is ring3_word_wait in ring3/wait.h; the rest is internal.
 *
 * Releasing costs one load when nobody sleeps:
 *
 *     release:  store word = free;    ring3_fence_light();  if (bucket.callable) wake …
 *     waiter:   bucket.callable++;    ring3_fence_heavy();  if (word is free) do not sleep
 *
 * The fence pair of ring3/arch.h makes sure that one of them sees the other. After its store, a
 * release touches only the table, never the lock: the lock's memory may be freed by whoever takes
 * it next.
 *
 * Sources: Pizlo, "Locking in WebKit", 2016 (parking lot); Dice et al. (asymmetric fences).
 * Not async-signal-safe: a handler must not release a lock that this table serves. A child of fork
 * starts with an empty table; contexts of a scheduler that slept in it are not woken there.
 */
#ifndef RING3_PARK_H
#define RING3_PARK_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/self.h"

#include <stdbool.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_waiter {
    struct ring3_waiter *next, *prev; /* in the bucket's queue */
    ring3_self_t *self;
    const void *address;
    uint32_t key;
    uint32_t asleep; /* not 0 until somebody announces or wakes; the word the context parks on */
    bool contest;
    bool queued;
    /* For waiters of the third kind: src/queue.h. */
    bool taken;
    int32_t result;
    uint32_t cpu; /* 1 + the CPU on which it began to wait; then, on which its waker was */
    bool (*ready)(struct ring3_waiter *waiter);
} ring3_waiter_t;

typedef struct ring3_park_bucket {
    uint32_t
        callable;  /* waiters that a release has to wake: changed under `lock`, read without it */
    uint32_t lock; /* 0 free, 1 held, 2 held and somebody may sleep on it */
    ring3_waiter_t *first, *last;
} RING3_CACHE_ALIGNED ring3_park_bucket_t;

/* 256 buckets are 16 KiB; at most a few threads sleep per lock, so chains stay short even with
 * thousands of locks. */
#define RING3_PARK_BUCKETS_LOG2 8
extern ring3_park_bucket_t ring3_park_table[1 << RING3_PARK_BUCKETS_LOG2];

static inline ring3_park_bucket_t *ring3_park_bucket(const void *address, uint32_t key)
{
    /* Fibonacci hashing (Knuth, volume 3, 6.4); the key is spread so that neighbours differ. */
    const uint64_t mixed =
        ((uint64_t)(uintptr_t)address + key * UINT64_C(0x9E3779B1)) * UINT64_C(0x9E3779B97F4A7C15);

    return &ring3_park_table[mixed >> (64 - RING3_PARK_BUCKETS_LOG2)];
}

/* --- Turn ------------------------------------------------------------------------------------- */

/**
 * Sleep until ring3_park_announce for the same address and key. `*word == old` must hold while the
 * turn has not come; it is checked after the waiter has become visible, so an announcement cannot
 * be missed.
 *
 * @return 0 when *word was seen to differ from `old` or the turn was announced (look again);
 * -ETIMEDOUT. The deadline is on CLOCK_MONOTONIC and well-formed.
 */
int ring3_park_turn(const void *address, uint32_t key, const uint32_t *word, uint32_t old,
                    const struct timespec *deadline);

void ring3_park_announce_slow(const void *address, uint32_t key);

/** Wake the waiter for `address` and `key`, if it sleeps. Call after the store that lets it go on.
 */
static inline void ring3_park_announce(const void *address, uint32_t key)
{
    ring3_fence_light();
    if (ring3_unlikely(ring3_load(&ring3_park_bucket(address, key)->callable, RING3_RELAXED)))
        ring3_park_announce_slow(address, key);
}

/* --- Contest ---------------------------------------------------------------------------------- */

/** Stand at the end of the queue for `address`, awake. True if nobody stands before. */
bool ring3_park_enter(ring3_waiter_t *waiter, const void *address);

/**
 * Sleep until woken. The first in the queue sleeps only if `blocked(address)` still holds after it
 * has become visible to releases; others sleep until they are first. The waiter is awake again on
 * return.
 *
 * @return 0: it is first, look again; -ETIMEDOUT. The deadline is well-formed.
 */
int ring3_park_sleep(ring3_waiter_t *waiter, bool (*blocked)(const void *address), clockid_t clock,
                     const struct timespec *deadline);

/**
 * Leave the queue, after winning (`won`: the next release wakes the next in line) or giving up (the
 * next in line is woken now, in case a wake-up was on its way to us).
 */
void ring3_park_leave(ring3_waiter_t *waiter, bool won);

void ring3_park_release_slow(const void *address);

/** Wake the first waiter for `address` if it sleeps. Call after the store that frees the lock. */
static inline void ring3_park_release(const void *address)
{
    ring3_fence_light();
    if (ring3_unlikely(ring3_load(&ring3_park_bucket(address, 0)->callable, RING3_RELAXED)))
        ring3_park_release_slow(address);
}

RING3_API_END

#endif
