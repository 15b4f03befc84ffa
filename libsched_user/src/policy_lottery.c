/* SPDX-License-Identifier: MIT */
/*
 * Lottery: each turn of a quantum is drawn; the chance is by tickets (weight). Who blocked after the
 * part f of its quantum holds 1 / f times its tickets until it wins again, so that a thread's share
 * does not depend on how it cuts its time.
 *
 * Tickets are summed up in a tree, so that a draw takes O(log n). The seed decides all draws.
 * Sources: Waldspurger and Weihl 1994; Steele, Lea and Flood 2014 (SplitMix64).
 */
#include "policies.h"
#include "queues.h"

struct lottery {
    struct sorted ready; /* in order of arrival */
    int64_t quantum;
    uint64_t random;
};

struct player {
    struct place place;
    uint64_t tickets;
    uint64_t sum; /* of the tickets in its subtree */
    int64_t used; /* of its quantum */
};
OWN_FITS(struct player);

/* Tickets per unit of weight; the largest compensation is this factor too. */
#define TICKET_SCALE 64

static struct player *player_of(const ring3_rbnode_t *node)
{
    return OWN(entity_of_node((uintptr_t)node), struct player);
}

static uint64_t sum_of(const ring3_rbnode_t *node)
{
    return node ? player_of(node)->sum : 0;
}

static bool summarise(ring3_rbnode_t *node)
{
    struct player *const player = player_of(node);
    const uint64_t sum = player->tickets + sum_of(node->left) + sum_of(node->right);
    const bool changed = sum != player->sum;

    player->sum = sum;
    return changed;
}

static void init(void *state, const ring3_policy_params_t *params)
{
    struct lottery *const all = state;

    all->ready.tree.summarise = summarise;
    all->quantum = params->quantum;
    all->random = params->seed;
}

static uint64_t draw(struct lottery *all)
{
    uint64_t z = all->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct lottery *const all = state;
    struct player *const player = OWN(entity, struct player);

    (void)now;
    player->tickets = (uint64_t)weight_of(entity) * TICKET_SCALE;
    if (why == RING3_WAKES && player->used > 0 && player->used < all->quantum) {
        const int64_t factor = all->quantum / player->used;

        player->tickets *= (uint64_t)(factor < TICKET_SCALE ? factor : TICKET_SCALE);
    }
    if (why != RING3_PREEMPTED)
        player->used = 0;
    player->sum = player->tickets;
    sorted_add(&all->ready, entity, 0, why == RING3_PREEMPTED);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct lottery *const all = state;

    (void)now;
    sorted_remove(&all->ready, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct lottery *const all = state;
    ring3_rbnode_t *at = all->ready.tree.root;

    (void)now;
    if (!at)
        return NULL;
    /* The bias of a remainder is below 2^-32 for fewer than 2^32 tickets. */
    uint64_t winner = draw(all) % sum_of(at);

    for (;;) {
        const uint64_t left = sum_of(at->left), own = player_of(at)->tickets;

        if (winner < left) {
            at = at->left;
        } else if (winner < left + own) {
            break;
        } else {
            winner -= left + own;
            at = at->right;
        }
    }
    ring3_rbtree_remove(&all->ready.tree, at);
    return entity_of_node(at);
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    const struct lottery *const all = state;

    (void)now;
    return turn_over(&OWN(running, struct player)->used, ran, all->quantum);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct lottery *const all = state;

    (void)now;
    return turn_left(OWN_CONST(running, struct player)->used, all->quantum);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct lottery *const all = state;

    (void)now;
    return tree_give(&all->ready.tree, may_leave, arg);
}

const ring3_policy_t policy_lottery = {
    .name = "lottery",
    .summary = "lottery: turns are drawn, chances by tickets",
    .queue_size = sizeof(struct lottery),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .balance = balance,
};
