/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <limits.h>
#include <stdbool.h>

/* Strict priority is aging that no program lives to see. */
#define NEVER (UINT64_C(1) << 56)

void queue_add_lane(struct queue *queue, ring3_lane_t *lane, unsigned limit)
{
    lane->limit = limit;
    lane->running = 0;
    lane->waiting = 0;
    lane->length = 0;
    for (int level = 0; level < RING3_POOL_LEVELS; level++)
        ring3_list_init(&lane->levels[level]);
    ring3_list_add_tail(&queue->lanes, &lane->link);
}

void queue_init(struct queue *queue, unsigned aging)
{
    *queue = (struct queue){.aging = aging ? aging : NEVER};
    ring3_list_init(&queue->lanes);
    queue_add_lane(queue, &queue->home, UINT_MAX);
}

static ring3_lane_t *lane_of(struct queue *queue, const ring3_task_t *task)
{
    return task->lane ? task->lane : &queue->home;
}

static bool is_open(const ring3_lane_t *lane)
{
    return lane->running < lane->limit;
}

void queue_add(struct queue *queue, ring3_task_t *task)
{
    ring3_lane_t *const lane = lane_of(queue, task);

    task->turn = queue->served + task->priority * queue->aging;
    ring3_list_add_tail(&lane->levels[task->priority], &task->link);
    lane->waiting |= 1u << task->priority;
    lane->length++;
    queue->length++;
    queue->ready += is_open(lane);
}

void queue_remove(struct queue *queue, ring3_task_t *task)
{
    ring3_lane_t *const lane = lane_of(queue, task);

    ring3_list_remove(&task->link);
    if (ring3_list_empty(&lane->levels[task->priority]))
        lane->waiting &= ~(1u << task->priority);
    lane->length--;
    queue->length--;
    queue->ready -= is_open(lane);
}

void queue_begin(struct queue *queue, ring3_lane_t *lane)
{
    if (lane && ++lane->running == lane->limit)
        queue->ready -= lane->length;
}

void queue_end(struct queue *queue, ring3_lane_t *lane)
{
    if (lane && lane->running-- == lane->limit)
        queue->ready += lane->length;
}

static ring3_task_t *first_of(const ring3_lane_t *lane, int level)
{
    return ring3_list_first_entry(&lane->levels[level], ring3_task_t, link);
}

/* The one of two that is served first; `a` may be NULL. */
static ring3_task_t *sooner(ring3_task_t *a, ring3_task_t *b)
{
    return !a || b->turn < a->turn || (b->turn == a->turn && b->priority < a->priority) ? b : a;
}

ring3_task_t *queue_take(struct queue *queue)
{
    ring3_task_t *next = NULL;
    ring3_lane_t *lane;

    ring3_list_for_each_entry (lane, &queue->lanes, link)
        for (uint32_t left = is_open(lane) ? lane->waiting : 0; left; left &= left - 1)
            next = sooner(next, first_of(lane, __builtin_ctz(left)));
    if (next) {
        queue_remove(queue, next);
        queue->served++;
    }
    return next;
}

/* The one of two that is dropped first; `a` may be NULL. */
static ring3_task_t *lesser(ring3_task_t *a, ring3_task_t *b)
{
    return !a || b->priority > a->priority || (b->priority == a->priority && b->turn < a->turn) ? b
                                                                                                : a;
}

ring3_task_t *queue_least(const struct queue *queue)
{
    ring3_task_t *least = NULL;
    const ring3_lane_t *lane;

    ring3_list_for_each_entry (lane, &queue->lanes, link)
        if (lane->waiting)
            least = lesser(least, first_of(lane, 31 - __builtin_clz(lane->waiting)));
    return least;
}
