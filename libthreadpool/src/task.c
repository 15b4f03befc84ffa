/* SPDX-License-Identifier: MIT */
/* Tasks: into the queue, out of it, run, cancelled, done. */
#include "core.h"

#include <errno.h>
#include <unistd.h>

__thread struct frame *pool_frames;

bool pool_inside(const ring3_pool_t *pool)
{
    const struct frame *frame = pool_frames;

    while (frame && frame->pool != pool)
        frame = frame->outer;
    return frame != NULL;
}

/* Release: pairs with the acquires of those who read it without the lock, wait and cancel. */
void pool_set_state(ring3_task_t *task, uint32_t state)
{
    ring3_store(&task->state, state, RING3_RELEASE);
}

/* --- In --------------------------------------------------------------------------------------- */

/* What an earlier run has left goes. */
static void renew(ring3_pool_t *pool, ring3_task_t *task)
{
    task->result = 0;
    task->period = 0;
    task->missed = 0;
    task->entered = ring3_unlikely(pool->watched) ? pool_now() : 0;
    ring3_store(&task->cancel, 0, RING3_RELAXED);
}

void pool_offer(ring3_pool_t *pool, ring3_task_t *task)
{
    task->pool = pool;
    renew(pool, task);
    pool_set_state(task, RING3_TASK_OFFERED);
}

/* Of two who submit the same task at once one may. */
static bool claim(ring3_task_t *task, uint32_t *before)
{
    *before = ring3_load(&task->state, RING3_RELAXED);
    /* Pairs with the release of the task's end. */
    return (*before == RING3_TASK_IDLE || *before == RING3_TASK_DONE) &&
           ring3_cas(&task->state, *before, RING3_TASK_CLAIMED, RING3_ACQUIRE) == *before;
}

void pool_refuse(ring3_task_t *task, uint32_t before)
{
    pool_set_state(task, before);
    /* Somebody may have come to wait for it meanwhile. */
    ring3_wait_wake(&task->state);
}

/* Without the lock. False if it is needed; then the task is as it was. */
static bool send(ring3_pool_t *pool, ring3_task_t *task)
{
    uint32_t before;

    if (!inbox_is_open(inbox_look(&pool->inbox)) ||
        (task->group && ring3_load(&task->group->cancelled, RING3_RELAXED)) ||
        !claim(task, &before))
        return false;
    task->pool = pool;
    pool_set_state(task, RING3_TASK_SENT);
    if (inbox_push(&pool->inbox, &task->link))
        return true;
    pool_refuse(task, before);
    return false;
}

void pool_count_in(ring3_pool_t *pool, ring3_task_t *task)
{
    pool->stats.submitted++;
    if (task->group)
        task->group->pending++;
}

void pool_enqueue(ring3_pool_t *pool, ring3_task_t *task)
{
    if (ring3_unlikely(pool->measured != NULL))
        figures_queue(pool);
    queue_add(&pool->queue, task);
    if (task->group)
        ring3_list_add_tail(&task->group->queued, &task->sibling);
    pool_set_state(task, RING3_TASK_QUEUED);
    /* Who waits for the group may be the only one who can run it. */
    if (ring3_unlikely(task->group && task->group->helpers)) {
        ring3_store(&task->group->calls, task->group->calls + 1, RING3_RELEASE);
        ring3_wait_wake(&task->group->calls);
    }
}

static void enqueue_all(ring3_pool_t *pool, ring3_list_t *link)
{
    while (link) {
        ring3_task_t *const task = ring3_container_of(link, ring3_task_t, link);

        link = link->next;
        renew(pool, task);
        pool_count_in(pool, task);
        pool_enqueue(pool, task);
    }
}

void pool_empty_inbox(ring3_pool_t *pool)
{
    enqueue_all(pool, inbox_take(&pool->inbox));
}

/* Nobody else takes the room that there is before the lock is released. */
static void close_inbox(ring3_pool_t *pool)
{
    if (inbox_is_open(inbox_look(&pool->inbox)))
        enqueue_all(pool, inbox_close(&pool->inbox));
}

/* --- Out -------------------------------------------------------------------------------------- */

void pool_begin(ring3_pool_t *pool, ring3_task_t *task)
{
    pool->stats.running++;
    queue_begin(&pool->queue, task->lane);
    pool_set_state(task, RING3_TASK_RUNNING);
}

static void taken(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    if (task->group)
        ring3_list_remove(&task->sibling);
    pool_begin(pool, task);

    ring3_list_t *const link = ring3_list_pop(&pool->blocked);

    if (link) {
        struct blocked *const next = ring3_container_of(link, struct blocked, link);

        pool_count_in(pool, next->task);
        pool_enqueue(pool, next->task);
        /* Pairs with the acquire in wait_for_room. */
        ring3_store(&next->outcome, BLOCKED_ACCEPTED, RING3_RELEASE);
        after_wake(after, &next->outcome);
    }
}

ring3_task_t *pool_take(ring3_pool_t *pool, struct after *after)
{
    ring3_task_t *const task = queue_take(&pool->queue);

    if (task)
        taken(pool, task, after);
    return task;
}

void pool_take_this(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    queue_remove(&pool->queue, task);
    taken(pool, task, after);
}

/* --- Done ------------------------------------------------------------------------------------- */

static void leave_group(ring3_group_t *group, ring3_task_t *task, int result, bool cancelled,
                        struct after *after)
{
    if (result < 0 && !cancelled) {
        if (!group->error)
            ring3_store(&group->error, result, RING3_RELAXED);
        if (group->flags & RING3_GROUP_STOP)
            ring3_store(&group->cancelled, 1, RING3_RELAXED);
    }
    if (task && (group->flags & RING3_GROUP_COLLECT)) {
        /* With the lock held: once it is released the group may be gone. */
        if (group->pollable >= 0 && ring3_list_empty(&group->finished))
            group_fd_set(group->pollable);
        ring3_list_add_tail(&group->finished, &task->link);
        /* The releases pair with the acquires in group.c's waits; what matters is read under the
         * lock. */
        ring3_store(&group->finishes, group->finishes + 1, RING3_RELEASE);
        after_wake(after, &group->finishes);
    }
    if (group->helpers) {
        ring3_store(&group->calls, group->calls + 1, RING3_RELEASE);
        after_wake(after, &group->calls);
    }
    if (--group->pending == 0) {
        ring3_store(&group->rounds, group->rounds + 1, RING3_RELEASE);
        after_wake(after, &group->rounds);
        if (group->flags & RING3_GROUP_COLLECT) {
            /* Who waits for the next one learns that there is none. */
            ring3_store(&group->finishes, group->finishes + 1, RING3_RELEASE);
            if (!task)
                after_wake(after, &group->finishes);
        }
    }
}

/* One task runs no more. */
static void account(const struct frame *frame, ring3_lane_t *lane, uint64_t ended, bool cancelled,
                    struct after *after)
{
    ring3_pool_t *const pool = frame->pool;
    const bool idle = !pool->queue.ready;

    if (ring3_unlikely(frame->begun && !cancelled))
        figures_run(pool, frame, ended);

    pool->stats.running--;
    if (cancelled)
        pool->stats.cancelled++;
    else
        pool->stats.done++;
    queue_end(&pool->queue, lane);
    if (idle)
        pool_rouse(pool, after); /* its lane has room for the next */
}

/*
 * The end of a task that was taken out, with the lock released; on return it is held. A waiter may
 * free the task as soon as its state says done, and the group once the lock is released.
 */
static void complete(const struct frame *frame, int result, bool cancelled, struct after *after)
{
    ring3_pool_t *const pool = frame->pool;
    ring3_task_t *task = frame->task;
    int cancelable;
    const uint64_t ended = ring3_unlikely(frame->begun != 0) ? pool_now() : 0;
    ring3_group_t *const group = task->group;
    ring3_lane_t *const lane = task->lane;

    if (task->period && !cancelled) {
        pool_lock(pool);
        if (delay_again(pool, task, result, after)) {
            account(frame, lane, ended, false, after);
            return;
        }
        pool_unlock(pool, after);
    }
    task->result = result;
    if (task->done) {
        void (*const done)(ring3_task_t *) = task->done;

        pool_set_state(task, RING3_TASK_DONE);
        /* It must return, for the task is not accounted for yet. */
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelable);
        done(task);
        (void)pthread_setcancelstate(cancelable, NULL);
        task = NULL;
    }
    pool_lock(pool);
    account(frame, lane, ended, cancelled, after);
    if (group)
        leave_group(group, task, result, cancelled, after);
    if (task) {
        pool_set_state(task, RING3_TASK_DONE);
        after_wake(after, &task->state);
    }
    pool_check_end(pool, after);
}

/* The thread ends inside the task. */
static void abandon(void *argument)
{
    struct frame *const frame = argument;
    struct after after = {.count = 0};

    if (pool_forked(frame->pool))
        return;
    complete(frame, -ECANCELED, false, &after);
    pool_frames = frame->outer;
    pool_unlock(frame->pool, &after);
}

void pool_run(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    const bool cancelled =
        pool->closing >= RING3_POOL_CANCEL || (task->group && task->group->cancelled);
    struct frame frame = {.pool = pool,
                          .task = task,
                          .group = task->group,
                          .outer = pool_frames,
                          .run = task->run,
                          .entered = task->entered};
    int result = -ECANCELED;

    pool_unlock(pool, after);
    pool_frames = &frame;
    if (!cancelled) {
        if (ring3_unlikely(ring3_load(&pool->watched, RING3_RELAXED)))
            frame.begun = pool_now();
        pthread_cleanup_push(abandon, &frame);
        result = task->run(task);
        pthread_cleanup_pop(0);
        if (pool_forked(pool))
            _exit(0);
    }
    complete(&frame, result, cancelled, after);
    pool_frames = frame.outer;
}

void pool_drop(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    struct frame frame = {.pool = pool, .task = task, .group = task->group, .outer = pool_frames};

    pool_unlock(pool, after);
    pool_frames = &frame;
    complete(&frame, -ECANCELED, true, after);
    pool_frames = frame.outer;
}

/* --- Submitting ------------------------------------------------------------------------------- */

bool pool_may_own(const ring3_pool_t *pool, const ring3_task_t *task)
{
    return task->run && task->priority < RING3_POOL_LEVELS &&
           (!task->group || task->group->pool == pool) && (!task->lane || task->lane->pool == pool);
}

int pool_admit(const ring3_pool_t *pool, ring3_task_t *task, uint32_t *before)
{
    int err = 0;

    if (!claim(task, before))
        return -EBUSY;
    if (pool->closing && !(pool->closing == RING3_POOL_DRAIN && pool_inside(pool)))
        err = -ESHUTDOWN;
    else if (task->group && task->group->cancelled)
        err = -ECANCELED;
    if (err)
        pool_refuse(task, *before);
    return err;
}

/* The lock is held on entry and on return. */
static int wait_for_room(ring3_pool_t *pool, ring3_task_t *task, const struct timespec *deadline,
                         struct after *after)
{
    struct blocked mine = {.task = task, .outcome = BLOCKED_WAITING};

    pool_offer(pool, task);
    ring3_list_add_tail(&pool->blocked, &mine.link);
    pool_unlock(pool, after);
    /* Pairs with the release of who accepts or refuses. */
    (void)ring3_wait_change(&mine.outcome, BLOCKED_WAITING, RING3_WAIT_ADAPTIVE, deadline);
    if (ring3_load(&mine.outcome, RING3_ACQUIRE) == BLOCKED_ACCEPTED) {
        /* The task may be done and gone. */
        pool_lock(pool);
        return 0;
    }
    pool_lock(pool);
    if (mine.outcome == BLOCKED_ACCEPTED)
        return 0;
    if (ring3_list_linked(&mine.link))
        ring3_list_remove(&mine.link);
    pool_set_state(task, RING3_TASK_IDLE);
    return mine.outcome == BLOCKED_REFUSED ? -ESHUTDOWN : -ETIMEDOUT;
}

static int make_room(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    ring3_task_t *const victim = queue_least(&pool->queue);

    if (victim->priority < task->priority)
        return -EAGAIN;
    /* The newcomer takes the place before anybody who waits for room. */
    queue_remove(&pool->queue, victim);
    pool_offer(pool, task);
    pool_count_in(pool, task);
    pool_enqueue(pool, task);
    if (victim->group)
        ring3_list_remove(&victim->sibling);
    pool_begin(pool, victim);
    pool->stats.dropped++;
    pool_drop(pool, victim, after);
    return 0;
}

static void run_here(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    pool_offer(pool, task);
    pool_count_in(pool, task);
    pool->stats.in_caller++;
    pool_begin(pool, task);
    pool_run(pool, task, after);
}

static int submit_to_full(ring3_pool_t *pool, ring3_task_t *task, ring3_pool_full_t full,
                          const struct timespec *deadline, struct after *after)
{
    if (full == RING3_POOL_BLOCK && pool_inside(pool))
        full = RING3_POOL_RUN; /* its workers must not wait for each other */
    switch (full) {
    case RING3_POOL_BLOCK:
        return wait_for_room(pool, task, deadline, after);
    case RING3_POOL_RUN:
        run_here(pool, task, after);
        return 0;
    case RING3_POOL_DROP:
        return make_room(pool, task, after);
    case RING3_POOL_FAIL:
        break;
    }
    return -EAGAIN;
}

int ring3_pool_submit(ring3_pool_t *pool, ring3_task_t *task, ring3_pool_full_t full,
                      const struct timespec *deadline)
{
    struct after after = {.count = 0};
    uint32_t before;
    int result;

    if (pool_forked(pool))
        return -ECHILD;
    if (!pool_may_own(pool, task) || (unsigned)full > RING3_POOL_DROP ||
        ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (send(pool, task))
        return 0;
    pool_lock(pool);
    result = pool_admit(pool, task, &before);
    close_inbox(pool);
    if (!result && pool->queue.length < pool->options.capacity) {
        pool_offer(pool, task);
        pool_count_in(pool, task);
        pool_enqueue(pool, task);
    } else if (!result) {
        result = submit_to_full(pool, task, full, deadline, &after);
        if (result)
            pool->stats.refused++;
        if (result == -EAGAIN)
            pool_refuse(task, before);
    }
    pool_rouse(pool, &after);
    const bool excess = ring3_unlikely(pool->crew != NULL) && pool_has_excess(pool);

    pool_unlock(pool, &after);
    if (excess)
        crew_call(pool);
    return result;
}

/* --- Waiting and cancelling ------------------------------------------------------------------- */

bool pool_runs_here(const ring3_task_t *task)
{
    const struct frame *frame = pool_frames;

    while (frame && frame->task != task)
        frame = frame->outer;
    return frame != NULL;
}

/* A thread of the pool runs the task itself rather than wait for a thread. */
static void run_if_queued(ring3_pool_t *pool, ring3_task_t *task)
{
    struct after after = {.count = 0};

    pool_lock(pool);
    if (ring3_load(&task->state, RING3_RELAXED) == RING3_TASK_QUEUED) {
        pool_take_this(pool, task, &after);
        pool->stats.in_caller++;
        pool_run(pool, task, &after);
    }
    pool_unlock(pool, &after);
}

int ring3_task_wait(ring3_task_t *task, const struct timespec *deadline)
{
    bool waited = false;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        /* Pairs with the release in set_state. */
        const uint32_t state = ring3_load(&task->state, RING3_ACQUIRE);

        if (state == RING3_TASK_DONE) {
            if (waited)
                ring3_wait_wake(&task->state); /* one was woken, and wakes the next */
            return 0;
        }
        if (state == RING3_TASK_IDLE || state == RING3_TASK_OFFERED ||
            state == RING3_TASK_CLAIMED) {
            if (waited)
                ring3_wait_wake(&task->state); /* as above */
            return -EINVAL;
        }
        if (pool_forked(task->pool))
            return -ECHILD;
        if (pool_runs_here(task))
            return -EDEADLK;
        if ((state == RING3_TASK_QUEUED || state == RING3_TASK_SENT) && pool_inside(task->pool)) {
            if (ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
                return -ETIMEDOUT;
            run_if_queued(task->pool, task);
            continue;
        }
        waited = true;
        if (ring3_wait_change(&task->state, state, RING3_WAIT_ADAPTIVE, deadline) == -ETIMEDOUT)
            return -ETIMEDOUT;
    }
}

int ring3_task_cancel(ring3_task_t *task)
{
    struct after after = {.count = 0};
    /* Pairs with the release in set_state: a submitted task has its pool. */
    const uint32_t state = ring3_load(&task->state, RING3_ACQUIRE);
    int result = -EINVAL;

    if (state == RING3_TASK_DONE)
        return -EALREADY;
    if (state == RING3_TASK_IDLE || state == RING3_TASK_CLAIMED)
        return -EINVAL;
    ring3_pool_t *const pool = task->pool;

    if (pool_forked(pool))
        return -ECHILD;
    pool_lock(pool);
    switch (ring3_load(&task->state, RING3_RELAXED)) {
    case RING3_TASK_QUEUED:
        pool_take_this(pool, task, &after);
        pool_drop(pool, task, &after);
        result = 0;
        break;
    case RING3_TASK_DELAYED:
        delay_take(pool, task);
        pool_begin(pool, task);
        pool_drop(pool, task, &after);
        result = 0;
        break;
    case RING3_TASK_RUNNING:
        /* Relaxed: a request, not a message. */
        ring3_store(&task->cancel, 1, RING3_RELAXED);
        result = -EINPROGRESS;
        break;
    case RING3_TASK_DONE:
        result = -EALREADY;
        break;
    default:
        break;
    }
    pool_unlock(pool, &after);
    return result;
}

int ring3_task_cancelled(const ring3_task_t *task)
{
    return ring3_load(&task->cancel, RING3_RELAXED) ||
           (task->group && ring3_load(&task->group->cancelled, RING3_RELAXED)) ||
           ring3_load(&task->pool->closing, RING3_RELAXED) == RING3_POOL_NOW;
}
