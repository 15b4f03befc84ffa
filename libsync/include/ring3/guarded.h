/* SPDX-License-Identifier: MIT */
/*
 * Guarded queue lock: a small lock guards "held" and a queue of waiters; unlock hands the lock
 * over to the first of them and leaves it held, so that nobody can slip in between. Strict FIFO.
 * Source: the mutex that courses build step by step (lost wake-up, then barging, then this), with a
 * token for each waiter: a waiter sleeps until its own token is set, so that a wake-up that comes
 * before the sleep is not lost.
 *
 * guard        a TTAS lock, held for some instructions
 * held         1 while somebody has the lock; under the guard
 * first, last  the waiters, each on its own stack; under the guard
 *
 * A timed waiter keeps its place in the queue. For threads of one process; not async-signal-safe.
 * In a child of fork a lock that had waiters is dead.
 */
#ifndef RING3_GUARDED_H
#define RING3_GUARDED_H

#include "ring3/api.h"
#include "ring3/ttas.h"
#include "ring3/wait.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_guarded_waiter {
    struct ring3_guarded_waiter *next;
    uint32_t token; /* set by the one who hands over */
} ring3_guarded_waiter_t;

typedef struct ring3_guarded {
    ring3_ttas_t guard;
    uint32_t held;
    ring3_guarded_waiter_t *first, *last;
} ring3_guarded_t;

void ring3_guarded_lock(ring3_guarded_t *lock, ring3_wait_t how);

/** 0 or -EBUSY. */
int ring3_guarded_trylock(ring3_guarded_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_guarded_timedlock(ring3_guarded_t *lock, ring3_wait_t how,
                            const struct timespec *deadline);

void ring3_guarded_unlock(ring3_guarded_t *lock);

RING3_API_END

#endif
