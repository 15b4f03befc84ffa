/* SPDX-License-Identifier: MIT */
/* Submitting, waiting, cancelling; groups. */
#include "support.h"

#include "ring3/atomic.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

TEST(task, runs_once_and_gives_its_result)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    struct gated gated = {.task = {.run = gated_run}, .result = 7};

    for (unsigned round = 1; round <= 3; round++) {
        submit(pool, &gated.task);
        check_eq(ring3_task_wait(&gated.task, NULL), 0);
        check_eq(gated.task.result, 7);
        check_eq(gated.order, round);
    }
    finish(pool);
}

TEST(task, refuses_what_makes_no_sense)
{
    ring3_pool_t *const pool = pool_of(1, 0), *const other = pool_of(1, 0);
    ring3_group_t group;
    ring3_task_t nothing = {.run = NULL};
    struct gated gated = {.task = {.run = gated_run, .priority = RING3_POOL_LEVELS}};
    const struct timespec malformed = {0, -1};

    ring3_group_init(&group, other, 0);
    check_eq(ring3_pool_submit(pool, &nothing, RING3_POOL_FAIL, NULL), -EINVAL);
    check_eq(ring3_pool_submit(pool, &gated.task, RING3_POOL_FAIL, NULL), -EINVAL);
    gated.task.priority = 0;
    check_eq(ring3_pool_submit(pool, &gated.task, RING3_POOL_BLOCK, &malformed), -EINVAL);
    gated.task.group = &group;
    check_eq(ring3_pool_submit(pool, &gated.task, RING3_POOL_FAIL, NULL), -EINVAL);
    check_eq(ring3_task_wait(&gated.task, NULL), -EINVAL);
    check_eq(ring3_task_cancel(&gated.task), -EINVAL);
    check_eq(stats_of(pool).submitted, 0);
    finish(pool);
    finish(other);
}

TEST(task, wait_ends_at_its_deadline_and_running_tasks_are_busy)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    uint32_t gate = 0;
    struct gated gated = {.task = {.run = gated_run}, .gate = &gate};
    const struct timespec soon = in_ms(20);

    submit(pool, &gated.task);
    check_eq(ring3_task_wait(&gated.task, &soon), -ETIMEDOUT);
    check_eq(ring3_pool_submit(pool, &gated.task, RING3_POOL_FAIL, NULL), -EBUSY);
    ring3_store(&gate, 1, RING3_RELEASE);
    check_eq(ring3_task_wait(&gated.task, NULL), 0);
    finish(pool);
}

static void *wait_for(void *task)
{
    return (void *)(intptr_t)ring3_task_wait(task, NULL);
}

TEST(task, many_threads_may_wait_for_one)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    uint32_t gate = 0;
    struct gated gated = {.task = {.run = gated_run}, .gate = &gate};
    pthread_t threads[5];
    void *result;

    submit(pool, &gated.task);
    for (int i = 0; i < 5; i++)
        check_eq(pthread_create(&threads[i], NULL, wait_for, &gated.task), 0);
    check_eq(usleep(20000), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    for (int i = 0; i < 5; i++) {
        check_eq(pthread_join(threads[i], &result), 0);
        check_eq((intptr_t)result, 0);
    }
    finish(pool);
}

TEST(task, cancel_takes_a_queued_task_out_and_asks_a_running_one)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    uint32_t gate = 0; /* never opened: the running task ends because it is asked to */
    struct gated running = {.task = {.run = gated_run}, .gate = &gate}, queued = running;

    submit(pool, &running.task);
    await(&running.started, 1);
    submit(pool, &queued.task);
    check_eq(ring3_task_cancel(&queued.task), 0);
    check_eq(queued.task.state, RING3_TASK_DONE);
    check_eq(queued.task.result, -ECANCELED);
    check_eq(ring3_task_cancel(&queued.task), -EALREADY);
    check_eq(ring3_task_cancel(&running.task), -EINPROGRESS);
    check_eq(ring3_task_wait(&running.task, NULL), 0);
    check_eq(running.task.result, 0);
    check_eq(stats_of(pool).cancelled, 1);
    finish(pool);
    check_eq(queued.started, 0);
}

/* --- Done ------------------------------------------------------------------------------------- */

static uint32_t freed;

static int ignore(ring3_task_t *task)
{
    (void)task;
    return 0;
}

static void free_task(ring3_task_t *task)
{
    free(task);
    (void)ring3_fetch_add(&freed, 1, RING3_RELEASE);
}

TEST(task, done_may_free_the_task_whether_it_ran_or_not)
{
    ring3_pool_t *const pool = pool_of(2, 8);

    for (int i = 0; i < 500; i++) {
        ring3_task_t *const task = calloc(1, sizeof *task);

        *task = (ring3_task_t){.run = ignore, .done = free_task};
        check_eq(ring3_pool_submit(pool, task, RING3_POOL_DROP, NULL), 0);
    }
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_CANCEL, NULL), 0);
    check_eq(ring3_load(&freed, RING3_ACQUIRE), 500);
    finish(pool);
}

/* --- Tasks that wait for tasks ---------------------------------------------------------------- */

struct family {
    ring3_task_t task;
    ring3_pool_t *pool;
    int depth, leaves, error;
};

static int sum_up(ring3_task_t *task)
{
    struct family *const self = ring3_container_of(task, struct family, task);
    struct family child[2];

    self->leaves = self->depth == 0;
    for (int i = 0; i < 2 && self->depth > 0; i++) {
        child[i] =
            (struct family){.task = {.run = sum_up}, .pool = self->pool, .depth = self->depth - 1};
        self->error |= ring3_pool_submit(self->pool, &child[i].task, RING3_POOL_BLOCK, NULL);
    }
    for (int i = 0; i < 2 && self->depth > 0; i++) {
        self->error |= ring3_task_wait(&child[i].task, NULL) | child[i].error;
        self->leaves += child[i].leaves;
    }
    return 0;
}

static void check_family(unsigned threads, size_t capacity)
{
    ring3_pool_t *const pool = pool_of(threads, capacity);
    struct family root = {.task = {.run = sum_up}, .pool = pool, .depth = 8};

    submit(pool, &root.task);
    check_eq(ring3_task_wait(&root.task, NULL), 0);
    check_eq(root.error, 0);
    check_eq(root.leaves, 256);
    finish(pool);
}

TEST(task, waiting_inside_one_thread_does_not_deadlock)
{
    check_family(1, 0);
}

TEST(task, waiting_inside_a_full_queue_does_not_deadlock)
{
    check_family(2, 1);
}

struct hurried {
    ring3_task_t task;
    ring3_pool_t *pool;
    struct gated child;
};

static int wait_in_the_past(ring3_task_t *task)
{
    struct hurried *const self = ring3_container_of(task, struct hurried, task);
    const struct timespec past = {0, 0};

    (void)ring3_pool_submit(self->pool, &self->child.task, RING3_POOL_BLOCK, NULL);
    return ring3_task_wait(&self->child.task, &past);
}

TEST(task, waiting_inside_starts_nothing_after_the_deadline)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct hurried hurried = {
        .task = {.run = wait_in_the_past}, .pool = pool, .child = {.task = {.run = gated_run}}};

    submit(pool, &hurried.task);
    check_eq(ring3_task_wait(&hurried.task, NULL), 0);
    check_eq(hurried.task.result, -ETIMEDOUT);
    check_eq(ring3_task_wait(&hurried.child.task, NULL), 0);
    finish(pool);
}

static int wait_for_oneself(ring3_task_t *task)
{
    return ring3_task_wait(task, NULL);
}

static int wait_for_own_group(ring3_task_t *task)
{
    return ring3_group_wait(task->group, NULL);
}

TEST(task, waiting_for_oneself_is_an_error)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    ring3_task_t alone = {.run = wait_for_oneself},
                 member = {.run = wait_for_own_group, .group = &group};

    ring3_group_init(&group, pool, 0);
    submit(pool, &alone);
    submit(pool, &member);
    check_eq(ring3_task_wait(&alone, NULL), 0);
    check_eq(alone.result, -EDEADLK);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(member.result, -EDEADLK);
    finish(pool);
}

/* A worker that waits must not pick up tasks that have nothing to do with what it waits for. */
struct patient {
    ring3_task_t task;
    struct gated *unrelated;
    ring3_task_t *awaited;
    uint32_t started;
    int ran_unrelated;
};

static int wait_patiently(ring3_task_t *task)
{
    struct patient *const self = ring3_container_of(task, struct patient, task);

    ring3_store(&self->started, 1, RING3_RELEASE);
    (void)ring3_task_wait(self->awaited, NULL);
    self->ran_unrelated = ring3_load(&self->unrelated->started, RING3_ACQUIRE) != 0;
    return 0;
}

TEST(task, a_wait_never_runs_an_unrelated_task)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    uint32_t gate = 0;
    struct gated awaited = {.task = {.run = gated_run}, .gate = &gate},
                 unrelated = {.task = {.run = gated_run}};
    struct patient patient = {
        .task = {.run = wait_patiently}, .unrelated = &unrelated, .awaited = &awaited.task};

    submit(pool, &awaited.task);
    await(&awaited.started, 1);
    submit(pool, &patient.task);
    await(&patient.started, 1);
    submit(pool, &unrelated.task); /* both threads are taken: it can only run inside the wait */
    check_eq(usleep(20000), 0);
    check_eq(ring3_load(&unrelated.started, RING3_ACQUIRE), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    finish(pool);
    check_eq(unrelated.started, 1);
}

/* --- Groups ----------------------------------------------------------------------------------- */

TEST(group, wait_covers_every_member_and_keeps_the_first_error)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    struct gated tasks[4];

    ring3_group_init(&group, pool, 0);
    check_eq(ring3_group_wait(&group, NULL), 0, "an empty group");
    for (int i = 0; i < 4; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run, .group = &group},
                                  .result = i == 1   ? -EIO
                                            : i == 2 ? -EPERM
                                                     : 0};
        submit(pool, &tasks[i].task);
    }
    check_eq(ring3_group_wait(&group, NULL), 0);
    for (int i = 0; i < 4; i++)
        check_eq(tasks[i].task.state, RING3_TASK_DONE);
    check_eq(ring3_group_error(&group), -EIO);
    check_eq(tasks[3].started, 1, "the error stopped a group that does not stop");
    finish(pool);
}

TEST(group, an_error_stops_a_group_that_says_so)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run, .group = &group},
                          .gate = &gate,
                          .result = -EIO},
                 second = {.task = {.run = gated_run, .group = &group}}, third = second;

    ring3_group_init(&group, pool, RING3_GROUP_STOP);
    submit(pool, &first.task);
    submit(pool, &second.task);
    ring3_store(&gate, 1, RING3_RELEASE);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(second.started, 0);
    check_eq(second.task.result, -ECANCELED);
    check_eq(ring3_pool_submit(pool, &third.task, RING3_POOL_FAIL, NULL), -ECANCELED);
    finish(pool);
}

TEST(group, cancel_ends_queued_and_running_members_only)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    uint32_t gate = 0; /* never opened */
    struct gated running = {.task = {.run = gated_run, .group = &group}, .gate = &gate},
                 queued = running, outsider = {.task = {.run = gated_run}};
    const struct timespec soon = in_ms(10);

    ring3_group_init(&group, pool, 0);
    submit(pool, &running.task);
    await(&running.started, 1);
    submit(pool, &queued.task);
    submit(pool, &outsider.task);
    check_eq(ring3_group_wait(&group, &soon), -ETIMEDOUT);
    check_eq(ring3_group_cancel(&group), 0);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(queued.started, 0);
    check_eq(ring3_task_wait(&outsider.task, NULL), 0);
    check_eq(outsider.task.result, 0);
    check_eq(ring3_group_error(&group), 0);
    finish(pool);
}

TEST(group, next_hands_out_tasks_in_the_order_they_finish)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    ring3_group_t group;
    uint32_t gate = 0;
    struct gated slow = {.task = {.run = gated_run, .group = &group}, .gate = &gate},
                 quick = {.task = {.run = gated_run, .group = &group}};
    const struct timespec soon = in_ms(20);
    ring3_task_t *got = NULL;

    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    check_eq(ring3_group_next(&group, &got, NULL), -ENOENT);
    submit(pool, &slow.task);
    submit(pool, &quick.task);
    check_eq(ring3_group_next(&group, &got, NULL), 0);
    check(got == &quick.task);
    check_eq(ring3_group_next(&group, &got, &soon), -ETIMEDOUT);
    ring3_store(&gate, 1, RING3_RELEASE);
    check_eq(ring3_group_next(&group, &got, NULL), 0);
    check(got == &slow.task);
    check_eq(ring3_group_next(&group, &got, NULL), -ENOENT);
    finish(pool);
}

struct parent {
    ring3_task_t task;
    ring3_pool_t *pool;
    int collected;
};

static int collect_children(ring3_task_t *task)
{
    struct parent *const self = ring3_container_of(task, struct parent, task);
    struct gated children[10];
    ring3_group_t group;
    ring3_task_t *got;

    ring3_group_init(&group, self->pool, RING3_GROUP_COLLECT);
    for (int i = 0; i < 10; i++) {
        children[i] = (struct gated){.task = {.run = gated_run, .group = &group}};
        (void)ring3_pool_submit(self->pool, &children[i].task, RING3_POOL_BLOCK, NULL);
    }
    while (ring3_group_next(&group, &got, NULL) == 0)
        self->collected++;
    return 0;
}

TEST(group, a_task_collects_its_children_on_one_thread)
{
    ring3_pool_t *const pool = pool_of(1, 4);
    struct parent parent = {.task = {.run = collect_children}, .pool = pool};

    submit(pool, &parent.task);
    check_eq(ring3_task_wait(&parent.task, NULL), 0);
    check_eq(parent.collected, 10);
    finish(pool);
}

/* --- Help from outside ------------------------------------------------------------------------ */

TEST(group, a_helping_group_is_run_by_who_waits_for_it)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    uint32_t gate = 0;
    struct gated blocker = {.task = {.run = gated_run}, .gate = &gate}, other = blocker;
    struct gated tasks[3];
    ring3_group_t group;

    submit(pool, &blocker.task);
    await(&blocker.started, 1);
    other.gate = NULL;
    submit(pool, &other.task);
    ring3_group_init(&group, pool, RING3_GROUP_HELP);
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run, .group = &group}};
        submit(pool, &tasks[i].task);
    }
    check_eq(ring3_group_wait(&group, NULL), 0, "the only thread is busy");
    check_eq(stats_of(pool).in_caller, 3);
    check_eq(other.task.state, RING3_TASK_QUEUED, "but a wait never runs an unrelated task");
    ring3_store(&gate, 1, RING3_RELEASE);
    ring3_wait_wake(&gate);
    check_eq(ring3_task_wait(&other.task, NULL), 0);
    finish(pool);
}
