/* SPDX-License-Identifier: MIT */
/*
 * Multilevel queue: entity->queue says once and for all to which queue it belongs. Each queue has a
 * quantum, or 0 for first come, first served. Between queues:
 *
 *   by rank    a queue runs only while those above are empty, and an arrival above takes the CPU
 *   by shares  the queue that has had the least of its share goes next, for a turn of `quantum`
 *              at most. A queue that was empty does not save its share up.
 */
#include "policies.h"
#include "queues.h"

struct multilevel {
    ring3_list_t ready[RING3_POLICY_LEVELS];
    unsigned levels;
    int64_t quantum[RING3_POLICY_LEVELS];
    bool by_shares;
    int64_t share[RING3_POLICY_LEVELS];
    int64_t served[RING3_POLICY_LEVELS]; /* time it had, divided by its share */
    int64_t turn;                        /* between queues that share */
};

struct member {
    int64_t used;  /* of its own quantum */
    int64_t stint; /* of its queue's turn, so far */
};
OWN_FITS(struct member);

/* Keeps the time per share exact enough for shares in the thousands. */
#define SHARE_SCALE 1024

static void init(void *state, const ring3_policy_params_t *params)
{
    struct multilevel *const all = state;

    all->levels = params->levels;
    all->turn = params->quantum;
    for (int i = 0; i < RING3_POLICY_LEVELS; i++) {
        ring3_list_init(&all->ready[i]);
        all->quantum[i] = params->quanta[i];
        all->share[i] = params->shares[i] ? params->shares[i] : 1;
        all->by_shares |= params->shares[i] != 0;
    }
}

static unsigned queue_of(const struct multilevel *all, const ring3_entity_t *entity)
{
    return entity->queue < all->levels ? entity->queue : all->levels - 1;
}

/* The least served of the queues that have anybody, or -1. */
static int neediest(const struct multilevel *all)
{
    int found = -1;

    for (unsigned i = 0; i < all->levels; i++)
        if (!ring3_list_empty(&all->ready[i]) && (found < 0 || all->served[i] < all->served[found]))
            found = (int)i;
    return found;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct multilevel *const all = state;
    const unsigned mine = queue_of(all, entity);
    struct member *const member = OWN(entity, struct member);
    const int least = neediest(all);
    /* A queue's turn has ended, not the member's own. */
    const bool queue_turn = why == RING3_EXPIRED && member->used > 0;

    (void)now;
    if (ring3_list_empty(&all->ready[mine]) && least >= 0 &&
        (why == RING3_ARRIVES || why == RING3_WAKES) && all->served[mine] < all->served[least])
        all->served[mine] = all->served[least];
    if (why == RING3_PREEMPTED || queue_turn || (why == RING3_EXPIRED && all->quantum[mine] <= 0)) {
        ring3_list_add(&all->ready[mine], &entity->link);
        return;
    }
    member->used = 0;
    ring3_list_add_tail(&all->ready[mine], &entity->link);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)state, (void)now;
    ring3_list_remove(&entity->link);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct multilevel *const all = state;
    int from = -1;

    (void)now;
    if (all->by_shares)
        from = neediest(all);
    else
        for (unsigned i = 0; i < all->levels && from < 0; i++)
            from = ring3_list_empty(&all->ready[i]) ? -1 : (int)i;
    if (from < 0)
        return NULL;

    ring3_entity_t *const first = fifo_pop(&all->ready[from]);

    OWN(first, struct member)->stint = 0;
    return first;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct multilevel *const all = state;
    struct member *const member = OWN(running, struct member);
    const unsigned mine = queue_of(all, running);
    const bool over = turn_over(&member->used, ran, all->quantum[mine]);

    (void)now;
    all->served[mine] += ran * SHARE_SCALE / all->share[mine];
    return turn_over(&member->stint, ran, all->by_shares ? all->turn : 0) || over;
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct multilevel *const all = state;
    const struct member *const member = OWN_CONST(running, struct member);
    const int64_t own = turn_left(member->used, all->quantum[queue_of(all, running)]);
    const int64_t stint = turn_left(member->stint, all->by_shares ? all->turn : 0);

    (void)now;
    return own < stint ? own : stint;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    const struct multilevel *const all = state;

    (void)now;
    return !all->by_shares && queue_of(all, woken) < queue_of(all, running);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct multilevel *const all = state;
    ring3_entity_t *given = NULL;

    (void)now;
    for (unsigned i = all->levels; i-- > 0 && !given;)
        given = fifo_give(&all->ready[i], may_leave, arg);
    return given;
}

const ring3_policy_t policy_multilevel = {
    .name = "multilevel",
    .summary = "a queue for each kind of thread, by rank or by shares of the time",
    .queue_size = sizeof(struct multilevel),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .check_preempt = check_preempt,
    .balance = balance,
};
