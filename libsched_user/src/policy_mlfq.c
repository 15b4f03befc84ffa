/* SPDX-License-Identifier: MIT */
/*
 * Multilevel feedback queue. Everybody starts at the top level; who uses up the quantum of its
 * level moves one down; a level runs only while those above are empty, and an arrival above takes
 * the CPU. A quantum of 0 is a level of first come, first served.
 *
 * allotment=N  a level grants N quanta, counted across waits: blocking just before the end of a
 *              quantum does not keep a thread up. 0: every burst counts from zero, as in
 *              textbooks.
 * boost=T      everybody back to the top every T.
 * promote=T    who has waited in a level for T moves one up.
 *
 * Sources: Corbato 1962; Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", chapter 8.
 */
#include "policies.h"
#include "queues.h"

struct mlfq {
    ring3_list_t level[RING3_POLICY_LEVELS];
    unsigned levels;
    int64_t quantum[RING3_POLICY_LEVELS];
    uint32_t allotment;
    int64_t boost, promote;
    int64_t era;    /* how many boosts there were */
    bool begun;     /* the first call has set the origin of boosts */
    int64_t origin; /* of the boosts, ns */
};

struct standing {
    int64_t level;
    int64_t used;    /* of the quantum */
    int64_t granted; /* run at this level so far */
    int64_t era;     /* of which `level` is */
    int64_t since;   /* when it was queued */
};
OWN_FITS(struct standing);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct mlfq *const mlfq = state;

    for (int i = 0; i < RING3_POLICY_LEVELS; i++) {
        ring3_list_init(&mlfq->level[i]);
        mlfq->quantum[i] = params->quanta[i];
    }
    mlfq->levels = params->levels;
    mlfq->allotment = params->allotment;
    mlfq->boost = params->boost;
    mlfq->promote = params->promote;
}

static void catch_up(const struct mlfq *mlfq, ring3_entity_t *entity)
{
    struct standing *const standing = OWN(entity, struct standing);

    if (standing->era != mlfq->era)
        *standing = (struct standing){.era = mlfq->era, .since = standing->since};
}

/* Do the boosts and promotions that are due. */
static void advance(struct mlfq *mlfq, int64_t now)
{
    if (!mlfq->begun) {
        mlfq->begun = true;
        mlfq->origin = now;
    }
    if (mlfq->boost > 0 && (now - mlfq->origin) / mlfq->boost > mlfq->era) {
        mlfq->era = (now - mlfq->origin) / mlfq->boost;
        for (unsigned i = 1; i < mlfq->levels; i++)
            ring3_list_splice_tail(&mlfq->level[0], &mlfq->level[i]);
    }
    for (unsigned i = 1; mlfq->promote > 0 && i < mlfq->levels; i++)
        while (!ring3_list_empty(&mlfq->level[i])) {
            ring3_entity_t *const first = entity_of_link(mlfq->level[i].next);
            struct standing *const standing = OWN(first, struct standing);

            if (now - standing->since < mlfq->promote)
                break;
            ring3_list_remove(&first->link);
            *standing = (struct standing){.level = i - 1, .era = mlfq->era, .since = now};
            ring3_list_add_tail(&mlfq->level[i - 1], &first->link);
        }
}

static bool used_up(const struct mlfq *mlfq, const struct standing *standing)
{
    const int64_t quantum = mlfq->quantum[standing->level];

    return quantum > 0 && standing->used >= quantum;
}

/* Only who wants to go on: a burst that ends with its quantum stays. */
static void demote(const struct mlfq *mlfq, struct standing *standing)
{
    standing->used = 0;
    if (standing->granted < mlfq->quantum[standing->level] * (int64_t)mlfq->allotment)
        return;
    standing->granted = 0;
    if (standing->level < mlfq->levels - 1)
        standing->level++;
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct mlfq *const mlfq = state;
    struct standing *const standing = OWN(entity, struct standing);

    advance(mlfq, now);
    catch_up(mlfq, entity);
    standing->since = now;
    if (why == RING3_EXPIRED && used_up(mlfq, standing))
        demote(mlfq, standing);
    if (why == RING3_PREEMPTED) {
        ring3_list_add(&mlfq->level[standing->level], &entity->link);
        return;
    }
    if (why == RING3_ARRIVES)
        *standing = (struct standing){.era = mlfq->era, .since = now};
    ring3_list_add_tail(&mlfq->level[standing->level], &entity->link);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)state, (void)now;
    ring3_list_remove(&entity->link);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct mlfq *const mlfq = state;

    advance(mlfq, now);
    for (unsigned i = 0; i < mlfq->levels; i++) {
        ring3_entity_t *const first = fifo_pop(&mlfq->level[i]);

        if (first) {
            catch_up(mlfq, first);
            return first;
        }
    }
    return NULL;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct mlfq *const mlfq = state;
    struct standing *const standing = OWN(running, struct standing);

    standing->used += ran;
    standing->granted += ran;
    advance(mlfq, now);
    if (standing->era != mlfq->era) {
        catch_up(mlfq, running);
        return true;
    }
    for (unsigned i = 0; i < standing->level; i++) /* somebody was moved up past it */
        if (!ring3_list_empty(&mlfq->level[i]))
            return true;
    return used_up(mlfq, standing);
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    struct mlfq *const mlfq = state;
    const struct standing *const standing = OWN_CONST(running, struct standing);
    int64_t left = turn_left(standing->used, mlfq->quantum[standing->level]);

    if (mlfq->boost > 0) {
        const int64_t boost = mlfq->origin + (mlfq->era + 1) * mlfq->boost - now;

        left = boost < left ? boost : left;
    }
    for (unsigned i = 1; mlfq->promote > 0 && i < mlfq->levels; i++)
        if (!ring3_list_empty(&mlfq->level[i])) {
            const ring3_entity_t *const first = entity_of_link(mlfq->level[i].next);
            const int64_t due = OWN_CONST(first, struct standing)->since + mlfq->promote - now;

            left = due < left ? due : left;
        }
    return left > 0 ? left : 1;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    (void)state, (void)now;
    return OWN_CONST(woken, struct standing)->level < OWN_CONST(running, struct standing)->level;
}

static void block(void *state, ring3_entity_t *entity, int64_t now)
{
    const struct mlfq *const mlfq = state;
    struct standing *const standing = OWN(entity, struct standing);

    (void)now;
    standing->used = 0;
    if (mlfq->allotment == 0)
        standing->granted = 0;
    else if (mlfq->quantum[standing->level] > 0)
        demote(mlfq, standing);
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct mlfq *const mlfq = state;

    (void)now;
    for (unsigned i = mlfq->levels; i-- > 0;) {
        ring3_entity_t *const given = fifo_give(&mlfq->level[i], may_leave, arg);

        if (given) {
            OWN(given, struct standing)->era = 0;
            return given;
        }
    }
    return NULL;
}

const ring3_policy_t policy_mlfq = {
    .name = "mlfq",
    .summary = "multilevel feedback queue: who uses its quantum up moves down",
    .queue_size = sizeof(struct mlfq),
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
