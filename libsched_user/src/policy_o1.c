/* SPDX-License-Identifier: MIT */
/*
 * The O(1) scheduler of Linux 2.6.0 to 2.6.22. 140 levels, each a list, and a bitmap that says
 * which have anybody: 0 to 99 for real-time threads, 100 to 139 for the others, by nice value.
 *
 * There are two such arrays. Who uses up its time slice moves from the active to the expired one
 * with a new slice; when the active array is empty the two are exchanged. Slices grow with
 * importance: (140 - level) * 20 ms above level 120, * 5 ms from there on. Who sleeps much is
 * taken for interactive and gains up to 5 levels; who never does loses up to 5.
 */
#include "policies.h"
#include "queues.h"

#include "ring3/bitmap.h"

#define LEVELS    RING3_PRIORITY_LEVELS
#define REAL_TIME 100 /* levels below are real-time: their members never expire */
#define NICE_0    120
#define MS_NS     INT64_C(1000000)
/* Sleep counts up to this much; half of it is neutral. */
#define SLEEP_MOST (INT64_C(1000) * MS_NS)
#define BONUS_MOST 5

struct array {
    uint64_t used[RING3_BITMAP_WORDS(LEVELS)];
    ring3_list_t level[LEVELS];
};

struct o1 {
    struct array array[2];
    int active;
    int64_t quantum; /* of real-time threads that take turns */
};

struct task {
    int64_t slice; /* left; 0: it wants a new one */
    int64_t slept; /* 0..SLEEP_MOST */
    int64_t since; /* when it began to wait */
    int32_t level, array;
    int64_t ran;
};
OWN_FITS(struct task);

static void init(void *state, const ring3_policy_params_t *params)
{
    struct o1 *const o1 = state;

    o1->quantum = params->quantum;
    for (int i = 0; i < LEVELS; i++) {
        ring3_list_init(&o1->array[0].level[i]);
        ring3_list_init(&o1->array[1].level[i]);
    }
}

static bool real_time(const ring3_entity_t *entity)
{
    return entity->band == RING3_CLASS_FIFO || entity->band == RING3_CLASS_RR;
}

static int within(int least, int64_t value, int most)
{
    return value < least ? least : value > most ? most : (int)value;
}

static int static_level(const ring3_entity_t *entity)
{
    if (real_time(entity))
        return within(0, entity->priority, REAL_TIME - 1);
    return NICE_0 + within(RING3_NICE_MIN, entity->nice, RING3_NICE_MAX);
}

static int level_of(const ring3_entity_t *entity)
{
    const int64_t slept = OWN_CONST(entity, struct task)->slept;
    const int64_t bonus = slept * 2 * BONUS_MOST / SLEEP_MOST - BONUS_MOST;

    if (real_time(entity))
        return static_level(entity);
    return within(REAL_TIME, static_level(entity) - bonus, LEVELS - 1);
}

static int64_t slice_of(const struct o1 *o1, const ring3_entity_t *entity)
{
    const int level = static_level(entity);

    if (entity->band == RING3_CLASS_FIFO)
        return RING3_UNLIMITED;
    if (entity->band == RING3_CLASS_RR)
        return o1->quantum;
    return (LEVELS - level) * (level < NICE_0 ? 20 : 5) * MS_NS;
}

static void put(struct array *array, ring3_entity_t *entity, bool head)
{
    const int level = OWN(entity, struct task)->level;

    if (head)
        ring3_list_add(&array->level[level], &entity->link);
    else
        ring3_list_add_tail(&array->level[level], &entity->link);
    ring3_bitmap_set(array->used, (size_t)level);
}

static void take(struct o1 *o1, ring3_entity_t *entity)
{
    const struct task *const task = OWN_CONST(entity, struct task);
    struct array *const array = &o1->array[task->array];

    ring3_list_remove(&entity->link);
    if (ring3_list_empty(&array->level[task->level]))
        ring3_bitmap_clear(array->used, (size_t)task->level);
}

static void enqueue(void *state, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    struct o1 *const o1 = state;
    struct task *const task = OWN(entity, struct task);

    task->array = o1->active;
    if (why == RING3_ARRIVES)
        *task = (struct task){.slept = SLEEP_MOST / 2, .array = o1->active};
    if (why == RING3_WAKES) {
        task->slept += now - task->since;
        task->slept = task->slept < SLEEP_MOST ? task->slept : SLEEP_MOST;
    }
    if (task->slice <= 0) {
        task->slice = slice_of(o1, entity);
        if (why == RING3_EXPIRED && !real_time(entity))
            task->array = !o1->active;
    }
    task->level = level_of(entity);
    put(&o1->array[task->array], entity, why == RING3_PREEMPTED);
}

static void dequeue(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)now;
    take(state, entity);
}

static ring3_entity_t *pick(void *state, int64_t now)
{
    struct o1 *const o1 = state;
    const struct array *array = &o1->array[o1->active];
    size_t level = ring3_bitmap_find_set(array->used, LEVELS, 0);

    (void)now;
    if (level == LEVELS) {
        o1->active = !o1->active;
        array = &o1->array[o1->active];
        level = ring3_bitmap_find_set(array->used, LEVELS, 0);
        if (level == LEVELS)
            return NULL;
    }

    ring3_entity_t *const first = entity_of_link(array->level[level].next);

    take(o1, first);
    return first;
}

static bool tick(void *state, ring3_entity_t *running, int64_t ran, int64_t now)
{
    struct task *const task = OWN(running, struct task);

    (void)state, (void)now;
    task->slept = task->slept > ran ? task->slept - ran : 0;
    if (running->band == RING3_CLASS_FIFO)
        return false;
    task->slice -= ran;
    return task->slice <= 0;
}

static int64_t budget(void *state, const ring3_entity_t *running, int64_t now)
{
    const struct task *const task = OWN_CONST(running, struct task);

    (void)state, (void)now;
    if (running->band == RING3_CLASS_FIFO)
        return RING3_UNLIMITED;
    return task->slice > 0 ? task->slice : 1;
}

static bool check_preempt(void *state, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now)
{
    (void)state, (void)now;
    return OWN_CONST(woken, struct task)->level < OWN_CONST(running, struct task)->level;
}

static void block(void *state, ring3_entity_t *entity, int64_t now)
{
    (void)state;
    OWN(entity, struct task)->since = now;
}

static ring3_entity_t *balance(void *state, may_leave_t *may_leave, void *arg, int64_t now)
{
    struct o1 *const o1 = state;

    (void)now;
    /* The expired first: they would run last here. */
    for (int turn = 0; turn < 2; turn++) {
        struct array *const array = &o1->array[turn == 0 ? !o1->active : o1->active];

        for (size_t level = LEVELS; level-- > 0;) {
            ring3_entity_t *const given = fifo_give(&array->level[level], may_leave, arg);

            if (!given)
                continue;
            if (ring3_list_empty(&array->level[level]))
                ring3_bitmap_clear(array->used, level);
            return given;
        }
    }
    return NULL;
}

const ring3_policy_t policy_o1 = {
    .name = "o1",
    .summary = "Linux 2.6's O(1) scheduler: 140 levels, active and expired",
    .queue_size = sizeof(struct o1),
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
