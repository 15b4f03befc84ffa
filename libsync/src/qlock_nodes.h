/* SPDX-License-Identifier: MIT */
/*
 * The nodes of queued locks (ring3/qlock.h). There is one set per process, because the word of a
 * lock has room for a number only. Number 0 stands for none.
 */
#ifndef RING3_QLOCK_NODES_H
#define RING3_QLOCK_NODES_H

#include "ring3/arch.h"

#include <stdint.h>

/* next: the number of the node behind, 0 until it is known. turn: 1 for the first in the queue. */
struct ring3_qlock_node {
    uint32_t next, turn;
} RING3_CACHE_ALIGNED;

#define RING3_QLOCK_NODES 1024 /* 64 KiB, of which only what is in use is ever touched */

extern struct ring3_qlock_node ring3_qlock_nodes[RING3_QLOCK_NODES];

/* The number of a node that nobody uses; 0 if there is none. It is as its last user left it. */
uint32_t ring3_qlock_node_get(void);
void ring3_qlock_node_put(uint32_t number);

#endif
