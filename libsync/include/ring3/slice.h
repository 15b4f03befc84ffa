/* SPDX-License-Identifier: MIT */
/*
 * Fair lock with time slices. Waiters queue, and the lock is handed to the first; but whoever got it
 * may take it again without queueing until its slice of time is over. So the cost of a hand-over, a
 * context switch when threads outnumber CPUs, is paid once per slice and not once per section, and
 * still nobody waits longer than one slice for each who came before.
 *
 * guard    a spinlock around the rest
 * held     the lock itself
 * shrink   slices last RING3_SLICE_NS >> shrink: an owner that takes the lock seldom does not keep
 *          it from those who wait. Above RING3_SLICE_NONE: hand over at once, and try longer again
 *          now and then
 * uses     how often the owner has taken the lock in its slice, up to 65535
 * owner    whose slice it is, by 32 bits of its address: two contexts may look alike, which costs
 *          those who wait a slice and nothing else
 * until    the slice's end, known once somebody waits; CLOCK_MONOTONIC in units of 1024 ns, of
 *          which 32 bits: a time more than RING3_SLICE_FAR ahead is one that has passed
 * last     the end of the queue, a ring: last->next is its first
 *
 * A free lock in an unused slice is watched by the first waiter, who takes it at the slice's end. A
 * timed waiter keeps its place. All-zero is free. For threads of one process; not async-signal-safe.
 * In a child of fork a lock that had waiters is dead.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_SLICE_H
#define RING3_SLICE_H

#include "ring3/api.h"
#include "ring3/self.h"
#include "ring3/ttas.h"
#include "ring3/wait.h"

#include <stdint.h>

RING3_API_BEGIN

/* Eight waiters wait about 4 ms; hand-overs, some microseconds each, stay near 1 %. */
#define RING3_SLICE_NS   500000
#define RING3_SLICE_NONE 6    /* below 10 us a hand-over costs more than it saves */
#define RING3_SLICE_FAR  4096 /* units of `until`, longer than any slice */

typedef struct ring3_slice_waiter {
    struct ring3_slice_waiter *next;
    ring3_self_t *self;
    uint32_t token; /* 0 wait; then what slice_queue.c says */
} ring3_slice_waiter_t;

typedef struct ring3_slice {
    ring3_ttas_t guard;
    uint8_t held, shrink;
    uint16_t uses;
    uint32_t owner, until;
    ring3_slice_waiter_t *last;
} ring3_slice_t;

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_slice_timedlock(ring3_slice_t *lock, ring3_wait_t how, const struct timespec *deadline);

static inline void ring3_slice_lock(ring3_slice_t *lock, ring3_wait_t how)
{
    (void)ring3_slice_timedlock(lock, how, NULL);
}

/** 0 or -EBUSY. */
int ring3_slice_trylock(ring3_slice_t *lock);

void ring3_slice_unlock(ring3_slice_t *lock);

RING3_API_END

#endif
