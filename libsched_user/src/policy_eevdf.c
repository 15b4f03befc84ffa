/* SPDX-License-Identifier: MIT */
/*
 * Earliest eligible virtual deadline first. An entity is eligible while it has had no more than its
 * share: its virtual time is not past the weighted mean of all. Among the eligible the earliest
 * virtual deadline goes first: virtual time at the request plus a slice (`granularity`) divided by
 * the weight.
 *
 * Who leaves keeps its lag, its distance from the mean, within one slice either way.
 *
 * The tree is sorted by deadline and knows the least virtual time of each subtree, so a pick takes
 * O(log n). Sources: Stoica and Abdel-Wahab 1995; Linux 6.6.
 */
#include "policies.h"
#include "queues.h"

#define NICE_0_WEIGHT 1024

struct eevdf {
    struct sorted ready; /* by virtual deadline */
    int64_t slice;
    int64_t origin; /* what virtual times are counted from in `moment` */
    int64_t moment; /* sum over the queued of weight * (virtual time - origin) */
    int64_t load;   /* sum of their weights */
};

struct request {
    struct place place; /* the key is the deadline */
    int64_t virtual_time;
    int64_t least; /* virtual time in its subtree */
    int64_t lag;   /* while it is between queues */
};
OWN_FITS(struct request);

static struct request *request_of(const ring3_rbnode_t *node)
{
    return OWN(entity_of_node((uintptr_t)node), struct request);
}

static int64_t load_of(const ring3_entity_t *entity)
{
    return ring3_nice_weight(entity->nice);
}

static int64_t virtual_of(const ring3_entity_t *entity, int64_t ran)
{
    return ran * NICE_0_WEIGHT / load_of(entity);
}

static bool summarise(ring3_rbnode_t *node)
{
    struct request *const request = request_of(node);
    int64_t least = request->virtual_time;

    if (node->left && request_of(node->left)->least < least)
        least = request_of(node->left)->least;
    if (node->right && request_of(node->right)->least < least)
        least = request_of(node->right)->least;

    const bool changed = least != request->least;

    request->least = least;
    return changed;
}

static void init(void *state, const ring3_policy_params_t *params)
{
    struct eevdf *const all = state;

    all->ready.tree.summarise = summarise;
    all->slice = params->granularity;
}

/* The mean virtual time of the queued, and of `running` unless it is NULL. */
static int64_t mean(const struct eevdf *all, const ring3_entity_t *running)
{
    int64_t moment = all->moment, load = all->load;

    if (running) {
        moment +=
            load_of(running) * (OWN_CONST(running, struct request)->virtual_time - all->origin);
        load += load_of(running);
    }
    if (load == 0)
        return all->origin;
    /* Rounded down, also below zero: a mean that is too large would make too many eligible. */
    return all->origin + moment / load - (moment % load < 0);
}

/* Move the origin to the mean, so that products stay small. */
static void recentre(struct eevdf *all)
{
    const int64_t to = mean(all, NULL);

    all->moment -= all->load * (to - all->origin);
    all->origin = to;
}

static void insert(struct eevdf *all, ring3_entity_t *entity, int64_t deadline, bool head)
{
    struct request *const request = OWN(entity, struct request);

    request->least = request->virtual_time;
    all->moment += load_of(entity) * (request->virtual_time - all->origin);
    all->load += load_of(entity);
    sorted_add(&all->ready, entity, deadline, head);
}

static void take_out(struct eevdf *all, ring3_entity_t *entity)
{
    sorted_remove(&all->ready, entity);
    all->load -= load_of(entity);
    all->moment -= load_of(entity) * (OWN(entity, struct request)->virtual_time - all->origin);
}

static void keep_lag(const struct eevdf *all, ring3_entity_t *entity, int64_t among)
{
    struct request *const request = OWN(entity, struct request);
    const int64_t most = virtual_of(entity, all->slice);

    request->lag = among - request->virtual_time;
    if (request->lag > most)
        request->lag = most;
    if (request->lag < -most)
        request->lag = -most;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct eevdf *const all = state;
    struct request *const request = OWN(entity, struct request);
    const int64_t slice = virtual_of(entity, all->slice);

    (void)now;
    if (all->load > 0)
        recentre(all);
    if (why == RING3_PREEMPTED || why == RING3_EXPIRED || why == RING3_YIELDS) {
        if (request->virtual_time >= request->place.key || why == RING3_YIELDS)
            request->place.key = request->virtual_time + slice;
        insert(all, entity, request->place.key, why == RING3_PREEMPTED);
        return;
    }
    if (why == RING3_ARRIVES)
        request->lag = 0;
    request->virtual_time = mean(all, NULL) - request->lag;
    if (all->load == 0)
        all->origin = request->virtual_time;
    insert(all, entity, request->virtual_time + slice, false);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct eevdf *const all = state;

    (void)now;
    keep_lag(all, entity, mean(all, NULL));
    take_out(all, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct eevdf *const all = state;
    const int64_t present = mean(all, NULL);
    ring3_rbnode_t *at = all->ready.tree.root;

    (void)now;
    /* The least virtual time is not above the mean, so each step leads to an eligible one. */
    while (at) {
        if (at->left && request_of(at->left)->least <= present)
            at = at->left;
        else if (request_of(at)->virtual_time <= present)
            break;
        else
            at = at->right;
    }
    if (!at)
        return NULL;
    take_out(all, entity_of_node(at));
    return entity_of_node(at);
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct eevdf *const all = state;
    struct request *const request = OWN(running, struct request);

    (void)now;
    request->virtual_time += virtual_of(running, ran);
    if (all->load == 0) /* it is alone: the mean is its own */
        all->origin = request->virtual_time;
    return request->virtual_time >= request->place.key;
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct request *const request = OWN_CONST(running, struct request);
    const int64_t left = request->place.key - request->virtual_time;

    (void)state, (void)now;
    return left > 0 ? (left * load_of(running) + NICE_0_WEIGHT - 1) / NICE_0_WEIGHT : 1;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    const struct eevdf *const all = state;
    const struct request *const request = OWN_CONST(woken, struct request);

    (void)now;
    return request->virtual_time <= mean(all, running) &&
           request->place.key < OWN_CONST(running, struct request)->place.key;
}

static void block(void *state, ring3_entity_t *entity, int64_t now)
{
    const struct eevdf *const all = state;

    (void)now;
    keep_lag(all, entity, mean(all, entity));
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct eevdf *const all = state;

    for (ring3_rbnode_t *at = ring3_rbtree_last(&all->ready.tree); at; at = ring3_rbtree_prev(at))
        if (may_leave(entity_of_node(at), arg)) {
            dequeue(state, entity_of_node(at), now);
            return entity_of_node(at);
        }
    return NULL;
}

const ring3_policy_t policy_eevdf = {
    .name = "eevdf",
    .summary = "earliest eligible virtual deadline first, weights by nice value",
    .queue_size = sizeof(struct eevdf),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .check_preempt = check_preempt,
    .block = block,
    .balance = balance,
};
