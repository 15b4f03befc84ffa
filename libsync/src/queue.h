/* SPDX-License-Identifier: MIT */
/*
 * The third way to wait in the parking table: under the queue's lock the object's own code decides
 * who waits and who goes on.
 *
 *     waiting:  queue = ring3_queue_lock(object);
 *               if (may go on) { ring3_queue_unlock(queue); return 0; }
 *               object->waiters++;
 *               result = ring3_queue_wait(queue, &waiter, …);
 *               if (-ETIMEDOUT or -EINTR) { object->waiters--; ring3_queue_unlock(queue); }
 *
 *     waking:   queue = ring3_queue_lock(object);
 *               while (there is a ring3_queue_first(queue, object) and it may go on)
 *                   ring3_queue_take(queue, …, &taken);
 *               ring3_queue_unlock(queue);
 *               ring3_queue_wake(&taken);
 *
 * The waking side sees from the object's word that somebody waits; no fence is needed, because both
 * sides meet at the queue's lock. While a waiter stands in the queue its object exists; a waker
 * that finds none must not touch the object.
 *
 * Wakers in signal handlers call ring3_queue_defer first: if it is true, the interrupted thread was
 * inside the table, and will wake whoever is then `ready` (may be NULL: nobody) on its way out.
 * `ready` runs under the queue's lock, oldest waiter first, and takes what it lets the waiter have.
 */
#ifndef RING3_QUEUE_H
#define RING3_QUEUE_H

#include "ring3/park.h"

/* Waiters taken out of a queue and still asleep, in order. Starts as {NULL, NULL}. */
struct ring3_taken {
    ring3_waiter_t *first, *last;
};

/* A locked queue, and the context that locked it. */
struct ring3_queue {
    ring3_park_bucket_t *bucket;
    ring3_self_t *self;
};

struct ring3_queue ring3_queue_lock(const void *address);
void ring3_queue_unlock(struct ring3_queue queue);

/* The one who has waited longest, and the next after him; NULL if there is none. */
ring3_waiter_t *ring3_queue_first(struct ring3_queue queue, const void *address);
ring3_waiter_t *ring3_queue_after(const ring3_waiter_t *waiter);

/* True if somebody competes for the lock at `address` (ring3/park.h: contest), asleep or not. */
bool ring3_queue_contested(struct ring3_queue queue, const void *address);

/* Take a waiter out; ring3_queue_wait will return `result` to it. */
void ring3_queue_take(struct ring3_queue queue, ring3_waiter_t *waiter, int result,
                      struct ring3_taken *taken);

/* Wake all that were taken. Call it without the lock. */
void ring3_queue_wake(struct ring3_taken *taken);

/*
 * Wake only the first of them. The rest hangs on to it by `next`, and is for it to wake: it finds
 * its successor there when it is awake.
 */
void ring3_queue_wake_next(struct ring3_taken *taken);

/*
 * Stand at the end of the queue, release its lock, spin for a bounded time, and sleep. The caller has set the waiter's
 * `address` and what it needs of `key` and `ready`; the rest is zero.
 *
 * Returns what the waker gave (0 or more, or an errno other than these two); or -ETIMEDOUT, or
 * -EINTR if interruptible, and then with the queue locked again and the waiter out of it.
 */
int ring3_queue_wait(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                     const struct timespec *deadline, bool interruptible);

/* The two halves of it, for who has something to release in between. */
void ring3_queue_stand(struct ring3_queue queue, ring3_waiter_t *waiter);
int ring3_queue_sleep(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                      const struct timespec *deadline, bool interruptible);

/*
 * For objects that let waiters sleep without a claim, and ask them now and then to look again.
 * Under the queue's lock: stand at the end of the queue; leave it; and, before releasing its lock,
 * say how we are going to wait. A waiter that has been taken meanwhile says nothing.
 */
void ring3_queue_join(struct ring3_queue queue, ring3_waiter_t *waiter);
void ring3_queue_quit(struct ring3_queue queue, ring3_waiter_t *waiter);
void ring3_queue_rest(ring3_waiter_t *waiter, bool spinning);

/*
 * Without the lock: spin for a bounded time, or sleep. Both return with the queue locked: 0 after
 * spinning or a nudge, or -ETIMEDOUT. But if the waiter was taken they return RING3_TAKEN, and the
 * queue is not locked.
 */
#define RING3_TAKEN 1
int ring3_queue_spin(struct ring3_queue queue, ring3_waiter_t *waiter);
int ring3_queue_doze(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                     const struct timespec *deadline);

/* Under the queue's lock: wake a waiter that stays in the queue. Returns what to pass to
 * ring3_queue_finish_nudge without the lock. */
struct ring3_nudge {
    const ring3_parker_t *parker;
    void *claimed;
};
struct ring3_nudge ring3_queue_nudge(ring3_waiter_t *waiter);
void ring3_queue_finish_nudge(struct ring3_nudge nudge);

/*
 * Move waiters that were taken (at least one) to the end of a lock's queue, where they compete for
 * it one after another, each in ring3_contest_from_queue. If nobody stands there, the first of them
 * is woken at once; but if it fell asleep on `cpu` (1 + its number), by the next release of the
 * lock, provided that is `blocked`.
 */
void ring3_park_adopt(struct ring3_taken *taken, const void *address,
                      bool (*blocked)(const void *address), uint32_t cpu);

bool ring3_queue_defer(void);

#endif
