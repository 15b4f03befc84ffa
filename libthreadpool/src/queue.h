/* SPDX-License-Identifier: MIT */
/*
 * Queued tasks in the order in which they will be served: by priority, with aging.
 *
 * When a task is queued it draws its turn: the number of tasks served so far, plus `aging` for each
 * level below the most urgent. The smallest turn goes first, so a task may be passed over only by
 * those that come before level * aging more tasks have been served. Within a level turns never decrease, so it is
 * enough to compare the first of each. Equal turns go to the more urgent.
 *
 * Lanes: each has its own lists. One that runs as many tasks as it may is closed: its tasks are
 * queued, but not ready. Tasks without a lane are in `home`, which never closes.
 *
 * Not thread-safe: the pool's lock covers it.
 */
#ifndef RING3_POOL_QUEUE_H
#define RING3_POOL_QUEUE_H

#include "ring3/pool.h"

struct queue {
    ring3_lane_t home;
    ring3_list_t lanes;
    size_t length; /* of all lanes */
    size_t ready;  /* of the open ones */
    uint64_t served;
    uint64_t aging;
};

void queue_init(struct queue *queue, unsigned aging);
void queue_add_lane(struct queue *queue, ring3_lane_t *lane, unsigned limit);
void queue_add(struct queue *queue, ring3_task_t *task);
void queue_remove(struct queue *queue, ring3_task_t *task);

/* A task of a lane (NULL: of none) that is not queued begins to run, or has ended: the lane may close
 * or open. */
void queue_begin(struct queue *queue, ring3_lane_t *lane);
void queue_end(struct queue *queue, ring3_lane_t *lane);

/* The next to serve, taken out; NULL if none is ready. */
ring3_task_t *queue_take(struct queue *queue);

/* The oldest of the least urgent, ready or not, left in place; NULL if the queue is empty. */
ring3_task_t *queue_least(const struct queue *queue);

#endif
