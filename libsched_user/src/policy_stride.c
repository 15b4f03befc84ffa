/* SPDX-License-Identifier: MIT */
/*
 * Stride scheduling: lottery without luck. Each has a stride, inverse to its tickets (weight), and
 * a pass; the least pass runs for a quantum, and its pass grows by its stride, or by the part of it
 * that corresponds to the time it ran. Who waits keeps its distance from the others' pass.
 * Source: Waldspurger and Weihl 1995.
 */
#include "policies.h"
#include "queues.h"

/* The stride of one ticket. */
#define STRIDE_ONE (INT64_C(1) << 24)

struct stride {
    struct sorted ready; /* by pass */
    int64_t quantum;
    int64_t present; /* the pass of who was picked last */
};

struct strider {
    struct place place;
    int64_t pass; /* while it waits: ahead of the present */
    int64_t used; /* of its quantum */
};
OWN_FITS(struct strider);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct stride *const all = state;

    all->quantum = params->quantum;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct stride *const all = state;
    struct strider *const strider = OWN(entity, struct strider);

    (void)now;
    if (why == RING3_ARRIVES)
        strider->pass = all->present + STRIDE_ONE / weight_of(entity);
    else if (why == RING3_WAKES || why == RING3_MOVES)
        strider->pass += all->present;
    if (why != RING3_PREEMPTED)
        strider->used = 0;
    sorted_add(&all->ready, entity, strider->pass, why == RING3_PREEMPTED);
}

static void leave(const struct stride *all, ring3_entity_t *entity)
{
    struct strider *const strider = OWN(entity, struct strider);

    strider->pass -= all->present;
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct stride *const all = state;

    (void)now;
    sorted_remove(&all->ready, entity);
    leave(all, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct stride *const all = state;
    ring3_entity_t *const first = sorted_pop(&all->ready);

    (void)now;
    if (first && OWN(first, struct strider)->pass > all->present)
        all->present = OWN(first, struct strider)->pass;
    return first;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    const struct stride *const all = state;
    struct strider *const strider = OWN(running, struct strider);
    const int64_t step = STRIDE_ONE / weight_of(running);

    (void)now;
    strider->pass += (int64_t)((double)step * ((double)ran / (double)all->quantum));
    return turn_over(&strider->used, ran, all->quantum);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct stride *const all = state;

    (void)now;
    return turn_left(OWN_CONST(running, struct strider)->used, all->quantum);
}

static void block(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)now;
    leave(state, entity);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct stride *const all = state;
    ring3_entity_t *const given = tree_give(&all->ready.tree, may_leave, arg);

    (void)now;
    if (given)
        leave(all, given);
    return given;
}

const ring3_policy_t policy_stride = {
    .name = "stride",
    .summary = "stride scheduling: exact shares by tickets",
    .queue_size = sizeof(struct stride),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .block = block,
    .balance = balance,
};
