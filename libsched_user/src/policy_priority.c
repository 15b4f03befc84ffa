/* SPDX-License-Identifier: MIT */
/*
 * Priorities: the most urgent runs, equals take turns of a quantum, and who becomes ready and is
 * more urgent takes the CPU (unless preempt=off).
 *
 * Aging: who waits gains one priority in every `aging` ns, and keeps what it has gained until its
 * next turn is over. All waiters age alike, so their order never changes while they wait: with s
 * the time at which it began, a waiter's present priority is p - (now - s) / aging, and the least of
 * these is the least p * aging + s. That is the key; nothing has to be computed again.
 */
#include "policies.h"
#include "queues.h"

struct priority {
    struct sorted ready;
    int64_t quantum, aging;
    bool preempt;
};

struct rank {
    struct place place;
    int64_t used;   /* of its turn */
    int64_t gained; /* priorities, by waiting for the present turn */
};
OWN_FITS(struct rank);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct priority *const all = state;

    all->quantum = params->quantum;
    all->aging = params->aging;
    all->preempt = params->preempt;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct priority *const all = state;
    const int64_t key =
        all->aging > 0 ? entity->priority * all->aging + now : (int64_t)entity->priority;

    if (why != RING3_PREEMPTED && why != RING3_MOVES)
        OWN(entity, struct rank)->used = 0;
    sorted_add(&all->ready, entity, key, why == RING3_PREEMPTED);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct priority *const all = state;

    (void)now;
    sorted_remove(&all->ready, entity);
}

/* How many priorities a queued entity has gained by now. */
static int64_t gained(const struct priority *all, const ring3_entity_t *entity, int64_t now)
{
    const struct rank *const rank = OWN_CONST(entity, struct rank);

    if (all->aging <= 0)
        return 0;
    return (now - (rank->place.key - entity->priority * all->aging)) / all->aging;
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct priority *const all = state;
    ring3_entity_t *const first = sorted_pop(&all->ready);

    if (first)
        OWN(first, struct rank)->gained = gained(all, first, now);
    return first;
}

static int64_t level_of(const ring3_entity_t *running)
{
    return running->priority - OWN_CONST(running, struct rank)->gained;
}

/* How long until the first waiter has grown more urgent than `running`. */
static int64_t until_overtaken(const struct priority *all, const ring3_entity_t *running,
                               int64_t now)
{
    const ring3_entity_t *const first = sorted_first(&all->ready);

    if (all->aging <= 0 || !first)
        return RING3_UNLIMITED;
    return OWN_CONST(first, struct rank)->place.key - (level_of(running) - 1) * all->aging - now;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    const struct priority *const all = state;
    const bool over = turn_over(&OWN(running, struct rank)->used, ran, all->quantum);

    return all->preempt && (over || until_overtaken(all, running, now) <= 0);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct priority *const all = state;
    const int64_t turn = turn_left(OWN_CONST(running, struct rank)->used, all->quantum);
    int64_t overtaken = until_overtaken(all, running, now);

    if (!all->preempt)
        return RING3_UNLIMITED;
    if (overtaken < 1)
        overtaken = 1;
    return turn < overtaken ? turn : overtaken;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    const struct priority *const all = state;

    (void)now;
    return all->preempt && woken->priority < level_of(running);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct priority *const all = state;

    (void)now;
    return tree_give(&all->ready.tree, may_leave, arg);
}

const ring3_policy_t policy_priority = {
    .name = "priority",
    .summary = "priorities, round-robin among equals, with aging on request",
    .queue_size = sizeof(struct priority),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .check_preempt = check_preempt,
    .balance = balance,
};
