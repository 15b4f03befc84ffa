/* SPDX-License-Identifier: MIT */
/* Tasks for a later time, and periodic ones. */
#include "support.h"

#include "ring3/atomic.h"
#include "ring3/container.h"

#include <sched.h>
#include <unistd.h>

/* Counts its runs; the last of `runs` returns `result`. */
struct ticking {
    ring3_task_t task;
    uint32_t runs, end;
    int result;
    int nap_us;
};

static int tick(ring3_task_t *task)
{
    struct ticking *const self = ring3_container_of(task, struct ticking, task);
    const uint32_t run = ring3_fetch_add(&self->runs, 1, RING3_ACQ_REL) + 1;

    if (self->nap_us)
        (void)usleep((useconds_t)self->nap_us);
    return run == self->end ? self->result : 0;
}

static void await_runs(const struct ticking *ticking, uint32_t least)
{
    while (ring3_load(&ticking->runs, RING3_ACQUIRE) < least)
        sched_yield();
}

static void submit_at(ring3_pool_t *pool, ring3_task_t *task, int ms, int64_t period_ns)
{
    const struct timespec when = in_ms(ms);

    check_eq(ring3_pool_submit_at(pool, task, &when, period_ns), 0);
}

TEST(delay, runs_when_the_time_has_come_and_in_the_order_of_times)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated late = {.task = {.run = gated_run}}, early = {.task = {.run = gated_run}};
    /* The second is submitted before the first is due, also where all is slow. */
    const int unit = under_valgrind() ? 600 : 60;
    const double start = seconds_now();

    submit_at(pool, &late.task, 2 * unit, 0);
    submit_at(pool, &early.task, unit, 0);
    check_eq(late.task.state, RING3_TASK_DELAYED);
    check_eq(ring3_task_wait(&early.task, NULL), 0);
    check_ge(seconds_now() - start, unit * 1e-3, "it ran before its time");
    check_eq(ring3_task_wait(&late.task, NULL), 0);
    check_ge(seconds_now() - start, 2 * unit * 1e-3, "it ran before its time");
    check_eq(early.order, 1);
    check_eq(late.order, 2);
    finish(pool);
}

TEST(delay, past_times_mean_now)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated task = {.task = {.run = gated_run}};
    const struct timespec past = {.tv_sec = 0};

    check_eq(ring3_pool_submit_at(pool, &task.task, &past, 0), 0);
    check_eq(ring3_task_wait(&task.task, NULL), 0);
    check_eq(task.started, 1);
    finish(pool);
}

TEST(delay, refuses_what_cannot_be)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated task = {.task = {.run = gated_run}};
    const struct timespec when = in_ms(1000000), malformed = {.tv_nsec = -1};

    check_eq(ring3_pool_submit_at(pool, &task.task, NULL, 0), -EINVAL);
    check_eq(ring3_pool_submit_at(pool, &task.task, &malformed, 0), -EINVAL);
    check_eq(ring3_pool_submit_at(pool, &task.task, &when, -1), -EINVAL);
    check_eq(task.task.state, RING3_TASK_IDLE);
    check_eq(ring3_pool_submit_at(pool, &task.task, &when, 0), 0);
    check_eq(ring3_pool_submit_at(pool, &task.task, &when, 0), -EBUSY);
    check_eq(ring3_pool_submit(pool, &task.task, RING3_POOL_FAIL, NULL), -EBUSY);
    check_eq(ring3_task_cancel(&task.task), 0);
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_DRAIN, NULL), 0);
    check_eq(ring3_pool_submit_at(pool, &task.task, &when, 0), -ESHUTDOWN);
    finish(pool);
}

TEST(delay, takes_no_room_in_the_queue)
{
    ring3_pool_t *const pool = pool_of(1, 1);
    struct gated delayed[3], holder = {.task = {.run = gated_run}}, queued = holder;
    uint32_t gate = 0;

    holder.gate = &gate;
    for (int i = 0; i < 3; i++) {
        delayed[i] = (struct gated){.task = {.run = gated_run}};
        submit_at(pool, &delayed[i].task, 1, 0);
    }
    submit(pool, &holder.task);
    await(&holder.started, 1);
    await_stat_of(pool, delayed, 0);
    check_eq(ring3_pool_submit(pool, &queued.task, RING3_POOL_FAIL, NULL),
             stats_of(pool).queued ? -EAGAIN : 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    for (int i = 0; i < 3; i++)
        check_eq(ring3_task_wait(&delayed[i].task, NULL), 0);
    finish(pool);
}

TEST(delay, a_periodic_task_runs_until_it_says_otherwise)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    struct ticking task = {.task = {.run = tick}, .end = 5, .result = -EPIPE};
    ring3_group_t group;

    ring3_group_init(&group, pool, 0);
    task.task.group = &group;
    submit_at(pool, &task.task, 1, 2000000);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(task.runs, 5);
    check_eq(task.task.result, -EPIPE);
    check_eq(ring3_group_error(&group), -EPIPE);
    check_eq(stats_of(pool).done, 5);
    finish(pool);
}

TEST(delay, a_periodic_task_leaves_out_what_it_missed)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct ticking task = {.task = {.run = tick}, .end = 4, .result = 1, .nap_us = 20000};

    submit_at(pool, &task.task, 0, 1000000);
    check_eq(ring3_task_wait(&task.task, NULL), 0);
    check_eq(task.runs, 4);
    /* Three times it ran for 20 periods and more. */
    check_ge(task.task.missed, 3 * 19);
    finish(pool);
}

TEST(delay, cancel_ends_delayed_and_periodic_tasks)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated far = {.task = {.run = gated_run}};
    struct ticking task = {.task = {.run = tick}};

    submit_at(pool, &far.task, 1000000, 0);
    submit_at(pool, &task.task, 0, 1000000);
    await_runs(&task, 3);
    check_eq(ring3_task_cancel(&far.task), 0);
    check_eq(far.task.state, RING3_TASK_DONE);
    check_eq(far.task.result, -ECANCELED);
    (void)ring3_task_cancel(&task.task);
    check_eq(ring3_task_wait(&task.task, NULL), 0);
    const uint32_t runs = task.runs;

    check_eq(usleep(5000), 0);
    check_eq(task.runs, runs, "it ran after it was cancelled");
    finish(pool);
    check_eq(far.started, 0);
}

TEST(delay, a_group_is_cancelled_with_its_delayed_tasks)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated tasks[3];
    ring3_group_t group;

    ring3_group_init(&group, pool, 0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run, .group = &group}};
        submit_at(pool, &tasks[i].task, 1000000, 0);
    }
    check_eq(ring3_group_cancel(&group), 0);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(stats_of(pool).cancelled, 3);
    finish(pool);
}

TEST(delay, closing_cancels_what_is_delayed)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    struct gated far = {.task = {.run = gated_run}};
    struct ticking periodic = {.task = {.run = tick}};

    submit_at(pool, &far.task, 1000000, 0);
    submit_at(pool, &periodic.task, 0, 100000);
    await_runs(&periodic, 2);
    finish(pool);
    check_eq(far.task.result, -ECANCELED);
    check_eq(periodic.task.state, RING3_TASK_DONE);
}

/* One thread waits for what only it can run. */
static int wait_for_delayed(ring3_task_t *task)
{
    struct gated inner = {.task = {.run = gated_run}};
    const struct timespec when = in_ms(5);

    if (ring3_pool_submit_at(task->pool, &inner.task, &when, 0))
        return -EIO;
    return ring3_task_wait(&inner.task, NULL) ? -EIO : (int)inner.started;
}

TEST(delay, a_task_may_wait_for_a_delayed_one_on_one_thread)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_task_t task = {.run = wait_for_delayed};

    submit(pool, &task);
    check_eq(ring3_task_wait(&task, NULL), 0);
    check_eq(task.result, 1);
    finish(pool);
}

TEST(delay, many_at_random_times_all_run_or_are_cancelled, 120)
{
    enum { COUNT = 400 };
    static struct gated tasks[COUNT];
    unsigned seed = 1;

    for (long round = scaled(20, 2000); round > 0; round--) {
        ring3_pool_t *const pool = pool_of(2, 0);

        for (int i = 0; i < COUNT; i++) {
            tasks[i] = (struct gated){.task = {.run = gated_run}};
            seed = seed * 1664525 + 1013904223;
            submit_at(pool, &tasks[i].task, (int)(seed >> 24) % 4, 0);
            if (seed >> 30 == 0)
                (void)ring3_task_cancel(&tasks[(seed >> 8) % (unsigned)(i + 1)].task);
        }
        finish(pool);
        for (int i = 0; i < COUNT; i++)
            check_eq(tasks[i].task.state, RING3_TASK_DONE);
    }
}
