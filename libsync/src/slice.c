/* SPDX-License-Identifier: MIT */
/* The fair lock with time slices: see ring3/slice.h. */
#include "ring3/slice.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(ring3_slice_t) == 24, "the size is part of the interface");

/* WATCH: the first waiter looks again when the slice is over. */
enum { WAIT, GRANTED, WATCH };

/* Fewer sections than this in a slice do not pay for the wait of the others. */
#define USES_MIN 8
/* So many hand-overs without slices, then a short slice to see whether it is used. */
#define PROBE 64

/* `until` counts in units of 1024 ns. */
#define UNIT_LOG2 10

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * RING3_SECOND_NS + (uint64_t)time.tv_nsec;
}

static uint32_t units_now(void)
{
    return (uint32_t)(now() >> UNIT_LOG2);
}

static uint32_t slice_length(const ring3_slice_t *lock)
{
    return lock->shrink < RING3_SLICE_NONE ? (uint32_t)RING3_SLICE_NS >> UNIT_LOG2 >> lock->shrink
                                           : 0;
}

/* How much of the slice is left, in units. */
static uint32_t left(const ring3_slice_t *lock)
{
    const uint32_t ahead = ring3_load(&lock->until, RING3_RELAXED) - units_now();

    return ahead < RING3_SLICE_FAR ? ahead : 0;
}

static uint32_t name_of(const ring3_self_t *self)
{
    return (uint32_t)((uintptr_t)self >> 4);
}

/* All below runs under the guard, unless it says otherwise. */

static ring3_slice_waiter_t *first(const ring3_slice_t *lock)
{
    return lock->last ? lock->last->next : NULL;
}

/* The slice begins when the first waiter comes. */
static void begin_clock(ring3_slice_t *lock)
{
    /* A watching waiter reads it without the guard. */
    ring3_store(&lock->until, units_now() + slice_length(lock), RING3_RELAXED);
}

static void begin_slice(ring3_slice_t *lock, const ring3_self_t *owner)
{
    lock->held = 1;
    lock->owner = name_of(owner);
    lock->uses = 1;
    if (lock->last)
        begin_clock(lock);
}

static void judge_slice(ring3_slice_t *lock)
{
    if (lock->shrink >= RING3_SLICE_NONE) {
        if (++lock->shrink == RING3_SLICE_NONE + PROBE)
            lock->shrink = RING3_SLICE_NONE - 1;
    } else if (lock->uses < USES_MIN) {
        lock->shrink++;
    } else if (lock->shrink > 0) {
        lock->shrink--;
    }
}

static bool may_take(const ring3_slice_t *lock, const ring3_self_t *self)
{
    if (lock->held)
        return false;
    return !lock->last || (lock->owner == name_of(self) && left(lock) > 0);
}

static void take(ring3_slice_t *lock, const ring3_self_t *self)
{
    if (lock->owner == name_of(self)) {
        lock->held = 1;
        if (lock->uses < UINT16_MAX)
            lock->uses++;
    } else {
        begin_slice(lock, self);
    }
}

static void append(ring3_slice_t *lock, ring3_slice_waiter_t *waiter)
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

/* Ends with the guard free. */
static void leave_guard(ring3_slice_t *lock, uint32_t *told)
{
    ring3_ttas_unlock(&lock->guard);
    if (told)
        ring3_wait_wake(told);
}

/* When the slice will be over; without the guard. */
static struct timespec end_of_slice(const ring3_slice_t *lock)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, (int64_t)left(lock) << UNIT_LOG2);
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
    leave_guard(lock, told);
    return result;
}

static int wait_in_queue(ring3_slice_t *lock, ring3_slice_waiter_t *me, ring3_wait_t how,
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

int ring3_slice_timedlock(ring3_slice_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_slice_waiter_t me = {NULL, ring3_self(), WAIT};
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    const bool mine = may_take(lock, me.self);

    if (mine)
        take(lock, me.self);
    else
        append(lock, &me);
    ring3_ttas_unlock(&lock->guard);
    return mine ? 0 : wait_in_queue(lock, &me, how, deadline);
}

int ring3_slice_trylock(ring3_slice_t *lock)
{
    ring3_self_t *const self = ring3_self();

    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    const bool mine = may_take(lock, self);

    if (mine)
        take(lock, self);
    ring3_ttas_unlock(&lock->guard);
    return mine ? 0 : -EBUSY;
}

void ring3_slice_unlock(ring3_slice_t *lock)
{
    uint32_t *told = NULL;

    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    if (!lock->last || left(lock) > 0) {
        lock->held = 0;
        told = have_watched(lock);
    } else {
        told = hand_over(lock);
    }
    leave_guard(lock, told);
}
