/* SPDX-License-Identifier: MIT */
/* Peer: libuv's pool, whose loop learns of every task that is done. `param` is the number of workers. */
#include "work.h"

#include <stdio.h>
#include <uv.h>

#define BATCH 256

static void *prepare(const struct ring3_bench *bench, int threads, int64_t param)
{
    uv_loop_t *const loop = malloc(sizeof *loop);
    char size[16];

    (void)bench, (void)threads;
    (void)snprintf(size, sizeof size, "%d", (int)param);
    if (!loop || setenv("UV_THREADPOOL_SIZE", size, 1) != 0 || uv_loop_init(loop) != 0)
        abort();
    return loop;
}

static void clean_up(void *shared)
{
    (void)uv_loop_close(shared);
    free(shared);
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void done(uv_work_t *work, int status)
{
    (void)work, (void)status;
}

static void submit(struct ring3_bench_thread *t)
{
    uv_work_t tasks[BATCH];

    while (ring3_bench_running(t)) {
        for (int i = 0; i < BATCH; i++)
            if (uv_queue_work(t->shared, &tasks[i], do_nothing, done) != 0)
                abort();
        (void)uv_run(t->shared, UV_RUN_DEFAULT);
        t->ops += BATCH;
    }
}
RING3_BENCH(submit, .name = "submit/libuv", .body = submit, .setup = prepare, .teardown = clean_up,
            .params = {1, 2});
