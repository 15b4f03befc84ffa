/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of MCS (ring3/mcs.h) agree on: mcs.c keeps the queue and hands the lock over;
 * mcs_hidden.c waits with hidden nodes, gives up and comes back.
 *
 * state       set by                          from
 * WAITING     owner, arriving or coming back  anything, ABANDONED
 * GRANTED     releaser                        WAITING
 * ABANDONED   owner at its deadline           WAITING
 * REMOVING    releaser that finds it          ABANDONED
 * REMOVED     the same, done with the node    REMOVING
 * ORPHANED    owner at its end                ABANDONED, REMOVING: the releaser gives the node back
 *
 * A node that its caller brings is only ever WAITING or GRANTED.
 */
#ifndef RING3_MCS_QUEUE_H
#define RING3_MCS_QUEUE_H

#include "ring3/mcs.h"

#include <stdbool.h>

enum {
    MCS_WAITING,
    MCS_GRANTED,
    MCS_ABANDONED,
    MCS_REMOVING,
    MCS_REMOVED,
    MCS_ORPHANED,
};

/* Stand at the end of the queue. True if nobody stands before: the lock is ours. */
bool ring3_mcs_enqueue(ring3_mcs_t *lock, ring3_mcs_node_t *node);

#endif
