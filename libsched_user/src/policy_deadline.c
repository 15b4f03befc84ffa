/* SPDX-License-Identifier: MIT */
/*
 * Real-time policies over one sorted queue. Rate-monotonic: the shortest period first (with
 * deadlines shorter than periods, the shortest of these). Earliest deadline first: by the absolute
 * deadline of the present job, entity->due. Who has none runs when nobody with one wants to.
 *
 * Both preempt. admission.c says which sets of tasks meet their deadlines.
 * Source: Liu and Layland 1973.
 */
#include "policies.h"
#include "queues.h"

static int64_t by_rate(const ring3_entity_t *entity)
{
    if (entity->deadline > 0 && entity->deadline < entity->period)
        return entity->deadline;
    return entity->period > 0 ? entity->period : INT64_MAX;
}

static int64_t by_deadline(const ring3_entity_t *entity)
{
    return entity->due > 0 ? entity->due : INT64_MAX;
}

static void enqueue_rm(void *queue, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    (void)now;
    sorted_add(queue, entity, by_rate(entity), why == RING3_PREEMPTED);
}

static void enqueue_edf(void *queue, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    (void)now;
    sorted_add(queue, entity, by_deadline(entity), why == RING3_PREEMPTED);
}

static void dequeue(void *queue, ring3_entity_t *entity, int64_t now)
{
    (void)now;
    sorted_remove(queue, entity);
}

static ring3_entity_t *pick(void *queue, int64_t now)
{
    (void)now;
    return sorted_pop(queue);
}

static bool preempts_rm(void *queue, const ring3_entity_t *running, const ring3_entity_t *woken,
                        int64_t now)
{
    (void)queue, (void)now;
    return by_rate(woken) < by_rate(running);
}

static bool preempts_edf(void *queue, const ring3_entity_t *running, const ring3_entity_t *woken,
                         int64_t now)
{
    (void)queue, (void)now;
    return by_deadline(woken) < by_deadline(running);
}

static ring3_entity_t *balance(void *queue, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct sorted *const sorted = queue;

    (void)now;
    return tree_give(&sorted->tree, may_leave, arg);
}

const ring3_policy_t policy_rm = {
    .name = "rm",
    .summary = "rate-monotonic: the shortest period first",
    .queue_size = sizeof(struct sorted),
    .enqueue = enqueue_rm,
    .dequeue = dequeue,
    .pick = pick,
    .check_preempt = preempts_rm,
    .balance = balance,
};

const ring3_policy_t policy_edf = {
    .name = "edf",
    .summary = "earliest deadline first",
    .queue_size = sizeof(struct sorted),
    .enqueue = enqueue_edf,
    .dequeue = dequeue,
    .pick = pick,
    .check_preempt = preempts_edf,
    .balance = balance,
};
