/* SPDX-License-Identifier: MIT */
/* Tasks whose time has not come, and the thread that waits for it. A pool without such tasks has no
 * such thread. */
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* Times beyond 500 years are the last that there is. */
static uint64_t ns_of(const struct timespec *time)
{
    if (time->tv_sec < 0)
        return 0;
    if ((uint64_t)time->tv_sec >= UINT64_MAX / 2 / RING3_SECOND_NS)
        return UINT64_MAX / 2;
    return (uint64_t)time->tv_sec * RING3_SECOND_NS + (uint64_t)time->tv_nsec;
}

static bool sooner(const ring3_rbnode_t *a, const ring3_rbnode_t *b)
{
    return ring3_container_of(a, const ring3_task_t, timer)->due <
           ring3_container_of(b, const ring3_task_t, timer)->due;
}

static ring3_task_t *first_delayed(const ring3_pool_t *pool)
{
    ring3_rbnode_t *const first = ring3_rbtree_first(&pool->delayed);

    return first ? ring3_container_of(first, ring3_task_t, timer) : NULL;
}

void delay_rouse(ring3_pool_t *pool, struct after *after)
{
    if (!pool->has_clock)
        return;
    /* Pairs with the acquire of the wait in keep_time; what matters is read under the lock. */
    ring3_store(&pool->clock_turn, pool->clock_turn + 1, RING3_RELEASE);
    after_wake(after, &pool->clock_turn);
}

static void put(ring3_pool_t *pool, ring3_task_t *task, struct after *after)
{
    pool_count_in(pool, task);
    pool->stats.delayed++;
    ring3_rbtree_insert(&pool->delayed, &task->timer, sooner);
    if (task->group)
        ring3_list_add_tail(&task->group->delayed, &task->sibling);
    pool_set_state(task, RING3_TASK_DELAYED);
    if (first_delayed(pool) == task)
        delay_rouse(pool, after);
}

void delay_take(ring3_pool_t *pool, ring3_task_t *task)
{
    ring3_rbtree_remove(&pool->delayed, &task->timer);
    pool->stats.delayed--;
    if (task->group)
        ring3_list_remove(&task->sibling);
}

bool delay_again(ring3_pool_t *pool, ring3_task_t *task, int result, struct after *after)
{
    const uint64_t now = pool_now();

    if (result || pool->closing || ring3_task_cancelled(task))
        return false;
    task->due += task->period;
    if (task->due <= now) {
        const uint64_t missed = (now - task->due) / task->period + 1;

        task->missed += missed;
        task->due += missed * task->period;
    }
    if (task->group)
        task->group->pending--; /* it stays a member: put counts it in again */
    put(pool, task, after);
    /* Waiters that saw it run are to see it wait. */
    after_wake(after, &task->state);
    return true;
}

/* --- The clock's thread ----------------------------------------------------------------------- */

/* Queue what is due. The lock is released in between. */
static void queue_due(ring3_pool_t *pool, struct after *after)
{
    const uint64_t now = pool_now();
    ring3_task_t *task;

    while (!pool->closing && (task = first_delayed(pool)) && task->due <= now) {
        delay_take(pool, task);
        task->entered = pool->watched ? task->due : 0;
        pool_enqueue(pool, task);
        after_wake(after, &task->state); /* a thread of the pool that waits for it may run it now */
        pool_rouse(pool, after);
        pool_unlock(pool, after);
        pool_lock(pool);
    }
}

static void drop_all(ring3_pool_t *pool, struct after *after)
{
    ring3_task_t *task;

    while ((task = first_delayed(pool))) {
        delay_take(pool, task);
        pool_begin(pool, task);
        pool_drop(pool, task, after);
    }
}

static void *keep_time(void *argument)
{
    ring3_pool_t *const pool = argument;
    struct after after = {.count = 0};
    char name[16];

    (void)snprintf(name, sizeof name, "%.9s/clock", pool->name);
    (void)pthread_setname_np(pthread_self(), name);
    pool_lock(pool);
    while (!pool->closing) {
        queue_due(pool, &after);
        if (pool->closing)
            break;
        const ring3_task_t *const next = first_delayed(pool);
        const uint64_t due = next ? next->due : 0;
        const struct timespec until = {(time_t)(due / RING3_SECOND_NS),
                                       (long)(due % RING3_SECOND_NS)};
        const uint32_t turn = pool->clock_turn;

        pool_unlock(pool, &after);
        /* Pairs with the release in delay_rouse. */
        (void)ring3_wait_change(&pool->clock_turn, turn, RING3_WAIT_PARK, next ? &until : NULL);
        pool_lock(pool);
    }
    drop_all(pool, &after);
    pool->alive--;
    pool_check_end(pool, &after);
    pool_unlock(pool, &after);
    return NULL;
}

/* With the lock held, for that thread begins by taking it: no task is delayed without its clock. */
static int start_clock(ring3_pool_t *pool)
{
    sigset_t all, before;
    int err;

    if (pool->has_clock)
        return 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&pool->clock, NULL, keep_time, pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return -err;
    pool->has_clock = true;
    pool->alive++;
    return 0;
}

int ring3_pool_submit_at(ring3_pool_t *pool, ring3_task_t *task, const struct timespec *when,
                         int64_t period_ns)
{
    struct after after = {.count = 0};
    uint32_t before;
    int result;

    if (pool_forked(pool))
        return -ECHILD;
    if (!when || period_ns < 0 || !pool_may_own(pool, task) ||
        ring3_deadline_check(CLOCK_MONOTONIC, when))
        return -EINVAL;
    pool_lock(pool);
    result = pool->closing ? -ESHUTDOWN : pool_admit(pool, task, &before);
    if (!result) {
        result = start_clock(pool);
        if (result)
            pool_refuse(task, before);
    }
    if (!result) {
        pool_offer(pool, task);
        task->due = ns_of(when);
        task->period = (uint64_t)period_ns;
        put(pool, task, &after);
    }
    pool_unlock(pool, &after);
    return result;
}
