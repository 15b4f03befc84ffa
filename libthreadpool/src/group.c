/* SPDX-License-Identifier: MIT */
/* Groups: wait for all, wait for any, cancel. The pool's lock covers them. */
#include "core.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

void ring3_group_init(ring3_group_t *group, ring3_pool_t *pool, uint32_t flags)
{
    *group = (ring3_group_t){.pool = pool, .flags = flags, .pollable = -1};
    ring3_list_init(&group->queued);
    ring3_list_init(&group->delayed);
    ring3_list_init(&group->finished);
}

void group_fd_set(int fd)
{
    const uint64_t one = 1;

    (void)syscall(SYS_write, fd, &one, sizeof one);
}

void group_fd_clear(int fd)
{
    uint64_t count;

    (void)syscall(SYS_read, fd, &count, sizeof count);
}

static ring3_task_t *first_queued(const ring3_group_t *group)
{
    return ring3_list_first_entry(&group->queued, ring3_task_t, sibling);
}

static int may_wait(const ring3_group_t *group, const struct timespec *deadline)
{
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (pool_forked(group->pool))
        return -ECHILD;
    for (const struct frame *frame = pool_frames; frame; frame = frame->outer)
        if (frame->group == group)
            return -EDEADLK;
    return 0;
}

/*
 * One step of waiting, with the lock held before and after: a thread of the pool, or one that is to
 * help, runs a queued task of the group, or sleeps until one is queued or ends; others sleep until `word` changes.
 * 0 or -ETIMEDOUT.
 */
static int wait_step(ring3_group_t *group, const uint32_t *word, const struct timespec *deadline,
                     struct after *after)
{
    ring3_pool_t *const pool = group->pool;
    const bool helps = (group->flags & RING3_GROUP_HELP) || pool_inside(pool);
    int result = 0;

    if (helps && !ring3_list_empty(&group->queued)) {
        ring3_task_t *const task = first_queued(group);

        if (ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            return -ETIMEDOUT;
        pool_take_this(pool, task, after);
        pool->stats.in_caller++;
        pool_run(pool, task, after);
        return 0;
    }
    if (helps)
        word = &group->calls;
    const uint32_t seen = ring3_load(word, RING3_RELAXED);

    group->helpers += helps;
    pool_unlock(pool, after);
    result = ring3_wait_change(word, seen, RING3_WAIT_ADAPTIVE, deadline);
    if (result == 0)
        ring3_wait_wake(word); /* a change wakes one waiter, and that one the next */
    pool_lock(pool);
    group->helpers -= helps;
    return result;
}

int ring3_group_wait(ring3_group_t *group, const struct timespec *deadline)
{
    struct after after = {.count = 0};
    int result = may_wait(group, deadline);

    if (result)
        return result;
    pool_lock(group->pool);
    const uint32_t round = group->rounds;

    /* A group that became empty and was filled again since has been waited for too. */
    while (group->pending && group->rounds == round && !result)
        result = wait_step(group, &group->rounds, deadline, &after);
    if (!group->pending || group->rounds != round)
        result = 0;
    pool_unlock(group->pool, &after);
    return result;
}

int ring3_group_next(ring3_group_t *group, ring3_task_t **task, const struct timespec *deadline)
{
    struct after after = {.count = 0};
    int result = may_wait(group, deadline);
    ring3_list_t *link = NULL;

    if (result)
        return result;
    pool_lock(group->pool);
    while (!(link = ring3_list_pop(&group->finished)) && !result)
        result = group->pending ? wait_step(group, &group->finishes, deadline, &after) : -ENOENT;
    if (link && group->pollable >= 0 && ring3_list_empty(&group->finished))
        group_fd_clear(group->pollable);
    pool_unlock(group->pool, &after);
    if (!link)
        return result;
    *task = ring3_container_of(link, ring3_task_t, link);
    return 0;
}

int ring3_group_poll_fd(ring3_group_t *group)
{
    int fd;

    if (pool_forked(group->pool))
        return -ECHILD;
    if (!(group->flags & RING3_GROUP_COLLECT))
        return -EINVAL;
    pool_lock(group->pool);
    if (group->pollable < 0) {
        const bool ready = !ring3_list_empty(&group->finished);

        group->pollable = eventfd(ready, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    fd = group->pollable < 0 ? -errno : group->pollable;
    pool_unlock_unchanged(group->pool);
    return fd;
}

void ring3_group_close_poll_fd(ring3_group_t *group)
{
    const bool forked = pool_forked(group->pool); /* then the lock may be held for ever */

    if (!forked)
        pool_lock(group->pool);
    if (group->pollable >= 0)
        (void)close(group->pollable);
    group->pollable = -1;
    if (!forked)
        pool_unlock_unchanged(group->pool);
}

int ring3_group_cancel(ring3_group_t *group)
{
    ring3_pool_t *const pool = group->pool;
    struct after after = {.count = 0};

    if (pool_forked(pool))
        return -ECHILD;
    pool_lock(pool);
    /* Relaxed: running tasks read a request, not a message. */
    ring3_store(&group->cancelled, 1, RING3_RELAXED);
    while (!ring3_list_empty(&group->queued)) {
        ring3_task_t *const task = first_queued(group);

        pool_take_this(pool, task, &after);
        pool_drop(pool, task, &after);
    }
    while (!ring3_list_empty(&group->delayed)) {
        ring3_task_t *const task = ring3_list_first_entry(&group->delayed, ring3_task_t, sibling);

        delay_take(pool, task);
        pool_begin(pool, task);
        pool_drop(pool, task, &after);
    }
    pool_unlock(pool, &after);
    return 0;
}

int ring3_group_error(const ring3_group_t *group)
{
    return ring3_load(&group->error, RING3_RELAXED);
}
