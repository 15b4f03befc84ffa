/* SPDX-License-Identifier: MIT */
/*
 * The queue of MCS (ring3/mcs.h): arriving and handing over, in the forms with the caller's node.
 * Only a releaser takes nodes out, and it passes by those whose owners gave up (mcs_hidden.c).
 */
#include "mcs_queue.h"

#include "nodes.h"

bool ring3_mcs_enqueue(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *pred;

    ring3_store(&node->next, (ring3_mcs_node_t *)NULL, RING3_RELAXED);
    ring3_store(&node->state, MCS_WAITING, RING3_RELAXED);
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

void ring3_mcs_lock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node, ring3_wait_t how)
{
    /* The acquire inside pairs with the release of GRANTED in ring3_mcs_unlock_node. */
    if (!ring3_mcs_enqueue(lock, node))
        (void)ring3_wait_change(&node->state, MCS_WAITING, how, NULL);
}

int ring3_mcs_trylock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *expected = NULL;

    if (ring3_load(&lock->tail, RING3_RELAXED))
        return -EBUSY;
    ring3_store(&node->next, (ring3_mcs_node_t *)NULL, RING3_RELAXED);
    ring3_store(&node->state, MCS_WAITING, RING3_RELAXED);
    /* As the exchange in ring3_mcs_enqueue. */
    return ring3_cas_try(&lock->tail, &expected, node, RING3_ACQ_REL) ? 0 : -EBUSY;
}

/* The node behind `node`, or NULL after the queue has been emptied because there is none. */
static ring3_mcs_node_t *successor(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *expected = node, *next = ring3_load(&node->next, RING3_ACQUIRE);
    ring3_pause_t pause = {0};

    /* The release pairs with the acquire of the exchange in ring3_mcs_enqueue. */
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
void ring3_mcs_unlock_node(ring3_mcs_t *lock, ring3_mcs_node_t *node)
{
    ring3_mcs_node_t *next = successor(lock, node);

    while (next) {
        uint32_t state = MCS_WAITING;

        /* The release pairs with the waiter's acquire. */
        if (ring3_cas_try(&next->state, &state, MCS_GRANTED, RING3_RELEASE)) {
            ring3_wait_wake(&next->state);
            return;
        }
        /* From here on its owner cannot come back. If it just did, look again. */
        if (state == MCS_ABANDONED &&
            !ring3_cas_try(&next->state, &state, MCS_REMOVING, RING3_RELAXED))
            continue;

        ring3_mcs_node_t *const gone = next;

        next = successor(lock, gone);
        /* Pairs with the acquires of the owner in come_back and ring3_mcs_forsake. */
        if (ring3_exchange(&gone->state, MCS_REMOVED, RING3_ACQ_REL) == MCS_ORPHANED)
            ring3_node_put(gone);
    }
}
