/* SPDX-License-Identifier: MIT */
/* CLH with hidden nodes and timed waiters; the protocol is described in ring3/clh.h. */
#include "ring3/clh.h"

#include "nodes.h"

#include "ring3/atomic.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(ring3_clh_t) == 16, "the size is part of the interface");
static_assert(sizeof(ring3_clh_node_t) <= sizeof(struct ring3_node), "a node fits a pool node");

enum { WAITING, RELEASED, ABANDONED };

/* Say to whoever comes after `node` what has become of it; from here on it is his. */
static void tell(ring3_clh_node_t *node, uint32_t state)
{
    /* Pairs with the acquire of the load in wait_for. */
    ring3_store(&node->state, state, RING3_RELEASE);
    ring3_wait_wake(&node->state);
}

/* Give up waiting for `before`: leave the end of the queue, or let the next one wait in our place. */
static void abandon(ring3_clh_t *lock, ring3_clh_node_t *mine, ring3_clh_node_t *before)
{
    ring3_clh_node_t *last = mine;

    /* The release keeps what arrivals need of `before` visible, as its own exchange did. */
    if (ring3_cas_try(&lock->tail, &last, before, RING3_RELEASE)) {
        ring3_node_put(mine);
        return;
    }
    mine->before = before;
    tell(mine, ABANDONED);
}

/*
 * Wait until the node before ours is released; those that were abandoned are passed over. A node
 * that was released or abandoned while somebody stood behind it may be the last of the queue when
 * that one has given up, so that a queue that is not empty may yet be free.
 */
static int wait_for(ring3_clh_t *lock, ring3_clh_node_t *mine, ring3_clh_node_t *before,
                    ring3_wait_t how, const struct timespec *deadline, bool try)
{
    for (;;) {
        /* Pairs with the release in tell. */
        const uint32_t state = ring3_load(&before->state, RING3_ACQUIRE);

        if (state == WAITING) {
            if (!try && ring3_wait_change(&before->state, WAITING, how, deadline) == 0)
                continue;
            abandon(lock, mine, before);
            return try ? -EBUSY : -ETIMEDOUT;
        }
        ring3_clh_node_t *const gone = before;

        before = gone->before;
        ring3_node_put(gone);
        if (state == RELEASED)
            return 0;
    }
}

static int acquire(ring3_clh_t *lock, ring3_wait_t how, const struct timespec *deadline, bool try)
{
    ring3_clh_node_t *const mine = ring3_node_get(), *before;
    int result = 0;

    mine->before = NULL;
    ring3_store(&mine->state, WAITING, RING3_RELAXED);
    /*
     * The acquire pairs with the release in unlock that emptied the queue, and makes the node
     * before ours readable; the release publishes ours to the next arrival.
     */
    before = ring3_exchange(&lock->tail, mine, RING3_ACQ_REL);
    if (before)
        result = wait_for(lock, mine, before, how, deadline, try);
    if (result == 0)
        lock->holder = mine;
    return result;
}

int ring3_clh_timedlock(ring3_clh_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    return bad ? bad : acquire(lock, how, deadline, false);
}

void ring3_clh_lock(ring3_clh_t *lock, ring3_wait_t how)
{
    (void)acquire(lock, how, NULL, false);
}

int ring3_clh_trylock(ring3_clh_t *lock)
{
    return acquire(lock, RING3_WAIT_SPIN, NULL, true);
}

void ring3_clh_unlock(ring3_clh_t *lock)
{
    ring3_clh_node_t *const mine = lock->holder;
    ring3_clh_node_t *last = mine;

    /* The release pairs with the acquire of the exchange in timedlock. */
    if (ring3_cas_try(&lock->tail, &last, (ring3_clh_node_t *)NULL, RING3_RELEASE))
        ring3_node_put(mine);
    else
        tell(mine, RELEASED);
}
