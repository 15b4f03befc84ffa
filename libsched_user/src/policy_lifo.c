/* SPDX-License-Identifier: MIT */
/*
 * The newest first: who arrives or wakes goes before all others, and runs until it blocks or yields; who
 * yields goes behind them. A tree of threads is walked depth first, so that few of them live at a time.
 * Idle workers take the oldest, which has the most below it. Not fair: the oldest may wait for ever.
 *
 * Source: Blumofe and Leiserson 1999, "Scheduling multithreaded computations by work stealing".
 */
#include "policies.h"
#include "queues.h"

static void init(void *queue, const ring3_policy_params_t *params)
{
    (void)params;
    ring3_list_init(queue);
}

static void enqueue(void *queue, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    (void)now;
    if (why == RING3_YIELDS || why == RING3_EXPIRED)
        ring3_list_add_tail(queue, &entity->link);
    else
        ring3_list_add(queue, &entity->link);
}

static void dequeue(void *queue, ring3_entity_t *entity, int64_t now)
{
    (void)queue, (void)now;
    ring3_list_remove(&entity->link);
}

static ring3_entity_t *pick(void *queue, int64_t now)
{
    (void)now;
    return fifo_pop(queue);
}

static ring3_entity_t *balance(void *queue, may_leave_t *may_leave, void *arg, int64_t now)
{
    ring3_list_t *const all = queue;

    (void)now;
    for (ring3_list_t *at = all->prev; at != all; at = at->prev) {
        ring3_entity_t *const entity = ring3_container_of(at, ring3_entity_t, link);

        if (may_leave(entity, arg)) {
            ring3_list_remove(at);
            return entity;
        }
    }
    return NULL;
}

const ring3_policy_t policy_lifo = {
    .name = "lifo",
    .summary = "the newest first, for trees of threads",
    .queue_size = sizeof(ring3_list_t),
    .timeless = true,
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .balance = balance,
};
