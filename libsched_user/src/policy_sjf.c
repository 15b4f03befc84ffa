/* SPDX-License-Identifier: MIT */
/*
 * Shortest job first: the smallest coming CPU burst, to its end. Shortest remaining time first: an
 * arrival that needs less than what is left of the running burst takes its place.
 *
 * How long a burst will be is declared, or estimated from those before (estimate.h).
 */
#include "policies.h"
#include "queues.h"

#include "estimate.h"

struct sjf {
    struct sorted ready; /* by what is left of the burst */
    ring3_policy_params_t params;
};

struct burst {
    struct place place;
    int64_t ran; /* of the present burst */
    struct estimate estimate;
};
OWN_FITS(struct burst);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct sjf *const sjf = state;

    sjf->params = *params;
}

static int64_t left_of(const struct sjf *sjf, const ring3_entity_t *entity)
{
    const struct burst *const burst = OWN_CONST(entity, struct burst);
    const bool declared = sjf->params.estimate == RING3_ESTIMATE_DECLARED && entity->burst > 0;
    const int64_t length = declared ? entity->burst : estimate_next(&burst->estimate, &sjf->params);

    return length > burst->ran ? length - burst->ran : 0;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct sjf *const sjf = state;

    (void)now;
    sorted_add(&sjf->ready, entity, left_of(sjf, entity), why == RING3_PREEMPTED);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct sjf *const sjf = state;

    (void)now;
    sorted_remove(&sjf->ready, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct sjf *const sjf = state;

    (void)now;
    return sorted_pop(&sjf->ready);
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    (void)state, (void)now;
    OWN(running, struct burst)->ran += ran;
    return false;
}

static void block(void *state, ring3_entity_t *entity, int64_t now)
{
    const struct sjf *const sjf = state;
    struct burst *const burst = OWN(entity, struct burst);

    (void)now;
    estimate_add(&burst->estimate, &sjf->params, burst->ran);
    burst->ran = 0;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    (void)now;
    return left_of(state, woken) < left_of(state, running);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct sjf *const sjf = state;

    (void)now;
    return tree_give(&sjf->ready.tree, may_leave, arg);
}

const ring3_policy_t policy_sjf = {
    .name = "sjf",
    .summary = "shortest job first, declared or estimated",
    .queue_size = sizeof(struct sjf),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .block = block,
    .balance = balance,
};

const ring3_policy_t policy_srtf = {
    .name = "srtf",
    .summary = "shortest remaining time first: sjf that preempts",
    .queue_size = sizeof(struct sjf),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .check_preempt = check_preempt,
    .block = block,
    .balance = balance,
};
