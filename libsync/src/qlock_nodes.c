/* SPDX-License-Identifier: MIT */
/* Who uses which node of the queued locks: see qlock_nodes.h. */
#include "qlock_nodes.h"

#include "ring3/atomic.h"
#include "ring3/bitmap.h"

#include <pthread.h>
#include <string.h>

struct ring3_qlock_node ring3_qlock_nodes[RING3_QLOCK_NODES];

/* One per process, as the nodes. A bit for each. */
static uint64_t taken[RING3_BITMAP_WORDS(RING3_QLOCK_NODES)] = {1};

uint32_t ring3_qlock_node_get(void)
{
    for (size_t i = 0;
         (i = ring3_bitmap_find_clear(taken, RING3_QLOCK_NODES, i)) < RING3_QLOCK_NODES; i++)
        /* The acquire pairs with the release of the node's last user. */
        if ((ring3_fetch_or(&taken[i / 64], UINT64_C(1) << i % 64, RING3_ACQUIRE) >> i % 64 & 1) ==
            0)
            return (uint32_t)i;
    return 0;
}

void ring3_qlock_node_put(uint32_t number)
{
    (void)ring3_fetch_and(&taken[number / 64], ~(UINT64_C(1) << number % 64), RING3_RELEASE);
}

/* The nodes of waiters that are not in the child. */
static void free_after_fork(void)
{
    memset(taken, 0, sizeof taken);
    taken[0] = 1;
}

__attribute__((constructor(RING3_START_FIRST))) static void qlock_nodes_start(void)
{
    (void)pthread_atfork(NULL, NULL, free_after_fork);
}
