/* SPDX-License-Identifier: MIT */
/* Lanes, and threads that stand in for blocked ones. */
#include "support.h"

#include "ring3/atomic.h"

#include <pthread.h>

TEST(lane, runs_no_more_than_its_limit_and_leaves_threads_to_others)
{
    ring3_pool_t *const pool = pool_of(3, 0);
    uint32_t gate = 0;
    struct gated slow[6], other = {.task = {.run = gated_run}};
    ring3_lane_t lane;
    int started = 0;

    check_eq(ring3_lane_init(&lane, pool, 2), 0);
    for (int i = 0; i < 6; i++) {
        slow[i] = (struct gated){.task = {.run = gated_run, .lane = &lane}, .gate = &gate};
        submit(pool, &slow[i].task);
    }
    /* More of the lane would have been started before this one. */
    submit(pool, &other.task);
    check_eq(ring3_task_wait(&other.task, NULL), 0);
    await(&slow[0].started, 1);
    await(&slow[1].started, 1);
    for (int i = 0; i < 6; i++)
        started += (int)ring3_load(&slow[i].started, RING3_ACQUIRE);
    check_eq(started, 2);
    check_eq(stats_of(pool).queued, 4);
    check_eq(ring3_lane_fini(&lane), -EBUSY);
    ring3_store(&gate, 1, RING3_RELEASE);
    for (int i = 0; i < 6; i++)
        check_eq(ring3_task_wait(&slow[i].task, NULL), 0);
    check_eq(ring3_lane_fini(&lane), 0);
    finish(pool);
}

static uint32_t inside, most;

static int count_inside(ring3_task_t *task)
{
    const uint32_t now = ring3_fetch_add(&inside, 1, RING3_RELAXED) + 1;
    uint32_t seen = ring3_load(&most, RING3_RELAXED);

    (void)task;
    while (seen < now && !ring3_cas_weak(&most, &seen, now, RING3_RELAXED))
        ;
    sched_yield();
    (void)ring3_fetch_sub(&inside, 1, RING3_RELAXED);
    return 0;
}

TEST(lane, keeps_its_limit_under_load)
{
    enum { COUNT = 500 };
    ring3_pool_t *const pool = pool_of(4, 64);
    static ring3_task_t tasks[COUNT];
    ring3_lane_t lanes[2];

    for (int i = 0; i < 2; i++)
        check_eq(ring3_lane_init(&lanes[i], pool, 1), 0);
    for (int i = 0; i < COUNT; i++) {
        tasks[i] =
            (ring3_task_t){.run = count_inside, .lane = &lanes[i % 2], .priority = (uint32_t)i % 3};
        submit(pool, &tasks[i]);
    }
    for (int i = 0; i < COUNT; i++)
        check_eq(ring3_task_wait(&tasks[i], NULL), 0);
    check_le(most, 2, "two lanes of one");
    for (int i = 0; i < 2; i++)
        check_eq(ring3_lane_fini(&lanes[i]), 0);
    finish(pool);
}

TEST(lane, refuses_what_cannot_be)
{
    ring3_pool_t *const pool = pool_of(1, 0), *const other = pool_of(1, 0);
    struct gated task = {.task = {.run = gated_run}};
    ring3_lane_t lane;

    check_eq(ring3_lane_init(&lane, pool, 0), -EINVAL);
    check_eq(ring3_lane_init(&lane, pool, 1), 0);
    task.task.lane = &lane;
    check_eq(ring3_pool_submit(other, &task.task, RING3_POOL_FAIL, NULL), -EINVAL);
    check_eq(ring3_lane_fini(&lane), 0);
    finish(pool);
    finish(other);
}

TEST(lane, a_full_lane_is_cancelled_and_dropped_from_as_any)
{
    ring3_pool_t *const pool = pool_of(1, 2);
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run}, .gate = &gate};
    struct gated second = {.task = {.run = gated_run}}, third = second, fourth = second;
    ring3_lane_t lane;

    check_eq(ring3_lane_init(&lane, pool, 1), 0);
    first.task.lane = second.task.lane = third.task.lane = &lane;
    submit(pool, &first.task);
    await(&first.started, 1);
    submit(pool, &second.task);
    submit(pool, &third.task);
    check_eq(ring3_pool_submit(pool, &fourth.task, RING3_POOL_DROP, NULL), 0);
    check_eq(second.task.state, RING3_TASK_DONE);
    check_eq(second.task.result, -ECANCELED);
    check_eq(ring3_task_cancel(&third.task), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    finish(pool);
    check_eq(fourth.started, 1);
}

TEST(lane, closing_does_not_wait_for_a_closed_lane)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated first = {.task = {.run = gated_run}}, second = first;
    uint32_t gate = 0;
    ring3_lane_t lane;
    const struct timespec now = in_ms(0);

    first.gate = &gate;
    check_eq(ring3_lane_init(&lane, pool, 1), 0);
    first.task.lane = second.task.lane = &lane;
    submit(pool, &first.task);
    await(&first.started, 1);
    submit(pool, &second.task);
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_CANCEL, &now), -ETIMEDOUT);
    check_eq(second.task.state, RING3_TASK_DONE);
    ring3_store(&gate, 1, RING3_RELEASE);
    finish(pool);
}

/* --- Blocking --------------------------------------------------------------------------------- */

static uint32_t door;

static int block(ring3_task_t *task)
{
    struct gated *const self = ring3_container_of(task, struct gated, task);

    ring3_pool_blocking_enter();
    ring3_pool_blocking_enter();
    ring3_pool_blocking_leave();
    ring3_store(&self->started, 1, RING3_RELEASE);
    await(&door, 1);
    ring3_pool_blocking_leave();
    return 0;
}

static int open_door(ring3_task_t *task)
{
    (void)task;
    ring3_store(&door, 1, RING3_RELEASE);
    return 0;
}

TEST(blocking, another_thread_stands_in_and_ends_afterwards)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated blocked = {.task = {.run = block}};
    ring3_task_t opener = {.run = open_door};

    submit(pool, &blocked.task);
    await(&blocked.started, 1);
    check_eq(stats_of(pool).blocking, 1);
    submit(pool, &opener); /* the pool's only thread waits for it */
    check_eq(ring3_task_wait(&blocked.task, NULL), 0);
    check_eq(stats_of(pool).threads_most, 2);
    /* Which of the two ends, and when, is the pool's affair; a task makes it look. */
    for (int i = 0; i < 100 && stats_of(pool).threads > 1; i++) {
        ring3_task_t nudge = {.run = open_door};

        submit(pool, &nudge);
        check_eq(ring3_task_wait(&nudge, NULL), 0);
    }
    await_stat_of(pool, threads, 1);
    finish(pool);
}

TEST(blocking, spare_threads_are_limited)
{
    const ring3_pool_options_t options = {.max = 1, .spare = 2};
    ring3_pool_t *pool;
    struct gated blocked[4];

    check_eq(ring3_pool_create(&pool, &options), 0);
    for (int i = 0; i < 4; i++) {
        blocked[i] = (struct gated){.task = {.run = block}};
        submit(pool, &blocked[i].task);
    }
    for (int i = 0; i < 3; i++)
        await(&blocked[i].started, 1);
    check_eq(stats_of(pool).threads, 3);
    check_eq(ring3_load(&blocked[3].started, RING3_ACQUIRE), 0);
    ring3_store(&door, 1, RING3_RELEASE);
    finish(pool);
    check_eq(blocked[3].started, 1);
}

static int block_and_end(ring3_task_t *task)
{
    (void)task;
    ring3_pool_blocking_enter();
    pthread_exit(NULL);
}

TEST(blocking, a_thread_that_ends_blocks_no_more)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_task_t ends = {.run = block_and_end};

    ring3_pool_blocking_enter(); /* no worker: nothing happens */
    ring3_pool_blocking_leave();
    submit(pool, &ends);
    check_eq(ring3_task_wait(&ends, NULL), 0);
    await_stat_of(pool, blocking, 0);
    finish(pool);
}
