/* SPDX-License-Identifier: MIT */
/* Teams and pools. `param` is the number of workers. */
#include "work.h"

#include "ring3/container.h"
#include "ring3/forkjoin.h"
#include "ring3/pool.h"

struct bench {
    ring3_fork_t fork;
    struct ring3_bench_thread *thread;
    ring3_team_t *team;
    ring3_pool_t *pool;
    struct vectors vectors;
};

static void *make_team(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct bench *const b = calloc(1, sizeof *b);

    (void)bench, (void)threads;
    if (!b || ring3_team_create(&b->team, (unsigned)param))
        abort();
    return b;
}

static void free_team(void *shared)
{
    struct bench *const b = shared;

    (void)ring3_team_destroy(b->team);
    free_vectors(&b->vectors);
    free(b);
}

static void on_team(struct ring3_bench_thread *t,
                    void (*body)(ring3_fork_t *fork, ring3_member_t *me))
{
    struct bench *const b = t->shared;

    b->thread = t;
    b->fork = (ring3_fork_t){.run = body};
    (void)ring3_team_run(b->team, &b->fork);
}

/* --- Spawn and sync --------------------------------------------------------------------------- */

struct fib {
    ring3_fork_t fork;
    int n;
    long result;
};

static long fib(int n, ring3_member_t *me);

static void fib_fork(ring3_fork_t *fork, ring3_member_t *me)
{
    struct fib *const self = ring3_container_of(fork, struct fib, fork);

    self->result = fib(self->n, me);
}

static long fib(int n, ring3_member_t *me)
{
    if (n < 2)
        return n;
    struct fib a = {.fork = {.run = fib_fork}, .n = n - 1};

    RING3_SPAWN(me, &a.fork);
    const long b = fib(n - 2, me);

    RING3_SYNC(me, &a.fork, fib_fork);
    return a.result + b;
}

static void spawn_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct ring3_bench_thread *const t = ring3_container_of(fork, struct bench, fork)->thread;

    while (ring3_bench_running(t)) {
        (void)fib(FIB, me);
        t->ops += FIB_SPAWNS;
    }
}

static void spawn(struct ring3_bench_thread *t)
{
    on_team(t, spawn_root);
}
RING3_BENCH(spawn, .name = "spawn/ring3_team", .body = spawn, .setup = make_team,
            .teardown = free_team, .params = {1, 2});

/* --- Loops ------------------------------------------------------------------------------------ */

static void nothing(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    (void)from, (void)to, (void)argument, (void)me;
}

static void empty_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct ring3_bench_thread *const t = ring3_container_of(fork, struct bench, fork)->thread;

    for (; ring3_bench_running(t); t->ops++)
        (void)ring3_parallel_for(me, 0, 2, 1, RING3_SCHEDULE_STATIC, nothing, NULL);
}

static void empty(struct ring3_bench_thread *t)
{
    on_team(t, empty_root);
}
RING3_BENCH(empty, .name = "loop/ring3_team", .body = empty, .setup = make_team,
            .teardown = free_team, .params = {2});

static void *make_saxpy(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct bench *const b = make_team(bench, threads, param);

    make_vectors(&b->vectors);
    return b;
}

static void saxpy_piece(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    (void)me;
    saxpy(argument, from, to);
}

static void saxpy_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct bench *const b = ring3_container_of(fork, struct bench, fork);

    for (; ring3_bench_running(b->thread); b->thread->ops++)
        (void)ring3_parallel_for(me, 0, SAXPY_LENGTH, 1 << 16, RING3_SCHEDULE_STATIC, saxpy_piece,
                                 &b->vectors);
}

static void run_saxpy(struct ring3_bench_thread *t)
{
    on_team(t, saxpy_root);
}
RING3_BENCH(saxpy, .name = "saxpy/ring3_team", .body = run_saxpy, .setup = make_saxpy,
            .teardown = free_team, .params = {1, 2});

static void rows(int64_t from, int64_t to, void *result, void *argument)
{
    uint64_t sum = 0;

    (void)argument;
    while (from < to)
        sum += mandelbrot_row(from++);
    *(uint64_t *)result = sum;
}

static void add(void *result, const void *following, void *argument)
{
    (void)argument;
    *(uint64_t *)result += *(const uint64_t *)following;
}

static void mandelbrot_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct ring3_bench_thread *const t = ring3_container_of(fork, struct bench, fork)->thread;
    const ring3_reduction_t sum = {.size = sizeof(uint64_t), .leaf = rows, .join = add};
    uint64_t turns = 0;

    for (; ring3_bench_running(t); t->ops++)
        (void)ring3_parallel_reduce(me, 0, MANDELBROT_SIZE, 1, &sum, &turns);
}

static void mandelbrot(struct ring3_bench_thread *t)
{
    on_team(t, mandelbrot_root);
}
RING3_BENCH(mandelbrot, .name = "mandelbrot/ring3_team", .body = mandelbrot, .setup = make_team,
            .teardown = free_team, .params = {1, 2});

/* --- Tasks from outside ------------------------------------------------------------------------ */

#define BATCH 256

static void *make_pool(const struct ring3_bench *bench, int threads, int64_t param)
{
    const ring3_pool_options_t options = {.max = (unsigned)param};
    struct bench *const b = calloc(1, sizeof *b);

    (void)bench, (void)threads;
    if (!b || ring3_pool_create(&b->pool, &options))
        abort();
    return b;
}

static void free_pool(void *shared)
{
    struct bench *const b = shared;

    (void)ring3_pool_destroy(b->pool);
    free(b);
}

static int do_nothing(ring3_task_t *task)
{
    (void)task;
    return 0;
}

/* With `flags` RING3_GROUP_HELP who waits takes part, as in a task group of TBB. */
static void submit_batches(struct ring3_bench_thread *t, uint32_t flags)
{
    struct bench *const b = t->shared;
    ring3_task_t tasks[BATCH];
    ring3_group_t group;

    ring3_group_init(&group, b->pool, flags);
    for (int i = 0; i < BATCH; i++)
        tasks[i] = (ring3_task_t){.run = do_nothing, .group = &group};
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            (void)ring3_pool_submit(b->pool, &tasks[i], RING3_POOL_BLOCK, NULL);
        (void)ring3_group_wait(&group, NULL);
        t->ops += BATCH;
    }
}

static void submit(struct ring3_bench_thread *t)
{
    submit_batches(t, 0);
}
RING3_BENCH(submit, .name = "submit/ring3_pool", .body = submit, .setup = make_pool,
            .teardown = free_pool, .params = {1, 2});

static void submit_and_help(struct ring3_bench_thread *t)
{
    submit_batches(t, RING3_GROUP_HELP);
}
RING3_BENCH(submit_and_help, .name = "submit/ring3_pool_helping", .body = submit_and_help,
            .setup = make_pool, .teardown = free_pool, .params = {1, 2});
