/* SPDX-License-Identifier: MIT */
/*
 * The fair lock with time slices: see ring3/slice.h. Who may take it is in slice_rules.h, how the
 * others wait in slice_queue.c.
 */
#include "ring3/slice.h"

#include "slice_queue.h"
#include "slice_rules.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(ring3_slice_t) == 24, "the size is part of the interface");

int ring3_slice_timedlock(ring3_slice_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_slice_waiter_t me = {NULL, ring3_self(), 0};
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    ring3_ttas_lock(&lock->guard, RING3_WAIT_ADAPTIVE);
    const bool mine = may_take(lock, me.self);

    if (mine)
        take(lock, me.self);
    else
        ring3_slice_append(lock, &me);
    ring3_ttas_unlock(&lock->guard);
    return mine ? 0 : ring3_slice_wait(lock, &me, how, deadline);
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
    if (lock->last)
        told = ring3_slice_pass_on(lock);
    else
        lock->held = 0;
    ring3_slice_leave(lock, told);
}
