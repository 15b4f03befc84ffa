/* SPDX-License-Identifier: MIT */
/*
 * Completely fair: the least virtual run time first, which passes the more slowly the greater the
 * weight (of the nice value). There is no fixed quantum: everybody runs once per `latency`, for a
 * part of it by weight, but for no less than `granularity` when there are many.
 *
 * A newcomer begins one slice behind the present, so that forking does not pay; who comes back from
 * waiting gets up to half a latency of credit, and takes the CPU if it is behind the running one by
 * more than `wakeup`.
 * Source: Linux 2.6.23 to 6.5, Documentation/scheduler/sched-design-CFS.rst.
 */
#include "policies.h"
#include "queues.h"

#define NICE_0_WEIGHT 1024

struct cfs {
    struct sorted ready; /* by virtual run time */
    int64_t latency, granularity, wakeup;
    int64_t present; /* virtual time that no newcomer falls behind; never goes back */
    int64_t load;    /* weights of the queued */
    int64_t count;   /* how many are queued */
};

struct fair {
    struct place place;
    int64_t virtual_time; /* of one that is between queues: ahead of the present */
    int64_t used;         /* since it was picked, ns */
};
OWN_FITS(struct fair);

uint32_t ring3_nice_weight(int nice)
{
    static const uint32_t weights[] = {
        88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
        9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,
        1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,
        110,   87,    70,    56,    45,    36,    29,    23,    18,    15,
    };

    if (nice < RING3_NICE_MIN)
        nice = RING3_NICE_MIN;
    if (nice > RING3_NICE_MAX)
        nice = RING3_NICE_MAX;
    return weights[nice - RING3_NICE_MIN];
}

static int64_t load_of(const ring3_entity_t *entity)
{
    return ring3_nice_weight(entity->nice);
}

static int64_t virtual_of(const ring3_entity_t *entity, int64_t ran)
{
    return ran * NICE_0_WEIGHT / load_of(entity);
}

static void init(void *state, const ring3_policy_params_t *params)
{
    struct cfs *const cfs = state;

    cfs->latency = params->latency;
    cfs->granularity = params->granularity;
    cfs->wakeup = params->wakeup;
}

/* The slice of one that runs while the queue holds the others. */
static int64_t slice_of(const struct cfs *cfs, const ring3_entity_t *entity)
{
    const int64_t all = cfs->count + 1;
    const int64_t period =
        all * cfs->granularity > cfs->latency ? all * cfs->granularity : cfs->latency;
    const int64_t slice = period * load_of(entity) / (cfs->load + load_of(entity));

    return slice > cfs->granularity ? slice : cfs->granularity;
}

static void keep_up(struct cfs *cfs, int64_t least)
{
    const ring3_entity_t *const first = sorted_first(&cfs->ready);

    if (first && OWN_CONST(first, struct fair)->virtual_time < least)
        least = OWN_CONST(first, struct fair)->virtual_time;
    if (least > cfs->present)
        cfs->present = least;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct cfs *const cfs = state;
    struct fair *const fair = OWN(entity, struct fair);

    (void)now;
    if (why == RING3_ARRIVES)
        fair->virtual_time =
            cfs->present + (cfs->count > 0 ? virtual_of(entity, slice_of(cfs, entity)) : 0);
    else if (why == RING3_WAKES)
        fair->virtual_time = larger(fair->virtual_time, cfs->present - cfs->latency / 2);
    else if (why == RING3_MOVES)
        fair->virtual_time += cfs->present;
    cfs->load += load_of(entity);
    cfs->count++;
    sorted_add(&cfs->ready, entity, fair->virtual_time, why == RING3_PREEMPTED);
}

static void leave(struct cfs *cfs, const ring3_entity_t *entity)
{
    cfs->load -= load_of(entity);
    cfs->count--;
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct cfs *const cfs = state;

    (void)now;
    sorted_remove(&cfs->ready, entity);
    leave(cfs, entity);
    OWN(entity, struct fair)->virtual_time -= cfs->present;
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct cfs *const cfs = state;
    ring3_entity_t *const first = sorted_pop(&cfs->ready);

    (void)now;
    if (!first)
        return NULL;
    leave(cfs, first);
    OWN(first, struct fair)->used = 0;
    keep_up(cfs, OWN(first, struct fair)->virtual_time);
    return first;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct cfs *const cfs = state;
    struct fair *const fair = OWN(running, struct fair);

    (void)now;
    fair->virtual_time += virtual_of(running, ran);
    fair->used += ran;
    keep_up(cfs, fair->virtual_time);
    return cfs->count > 0 && fair->used >= slice_of(cfs, running);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct cfs *const cfs = state;

    (void)now;
    if (cfs->count == 0)
        return RING3_UNLIMITED;
    return turn_left(OWN_CONST(running, struct fair)->used, slice_of(cfs, running));
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    const struct cfs *const cfs = state;
    const int64_t behind =
        OWN_CONST(running, struct fair)->virtual_time - OWN_CONST(woken, struct fair)->virtual_time;

    (void)now;
    return behind > virtual_of(woken, cfs->wakeup);
}

/* Behind the first of the others. */
static void yield(void *state, ring3_entity_t *entity, int64_t now)
{
    const struct cfs *const cfs = state;
    const ring3_entity_t *const first = sorted_first(&cfs->ready);
    struct fair *const fair = OWN(entity, struct fair);

    (void)now;
    if (first)
        fair->virtual_time =
            larger(fair->virtual_time, OWN_CONST(first, struct fair)->virtual_time);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct cfs *const cfs = state;
    ring3_entity_t *const given = tree_give(&cfs->ready.tree, may_leave, arg);

    (void)now;
    if (given) {
        leave(cfs, given);
        OWN(given, struct fair)->virtual_time -= cfs->present;
    }
    return given;
}

const ring3_policy_t policy_cfs = {
    .name = "cfs",
    .summary = "completely fair: the least virtual run time first, weights by nice value",
    .queue_size = sizeof(struct cfs),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .check_preempt = check_preempt,
    .yield = yield,
    .balance = balance,
};
