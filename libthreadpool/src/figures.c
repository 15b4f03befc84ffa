/* SPDX-License-Identifier: MIT */
/* Figures of measured pools, and the table of all pools. */
#include "core.h"

#include "ring3/counters.h"

#include <errno.h>
#include <string.h>

/* --- The table of pools ----------------------------------------------------------------------- */

/* Of the process: tools find all its pools through one table of counters. */
static struct figures_row rows[FIGURES_ROWS];

void figures_show(const ring3_pool_t *pool)
{
    ring3_counter_table(FIGURES_POOLS, rows, FIGURES_ROWS, sizeof rows[0]);
    for (int i = 0; i < FIGURES_ROWS; i++) {
        uint64_t *const row = &rows[i].pool;

        /* Relaxed: only other processes read what a row points to, whenever they like. */
        if (!ring3_load(row, RING3_RELAXED) &&
            ring3_cas(row, 0, (uint64_t)(uintptr_t)pool, RING3_RELAXED) == 0) {
            ring3_store(&rows[i].size, sizeof *pool, RING3_RELAXED);
            return;
        }
    }
}

void figures_hide(const ring3_pool_t *pool)
{
    for (int i = 0; i < FIGURES_ROWS; i++)
        if (ring3_load(&rows[i].pool, RING3_RELAXED) == (uint64_t)(uintptr_t)pool)
            ring3_store(&rows[i].pool, 0, RING3_RELAXED);
}

void figures_forget(void)
{
    for (int i = 0; i < FIGURES_ROWS; i++)
        ring3_store(&rows[i].pool, 0, RING3_RELAXED);
}

/* --- Noting, with the lock held --------------------------------------------------------------- */

void figures_queue(ring3_pool_t *pool)
{
    const size_t length = pool->queue.length;
    size_t bin = length ? 64 - (size_t)__builtin_clzll(length) : 0;

    if (bin >= RING3_POOL_LENGTHS)
        bin = RING3_POOL_LENGTHS - 1;
    pool->measured->lengths[bin]++;
}

/* True if the frame is a worker's own, and no task that it runs while it waits in another. */
static bool outermost(const struct frame *frame)
{
    return frame->outer && !frame->outer->task && frame->outer->pool == frame->pool;
}

void figures_run(ring3_pool_t *pool, const struct frame *frame, uint64_t ended)
{
    struct measured *const measured = pool->measured;
    const uint64_t entered = frame->entered < frame->begun ? frame->entered : frame->begun;

    if (pool->trace)
        pool_trace_add(pool->trace, TRACE_TASK, frame->begun, ended,
                       (uint64_t)(uintptr_t)frame->run, entered);
    if (!measured)
        return;
    if (outermost(frame))
        measured->busy += ended - frame->begun;
    /* One that was submitted before measuring or tracing began has no time of submission. */
    if (!frame->entered)
        return;
    histogram_add(&measured->wait, frame->begun - entered);
    histogram_add(&measured->service, ended - frame->begun);
    histogram_add(&measured->latency, ended - entered);
}

void figures_slept(struct worker *worker)
{
    ring3_pool_t *const pool = worker->pool;
    const uint64_t now = worker->asleep ? pool_now() : 0;

    if (worker->asleep && pool->trace)
        pool_trace_add(pool->trace, TRACE_SLEEP, worker->asleep, now, 0, 0);
    if (worker->asleep && pool->measured) {
        pool->measured->idle += now - worker->asleep;
        pool->measured->sleeps++;
    }
    worker->asleep = 0;
}

static uint64_t cpu_of(clockid_t clock)
{
    struct timespec used = {0, 0};

    (void)clock_gettime(clock, &used);
    return (uint64_t)used.tv_sec * RING3_SECOND_NS + (uint64_t)used.tv_nsec;
}

void figures_gone(ring3_pool_t *pool)
{
    if (pool->measured)
        pool->measured->cpu_gone += cpu_of(CLOCK_THREAD_CPUTIME_ID);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* What has not been added up yet. */
static void add_current(const ring3_pool_t *pool, ring3_pool_figures_t *figures, uint64_t now)
{
    for (unsigned i = 0; i < pool_slots(pool); i++) {
        const struct worker *const worker = &pool->workers[i];

        if (worker->slot == SLOT_FREE || !worker->has_clock)
            continue;
        figures->cpu_ns += cpu_of(worker->clock);
        if (worker->asleep)
            figures->idle_ns += now - worker->asleep;
    }
}

int ring3_pool_figures(ring3_pool_t *pool, ring3_pool_figures_t *figures)
{
    const struct measured *const measured = pool->measured;

    if (pool_forked(pool))
        return -ECHILD;
    if (!measured)
        return -EINVAL;
    pool_lock(pool);
    const uint64_t now = pool_now();

    *figures = (ring3_pool_figures_t){
        .tasks = measured->latency.count,
        .elapsed_ns = now - measured->since,
        .busy_ns = measured->busy,
        .idle_ns = measured->idle,
        .sleeps = measured->sleeps,
        .cpu_ns = measured->cpu_gone,
        .memory = pool_size(&pool->options) + sizeof *measured,
        .memory_per_task = sizeof(ring3_task_t),
        .wait = histogram_times(&measured->wait),
        .service = histogram_times(&measured->service),
        .latency = histogram_times(&measured->latency),
    };
    memcpy(figures->lengths, measured->lengths, sizeof figures->lengths);
    add_current(pool, figures, now);
    const uint64_t done = pool->stats.done;

    pool_unlock_unchanged(pool);
    const double busy = (double)figures->busy_ns, idle = (double)figures->idle_ns;

    if (figures->elapsed_ns)
        figures->throughput = (double)figures->tasks * 1e9 / (double)figures->elapsed_ns;
    if (busy + idle > 0)
        figures->utilisation = busy / (busy + idle);
    if (done)
        figures->cpu_ns_per_task = (double)figures->cpu_ns / (double)done;
    return 0;
}

int ring3_pool_figures_reset(ring3_pool_t *pool)
{
    struct measured *const measured = pool->measured;

    if (pool_forked(pool))
        return -ECHILD;
    if (!measured)
        return -EINVAL;
    pool_lock(pool);
    const uint64_t cpu_gone = measured->cpu_gone, now = pool_now();

    *measured = (struct measured){.since = now, .cpu_gone = cpu_gone};
    for (unsigned i = 0; i < pool_slots(pool); i++)
        if (pool->workers[i].asleep)
            pool->workers[i].asleep = now;
    pool_unlock_unchanged(pool);
    return 0;
}

int ring3_pool_share_over(ring3_pool_t *pool, uint64_t ns, double *share)
{
    const struct measured *const measured = pool->measured;

    if (pool_forked(pool))
        return -ECHILD;
    if (!measured)
        return -EINVAL;
    pool_lock(pool);
    const uint64_t over = histogram_over(&measured->latency, ns), count = measured->latency.count;

    pool_unlock_unchanged(pool);
    *share = count ? (double)over / (double)count : 0;
    return 0;
}
