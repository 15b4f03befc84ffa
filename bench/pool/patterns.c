/* SPDX-License-Identifier: MIT */
/* Experiments on how work is dealt out: who chooses the worker, how many there are, and what they are for. */
#include "ring3_bench.h"

#include "ring3/container.h"
#include "ring3/crew.h"
#include "ring3/pipeline.h"
#include "ring3/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BATCH 64

struct job {
    ring3_task_t task;
    int turns;         /* of work */
    unsigned pause_us; /* and then it waits for so long, as for a disk */
    char *data;        /* or it reads so many bytes */
    size_t size;
};

/* So that short pauses are as long as they say. */
static void precise(void *argument, unsigned worker)
{
    (void)argument, (void)worker;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
}

static int work(ring3_task_t *task)
{
    const struct job *const job = ring3_container_of(task, struct job, task);

    ring3_bench_spin(job->turns);
    if (job->pause_us)
        (void)usleep(job->pause_us);
    for (size_t i = 0; i < job->size; i += 64)
        job->data[i]++;
    return 0;
}

static void wait_for(struct job *jobs, int count)
{
    for (int i = 0; i < count; i++)
        (void)ring3_task_wait(&jobs[i].task, NULL);
}

static ring3_pool_t *pool_of(ring3_pool_options_t options)
{
    ring3_pool_t *pool;

    options.init = precise;
    if (ring3_pool_create(&pool, &options))
        abort();
    return pool;
}

static ring3_crew_t *crew_of(unsigned workers, bool steal)
{
    const ring3_crew_options_t options = {.workers = workers, .steal = steal};
    ring3_crew_t *crew;

    if (ring3_crew_create(&crew, &options))
        abort();
    return crew;
}

/* --- The boss: one queue, or a worker that he chooses ----------------------------------------- */

#define BOSS_TURNS 2000

/* `param` workers. The boss keeps a task in hand per worker, and waits for the oldest. */
static void boss(struct ring3_bench_thread *t, ring3_pool_t *pool, ring3_crew_t *crew,
                 unsigned choice)
{
    struct job jobs[BATCH];

    for (int i = 0; i < BATCH; i++)
        jobs[i] = (struct job){.task = {.run = work}, .turns = BOSS_TURNS};
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            if (pool)
                (void)ring3_pool_submit(pool, &jobs[i].task, RING3_POOL_BLOCK, NULL);
            else
                (void)ring3_crew_submit(crew, &jobs[i].task, choice, RING3_POOL_BLOCK, NULL);
        wait_for(jobs, BATCH);
        t->ops += BATCH;
    }
}

static void boss_queue(struct ring3_bench_thread *t)
{
    ring3_pool_t *const pool = pool_of((ring3_pool_options_t){.max = (unsigned)t->param});

    boss(t, pool, NULL, 0);
    (void)ring3_pool_destroy(pool);
}
RING3_BENCH(boss_queue, .name = "boss/queue", .body = boss_queue, .params = {1, 2, 4, 8});

static void boss_direct(struct ring3_bench_thread *t)
{
    ring3_crew_t *const crew = crew_of((unsigned)t->param, false);

    boss(t, NULL, crew, RING3_CREW_SHORTEST);
    (void)ring3_crew_destroy(crew);
}
RING3_BENCH(boss_direct, .name = "boss/direct", .body = boss_direct, .params = {1, 2, 4, 8});

/* --- One queue, or one per worker --------------------------------------------------------------- */

/* Two workers; tasks of `param` turns. */
static void grain(struct ring3_bench_thread *t, ring3_pool_t *pool, ring3_crew_t *crew)
{
    struct job jobs[BATCH];

    for (int i = 0; i < BATCH; i++)
        jobs[i] = (struct job){.task = {.run = work}, .turns = (int)t->param};
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            if (pool)
                (void)ring3_pool_submit(pool, &jobs[i].task, RING3_POOL_BLOCK, NULL);
            else
                (void)ring3_crew_submit(crew, &jobs[i].task, RING3_CREW_ANY, RING3_POOL_BLOCK,
                                        NULL);
        wait_for(jobs, BATCH);
        t->ops += BATCH;
    }
}

static void one_queue(struct ring3_bench_thread *t)
{
    ring3_pool_t *const pool = pool_of((ring3_pool_options_t){.max = 2});

    grain(t, pool, NULL);
    (void)ring3_pool_destroy(pool);
}
RING3_BENCH(one_queue, .name = "queues/shared", .body = one_queue, .params = {1, 100, 1000, 10000});

static void own_queues(struct ring3_bench_thread *t)
{
    ring3_crew_t *const crew = crew_of(2, false);

    grain(t, NULL, crew);
    (void)ring3_crew_destroy(crew);
}
RING3_BENCH(own_queues, .name = "queues/own", .body = own_queues, .params = {1, 100, 1000, 10000});

static void stealing(struct ring3_bench_thread *t)
{
    ring3_crew_t *const crew = crew_of(2, true);

    grain(t, NULL, crew);
    ring3_bench_count(t, "stolen", (double)ring3_crew_stolen(crew));
    (void)ring3_crew_destroy(crew);
}
RING3_BENCH(stealing, .name = "queues/stealing", .body = stealing, .params = {1, 100, 1000, 10000});

/* --- How many workers: bursts of tasks ---------------------------------------------------------- */

#define BURST_TURNS 5000

/* Bursts of `param` tasks, with a pause in between. */
static void bursts(struct ring3_bench_thread *t, ring3_pool_options_t options)
{
    ring3_pool_t *const pool = pool_of(options);
    struct job jobs[BATCH];

    for (int i = 0; i < BATCH; i++)
        jobs[i] = (struct job){.task = {.run = work}, .turns = BURST_TURNS};
    while (ring3_bench_running(t)) {
        const uint64_t begin = ring3_bench_clock();

        for (int i = 0; i < t->param; i++)
            (void)ring3_pool_submit(pool, &jobs[i].task, RING3_POOL_BLOCK, NULL);
        wait_for(jobs, (int)t->param);
        ring3_bench_waited(t, ring3_bench_clock() - begin);
        t->ops += (uint64_t)t->param;
        (void)usleep(500);
    }
    ring3_pool_stats_t stats;

    (void)ring3_pool_stats(pool, &stats);
    ring3_bench_count(t, "starts", (double)stats.starts);
    (void)ring3_pool_destroy(pool);
}

static void fixed(struct ring3_bench_thread *t)
{
    bursts(t, (ring3_pool_options_t){.max = 4});
}
RING3_BENCH(fixed, .name = "count/static", .body = fixed, .params = {4, 16, 64});

static void dynamic(struct ring3_bench_thread *t)
{
    bursts(t, (ring3_pool_options_t){.min = 1, .max = 4, .idle_ns = 10000000});
}
RING3_BENCH(dynamic, .name = "count/dynamic", .body = dynamic, .params = {4, 16, 64});

static void on_demand(struct ring3_bench_thread *t)
{
    bursts(t, (ring3_pool_options_t){.max = 64, .on_demand = true});
}
RING3_BENCH(on_demand, .name = "count/on_demand", .body = on_demand, .params = {4, 16, 64});

/* --- Specialists: two kinds of tasks, each with data of its own -------------------------------- */

struct kinds {
    char *data[2];
    struct job jobs[BATCH];
};

static struct kinds *make_kinds(int64_t kib)
{
    struct kinds *const kinds = calloc(1, sizeof *kinds);

    for (int i = 0; kinds && i < 2; i++)
        kinds->data[i] = malloc((size_t)kib << 10);
    if (!kinds || !kinds->data[0] || !kinds->data[1])
        abort();
    for (int i = 0; i < 2; i++)
        memset(kinds->data[i], 1, (size_t)kib << 10);
    for (int i = 0; i < BATCH; i++)
        kinds->jobs[i] = (struct job){
            .task = {.run = work}, .data = kinds->data[i % 2], .size = (size_t)kib << 10};
    return kinds;
}

static void free_kinds(struct kinds *kinds)
{
    free(kinds->data[0]);
    free(kinds->data[1]);
    free(kinds);
}

/* `param` KiB of data per kind. */
static void kinds(struct ring3_bench_thread *t, bool specialised)
{
    const ring3_pool_options_t pinned = {.pin = true};
    const ring3_crew_options_t options = {.workers = 2, .pool = &pinned};
    struct kinds *const work_of = make_kinds(t->param);
    ring3_crew_t *crew;

    if (ring3_crew_create(&crew, &options))
        abort();
    while (ring3_bench_running(t)) {
        for (unsigned i = 0; i < BATCH; i++)
            /* The others get both kinds in turn: 0 and 1, then 1 and 0. */
            (void)ring3_crew_submit(crew, &work_of->jobs[i].task,
                                    specialised ? i % 2 : (i + i / 2) % 2, RING3_POOL_BLOCK, NULL);
        wait_for(work_of->jobs, BATCH);
        t->ops += BATCH;
    }
    (void)ring3_crew_destroy(crew);
    free_kinds(work_of);
}

static void specialised(struct ring3_bench_thread *t)
{
    kinds(t, true);
}
RING3_BENCH(specialised, .name = "kinds/specialised", .body = specialised,
            .params = {16, 128, 512, 4096});

static void mixed(struct ring3_bench_thread *t)
{
    kinds(t, false);
}
RING3_BENCH(mixed, .name = "kinds/mixed", .body = mixed, .params = {16, 128, 512, 4096});

/* --- Three steps that wait: 100, 200 and 100 microseconds ---------------------------------------- */

#define STEP_US 100

static void *step(void *item, void *argument)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    (void)usleep(*(const unsigned *)argument);
    return item;
}

static void through(struct ring3_bench_thread *t, ring3_pipeline_t *pipeline)
{
    static int item;

    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            (void)ring3_pipeline_put(pipeline, &item, NULL);
        t->ops += BATCH;
    }
    (void)ring3_pipeline_destroy(pipeline);
}

/* `param` threads in all. */
static void stages(struct ring3_bench_thread *t, const unsigned threads[3])
{
    unsigned costs[3] = {STEP_US, 2 * STEP_US, STEP_US};
    ring3_stage_t all[3];
    ring3_pipeline_t *pipeline;

    for (int i = 0; i < 3; i++)
        all[i] = (ring3_stage_t){.run = step, .argument = &costs[i], .threads = threads[i]};
    if (ring3_pipeline_create(&pipeline, all, 3, 32))
        abort();
    through(t, pipeline);
}

static void unbalanced(struct ring3_bench_thread *t)
{
    stages(t, (const unsigned[3]){2, 1, 1});
}
RING3_BENCH(unbalanced, .name = "steps/pipeline_2_1_1", .body = unbalanced);

static void balanced(struct ring3_bench_thread *t)
{
    stages(t, (const unsigned[3]){1, 2, 1});
}
RING3_BENCH(balanced, .name = "steps/pipeline_1_2_1", .body = balanced);

static void whole(struct ring3_bench_thread *t)
{
    ring3_pool_t *const pool = pool_of((ring3_pool_options_t){.max = 4});
    struct job jobs[BATCH];

    for (int i = 0; i < BATCH; i++)
        jobs[i] = (struct job){.task = {.run = work}, .pause_us = 4 * STEP_US};
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            (void)ring3_pool_submit(pool, &jobs[i].task, RING3_POOL_BLOCK, NULL);
        wait_for(jobs, BATCH);
        t->ops += BATCH;
    }
    (void)ring3_pool_destroy(pool);
}
RING3_BENCH(whole, .name = "steps/boss_worker", .body = whole);

static void layers(struct ring3_bench_thread *t)
{
    static unsigned once = STEP_US, twice = 2 * STEP_US;
    /* 100 on the way down and 100 on the way up in the outer layer, 200 in the inner one. */
    const ring3_layer_t all[] = {{.down = step, .up = step, .argument = &once, .threads = 2},
                                 {.down = step, .argument = &twice, .threads = 2}};
    ring3_pipeline_t *pipeline;

    if (ring3_layers_create(&pipeline, all, 2, 32))
        abort();
    through(t, pipeline);
}
RING3_BENCH(layers, .name = "steps/layers", .body = layers);

/* --- More threads than CPUs ---------------------------------------------------------------------- */

/* `param` threads for tasks that work for some 20 us and then wait for `pause_us`. */
static void threads_per_cpu(struct ring3_bench_thread *t, unsigned pause_us)
{
    ring3_pool_t *const pool = pool_of((ring3_pool_options_t){.max = (unsigned)t->param});
    struct job jobs[BATCH];

    for (int i = 0; i < BATCH; i++)
        jobs[i] = (struct job){.task = {.run = work}, .turns = 50000, .pause_us = pause_us};
    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            (void)ring3_pool_submit(pool, &jobs[i].task, RING3_POOL_BLOCK, NULL);
        wait_for(jobs, BATCH);
        t->ops += BATCH;
    }
    (void)ring3_pool_destroy(pool);
}

static void never_idle(struct ring3_bench_thread *t)
{
    threads_per_cpu(t, 0);
}
RING3_BENCH(never_idle, .name = "threads/idle_0us", .body = never_idle, .params = {1, 2, 4, 8, 16});

static void briefly_idle(struct ring3_bench_thread *t)
{
    threads_per_cpu(t, 5);
}
RING3_BENCH(briefly_idle, .name = "threads/idle_5us", .body = briefly_idle,
            .params = {1, 2, 4, 8, 16});

static void long_idle(struct ring3_bench_thread *t)
{
    threads_per_cpu(t, 200);
}
RING3_BENCH(long_idle, .name = "threads/idle_200us", .body = long_idle, .params = {1, 2, 4, 8, 16});
