/* SPDX-License-Identifier: MIT */
/* First come, first served: one queue, and who runs does so until it blocks. */
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
    if (why == RING3_PREEMPTED)
        ring3_list_add(queue, &entity->link);
    else
        ring3_list_add_tail(queue, &entity->link);
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
    (void)now;
    return fifo_give(queue, may_leave, arg);
}

const ring3_policy_t policy_fcfs = {
    .name = "fcfs",
    .summary = "first come, first served",
    .queue_size = sizeof(ring3_list_t),
    .list = true,
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .balance = balance,
};
