/* SPDX-License-Identifier: MIT */
/*
 * Work queues: a pool of one thread, and tasks that may be queued again while they run. Who makes an
 * item active submits its task; who finds it active leaves that to the end of the running task.
 */
#include "ring3/workqueue.h"

#include "core.h"

#include <errno.h>
#include <stdlib.h>

struct ring3_workqueue {
    ring3_mutex_t lock; /* of all items' members, but the tasks */
    ring3_pool_t *pool;
    ring3_group_t all;
};

int ring3_workqueue_create(ring3_workqueue_t **queue, const char *name)
{
    const ring3_pool_options_t options = {.name = name, .max = 1, .capacity = SIZE_MAX};
    ring3_workqueue_t *const new = calloc(1, sizeof *new);
    int err;

    if (!new)
        return -ENOMEM;
    err = ring3_pool_create(&new->pool, &options);
    if (err) {
        free(new);
        return err;
    }
    ring3_group_init(&new->all, new->pool, 0);
    *queue = new;
    return 0;
}

int ring3_workqueue_destroy(ring3_workqueue_t *queue)
{
    const int err = ring3_pool_destroy(queue->pool);

    if (!err)
        free(queue);
    return err;
}

int ring3_workqueue_flush(ring3_workqueue_t *queue, const struct timespec *deadline)
{
    return ring3_group_wait(&queue->all, deadline);
}

/* --- Items ------------------------------------------------------------------------------------ */

static ring3_work_t *work_of(ring3_task_t *task)
{
    return ring3_container_of(task, ring3_work_t, task);
}

static int run(ring3_task_t *task)
{
    ring3_work_t *const work = work_of(task);
    bool wanted;

    ring3_mutex_lock(&work->queue->lock);
    wanted = work->pending; /* no: it was cancelled when it was about to run */
    work->pending = false;
    ring3_mutex_unlock(&work->queue->lock);
    if (wanted)
        work->run(work);
    return 0;
}

static void done(ring3_task_t *task);

static int submit(ring3_work_t *work, const struct timespec *when)
{
    return when ? ring3_pool_submit_at(work->queue->pool, &work->task, when, 0)
                : ring3_pool_submit(work->queue->pool, &work->task, RING3_POOL_FAIL, NULL);
}

/* With the lock held: no more is coming. Afterwards the item may be gone. */
static void retire(ring3_work_t *work)
{
    const uint32_t *const finished = &work->finished;
    ring3_workqueue_t *const queue = work->queue;

    work->pending = work->active = false;
    /* Pairs with the acquire of the wait in ring3_work_flush. */
    ring3_store(&work->finished, work->queued, RING3_RELEASE);
    ring3_mutex_unlock(&queue->lock);
    ring3_wait_wake(finished);
}

/* The end of a run, or the task was cancelled. */
static void done(ring3_task_t *task)
{
    ring3_work_t *const work = work_of(task);

    ring3_mutex_lock(&work->queue->lock);
    if (!work->pending) {
        retire(work);
        return;
    }
    /* As in retire; the last of them is to run yet. */
    ring3_store(&work->finished, work->queued - 1, RING3_RELEASE);
    ring3_mutex_unlock(&work->queue->lock);
    ring3_wait_wake(&work->finished);
    if (submit(work, NULL) != 0) {
        ring3_mutex_lock(&work->queue->lock);
        retire(work);
    }
}

void ring3_work_init(ring3_work_t *work, void (*function)(ring3_work_t *work))
{
    *work = (ring3_work_t){.task = {.run = run, .done = done}, .run = function};
}

static int queue_at(ring3_workqueue_t *queue, ring3_work_t *work, const struct timespec *when)
{
    bool first;
    int err = 0;

    if (pool_forked(queue->pool))
        return -ECHILD;
    ring3_mutex_lock(&queue->lock);
    first = !work->active;
    if (work->pending)
        err = 1;
    else if (when && !first)
        err = -EBUSY;
    if (err) {
        ring3_mutex_unlock(&queue->lock);
        return err == 1 ? 0 : err;
    }
    if (first) {
        work->queue = queue;
        work->task.group = &queue->all;
    }
    work->pending = work->active = true;
    work->queued++;
    ring3_mutex_unlock(&queue->lock);
    err = first ? submit(work, when) : 0;
    if (err) {
        ring3_mutex_lock(&queue->lock);
        retire(work);
    }
    return err ? err : 1;
}

int ring3_work_queue(ring3_workqueue_t *queue, ring3_work_t *work)
{
    return queue_at(queue, work, NULL);
}

int ring3_work_queue_at(ring3_workqueue_t *queue, ring3_work_t *work, const struct timespec *when)
{
    if (!when || ring3_deadline_check(CLOCK_MONOTONIC, when))
        return -EINVAL;
    return queue_at(queue, work, when);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static int wait_for(ring3_work_t *work, uint32_t number, const struct timespec *deadline)
{
    for (;;) {
        /* Pairs with the releases in retire and done. */
        const uint32_t finished = ring3_load(&work->finished, RING3_ACQUIRE);

        if ((int32_t)(finished - number) >= 0) {
            ring3_wait_wake(&work->finished); /* one was woken, and wakes the next */
            return 0;
        }
        if (ring3_wait_change(&work->finished, finished, RING3_WAIT_ADAPTIVE, deadline) ==
            -ETIMEDOUT)
            return -ETIMEDOUT;
    }
}

int ring3_work_flush(ring3_work_t *work, const struct timespec *deadline)
{
    ring3_workqueue_t *const queue = work->queue;
    uint32_t number;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (!queue)
        return 0;
    if (pool_forked(queue->pool))
        return -ECHILD;
    if (pool_inside(queue->pool))
        return -EDEADLK;
    ring3_mutex_lock(&queue->lock);
    number = work->queued;
    ring3_mutex_unlock(&queue->lock);
    return wait_for(work, number, deadline);
}

int ring3_work_cancel(ring3_work_t *work)
{
    ring3_workqueue_t *const queue = work->queue;
    bool was_pending, was_active;
    uint32_t number;

    if (!queue)
        return 0;
    if (pool_forked(queue->pool))
        return -ECHILD;
    if (pool_runs_here(&work->task))
        return -EDEADLK;
    ring3_mutex_lock(&queue->lock);
    was_pending = work->pending;
    was_active = work->active;
    work->pending = false;
    number = work->queued;
    ring3_mutex_unlock(&queue->lock);
    if (was_active) {
        /* Queued or delayed, it is done in here; running, or about to, it is not pending any more. */
        (void)ring3_task_cancel(&work->task);
        (void)wait_for(work, number, NULL);
    }
    return was_pending;
}
