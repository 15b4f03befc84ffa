/* SPDX-License-Identifier: MIT */
/* MCS with hidden nodes and timed waiters; the protocol is described in ring3/mcs.h. */
#include "ring3/mcs.h"

#include "nodes.h"

#include <assert.h>

static_assert(sizeof(ring3_mcs_node_t) <= sizeof(struct ring3_node),
              "an MCS node fits a pool node");

/*
 * state       set by                          from
 * WAITING     owner, arriving or coming back  anything, ABANDONED
 * GRANTED     releaser                        WAITING
 * ABANDONED   owner at its deadline           WAITING
 * REMOVING    releaser that finds it          ABANDONED
 * REMOVED     the same, done with the node    REMOVING
 * ORPHANED    owner at its end                ABANDONED, REMOVING: the releaser gives the node back
 */
enum { WAITING, GRANTED, ABANDONED, REMOVING, REMOVED, ORPHANED };

/* Stand at the end of the queue. True if nobody stands before: the lock is ours. */
static bool enqueue(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *pred;

    ring3_store(&node->next, (ring3_mcs_node_t *)NULL, RING3_RELAXED);
    ring3_store(&node->state, WAITING, RING3_RELAXED);
    /*
     * The acquire pairs with the release in successor that emptied the queue. The release publishes
     * our node's fields to the next to come, who learns of the node by its own exchange.
     */
    pred = ring3_exchange(&lock->tail, node, RING3_ACQ_REL);
    if (!pred)
        return true;
    /* Pairs with the acquire in successor. */
    ring3_store(&pred->next, node, RING3_RELEASE);
    return false;
}

/* Wait in the queue. 0 with the lock held; -ETIMEDOUT with the node abandoned. */
static int await_turn(ring3_mcs_node_t *node, ring3_wait_t how, const struct timespec *deadline)
{
    uint32_t state = WAITING;

    /* The acquire inside pairs with the release of GRANTED in hand_over. */
    if (ring3_wait_change(&node->state, WAITING, how, deadline) == 0)
        return 0;
    /* Granted in the meantime? Then the failed exchange is our acquire. */
    return ring3_cas_try(&node->state, &state, ABANDONED, RING3_ACQ_REL) ? -ETIMEDOUT : 0;
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
        uint32_t state = ABANDONED;

        if (node->lock == lock && ring3_cas_try(&node->state, &state, WAITING, RING3_RELAXED)) {
            *link = node->left;
            return node;
        }
        /* Pairs with the exchange in hand_over. */
        if (ring3_load(&node->state, RING3_ACQUIRE) == REMOVED) {
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
        /* Pairs with the exchange in hand_over: whoever comes second gives the node back. */
        if (ring3_exchange(&node->state, ORPHANED, RING3_ACQ_REL) == REMOVED)
            ring3_node_put(node);
    }
}

/* The node behind `node`, or NULL after the queue has been emptied because there is none. */
static ring3_mcs_node_t *successor(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *expected = node, *next = ring3_load(&node->next, RING3_ACQUIRE);
    ring3_pause_t pause = {0};

    /* The release pairs with the acquire of the exchange in enqueue. */
    if (!next && ring3_cas_try(&lock->tail, &expected, (ring3_mcs_node_t *)NULL, RING3_RELEASE))
        return NULL;
    /* An arrival is between its exchange and its link: a few instructions, unless it was preempted
     * there. */
    while (!next) {
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
        next = ring3_load(&node->next, RING3_ACQUIRE);
    }
    return next;
}

/* Give the lock to the first waiter behind `node` that still wants it, and remove the others. */
static void hand_over(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *next = successor(lock, node);

    while (next) {
        uint32_t state = WAITING;

        /* The release pairs with the waiter's acquire. */
        if (ring3_cas_try(&next->state, &state, GRANTED, RING3_RELEASE)) {
            ring3_wait_wake(&next->state);
            return;
        }
        /* From here on its owner cannot come back. If it just did, look again. */
        if (state == ABANDONED && !ring3_cas_try(&next->state, &state, REMOVING, RING3_RELAXED))
            continue;

        ring3_mcs_node_t *const gone = next;

        next = successor(lock, gone);
        /* Pairs with the acquires of the owner in come_back and ring3_mcs_forsake. */
        if (ring3_exchange(&gone->state, REMOVED, RING3_ACQ_REL) == ORPHANED)
            ring3_node_put(gone);
    }
}

void ring3_mcs_lock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node, ring3_wait_t how)
{
    if (!enqueue(lock, node))
        (void)await_turn(node, how, NULL);
}

int ring3_mcs_trylock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *expected = NULL;

    if (ring3_load(&lock->tail, RING3_RELAXED))
        return -EBUSY;
    ring3_store(&node->next, (ring3_mcs_node_t *)NULL, RING3_RELAXED);
    ring3_store(&node->state, WAITING, RING3_RELAXED);
    /* As the exchange in enqueue. */
    return ring3_cas_try(&lock->tail, &expected, node, RING3_ACQ_REL) ? 0 : -EBUSY;
}

void ring3_mcs_unlock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    hand_over(lock, node);
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
    if (node || !enqueue(lock, node = ring3_node_get()))
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

    hand_over(lock, node);
    ring3_node_put(node);
}
