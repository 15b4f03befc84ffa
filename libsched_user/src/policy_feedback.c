/* SPDX-License-Identifier: MIT */
/*
 * Feedback, as in classical Unix: the least P first, who becomes ready with a lower one takes the
 * CPU, and after every interval
 *
 *     P = P / 2 + C,   C = 0        C: CPU time in the interval
 *
 * for everybody, also for those that wait; between intervals P stays as it is. Among equals the
 * running one goes on, else who became ready first; a turn is one interval.
 *
 * P and C are nanoseconds; a thread begins with its priority in milliseconds (so 6 means 6 ms of
 * use). Those that wait for something else than the CPU catch up when they come back: P is halved
 * once for each interval that has passed.
 * Source: Bach, "The Design of the Unix Operating System", 1986, chapter 8.
 */
#include "policies.h"
#include "queues.h"

#define MS_NS INT64_C(1000000)

struct feedback {
    struct sorted ready; /* by P */
    int64_t interval;
    int64_t origin; /* of the first interval */
    int64_t passed; /* intervals */
    bool begun;
};

struct use {
    struct place place;
    int64_t p, c;
    int64_t passed; /* intervals up to which p is right */
    int64_t used;   /* of its turn */
};
OWN_FITS(struct use);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct feedback *const all = state;

    all->interval = params->interval;
}

static void catch_up(const struct feedback *all, struct use *use)
{
    int64_t behind = all->passed - use->passed;

    if (behind <= 0)
        return;
    use->p = use->p / 2 + use->c;
    use->c = 0;
    behind--;
    use->p = behind < 63 ? use->p >> behind : 0;
    use->passed = all->passed;
}

/* True if an interval has ended; then all the queued are sorted anew. */
static bool advance(struct feedback *all, int64_t now)
{
    ring3_rbtree_t old = all->ready.tree;

    if (!all->begun) {
        all->begun = true;
        all->origin = now;
    }
    if (all->interval <= 0 || (now - all->origin) / all->interval <= all->passed)
        return false;
    all->passed = (now - all->origin) / all->interval;
    all->ready.tree = (ring3_rbtree_t){.root = NULL};
    /* Their places among equals stay; O(n log n) once per interval. */
    for (ring3_rbnode_t *node; (node = ring3_rbtree_first(&old));) {
        struct use *const use = OWN(entity_of_node(node), struct use);

        ring3_rbtree_remove(&old, node);
        catch_up(all, use);
        use->place.key = use->p;
        sorted_put_back(&all->ready, entity_of_node(node));
    }
    return true;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct feedback *const all = state;
    struct use *const use = OWN(entity, struct use);

    (void)advance(all, now);
    if (why == RING3_ARRIVES)
        *use = (struct use){.p = entity->priority * MS_NS, .passed = all->passed};
    catch_up(all, use);
    if (why == RING3_PREEMPTED) { /* it keeps its place in the order */
        use->place.key = use->p;
        sorted_put_back(&all->ready, entity);
        return;
    }
    use->used = 0;
    sorted_add(&all->ready, entity, use->p, false);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    struct feedback *const all = state;

    (void)now;
    sorted_remove(&all->ready, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct feedback *const all = state;

    (void)advance(all, now);
    return sorted_pop(&all->ready);
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct feedback *const all = state;
    struct use *const use = OWN(running, struct use);
    const bool over = turn_over(&use->used, ran, all->interval);
    const ring3_entity_t *first;

    use->c += ran;
    if (!advance(all, now))
        return over;
    catch_up(all, use);
    first = sorted_first(&all->ready);
    return over || (first && OWN_CONST(first, struct use)->p < use->p);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct feedback *const all = state;
    const int64_t turn = turn_left(OWN_CONST(running, struct use)->used, all->interval);
    const int64_t interval = all->origin + (all->passed + 1) * all->interval - now;

    if (all->interval <= 0)
        return RING3_UNLIMITED;
    return interval > 0 && interval < turn ? interval : turn;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    (void)state, (void)now;
    return OWN_CONST(woken, struct use)->p < OWN_CONST(running, struct use)->p;
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct feedback *const all = state;

    (void)now;
    return tree_give(&all->ready.tree, may_leave, arg);
}

const ring3_policy_t policy_feedback = {
    .name = "feedback",
    .summary = "P = P/2 + C: who has used the CPU least of late",
    .queue_size = sizeof(struct feedback),
    .init = init,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .pick = pick,
    .tick = tick,
    .budget = budget,
    .check_preempt = check_preempt,
    .balance = balance,
};
