/* SPDX-License-Identifier: MIT */
/* The mutex of ring3/deadlock.h that finds the cycle it would close. */
#include "ring3/deadlock.h"

#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

/* What a sleeping context waits for; lies on its stack, in the mutex's queue and in `sleepers`. */
struct ring3_deadlock_waiter {
    struct ring3_deadlock_waiter *next, *other; /* in the mutex's queue; in `sleepers` */
    ring3_self_t *self;
    ring3_deadlock_mutex_t *mutex;
    uint32_t cost, state;
};

enum { WAITING, GRANTED, VICTIM };

/* Who waits for whom is a property of the whole process, so that there is one guard around it. */
static ring3_mutex_t guard;
static struct ring3_deadlock_waiter *sleepers;

/* All below runs under the guard, unless it says otherwise. */

static struct ring3_deadlock_waiter *wait_of(const ring3_self_t *self)
{
    struct ring3_deadlock_waiter *waiter = sleepers;

    while (waiter && waiter->self != self)
        waiter = waiter->other;
    return waiter;
}

static void enter(struct ring3_deadlock_waiter *me)
{
    ring3_deadlock_mutex_t *const mutex = me->mutex;

    if (mutex->first)
        mutex->last->next = me;
    else
        mutex->first = me;
    mutex->last = me;
    me->other = sleepers;
    sleepers = me;
}

static void leave(struct ring3_deadlock_waiter *me)
{
    ring3_deadlock_mutex_t *const mutex = me->mutex;
    struct ring3_deadlock_waiter **link = &mutex->first, *before = NULL;

    for (; *link != me; link = &before->next)
        before = *link;
    *link = me->next;
    if (mutex->last == me)
        mutex->last = before;
    for (link = &sleepers; *link != me; link = &(*link)->other)
        ;
    *link = me->other;
}

/* The waiter's part is over; it may return as soon as the guard is free. */
static void tell(struct ring3_deadlock_waiter *waiter, uint32_t state)
{
    leave(waiter);
    /* Pairs with the acquire in ring3_wait_change. */
    ring3_store(&waiter->state, state, RING3_RELEASE);
    ring3_wait_wake(&waiter->state);
}

/*
 * Each waits for one owner, so that the chain from `me` has no branches. Returns the cheapest
 * waiter of the cycle through `me`, or NULL if there is none.
 */
static struct ring3_deadlock_waiter *find_victim(struct ring3_deadlock_waiter *me)
{
    struct ring3_deadlock_waiter *waiter = me, *victim = me;

    do {
        waiter = wait_of(waiter->mutex->owner);
        if (!waiter)
            return NULL;
        if (waiter->cost < victim->cost)
            victim = waiter;
    } while (waiter != me);
    return victim;
}

/* Without the guard. */
static int await(struct ring3_deadlock_waiter *me, const struct timespec *deadline)
{
    const int late = ring3_wait_change(&me->state, WAITING, RING3_WAIT_ADAPTIVE, deadline);

    /* Whoever told us holds the guard until it has let go of us. */
    ring3_mutex_lock(&guard);
    if (late && me->state == WAITING)
        leave(me);
    ring3_mutex_unlock(&guard);
    if (me->state == GRANTED)
        return 0;
    return me->state == VICTIM ? -EDEADLK : -ETIMEDOUT;
}

int ring3_deadlock_lock(ring3_deadlock_mutex_t *mutex, uint32_t cost,
                        const struct timespec *deadline)
{
    struct ring3_deadlock_waiter me = {
        .self = ring3_self(), .mutex = mutex, .cost = cost, .state = WAITING};
    struct ring3_deadlock_waiter *victim;
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    ring3_mutex_lock(&guard);
    if (!mutex->owner) {
        mutex->owner = me.self;
        ring3_mutex_unlock(&guard);
        return 0;
    }
    if (mutex->owner == me.self) {
        ring3_mutex_unlock(&guard);
        return -EDEADLK;
    }
    enter(&me);
    victim = find_victim(&me);
    if (victim)
        tell(victim, VICTIM);
    ring3_mutex_unlock(&guard);
    return await(&me, deadline);
}

int ring3_deadlock_unlock(ring3_deadlock_mutex_t *mutex)
{
    int result = 0;

    ring3_mutex_lock(&guard);
    if (mutex->owner != ring3_self()) {
        result = -EPERM;
    } else if (mutex->first) {
        mutex->owner = mutex->first->self;
        tell(mutex->first, GRANTED);
    } else {
        mutex->owner = NULL;
    }
    ring3_mutex_unlock(&guard);
    return result;
}

static void alone_after_fork(void)
{
    ring3_mutex_init(&guard);
    sleepers = NULL;
}

__attribute__((constructor(RING3_START_FIRST))) static void deadlock_start(void)
{
    (void)pthread_atfork(NULL, NULL, alone_after_fork);
}
