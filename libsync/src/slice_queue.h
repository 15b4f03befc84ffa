/* SPDX-License-Identifier: MIT */
/*
 * The queue of the lock with time slices (ring3/slice.h). What returns a word does so for
 * ring3_slice_leave, because a waiter may be gone as soon as it has been told.
 */
#ifndef RING3_SLICE_QUEUE_H
#define RING3_SLICE_QUEUE_H

#include "ring3/slice.h"

/* Under the guard: stand at the end of the queue, with a token of 0. */
void ring3_slice_append(ring3_slice_t *lock, ring3_slice_waiter_t *waiter);

/* Under the guard, by the holder, when somebody waits: free the lock for the rest of the slice, or
 * hand it to the first waiter. */
uint32_t *ring3_slice_pass_on(ring3_slice_t *lock);

/* Leave the guard, and wake who has been told; NULL for nobody. */
static inline void ring3_slice_leave(ring3_slice_t *lock, uint32_t *told)
{
    ring3_ttas_unlock(&lock->guard);
    if (told)
        ring3_wait_wake(told);
}

/* Without the guard: wait in the queue. 0 or -ETIMEDOUT. */
int ring3_slice_wait(ring3_slice_t *lock, ring3_slice_waiter_t *me, ring3_wait_t how,
                     const struct timespec *deadline);

#endif
