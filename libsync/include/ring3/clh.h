/* SPDX-License-Identifier: MIT */
/*
 * CLH lock: arrivals append a node to a queue with one exchange, and each waits on a word of the
 * node before its own. Strict FIFO. Sources: Craig 1993; Magnusson, Landin and Hagersten 1994;
 * giving up after Scott and Scherer 2001 (CLH-try).
 *
 * tail    last node of the queue, NULL when free; exchanged by arrivals, cleared by a holder
 *         without successor, set back by a last waiter that gives up
 * holder  the holder's node, so that unlock finds it; written and read by the holder only
 *
 * node
 *   state   WAITING by its owner; then RELEASED by its owner with the lock, or ABANDONED at its
 *           deadline
 *   before  in an abandoned node, the one before it: whoever comes after waits for that one instead
 *
 * Nodes are hidden and come from the calling context's own store. A node belongs to whoever comes
 * after it once it is released or abandoned. A timed waiter keeps its place in the queue. For
 * threads of one process; not async-signal-safe. In a child of fork a queue that had waiters is
 * dead.
 */
#ifndef RING3_CLH_H
#define RING3_CLH_H

#include "ring3/api.h"
#include "ring3/wait.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_clh_node {
    struct ring3_clh_node *before;
    uint32_t state;
} ring3_clh_node_t;

typedef struct ring3_clh {
    ring3_clh_node_t *tail, *holder;
} ring3_clh_t;

void ring3_clh_lock(ring3_clh_t *lock, ring3_wait_t how);

/** 0 or -EBUSY. Stands in the queue for a moment, and leaves it again. */
int ring3_clh_trylock(ring3_clh_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_clh_timedlock(ring3_clh_t *lock, ring3_wait_t how, const struct timespec *deadline);

void ring3_clh_unlock(ring3_clh_t *lock);

RING3_API_END

#endif
