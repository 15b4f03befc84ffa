/* SPDX-License-Identifier: MIT */
/*
 * Scheduling classes, as in Linux: entity->band says to which an entity belongs, and the first
 * class that has anybody runs.
 *
 *     deadline   earliest deadline first
 *     fifo, rr   100 levels of entity->priority with a bitmap; rr takes turns of a quantum
 *     fair       completely fair
 *     idle       first come, first served, in turns
 */
#include "policies.h"
#include "queues.h"

#include "ring3/bitmap.h"

#define RT_LEVELS 100
/* Room for the fair class's queue, which is that of policy_cfs.c. */
#define FAIR_WORDS 16

struct classes {
    struct sorted deadline;
    uint64_t used[RING3_BITMAP_WORDS(RT_LEVELS)];
    ring3_list_t level[RT_LEVELS];
    uint64_t fair[FAIR_WORDS];
    ring3_list_t idle;
    int64_t quantum;
};

struct turn {
    int64_t used;
};

static void init(void *state, const ring3_policy_params_t *params)
{
    struct classes *const all = state;

    for (int i = 0; i < RT_LEVELS; i++)
        ring3_list_init(&all->level[i]);
    ring3_list_init(&all->idle);
    if (policy_cfs.queue_size > sizeof all->fair)
        __builtin_trap();
    policy_cfs.init(all->fair, params);
    all->quantum = params->quantum;
}

/* The order of the classes: the smaller the sooner. */
static int rank_of(const ring3_entity_t *entity)
{
    switch (entity->band) {
    case RING3_CLASS_DEADLINE:
        return 0;
    case RING3_CLASS_FIFO:
    case RING3_CLASS_RR:
        return 1;
    case RING3_CLASS_IDLE:
        return 3;
    default:
        return 2;
    }
}

static size_t level_of(const ring3_entity_t *entity)
{
    if (entity->priority < 0)
        return 0;
    return entity->priority < RT_LEVELS ? (size_t)entity->priority : RT_LEVELS - 1;
}

static void put(ring3_list_t *list, ring3_entity_t *entity, ring3_why_t why)
{
    if (why == RING3_PREEMPTED) {
        ring3_list_add(list, &entity->link);
        return;
    }
    OWN(entity, struct turn)->used = 0;
    ring3_list_add_tail(list, &entity->link);
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct classes *const all = state;

    switch (rank_of(entity)) {
    case 0:
        policy_edf.enqueue(&all->deadline, entity, why, now);
        break;
    case 1:
        put(&all->level[level_of(entity)], entity, why);
        ring3_bitmap_set(all->used, level_of(entity));
        break;
    case 2:
        policy_cfs.enqueue(all->fair, entity, why, now);
        break;
    default:
        put(&all->idle, entity, why);
    }
}

static void leave_level(struct classes *all, ring3_entity_t *entity)
{
    const size_t level = level_of(entity);

    ring3_list_remove(&entity->link);
    if (ring3_list_empty(&all->level[level]))
        ring3_bitmap_clear(all->used, level);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct classes *const all = state;

    switch (rank_of(entity)) {
    case 0:
        policy_edf.dequeue(&all->deadline, entity, now);
        break;
    case 1:
        leave_level(all, entity);
        break;
    case 2:
        policy_cfs.dequeue(all->fair, entity, now);
        break;
    default:
        ring3_list_remove(&entity->link);
    }
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct classes *const all = state;
    ring3_entity_t *first = policy_edf.pick(&all->deadline, now);

    if (first)
        return first;

    const size_t level = ring3_bitmap_find_set(all->used, RT_LEVELS, 0);

    if (level < RT_LEVELS) {
        first = entity_of_link(all->level[level].next);
        leave_level(all, first);
        return first;
    }
    first = policy_cfs.pick(all->fair, now);
    return first ? first : fifo_pop(&all->idle);
}

static bool takes_turns(const ring3_entity_t *entity)
{
    return entity->band == RING3_CLASS_RR || entity->band == RING3_CLASS_IDLE;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct classes *const all = state;

    if (rank_of(running) == 2)
        return policy_cfs.tick(all->fair, running, ran, now);
    return takes_turns(running) && turn_over(&OWN(running, struct turn)->used, ran, all->quantum);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    struct classes *const all = state;

    if (rank_of(running) == 2)
        return policy_cfs.budget(all->fair, running, now);
    return takes_turns(running) ? turn_left(OWN_CONST(running, struct turn)->used, all->quantum)
                                : RING3_UNLIMITED;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    struct classes *const all = state;
    const int theirs = rank_of(woken), ours = rank_of(running);

    if (theirs != ours)
        return theirs < ours;
    switch (theirs) {
    case 0:
        return policy_edf.check_preempt(&all->deadline, running, woken, now);
    case 1:
        return level_of(woken) < level_of(running);
    case 2:
        return policy_cfs.check_preempt(all->fair, running, woken, now);
    default:
        return false;
    }
}

static void yield(void *state, ring3_entity_t *entity, int64_t now)
{
    struct classes *const all = state;

    if (rank_of(entity) == 2)
        policy_cfs.yield(all->fair, entity, now);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct classes *const all = state;
    ring3_entity_t *given = fifo_give(&all->idle, may_leave, arg);

    if (!given)
        given = policy_cfs.balance(all->fair, may_leave, arg, now);
    for (size_t level = RT_LEVELS; !given && level-- > 0;) {
        given = fifo_give(&all->level[level], may_leave, arg);
        if (given && ring3_list_empty(&all->level[level]))
            ring3_bitmap_clear(all->used, level);
    }
    return given ? given : policy_edf.balance(&all->deadline, may_leave, arg, now);
}

const ring3_policy_t policy_linux = {
    .name = "linux",
    .summary = "Linux's classes: deadline above fifo and rr above fair above idle",
    .queue_size = sizeof(struct classes),
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
