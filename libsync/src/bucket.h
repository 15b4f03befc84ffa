/* SPDX-License-Identifier: MIT */
/* A bucket of the parking table: its lock, its queue, and waking those who stand in it. */
#ifndef RING3_BUCKET_H
#define RING3_BUCKET_H

#include "ring3/park.h"
#include "ring3/wait.h"

/* In queue.c: do what signal handlers have left to do. */
void ring3_queue_catch_up(ring3_self_t *self);

/* --- The bucket's lock: a three-state futex (Drepper, "Futexes are tricky", mutex 2) ---------- */

#define BUCKET_SPINS 50 /* the lock is held for some tens of instructions */

static inline void lock_only(ring3_park_bucket_t *bucket)
{
    /* The acquires pair with the release in unlock_only. */
    for (int turn = 0; turn < BUCKET_SPINS; turn++) {
        if (ring3_load(&bucket->lock, RING3_RELAXED) == 0 &&
            ring3_cas(&bucket->lock, 0, 1, RING3_ACQUIRE) == 0)
            return;
        ring3_cpu_relax();
    }
    while (ring3_exchange(&bucket->lock, 2, RING3_ACQUIRE) != 0)
        (void)ring3_futex_wait(&bucket->lock, 2, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
}

static inline void unlock_only(ring3_park_bucket_t *bucket)
{
    /* Pairs with the acquires in lock_only. */
    if (ring3_exchange(&bucket->lock, 0, RING3_RELEASE) == 2)
        (void)ring3_futex_wake(&bucket->lock, 1, RING3_PRIVATE);
}

/*
 * A signal handler that finds its thread inside the table must not enter it; it sets `deferred`,
 * and the thread does the handler's work on its way out. Both are shared with handlers of the same
 * thread only.
 */
static inline void bucket_lock(ring3_park_bucket_t *bucket, ring3_self_t *self)
{
    ring3_preempt_disable(self);
    ring3_write_once(&self->in_table, 1);
    ring3_compiler_barrier();
    lock_only(bucket);
}

static inline void bucket_unlock(ring3_park_bucket_t *bucket, ring3_self_t *self)
{
    unlock_only(bucket);
    ring3_compiler_barrier();
    ring3_write_once(&self->in_table, 0);
    ring3_compiler_barrier();
    while (ring3_unlikely(ring3_read_once(&self->deferred)))
        ring3_queue_catch_up(self);
    ring3_preempt_enable(self);
}

/* --- The queue -------------------------------------------------------------------------------- */

static inline void append(ring3_park_bucket_t *bucket, ring3_waiter_t *waiter)
{
    waiter->next = NULL;
    waiter->prev = bucket->last;
    if (bucket->last)
        bucket->last->next = waiter;
    else
        bucket->first = waiter;
    bucket->last = waiter;
    waiter->queued = true;
}

static inline void take_out(ring3_park_bucket_t *bucket, ring3_waiter_t *waiter)
{
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        bucket->first = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        bucket->last = waiter->prev;
    waiter->queued = false;
}

static inline ring3_waiter_t *find(const ring3_park_bucket_t *bucket, bool contest,
                                   const void *address, uint32_t key)
{
    ring3_waiter_t *waiter = bucket->first;

    while (waiter &&
           (waiter->address != address || waiter->contest != contest || waiter->key != key))
        waiter = waiter->next;
    return waiter;
}

/* Releases read `callable` without the lock; the fence pair in the header orders that, so relaxed
 * is enough. */
static inline void callable_add(ring3_park_bucket_t *bucket, uint32_t change)
{
    ring3_store(&bucket->callable, bucket->callable + change, RING3_RELAXED);
}

/* What remains to do once the bucket's lock is released. */
struct call {
    const ring3_parker_t *parker;
    void *claimed;
};

/* Values of `asleep`: a waiter of the third kind spins before it parks, and needs no call then. */
enum { AWAKE, PARKED, SPINNING };

static inline bool is_asleep(const ring3_waiter_t *waiter)
{
    return ring3_load(&waiter->asleep, RING3_RELAXED) != AWAKE;
}

/* The waiter may return and vanish the moment it sees AWAKE. */
static inline struct call wake(ring3_waiter_t *waiter)
{
    const struct call call = {waiter->self->parker,
                              waiter->self->parker->claim(waiter->self, &waiter->asleep)};

    waiter->cpu = (uint32_t)ring3_cpu() + 1;
    /* Pairs with the acquires in sleep_until_called and ring3_queue_sleep. */
    return ring3_exchange(&waiter->asleep, AWAKE, RING3_RELEASE) == PARKED
               ? call
               : (struct call){NULL, NULL};
}

static inline void finish(struct call call)
{
    if (call.parker)
        call.parker->unpark(call.claimed);
}

#endif
