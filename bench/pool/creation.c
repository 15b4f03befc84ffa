/* SPDX-License-Identifier: MIT */
/* What it costs to have something done by another flow of control, and to wait for it. */
#include "ring3_bench.h"

#include "ring3/forkjoin.h"
#include "ring3/pool.h"
#include "ring3/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *nothing(void *argument)
{
    return argument;
}

static void by_process(struct ring3_bench_thread *t)
{
    for (; ring3_bench_running(t); t->ops++) {
        const pid_t child = fork();

        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            abort();
    }
}
RING3_BENCH(by_process, .name = "create/process", .body = by_process);

static void by_thread(struct ring3_bench_thread *t)
{
    pthread_t thread;

    for (; ring3_bench_running(t); t->ops++)
        if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
            abort();
}
RING3_BENCH(by_thread, .name = "create/kernel_thread", .body = by_thread);

static void by_user_thread(struct ring3_bench_thread *t)
{
    ring3_thread_t thread;

    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1, .policy = "rr"}))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < 64; i++, t->ops++)
            if (ring3_thread_create(&thread, NULL, nothing, NULL) ||
                ring3_thread_join(thread, NULL))
                abort();
    (void)ring3_runtime_stop();
}
RING3_BENCH(by_user_thread, .name = "create/ring3_user_thread", .body = by_user_thread);

static int do_nothing(ring3_task_t *task)
{
    (void)task;
    return 0;
}

#define BATCH 64

static void submit_and_wait(struct ring3_bench_thread *t, bool on_demand)
{
    const ring3_pool_options_t options = {.max = on_demand ? BATCH : 2, .on_demand = on_demand};
    ring3_task_t tasks[BATCH];
    ring3_pool_t *pool;

    if (ring3_pool_create(&pool, &options))
        abort();
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++) {
            tasks[i] = (ring3_task_t){.run = do_nothing};
            (void)ring3_pool_submit(pool, &tasks[i], RING3_POOL_BLOCK, NULL);
        }
        for (int i = 0; i < BATCH; i++)
            (void)ring3_task_wait(&tasks[i], NULL);
        t->ops += BATCH;
    }
    (void)ring3_pool_destroy(pool);
}

static void by_pool(struct ring3_bench_thread *t)
{
    submit_and_wait(t, false);
}
RING3_BENCH(by_pool, .name = "create/ring3_pool", .body = by_pool);

static void by_thread_per_task(struct ring3_bench_thread *t)
{
    submit_and_wait(t, true);
}
RING3_BENCH(by_thread_per_task, .name = "create/thread_per_task", .body = by_thread_per_task);

static void done_nothing(ring3_fork_t *fork, ring3_member_t *me)
{
    (void)fork, (void)me;
    ring3_compiler_barrier();
}

struct root {
    ring3_fork_t fork;
    struct ring3_bench_thread *thread;
};

static void spawn_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct ring3_bench_thread *const t = ((struct root *)(void *)fork)->thread;

    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++) {
            ring3_fork_t part = {.run = done_nothing};

            RING3_SPAWN(me, &part);
            RING3_SYNC(me, &part, done_nothing);
        }
}

static void by_team(struct ring3_bench_thread *t)
{
    struct root root = {{.run = spawn_root}, t};
    ring3_team_t *team;

    if (ring3_team_create(&team, 1) || ring3_team_run(team, &root.fork) || ring3_team_destroy(team))
        abort();
}
RING3_BENCH(by_team, .name = "create/ring3_fork", .body = by_team);
