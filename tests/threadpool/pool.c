/* SPDX-License-Identifier: MIT */
/* Threads of a pool: how many, with what; closing; forks; threads that end inside a task. */
#include "support.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/list.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- Size and attributes ---------------------------------------------------------------------- */

TEST(pool, grows_to_max_and_shrinks_to_min)
{
    const ring3_pool_options_t options = {.min = 1, .max = 3, .idle_ns = 5000000};
    ring3_pool_t *pool;
    uint32_t gate = 0;
    struct gated tasks[4];

    check_eq(ring3_pool_create(&pool, &options), 0);
    check_eq(stats_of(pool).threads, 1);
    for (int i = 0; i < 4; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run}, .gate = &gate};
        submit(pool, &tasks[i].task);
    }
    for (int i = 0; i < 3; i++)
        await(&tasks[i].started, 1);
    check_eq(stats_of(pool).threads, 3);
    check_eq(stats_of(pool).queued, 1);
    ring3_store(&gate, 1, RING3_RELEASE);
    await_stat_of(pool, threads, 1);
    check_eq(usleep(20000), 0);
    check_eq(stats_of(pool).threads, 1, "it shrank below its minimum");
    check_eq(stats_of(pool).threads_most, 3);
    /* And it grows again, on the places of threads that left. */
    gate = 0;
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run}, .gate = &gate};
        submit(pool, &tasks[i].task);
    }
    for (int i = 0; i < 3; i++)
        await(&tasks[i].started, 1);
    ring3_store(&gate, 1, RING3_RELEASE);
    finish(pool);
}

TEST(pool, keeps_between_min_and_max_threads)
{
    /* With no patience at all, many threads want to leave at once. */
    const ring3_pool_options_t options = {.min = 2, .max = 4, .idle_ns = 1};
    ring3_pool_t *pool;
    struct gated tasks[200];

    check_eq(ring3_pool_create(&pool, &options), 0);
    for (int round = 0; round < 20; round++) {
        uint32_t gate = 0;

        for (int i = 0; i < 200; i++) {
            tasks[i] = (struct gated){.task = {.run = gated_run}, .gate = &gate};
            submit(pool, &tasks[i].task);
        }
        for (int i = 0; i < 4; i++)
            await(&tasks[i].started, 1);
        ring3_store(&gate, 1, RING3_RELEASE);
        for (int i = 0; i < 200; i++)
            check_eq(ring3_task_wait(&tasks[i].task, NULL), 0);
        check_eq(usleep(1000), 0);
        check_ge(stats_of(pool).threads, 2);
        await_stat_of(pool, threads, 2);
    }
    check_eq(stats_of(pool).threads_most, 4);
    finish(pool);
}

struct probe {
    ring3_task_t task;
    char name[16];
    size_t stack_size;
    int blocks_signals;
};

static int look_around(ring3_task_t *task)
{
    struct probe *const self = ring3_container_of(task, struct probe, task);
    pthread_attr_t attributes;
    sigset_t blocked;

    (void)pthread_getname_np(pthread_self(), self->name, sizeof self->name);
    if (pthread_getattr_np(pthread_self(), &attributes))
        return -EINVAL;
    (void)pthread_attr_getstacksize(&attributes, &self->stack_size);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    self->blocks_signals = sigismember(&blocked, SIGTERM);
    return 0;
}

struct hooks {
    uint32_t inits, finis;
};

static void count_init(void *argument, unsigned worker)
{
    struct hooks *const hooks = argument;

    (void)worker;
    (void)ring3_fetch_add(&hooks->inits, 1, RING3_RELAXED);
}

static void count_fini(void *argument, unsigned worker)
{
    struct hooks *const hooks = argument;

    (void)worker;
    (void)ring3_fetch_add(&hooks->finis, 1, RING3_RELAXED);
}

TEST(pool, threads_have_names_stacks_hooks_and_no_signals)
{
    struct hooks hooks = {0};
    const ring3_pool_options_t options = {.name = "a-name-that-is-too-long",
                                          .max = 1,
                                          .stack_size = 1 << 20,
                                          .init = count_init,
                                          .fini = count_fini,
                                          .argument = &hooks};
    struct probe probe = {.task = {.run = look_around}};
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &options), 0);
    submit(pool, &probe.task);
    check_eq(ring3_task_wait(&probe.task, NULL), 0);
    check_str_eq(probe.name, "a-name-that/0");
    check_ge(probe.stack_size, (size_t)1 << 20);
    check_lt(probe.stack_size, (size_t)2 << 20);
    check_eq(probe.blocks_signals, 1);
    finish(pool);
    check_eq(hooks.inits, 1);
    check_eq(hooks.finis, 1);
}

TEST(pool, refuses_options_that_cannot_be)
{
    const ring3_pool_options_t few = {.min = 3, .max = 2}, past = {.max = 1, .idle_ns = -1},
                               narrow = {.max = 2, .stack_size = 1};
    ring3_pool_t *pool = NULL;

    check_eq(ring3_pool_create(&pool, &few), -EINVAL);
    check_eq(ring3_pool_create(&pool, &past), -EINVAL);
    check_eq(ring3_pool_create(&pool, &narrow), -EINVAL);
    check(pool == NULL);
}

TEST(pool, uses_no_cpu_time_while_idle)
{
    ring3_pool_t *const pool = pool_of(4, 0);
    struct rusage before, after;

    check_eq(usleep(50000), 0); /* all are asleep */
    check_eq(getrusage(RUSAGE_SELF, &before), 0);
    check_eq(usleep(300000), 0);
    check_eq(getrusage(RUSAGE_SELF, &after), 0);
    /* Workers that polled every millisecond would switch 1200 times. Our own sleep and a
     * sanitizer's helper thread come to some. */
    check_le(after.ru_nvcsw - before.ru_nvcsw, 40, "idle workers woke up");
    finish(pool);
}

/* --- Closing ---------------------------------------------------------------------------------- */

TEST(pool, drain_runs_what_is_queued_and_refuses_more)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct gated tasks[50], late = {.task = {.run = gated_run}};

    for (int i = 0; i < 50; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run}};
        submit(pool, &tasks[i].task);
    }
    for (int again = 0; again < 2; again++)
        check_eq(ring3_pool_shutdown(pool, RING3_POOL_DRAIN, NULL), 0);
    for (int i = 0; i < 50; i++)
        check_eq(tasks[i].started, 1);
    check_eq(ring3_pool_submit(pool, &late.task, RING3_POOL_FAIL, NULL), -ESHUTDOWN);
    finish(pool);
}

TEST(pool, closing_grows_stricter_up_to_now)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    uint32_t gate = 0; /* never opened */
    struct gated running = {.task = {.run = gated_run}, .gate = &gate}, queued = running;
    struct timespec soon = in_ms(10);

    submit(pool, &running.task);
    await(&running.started, 1);
    submit(pool, &queued.task);
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_DRAIN, &soon), -ETIMEDOUT);
    check_eq(stats_of(pool).queued, 1);
    soon = in_ms(10);
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_CANCEL, &soon), -ETIMEDOUT);
    check_eq(queued.task.result, -ECANCELED);
    check_eq(running.task.state, RING3_TASK_RUNNING);
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_NOW, NULL), 0);
    check_eq(queued.started, 0);
    finish(pool);
}

struct closer {
    ring3_task_t task;
    ring3_pool_t *pool;
    int destroyed;
};

static int close_own_pool(ring3_task_t *task)
{
    struct closer *const self = ring3_container_of(task, struct closer, task);

    self->destroyed = ring3_pool_destroy(self->pool);
    return ring3_pool_shutdown(self->pool, RING3_POOL_NOW, NULL);
}

TEST(pool, closing_from_a_worker_is_an_error_and_does_nothing)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct closer closer = {.task = {.run = close_own_pool}, .pool = pool};
    struct gated after = {.task = {.run = gated_run}};

    submit(pool, &closer.task);
    check_eq(ring3_task_wait(&closer.task, NULL), 0);
    check_eq(closer.task.result, -EDEADLK);
    check_eq(closer.destroyed, -EDEADLK);
    submit(pool, &after.task);
    finish(pool);
    check_eq(after.started, 1);
}

/* --- Random closing --------------------------------------------------------------------------- */

#define PRODUCERS 3

struct producer {
    ring3_pool_t *pool;
    pthread_t thread;
    struct gated tasks[100];
    uint32_t accepted;
};

static void *produce(void *argument)
{
    struct producer *const self = argument;

    for (int i = 0; i < 100; i++) {
        struct gated *const gated = &self->tasks[i];

        *gated = (struct gated){.task = {.run = gated_run, .priority = (uint32_t)i % 8}};
        if (ring3_pool_submit(self->pool, &gated->task, (ring3_pool_full_t)(i % 4), NULL) == 0)
            self->accepted++;
        if (i % 7 == 0)
            (void)ring3_task_cancel(&gated->task);
    }
    return NULL;
}

static void close_at_random(unsigned *seed)
{
    const ring3_pool_options_t options = {
        .min = 1, .max = 3, .capacity = 1 + (size_t)rand_r(seed) % 16, .idle_ns = 10000};
    static struct producer producers[PRODUCERS];
    uint32_t accepted = 0;
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &options), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].pool = pool;
        producers[i].accepted = 0;
        check_eq(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    check_eq(usleep((useconds_t)rand_r(seed) % 300), 0);
    const ring3_pool_closing_t how = (ring3_pool_closing_t)(RING3_POOL_DRAIN + rand_r(seed) % 3);

    check_eq(ring3_pool_shutdown(pool, how, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        accepted += producers[i].accepted;
        for (int j = 0; j < 100; j++)
            check(producers[i].tasks[j].task.state == RING3_TASK_DONE ||
                  producers[i].tasks[j].task.state == RING3_TASK_IDLE);
    }
    check_eq(stats_of(pool).submitted, accepted);
    finish(pool);
}

TEST(pool, loses_nothing_whenever_it_closes, 120)
{
    unsigned seed = 1;

    /* 300 tasks each: ten million in a long run. */
    for (long round = scaled(200, 33400); round > 0; round--)
        close_at_random(&seed);
}

/* --- Threads that end inside a task ----------------------------------------------------------- */

static int leave_thread(ring3_task_t *task)
{
    (void)task;
    pthread_exit(NULL);
}

static int cancel_thread(ring3_task_t *task)
{
    (void)task;
    (void)pthread_cancel(pthread_self());
    pthread_testcancel();
    return 0;
}

TEST(pool, survives_tasks_that_end_their_thread)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    struct gated after = {.task = {.run = gated_run, .group = &group}};
    ring3_task_t exits = {.run = leave_thread, .group = &group},
                 cancels = {.run = cancel_thread, .group = &group};

    ring3_group_init(&group, pool, 0);
    submit(pool, &exits);
    submit(pool, &cancels);
    submit(pool, &after.task);
    check_eq(ring3_group_wait(&group, NULL), 0);
    check_eq(exits.result, -ECANCELED);
    check_eq(cancels.result, -ECANCELED);
    check_eq(after.started, 1);
    check_ge(stats_of(pool).starts, 3);
    finish(pool);
}

/* --- Forks ------------------------------------------------------------------------------------ */

/* TSan allows no new threads in a child of a process with threads. */
static void use_own_pool(void)
{
#ifndef RING3_TSAN
    ring3_pool_t *const own = pool_of(1, 0);
    struct gated gated = {.task = {.run = gated_run}};

    submit(own, &gated.task);
    finish(own);
    check_eq(gated.started, 1);
#endif
}

TEST(pool, is_gone_in_a_child)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    uint32_t gate = 0;
    struct gated running = {.task = {.run = gated_run}, .gate = &gate},
                 fresh = {.task = {.run = gated_run}};
    ring3_pool_stats_t stats;
    ring3_group_t group;

    ring3_group_init(&group, pool, 0);
    submit(pool, &running.task);
    const pid_t child = fork();

    if (child == 0) {
        check_eq(ring3_pool_submit(pool, &fresh.task, RING3_POOL_BLOCK, NULL), -ECHILD);
        check_eq(ring3_task_wait(&running.task, NULL), -ECHILD);
        check_eq(ring3_task_cancel(&running.task), -ECHILD);
        check_eq(ring3_group_wait(&group, NULL), -ECHILD);
        check_eq(ring3_pool_shutdown(pool, RING3_POOL_NOW, NULL), -ECHILD);
        check_eq(ring3_pool_stats(pool, &stats), -ECHILD);
        check_eq(ring3_pool_destroy(pool), 0);
        use_own_pool();
        _exit(0);
    }
    check_child(child);
    ring3_store(&gate, 1, RING3_RELEASE);
    finish(pool);
}

struct forker {
    ring3_task_t task;
    pid_t child;
};

static int fork_and_return(ring3_task_t *task)
{
    ring3_container_of(task, struct forker, task)->child = fork();
    return 0;
}

TEST(pool, a_task_may_fork)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    struct forker forker = {.task = {.run = fork_and_return}};

    submit(pool, &forker.task);
    check_eq(ring3_task_wait(&forker.task, NULL), 0);
    check_child(forker.child);
    finish(pool);
}
