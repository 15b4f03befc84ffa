/* SPDX-License-Identifier: MIT */
/* Threads of a pool that are cancelled, from inside and from outside, at their worst moments. */
#include "support.h"

#include "ring3/arch.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* The cancellation is pending when the task ends. */
static int cancel_and_return(ring3_task_t *task)
{
    (void)task;
    return -pthread_cancel(pthread_self());
}

static int reach_a_cancellation_point(ring3_task_t *task)
{
    (void)task;
    pthread_testcancel();
    return 0;
}

TEST(cancel, a_pending_one_waits_for_the_next_task)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    ring3_task_t first = {.run = cancel_and_return, .group = &group};
    ring3_task_t second = {.run = reach_a_cancellation_point, .group = &group}, third = second;
    ring3_task_t *task;

    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    struct pollfd readable = {.fd = ring3_group_poll_fd(&group), .events = POLLIN};

    check_ge(readable.fd, 0);
    submit(pool, &first);
    check_eq(poll(&readable, 1, -1), 1);
    check_eq(ring3_group_next(&group, &task, NULL), 0);
    check_eq(first.result, 0);
    submit(pool, &second);
    check_eq(ring3_group_next(&group, &task, NULL), 0);
    check_eq(second.result, -ECANCELED);
    submit(pool, &third);
    check_eq(ring3_group_next(&group, &task, NULL), 0);
    check_eq(third.result, 0, "in a new thread");
    check_eq(stats_of(pool).starts, 2);
    ring3_group_close_poll_fd(&group);
    finish(pool);
}

static uint32_t done_calls;

static void pass_a_cancellation_point(ring3_task_t *task)
{
    (void)task;
    pthread_testcancel();
    (void)ring3_fetch_add(&done_calls, 1, RING3_RELEASE);
}

TEST(cancel, does_not_end_what_is_called_when_a_task_is_done)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_task_t task = {.run = cancel_and_return, .done = pass_a_cancellation_point};

    submit(pool, &task);
    await(&done_calls, 1);
    finish(pool);
}

/* --- From outside ----------------------------------------------------------------------------- */

#define WORKERS 4

static struct {
    pthread_mutex_t lock;
    pthread_t thread[WORKERS + 1]; /* one may start before another has left */
    bool there[WORKERS + 1];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(unsigned worker, bool there)
{
    check_eq(pthread_mutex_lock(&known.lock), 0);
    known.thread[worker] = pthread_self();
    known.there[worker] = there;
    check_eq(pthread_mutex_unlock(&known.lock), 0);
}

static void come(void *argument, unsigned worker)
{
    (void)argument;
    note(worker, true);
}

/* A thread does not end before it has been here, so that it may be cancelled as long as it is known. */
static void go(void *argument, unsigned worker)
{
    (void)argument;
    note(worker, false);
}

static void cancel_one(unsigned worker)
{
    check_eq(pthread_mutex_lock(&known.lock), 0);
    if (known.there[worker])
        check_eq(pthread_cancel(known.thread[worker]), 0);
    check_eq(pthread_mutex_unlock(&known.lock), 0);
}

static int nap(ring3_task_t *task)
{
    (void)task;
#ifdef RING3_TSAN
    /* It loses sight of locks when a call that it intercepts is cut off. */
    for (int i = 0; i < 20; i++) {
        check_eq(sched_yield(), 0);
        pthread_testcancel();
    }
#else
    (void)usleep(20); /* a cancellation point */
#endif
    return 1;
}

TEST(cancel, of_any_thread_at_any_time_loses_nothing, 120)
{
    const ring3_pool_options_t options = {
        .max = WORKERS, .spare = 1, .capacity = 8, .init = come, .fini = go};
    static ring3_task_t tasks[64];
    unsigned seed = 3, ended = 0;
    ring3_group_t group;
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &options), 0);
    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    const int fd = ring3_group_poll_fd(&group);

    check_ge(fd, 0);
    for (long round = scaled(50, 5000); round > 0; round--) {
        for (int i = 0; i < 64; i++) {
            ring3_task_t *collected;

            tasks[i] = (ring3_task_t){.run = nap, .group = &group};
            submit(pool, &tasks[i]);
            cancel_one((unsigned)rand_r(&seed) % WORKERS);
            (void)ring3_group_next(&group, &collected, &(struct timespec){0, 0});
        }
        check_eq(ring3_group_wait(&group, NULL), 0);
        for (int i = 0; i < 64; i++) {
            check(tasks[i].state == RING3_TASK_DONE);
            check(tasks[i].result == 1 || tasks[i].result == -ECANCELED);
            ended += tasks[i].result == -ECANCELED;
        }
        for (ring3_task_t *rest; ring3_group_next(&group, &rest, NULL) == 0;)
            ;
    }
    check_ge(ended, 1, "some were hit");
    check_ge(stats_of(pool).starts, (uint64_t)ended);
    ring3_group_close_poll_fd(&group);
    finish(pool);
}
