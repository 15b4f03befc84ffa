/* SPDX-License-Identifier: MIT */
/*
 * Nodes of queue locks whose callers bring none. Each context keeps a few spare ones; the rest lie
 * in a pool that is never unmapped. A node is one cache line, or two on machines with long lines,
 * and returns as raw memory.
 */
#ifndef RING3_NODES_H
#define RING3_NODES_H

#include "ring3/arch.h"
#include "ring3/self.h"

struct ring3_node {
    struct ring3_node *spare; /* next spare node, while it is one */
    uint64_t room[RING3_CACHE_LINE / 8 - 1];
} RING3_CACHE_ALIGNED;

/* Never fails: without memory for another node it waits until one is given back. */
void *ring3_node_get(void);
void ring3_node_put(void *node);

/* In self.c: `self` now keeps something; have it given back when its kernel thread ends, if it is
 * one. */
void ring3_self_keeps(ring3_self_t *self);

/* In mcs_hidden.c: leave the nodes that `self` abandoned in queues to those who find them there. */
void ring3_mcs_forsake(ring3_self_t *self);

/* Give the spare nodes of a context that ends back to the pool. */
void ring3_nodes_give_back(ring3_self_t *self);

#endif
