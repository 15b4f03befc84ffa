/* SPDX-License-Identifier: MIT */
/* Queue full, priorities and aging. */
#include "support.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* A pool of one thread that is busy with `holder` until `gate` opens. */
struct held {
    ring3_pool_t *pool;
    struct gated holder;
    uint32_t gate;
};

static void hold(struct held *held, size_t capacity, unsigned aging)
{
    const ring3_pool_options_t options = {.max = 1, .capacity = capacity, .aging = aging};

    *held = (struct held){.holder = {.task = {.run = gated_run}}};
    held->holder.gate = &held->gate;
    check_eq(ring3_pool_create(&held->pool, &options), 0);
    submit(held->pool, &held->holder.task);
    await(&held->holder.started, 1);
    gated_restart();
}

static int nothing(ring3_task_t *task)
{
    (void)task;
    return 0;
}

static void let_go(struct held *held)
{
    ring3_store(&held->gate, 1, RING3_RELEASE);
    finish(held->pool);
}

TEST(queue, full_fails_and_leaves_the_task_alone)
{
    struct held held;
    struct gated first = {.task = {.run = gated_run}}, second = {.task = {.run = gated_run}};

    hold(&held, 1, 0);
    check_eq(ring3_pool_submit(held.pool, &first.task, RING3_POOL_FAIL, NULL), 0);
    check_eq(ring3_pool_submit(held.pool, &second.task, RING3_POOL_FAIL, NULL), -EAGAIN);
    check_eq(second.task.state, RING3_TASK_IDLE);
    check_eq(stats_of(held.pool).refused, 1);
    let_go(&held);
    check_eq(first.order, 1);
    check_eq(second.order, 0, "a refused task ran");
}

TEST(queue, full_runs_in_the_caller)
{
    struct held held;
    struct gated first = {.task = {.run = gated_run}}, second = {.task = {.run = gated_run}};

    hold(&held, 1, 0);
    submit(held.pool, &first.task);
    check_eq(ring3_pool_submit(held.pool, &second.task, RING3_POOL_RUN, NULL), 0);
    check_eq(second.order, 1, "it did not run before the submission returned");
    check_eq(stats_of(held.pool).in_caller, 1);
    let_go(&held);
}

TEST(queue, full_drops_the_oldest_of_the_least_urgent)
{
    struct held held;
    struct gated old = {.task = {.run = gated_run, .priority = 3}}, young = old,
                 urgent = {.task = {.run = gated_run, .priority = 1}}, more = urgent,
                 idler = {.task = {.run = gated_run, .priority = 5}};

    hold(&held, 3, 0);
    submit(held.pool, &urgent.task);
    submit(held.pool, &old.task);
    submit(held.pool, &young.task);
    check_eq(ring3_pool_submit(held.pool, &idler.task, RING3_POOL_DROP, NULL), -EAGAIN);
    check_eq(ring3_pool_submit(held.pool, &more.task, RING3_POOL_DROP, NULL), 0);
    check_eq(ring3_task_wait(&old.task, NULL), 0);
    check_eq(old.task.result, -ECANCELED);
    check_eq(stats_of(held.pool).dropped, 1);
    let_go(&held);
    check_eq(old.order, 0);
    check_eq(urgent.order, 1);
    check_eq(more.order, 2);
    check_eq(young.order, 3);
}

TEST(queue, full_blocks_until_the_deadline)
{
    struct held held;
    struct gated first = {.task = {.run = gated_run}}, second = {.task = {.run = gated_run}};

    hold(&held, 1, 0);
    submit(held.pool, &first.task);
    const double before = seconds_now();
    const struct timespec soon = in_ms(20);

    check_eq(ring3_pool_submit(held.pool, &second.task, RING3_POOL_BLOCK, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - before, 0.01);
    check_eq(second.task.state, RING3_TASK_IDLE);
    let_go(&held);
    check_eq(second.order, 0);
}

/* --- Many at a time ----------------------------------------------------------------------------- */

enum { CROWD = 4, EACH = 500, ROOM = 700 };

struct crowded {
    ring3_pool_t *pool;
    struct gated tasks[EACH];
    unsigned accepted;
};

static void *submit_all(void *argument)
{
    struct crowded *const mine = argument;

    for (int i = 0; i < EACH; i++) {
        mine->tasks[i] = (struct gated){.task = {.run = gated_run, .priority = 1}};
        mine->accepted +=
            ring3_pool_submit(mine->pool, &mine->tasks[i].task, RING3_POOL_FAIL, NULL) == 0;
    }
    return NULL;
}

/* Most of these come without the pool's lock; the bound is exact all the same, and so is the order. */
TEST(queue, the_bound_and_the_order_hold_against_many_submitters)
{
    static struct crowded crowd[CROWD];
    struct gated urgent = {.task = {.run = gated_run}};
    pthread_t threads[CROWD];
    struct held held;
    unsigned accepted = 0;

    hold(&held, ROOM, 0);
    for (int i = 0; i < CROWD; i++) {
        crowd[i].pool = held.pool;
        check_eq(pthread_create(&threads[i], NULL, submit_all, &crowd[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        accepted += crowd[i].accepted;
    }
    check_eq(accepted, ROOM);
    check_eq(stats_of(held.pool).queued, ROOM);
    for (int i = 0; i < CROWD; i++)
        if (crowd[i].accepted) {
            check_eq(ring3_task_cancel(&crowd[i].tasks[0].task), 0, "one makes room");
            break;
        }
    check_eq(ring3_pool_submit(held.pool, &urgent.task, RING3_POOL_FAIL, NULL), 0);
    check_eq(ring3_pool_submit(held.pool, &held.holder.task, RING3_POOL_FAIL, NULL), -EBUSY);
    let_go(&held);
    check_eq(urgent.order, 1, "the urgent one came last and goes first");
    for (int i = 0; i < CROWD; i++)
        for (unsigned k = 1, last = 0; k < crowd[i].accepted; k++) {
            check_gt(crowd[i].tasks[k].order, last, "those of one thread change places");
            last = crowd[i].tasks[k].order;
        }
}

/* Tasks that were sent while the worker was busy run when it is not, with nobody else to take the lock. */
TEST(queue, nothing_that_was_sent_is_left_behind, 60)
{
    for (long round = 0; round < scaled(300, 20000); round++) {
        ring3_pool_t *const pool = pool_of((unsigned)(1 + round % 3), 64);
        ring3_group_t group;
        ring3_task_t tasks[40];

        ring3_group_init(&group, pool, 0);
        for (int i = 0; i < 40; i++) {
            tasks[i] = (ring3_task_t){.run = nothing, .group = &group};
            submit(pool, &tasks[i]);
            if (round % 5 == 0 && i % 8 == 7)
                check_eq(ring3_task_wait(&tasks[i], NULL), 0);
        }
        check_eq(ring3_group_wait(&group, NULL), 0);
        for (int i = 0; i < 40; i++)
            check_eq(tasks[i].state, RING3_TASK_DONE);
        finish(pool);
    }
}

/* --- One task, two submitters ------------------------------------------------------------------- */

enum { SHARED = 400 };

static struct rivals {
    ring3_pool_t *pool;
    struct gated tasks[SHARED];
    uint32_t ready;
    unsigned accepted[2];
} rivals;

static void submit_them_all(int me)
{
    (void)ring3_fetch_add(&rivals.ready, 1, RING3_RELEASE);
    while (ring3_load(&rivals.ready, RING3_ACQUIRE) < 2)
        ring3_cpu_relax();
    for (int i = 0; i < SHARED; i++) {
        const int result =
            ring3_pool_submit(rivals.pool, &rivals.tasks[i].task, RING3_POOL_FAIL, NULL);

        check(result == 0 || result == -EBUSY, "%d", result);
        rivals.accepted[me] += result == 0;
    }
}

static void *submit_them_too(void *unused)
{
    submit_them_all(1);
    return unused;
}

/* While the worker is busy: one of the two is told each time that the other was faster. */
TEST(queue, a_task_that_two_submit_at_once_is_accepted_once, 60)
{
    for (long round = 0; round < scaled(20, 2000); round++) {
        struct held held;
        pthread_t other;

        hold(&held, 2 * SHARED, 0);
        rivals = (struct rivals){.pool = held.pool};
        for (int i = 0; i < SHARED; i++)
            rivals.tasks[i].task.run = gated_run;
        check_eq(pthread_create(&other, NULL, submit_them_too, NULL), 0);
        submit_them_all(0);
        pthread_join(other, NULL);
        check_eq(rivals.accepted[0] + rivals.accepted[1], SHARED + 0u);
        check_eq(stats_of(held.pool).queued, SHARED);
        let_go(&held);
        for (int i = 0; i < SHARED; i++)
            check_eq(rivals.tasks[i].task.state, RING3_TASK_DONE);
    }
}

struct submitter {
    ring3_pool_t *pool;
    struct gated gated;
    pthread_t thread;
    int result;
};

static void *submit_blocking(void *argument)
{
    struct submitter *const self = argument;

    self->result = ring3_pool_submit(self->pool, &self->gated.task, RING3_POOL_BLOCK, NULL);
    return NULL;
}

static void start_submitter(struct submitter *self, ring3_pool_t *pool)
{
    *self = (struct submitter){.pool = pool, .gated = {.task = {.run = gated_run}}};
    check_eq(pthread_create(&self->thread, NULL, submit_blocking, self), 0);
    await(&self->gated.task.state, RING3_TASK_OFFERED);
}

TEST(queue, full_blocks_and_serves_in_order_of_arrival)
{
    struct held held;
    struct gated first = {.task = {.run = gated_run}};
    struct submitter submitters[3];

    hold(&held, 1, 0);
    submit(held.pool, &first.task);
    for (int i = 0; i < 3; i++)
        start_submitter(&submitters[i], held.pool);
    ring3_store(&held.gate, 1, RING3_RELEASE);
    for (int i = 0; i < 3; i++) {
        pthread_join(submitters[i].thread, NULL);
        check_eq(submitters[i].result, 0);
        check_eq(ring3_task_wait(&submitters[i].gated.task, NULL), 0);
        check_eq((int)submitters[i].gated.order, i + 2);
    }
    finish(held.pool);
}

TEST(queue, closing_refuses_who_waits_for_room)
{
    struct held held;
    struct gated first = {.task = {.run = gated_run}};
    struct submitter late;
    const struct timespec soon = in_ms(10);

    hold(&held, 1, 0);
    submit(held.pool, &first.task);
    start_submitter(&late, held.pool);
    check_eq(ring3_pool_shutdown(held.pool, RING3_POOL_DRAIN, &soon), -ETIMEDOUT);
    pthread_join(late.thread, NULL);
    check_eq(late.result, -ESHUTDOWN);
    check_eq(late.gated.task.state, RING3_TASK_IDLE);
    let_go(&held);
    check_eq(late.gated.order, 0);
}

TEST(queue, serves_the_urgent_first_and_equals_in_order)
{
    struct held held;
    struct gated tasks[6];
    static const uint32_t priorities[6] = {7, 2, 0, 2, 0, 7};
    static const unsigned expected[6] = {5, 3, 1, 4, 2, 6};

    hold(&held, 0, 0);
    for (int i = 0; i < 6; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run, .priority = priorities[i]}};
        submit(held.pool, &tasks[i].task);
    }
    let_go(&held);
    for (int i = 0; i < 6; i++)
        check_eq(tasks[i].order, expected[i], "task %d of priority %u", i, priorities[i]);
}

/* A task that submits itself again when it is done, so that an urgent one is always queued. */
struct stubborn {
    ring3_task_t task;
    ring3_pool_t *pool;
    struct gated *patient;
    long runs, runs_before;
};

static int stubborn_run(ring3_task_t *task)
{
    struct stubborn *const self = ring3_container_of(task, struct stubborn, task);

    self->runs++;
    if (!ring3_load(&self->patient->started, RING3_ACQUIRE))
        self->runs_before = self->runs;
    return 0;
}

static void stubborn_done(ring3_task_t *task)
{
    struct stubborn *const self = ring3_container_of(task, struct stubborn, task);

    if (self->runs < 1000)
        (void)ring3_pool_submit(self->pool, task, RING3_POOL_FAIL, NULL);
}

static long runs_before_the_patient(unsigned aging)
{
    struct held held;
    struct gated patient = {.task = {.run = gated_run, .priority = 3}};
    struct stubborn stubborn = {.task = {.run = stubborn_run, .done = stubborn_done},
                                .patient = &patient};

    hold(&held, 0, aging);
    stubborn.pool = held.pool;
    submit(held.pool, &patient.task);
    submit(held.pool, &stubborn.task);
    let_go(&held);
    check_eq(stubborn.runs, 1000);
    return stubborn.runs_before;
}

TEST(queue, aging_bounds_how_often_a_task_is_passed_over)
{
    const long passed = runs_before_the_patient(10);

    /* Three levels of ten starts each, and the tie goes to the more urgent. */
    check_eq(passed, 31);
}

TEST(queue, strict_priority_starves)
{
    check_eq(runs_before_the_patient(0), 1000);
}

/* --- A worker that waits for a group is the only one who can run its next task -------------------- */

static struct {
    ring3_pool_t *pool;
    ring3_group_t group;
    ring3_task_t waiter, from_outside, member, filler[2];
    uint32_t waits, outside;
} alone;

static int wait_for_group(ring3_task_t *task)
{
    (void)task;
    ring3_store(&alone.waits, 1, RING3_RELEASE);
    await(&alone.outside, 1);
    return ring3_group_wait(&alone.group, NULL);
}

static int submit_a_member(ring3_task_t *task)
{
    (void)task;
    ring3_store(&alone.outside, 1, RING3_RELEASE);
    (void)usleep(20000); /* until the worker sleeps */
    check_eq(ring3_task_cancel(&alone.filler[0]), 0, "which makes room");
    check_eq(ring3_pool_submit(alone.pool, &alone.member, RING3_POOL_FAIL, NULL), 0);
    return 0;
}

TEST(queue, a_worker_that_waits_for_a_group_runs_what_comes_later, 20)
{
    alone.pool = pool_of(1, 2);
    ring3_group_init(&alone.group, alone.pool, 0);
    alone.waiter.run = wait_for_group;
    alone.from_outside = (ring3_task_t){.run = submit_a_member, .group = &alone.group};
    alone.member = (ring3_task_t){.run = nothing, .group = &alone.group};
    submit(alone.pool, &alone.waiter);
    await(&alone.waits, 1);
    for (int i = 0; i < 2; i++) {
        alone.filler[i].run = nothing;
        submit(alone.pool, &alone.filler[i]);
    }
    /* The queue is full: it runs here. */
    check_eq(ring3_pool_submit(alone.pool, &alone.from_outside, RING3_POOL_RUN, NULL), 0);
    check_eq(ring3_task_wait(&alone.waiter, NULL), 0);
    check_eq(alone.waiter.result, 0);
    check_eq(alone.member.state, RING3_TASK_DONE);
    finish(alone.pool);
}
