/* SPDX-License-Identifier: MIT */
/* Waiting for the lock with time slices, and being told: see slice_queue.h. */
#include "slice_queue.h"

#include "slice_rules.h"

#include <errno.h>

/* A waiter's token. WATCH: the first waiter looks again when the slice is over. */
enum { WAIT, GRANTED, WATCH };

/* --- Under the guard -------------------------------------------------------------------------- */

static ring3_slice_waiter_t *first(const ring3_slice_t *lock)
{
    return lock->last ? lock->last->next : NULL;
}

void ring3_slice_append(ring3_slice_t *lock, ring3_slice_waiter_t *waiter)
{
    if (lock->last) {
        waiter->next = lock->last->next;
        lock->last->next = waiter;
    } else {
        waiter->next = waiter;
        begin_clock(lock);
    }
    lock->last = waiter;
}

static void take_out(ring3_slice_t *lock, ring3_slice_waiter_t *waiter)
{
    ring3_slice_waiter_t *before = lock->last;

    while (before->next != waiter)
        before = before->next;
    before->next = waiter->next;
    if (lock->last == waiter)
        lock->last = before == waiter ? NULL : before;
}

/* Tell the first waiter something. What it returns is for ring3_wait_wake, without the guard: the
 * waiter may be gone by then. */
static uint32_t *tell(ring3_slice_t *lock, uint32_t what)
{
    uint32_t *const token = &first(lock)->token;

    /* Pairs with the acquire in ring3_wait_change. */
    ring3_store(token, what, RING3_RELEASE);
    return token;
}

/* The lock is free in somebody's slice: the first waiter has to know when that ends. */
static uint32_t *have_watched(ring3_slice_t *lock)
{
    return lock->last && ring3_load(&first(lock)->token, RING3_RELAXED) == WAIT ? tell(lock, WATCH)
                                                                                : NULL;
}

static uint32_t *hand_over(ring3_slice_t *lock)
{
    ring3_slice_waiter_t *const next = first(lock);

    judge_slice(lock);
    take_out(lock, next);
    begin_slice(lock, next->self);
    ring3_store(&next->token, GRANTED, RING3_RELEASE);
    return &next->token;
}

uint32_t *ring3_slice_pass_on(ring3_slice_t *lock)
{
    if (left(lock) == 0)
        return hand_over(lock);
    lock->held = 0;
    return have_watched(lock);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* When the slice will be over; without the guard. */
static struct timespec end_of_slice(const ring3_slice_t *lock)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, (int64_t)left(lock) << SLICE_UNIT_LOG2);
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* One look under the guard. 0; -EAGAIN to go on waiting; -ETIMEDOUT, and out of the queue. */
static int look(ring3_slice_t *lock, ring3_slice_waiter_t *me, const struct timespec *deadline)
{
    uint32_t *told = NULL;
    int result = -EAGAIN;

    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    if (ring3_load(&me->token, RING3_ACQUIRE) == GRANTED) {
        result = 0;
    } else if (first(lock) == me && !lock->held && left(lock) == 0) {
        /* The slice's owner did not come back. */
        judge_slice(lock);
        take_out(lock, me);
        begin_slice(lock, me->self);
        result = 0;
    } else if (ring3_deadline_passed(CLOCK_MONOTONIC, deadline)) {
        take_out(lock, me);
        if (!lock->held)
            told = have_watched(lock);
        result = -ETIMEDOUT;
    } else if (first(lock) == me && lock->held) {
        /* Its holder gives it to us, or has it watched again. */
        ring3_store(&me->token, WAIT, RING3_RELAXED);
    }
    ring3_slice_leave(lock, told);
    return result;
}

int ring3_slice_wait(ring3_slice_t *lock, ring3_slice_waiter_t *me, ring3_wait_t how,
                     const struct timespec *deadline)
{
    int result = -EAGAIN;

    while (result == -EAGAIN) {
        uint32_t seen = ring3_load(&me->token, RING3_ACQUIRE);
        const struct timespec end = seen == WATCH ? end_of_slice(lock) : (struct timespec){0, 0};
        const bool watch = seen == WATCH && (!deadline || earlier(&end, deadline));

        /* The acquire inside pairs with the releases of the token. */
        if (seen != GRANTED &&
            ring3_wait_change(&me->token, seen, seen == WATCH ? RING3_WAIT_PARK : how,
                              watch ? &end : deadline) == 0)
            seen = ring3_load(&me->token, RING3_ACQUIRE);
        result = seen == GRANTED ? 0 : look(lock, me, deadline);
    }
    return result;
}
