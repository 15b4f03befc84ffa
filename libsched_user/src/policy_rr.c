/* SPDX-License-Identifier: MIT */
/*
 * Round-robin: first come, first served, in turns of one quantum; who used up its turn goes to the
 * end. Weighted round-robin: turns of a quantum times the weight.
 */
#include "policies.h"
#include "queues.h"

struct rr {
    ring3_list_t ready;
    int64_t quantum;
    bool weighted;
};

struct turn {
    int64_t used;
};

static void init(void *state, const ring3_policy_params_t *params)
{
    struct rr *const rr = state;

    ring3_list_init(&rr->ready);
    rr->quantum = params->quantum;
}

static void init_weighted(void *state, const ring3_policy_params_t *params)
{
    struct rr *const rr = state;

    init(state, params);
    rr->weighted = true;
}

static int64_t turn_of(const struct rr *rr, const ring3_entity_t *entity)
{
    return rr->weighted ? rr->quantum * (int64_t)weight_of(entity) : rr->quantum;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct rr *const rr = state;

    (void)now;
    if (why == RING3_PREEMPTED) {
        ring3_list_add(&rr->ready, &entity->link);
        return;
    }
    OWN(entity, struct turn)->used = 0;
    ring3_list_add_tail(&rr->ready, &entity->link);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)state, (void)now;
    ring3_list_remove(&entity->link);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct rr *const rr = state;

    (void)now;
    return fifo_pop(&rr->ready);
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    (void)now;
    return turn_over(&OWN(running, struct turn)->used, ran, turn_of(state, running));
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    (void)now;
    return turn_left(OWN_CONST(running, struct turn)->used, turn_of(state, running));
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct rr *const rr = state;

    (void)now;
    return fifo_give(&rr->ready, may_leave, arg);
}

const ring3_policy_t policy_rr = {
    .name = "rr",
    .summary = "round-robin in turns of a quantum",
    .queue_size = sizeof(struct rr),
    .list = true,
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .balance = balance,
};

const ring3_policy_t policy_wrr = {
    .name = "wrr",
    .summary = "round-robin in turns of a quantum times the weight",
    .queue_size = sizeof(struct rr),
    .list = true,
    .init = init_weighted,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .balance = balance,
};
