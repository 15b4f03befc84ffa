/* SPDX-License-Identifier: MIT */
/*
 * Weighted fair queueing. Everybody has a virtual time, its run time divided by its weight; next
 * goes whose virtual time would be the least after another quantum: (ran + quantum) / weight. Equal
 * ones: the larger weight first, then who came first.
 *
 * A newcomer begins at the virtual time of those who are there, or it would have the CPU for itself
 * until it had caught up; who comes back from waiting does not fall behind that either.
 *
 * Fractions are compared exactly, by cross multiplication in 128 bits.
 * Source: Demers, Keshav and Shenker 1989.
 */
#include "policies.h"
#include "queues.h"

__extension__ typedef __int128 wide;

struct wfq {
    ring3_rbtree_t ready;
    int64_t quantum;
    int64_t order;
    /* The latest virtual time at which anybody was picked, as a fraction. */
    int64_t now_ran, now_weight;
};

struct share {
    int64_t finish; /* ran, counted from a common origin, plus a quantum */
    int64_t order;
    int64_t ran;
    int64_t used; /* of its quantum */
};
OWN_FITS(struct share);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct wfq *const wfq = state;

    wfq->quantum = params->quantum;
    wfq->now_weight = 1;
}

static bool less(const ring3_rbnode_t *a, const ring3_rbnode_t *b)
{
    const ring3_entity_t *const left = entity_of_node((uintptr_t)a);
    const ring3_entity_t *const right = entity_of_node((uintptr_t)b);
    const struct share *const l = OWN_CONST(left, struct share);
    const struct share *const r = OWN_CONST(right, struct share);
    const wide l_finish = (wide)l->finish * weight_of(right);
    const wide r_finish = (wide)r->finish * weight_of(left);

    if (l_finish != r_finish)
        return l_finish < r_finish;
    if (weight_of(left) != weight_of(right))
        return weight_of(left) > weight_of(right);
    return l->order < r->order;
}

/* What `weight` must have run to stand at the present virtual time; rounded up. */
static int64_t present(const struct wfq *wfq, uint32_t weight)
{
    return (int64_t)(((wide)wfq->now_ran * weight + wfq->now_weight - 1) / wfq->now_weight);
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct wfq *const wfq = state;
    struct share *const share = OWN(entity, struct share);
    const int64_t floor = present(wfq, weight_of(entity));

    (void)now;
    if (why == RING3_ARRIVES || (why == RING3_WAKES && share->ran < floor))
        share->ran = floor;
    else if (why == RING3_MOVES)
        share->ran += floor;
    if (why != RING3_PREEMPTED)
        share->used = 0;
    share->finish = share->ran + wfq->quantum;
    share->order = wfq->order++;
    ring3_rbtree_insert(&wfq->ready, &entity->node, less);
}

/* What leaves keeps only its distance from the present. */
static ring3_entity_t *leave(struct wfq *wfq, ring3_entity_t *entity)
{
    OWN(entity, struct share)->ran -= present(wfq, weight_of(entity));
    return entity;
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct wfq *const wfq = state;

    (void)now;
    ring3_rbtree_remove(&wfq->ready, &entity->node);
    (void)leave(wfq, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct wfq *const wfq = state;
    ring3_rbnode_t *const node = ring3_rbtree_first(&wfq->ready);

    (void)now;
    if (!node)
        return NULL;
    ring3_rbtree_remove(&wfq->ready, node);

    ring3_entity_t *const first = entity_of_node(node);
    const int64_t ran = OWN(first, struct share)->ran;

    if ((wide)ran * wfq->now_weight > (wide)wfq->now_ran * weight_of(first)) {
        wfq->now_ran = ran;
        wfq->now_weight = weight_of(first);
    }
    return first;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    const struct wfq *const wfq = state;
    struct share *const share = OWN(running, struct share);

    (void)now;
    share->ran += ran;
    return turn_over(&share->used, ran, wfq->quantum);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct wfq *const wfq = state;

    (void)now;
    return turn_left(OWN_CONST(running, struct share)->used, wfq->quantum);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct wfq *const wfq = state;
    ring3_entity_t *const given = tree_give(&wfq->ready, may_leave, arg);

    (void)now;
    return given ? leave(wfq, given) : NULL;
}

const ring3_policy_t policy_wfq = {
    .name = "wfq",
    .summary = "weighted fair queueing: the least virtual finish time first",
    .queue_size = sizeof(struct wfq),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .balance = balance,
};
