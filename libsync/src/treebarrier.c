/* SPDX-License-Identifier: MIT */
/*
 * The tree and dissemination barriers of ring3/barrier.h. Every word has one writer and one waiter
 * and holds the number of the last phase that was reported, so nothing has to be reset.
 */
#include "ring3/barrier.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

static_assert(sizeof(ring3_tree_barrier_t) == 16, "the size is part of the interface");
static_assert(sizeof(ring3_tree_barrier_node_t) == RING3_CACHE_LINE, "one line per party");
static_assert(sizeof(ring3_dissemination_barrier_node_t) % RING3_CACHE_LINE == 0, "whole lines");

static void report(uint32_t *word, uint32_t phase)
{
    /* Pairs with the acquires in await. */
    ring3_store(word, phase, RING3_RELEASE);
    ring3_wait_wake(word);
}

static void await(const uint32_t *word, uint32_t phase, ring3_wait_t how)
{
    uint32_t seen;

    /* Pairs with the release in report. */
    while ((int32_t)((seen = ring3_load(word, RING3_ACQUIRE)) - phase) < 0)
        (void)ring3_wait_change(word, seen, how, NULL);
}

static bool sound(const void *nodes, uint32_t parties, ring3_wait_t how)
{
    return nodes && parties > 0 && parties <= RING3_BARRIER_PARTIES_MAX &&
           (unsigned)how < RING3_WAIT_POLICIES;
}

int ring3_tree_barrier_init(ring3_tree_barrier_t *barrier, ring3_tree_barrier_node_t *nodes,
                            uint32_t parties, ring3_wait_t how)
{
    if (!sound(nodes, parties, how))
        return -EINVAL;
    *barrier = (ring3_tree_barrier_t){nodes, parties, (uint32_t)how};
    return 0;
}

void ring3_tree_barrier_wait(ring3_tree_barrier_t *barrier, uint32_t me)
{
    ring3_tree_barrier_node_t *const nodes = barrier->nodes, *const mine = &nodes[me];
    const ring3_wait_t how = (ring3_wait_t)barrier->wait;
    const uint32_t parties = barrier->parties, phase = ++mine->phase;

    for (uint32_t child = 0; child < 4 && 4 * me + 1 + child < parties; child++)
        await(&mine->arrived[child], phase, how);
    if (me != 0) {
        report(&nodes[(me - 1) / 4].arrived[(me - 1) % 4], phase);
        await(&mine->released, phase, how);
    }
    for (uint32_t child = 2 * me + 1; child <= 2 * me + 2 && child < parties; child++)
        report(&nodes[child].released, phase);
}

int ring3_dissemination_barrier_init(ring3_dissemination_barrier_t *barrier,
                                     ring3_dissemination_barrier_node_t *nodes, uint32_t parties,
                                     ring3_wait_t how)
{
    if (!sound(nodes, parties, how))
        return -EINVAL;
    *barrier = (ring3_dissemination_barrier_t){nodes, parties, (uint32_t)how};
    return 0;
}

void ring3_dissemination_barrier_wait(ring3_dissemination_barrier_t *barrier, uint32_t me)
{
    ring3_dissemination_barrier_node_t *const nodes = barrier->nodes;
    const uint32_t parties = barrier->parties, phase = ++nodes[me].phase;

    for (uint32_t round = 0; 1u << round < parties; round++) {
        report(&nodes[(me + (1u << round)) % parties].heard[round], phase);
        await(&nodes[me].heard[round], phase, (ring3_wait_t)barrier->wait);
    }
}
