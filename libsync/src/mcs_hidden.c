/* SPDX-License-Identifier: MIT */
/*
 * MCS (ring3/mcs.h) with hidden nodes, whose owners may give up: an abandoned node keeps its place
 * in the queue until a releaser has passed it or its owner has come back.
 */
#include "mcs_queue.h"

#include "nodes.h"

#include <assert.h>

static_assert(sizeof(ring3_mcs_node_t) <= sizeof(struct ring3_node),
              "an MCS node fits a pool node");

/* Wait in the queue. 0 with the lock held; -ETIMEDOUT with the node abandoned. */
static int await_turn(ring3_mcs_node_t *node, ring3_wait_t how, const struct timespec *deadline)
{
    uint32_t state = MCS_WAITING;

    /* The acquire inside pairs with the release of MCS_GRANTED in ring3_mcs_unlock_node. */
    if (ring3_wait_change(&node->state, MCS_WAITING, how, deadline) == 0)
        return 0;
    /* Granted in the meantime? Then the failed exchange is our acquire. */
    return ring3_cas_try(&node->state, &state, MCS_ABANDONED, RING3_ACQ_REL) ? -ETIMEDOUT : 0;
}

/*
 * The node that `self` left in the queue of `lock`, waiting again in its old place; NULL if there
 * is none. So a context leaves one node per lock at most, however often it gives up. Nodes that
 * releasers are done with go back to the spare ones on the way.
 */
static ring3_mcs_node_t *come_back(ring3_mcs_t *lock, ring3_self_t *self)
{
    ring3_mcs_node_t **link = &self->left, *node;

    while ((node = *link)) {
        uint32_t state = MCS_ABANDONED;

        if (node->lock == lock && ring3_cas_try(&node->state, &state, MCS_WAITING, RING3_RELAXED)) {
            *link = node->left;
            return node;
        }
        /* Pairs with the exchange in ring3_mcs_unlock_node. */
        if (ring3_load(&node->state, RING3_ACQUIRE) == MCS_REMOVED) {
            *link = node->left;
            ring3_node_put(node);
        } else {
            link = &node->left;
        }
    }
    return NULL;
}

void ring3_mcs_forsake(ring3_self_t *self)
{
    while (self->left) {
        ring3_mcs_node_t *const node = self->left;

        self->left = node->left;
        /* Pairs with the exchange in ring3_mcs_unlock_node: whoever comes second gives the node
         * back. */
        if (ring3_exchange(&node->state, MCS_ORPHANED, RING3_ACQ_REL) == MCS_REMOVED)
            ring3_node_put(node);
    }
}

int ring3_mcs_timedlock(ring3_mcs_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    ring3_mcs_node_t *node = NULL;
    int result = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (result)
        return result;
    if (ring3_unlikely(self->left != NULL))
        node = come_back(lock, self);
    if (node || !ring3_mcs_enqueue(lock, node = ring3_node_get()))
        result = await_turn(node, how, deadline);
    if (result == 0) {
        lock->holder = node;
    } else {
        if (!self->left)
            ring3_self_keeps(self);
        node->lock = lock;
        node->left = self->left;
        self->left = node;
    }
    return result;
}

void ring3_mcs_lock(ring3_mcs_t *lock, ring3_wait_t how)
{
    (void)ring3_mcs_timedlock(lock, how, NULL);
}

int ring3_mcs_trylock(ring3_mcs_t *lock)
{
    ring3_mcs_node_t *node;
    int result;

    if (ring3_load(&lock->tail, RING3_RELAXED))
        return -EBUSY;
    node = ring3_node_get();
    result = ring3_mcs_trylock_node(lock, node);
    if (result == 0)
        lock->holder = node;
    else
        ring3_node_put(node);
    return result;
}

void ring3_mcs_unlock(ring3_mcs_t *lock)
{
    ring3_mcs_node_t *const node = lock->holder;

    ring3_mcs_unlock_node(lock, node);
    ring3_node_put(node);
}
