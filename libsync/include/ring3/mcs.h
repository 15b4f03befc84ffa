/* SPDX-License-Identifier: MIT */
/*
 * MCS lock: arrivals append a node to a queue with one exchange, and each waits on a word of its
 * own node, in its own cache line. Strict FIFO, one line transfer per hand-over. Sources:
 * Mellor-Crummey and Scott 1991, algorithm 5; giving up after Scott and Scherer 2001 (MCS-try),
 * with abandoned nodes removed by the releaser or taken up again by their owner as in He, Scherer
 * and Scott 2005.
 *
 * tail    last node of the queue, NULL when free; exchanged by arrivals, cleared by a holder
 *         without successor
 * holder  the holder's node, so that unlock finds it; written and read by the holder only
 *
 * node
 *   next   set once by the successor
 *   state  WAITING by its owner; GRANTED by the predecessor; ABANDONED by its owner at its
 * deadline, with more states in mcs_queue.h that lead back to the owner
 *
 * Nodes are hidden: they come from the calling context's own store, because an abandoned one must
 * outlive its call. The _node forms take the node from the caller instead and cannot time out.
 *
 * A timed waiter keeps its place in the queue. One that gave up and asks again, before a releaser
 * has passed its node, finds its old place; so polling a lock that is held for long uses one node.
 * Unlock a lock before you use its memory for another: waiters that gave up still stand in its
 * queue. For threads of one process; not async-signal-safe. In a child of fork a queue that had
 * waiters is dead.
 */
#ifndef RING3_MCS_H
#define RING3_MCS_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_mcs_node {
    struct ring3_mcs_node *next;
    uint32_t state;
    const struct ring3_mcs *lock; /* where an abandoned node stands */
    struct ring3_mcs_node *left;  /* the next abandoned node of its owner */
} RING3_CACHE_ALIGNED ring3_mcs_node_t;

typedef struct ring3_mcs {
    ring3_mcs_node_t *tail, *holder;
} ring3_mcs_t;

void ring3_mcs_lock(ring3_mcs_t *lock, ring3_wait_t how);

/** 0 or -EBUSY. */
int ring3_mcs_trylock(ring3_mcs_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_mcs_timedlock(ring3_mcs_t *lock, ring3_wait_t how, const struct timespec *deadline);

void ring3_mcs_unlock(ring3_mcs_t *lock);

/** Forms with the caller's node, which must stay in place until the unlock and not be used for two
 * locks at once. */
void ring3_mcs_lock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node, ring3_wait_t how);
int ring3_mcs_trylock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node);
void ring3_mcs_unlock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node);

RING3_API_END

#endif
