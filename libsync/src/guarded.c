/* SPDX-License-Identifier: MIT */
/* The guarded queue lock: see ring3/guarded.h. */
#include "ring3/guarded.h"

#include <assert.h>

static_assert(sizeof(ring3_guarded_t) == 24, "the size is part of the interface");

static void append(ring3_guarded_t *lock, ring3_guarded_waiter_t *waiter)
{
    if (lock->first)
        lock->last->next = waiter;
    else
        lock->first = waiter;
    lock->last = waiter;
}

static void take_out(ring3_guarded_t *lock, ring3_guarded_waiter_t *waiter)
{
    ring3_guarded_waiter_t **link = &lock->first, *before = NULL;

    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (lock->last == waiter)
        lock->last = before;
}

static int wait_for_token(ring3_guarded_t *lock, ring3_guarded_waiter_t *me, ring3_wait_t how,
                          const struct timespec *deadline)
{
    /* The acquire inside pairs with the release of the token. */
    if (ring3_wait_change(&me->token, 0, how, deadline) == 0)
        return 0;
    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    /* The token may have come at the last moment. */
    const bool mine = ring3_load(&me->token, RING3_ACQUIRE) != 0;

    if (!mine)
        take_out(lock, me);
    ring3_ttas_unlock(&lock->guard);
    return mine ? 0 : -ETIMEDOUT;
}

int ring3_guarded_timedlock(ring3_guarded_t *lock, ring3_wait_t how,
                            const struct timespec *deadline)
{
    ring3_guarded_waiter_t me = {NULL, 0};
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    const bool queued = lock->held;

    if (queued)
        append(lock, &me);
    else
        lock->held = 1;
    ring3_ttas_unlock(&lock->guard);
    return queued ? wait_for_token(lock, &me, how, deadline) : 0;
}

void ring3_guarded_lock(ring3_guarded_t *lock, ring3_wait_t how)
{
    (void)ring3_guarded_timedlock(lock, how, NULL);
}

int ring3_guarded_trylock(ring3_guarded_t *lock)
{
    int result = -EBUSY;

    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    if (!lock->held) {
        lock->held = 1;
        result = 0;
    }
    ring3_ttas_unlock(&lock->guard);
    return result;
}

void ring3_guarded_unlock(ring3_guarded_t *lock)
{
    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    ring3_guarded_waiter_t *const next = lock->first;

    if (next) {
        lock->first = next->next;
        /* Inside the guard, so that a waiter at its deadline finds either its place or its token.
         * It may return and vanish once it sees it. */
        ring3_store(&next->token, 1, RING3_RELEASE);
    } else {
        lock->held = 0;
    }
    ring3_ttas_unlock(&lock->guard);
    if (next)
        ring3_wait_wake(&next->token);
}
