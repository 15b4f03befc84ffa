/* SPDX-License-Identifier: MIT */
/*
 * Work queues in the manner of Linux: one thread, and work items embedded in what they work on.
 *
 *     struct device { ring3_work_t firmware; … };
 *
 *     static void load(ring3_work_t *work)
 *     {
 *         struct device *device = ring3_container_of(work, struct device, firmware);
 *         …
 *     }
 *
 *     err = ring3_workqueue_create(&queue, "firmware");
 *     ring3_work_init(&device->firmware, load);
 *     ring3_work_queue(queue, &device->firmware);
 *     err = ring3_work_flush(&device->firmware, NULL);
 *     err = ring3_workqueue_destroy(queue);
 *
 * Items run one after the other, in the order they were queued. Queuing one that is queued already
 * changes nothing; one that is running may be queued again, and runs once more. There is no bound to
 * the queue but the number of items, which are the caller's memory.
 *
 * Order: what came before an item was queued happens before it runs, also if it was queued already; what it did
 * happens before a flush returns 0. All functions are thread-safe and none is async-signal-safe.
 * Deadlines are absolute CLOCK_MONOTONIC times, NULL for ever. Threads, forks and what an item may
 * do: as tasks of ring3/pool.h. An item must not end its thread.
 */
#ifndef RING3_WORKQUEUE_H
#define RING3_WORKQUEUE_H

#include "ring3/api.h"
#include "ring3/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_workqueue ring3_workqueue_t;
typedef struct ring3_work ring3_work_t;

/** All members are the queue's. */
struct ring3_work {
    ring3_task_t task;
    void (*run)(ring3_work_t *work);
    ring3_workqueue_t *queue;
    bool pending;      /* it is to run, once more if it runs now */
    bool active;       /* its task is the pool's */
    uint32_t queued;   /* how often */
    uint32_t finished; /* of these: have run or were cancelled; waited on */
};

/** @return 0; -ENOMEM; -EAGAIN: no more threads */
int ring3_workqueue_create(ring3_workqueue_t **queue, const char *name);

/** Run what is queued, and free. No item may be queued any more. @return 0; -EDEADLK: from an item */
int ring3_workqueue_destroy(ring3_workqueue_t *queue);

/** Wait until no item is queued or running. @return 0; -ETIMEDOUT; -EDEADLK: from an item; -EINVAL;
 * -ECHILD */
int ring3_workqueue_flush(ring3_workqueue_t *queue, const struct timespec *deadline);

void ring3_work_init(ring3_work_t *work, void (*run)(ring3_work_t *work));

/** Queue an item. An item belongs to one queue at a time. @return 1; 0: it was queued already;
 * -ESHUTDOWN; -ECHILD */
int ring3_work_queue(ring3_workqueue_t *queue, ring3_work_t *work);

/** The same at a time of CLOCK_MONOTONIC. A delayed item counts as queued.
 * @return as ring3_work_queue; -EBUSY: it is running; -EAGAIN: no thread that keeps the time */
int ring3_work_queue_at(ring3_workqueue_t *queue, ring3_work_t *work, const struct timespec *when);

/** Take an item out of the queue and wait until it does not run. It must not be queued meanwhile.
 * @return 1: it was queued; 0: it was not; -EDEADLK: from the item itself; -ECHILD */
int ring3_work_cancel(ring3_work_t *work);

/** Wait until an item has run that was queued before the call. @return 0, at once if it is not
 * queued; -ETIMEDOUT; -EDEADLK: from an item of its queue; -EINVAL: malformed time; -ECHILD */
int ring3_work_flush(ring3_work_t *work, const struct timespec *deadline);

RING3_API_END

#endif
