/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "ring3/atomic.h"
#include "ring3/container.h"

#include <string.h>
#include <time.h>

static unsigned gated_runs;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

int gated_run(ring3_task_t *task)
{
    struct gated *const self = ring3_container_of(task, struct gated, task);

    self->order = ring3_fetch_add(&gated_runs, 1, RING3_RELAXED) + 1;
    ring3_store(&self->started, 1, RING3_RELEASE);
    while (self->gate && !ring3_load(self->gate, RING3_ACQUIRE) && !ring3_task_cancelled(task))
        nap();
    return self->result;
}

void gated_restart(void)
{
    ring3_store(&gated_runs, 0, RING3_RELAXED);
}

void await(const uint32_t *word, uint32_t value)
{
    while (ring3_load(word, RING3_ACQUIRE) != value)
        nap();
}

void await_stat(ring3_pool_t *pool, size_t member, uint64_t value)
{
    for (;;) {
        const ring3_pool_stats_t stats = stats_of(pool);
        uint64_t seen = 0;

        memcpy(&seen, (const char *)&stats + member,
               member == offsetof(ring3_pool_stats_t, threads) ? sizeof stats.threads
                                                               : sizeof seen);
        if (seen == value)
            return;
        nap();
    }
}

ring3_pool_t *pool_of(unsigned threads, size_t capacity)
{
    const ring3_pool_options_t options = {.max = threads, .capacity = capacity};
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &options), 0);
    return pool;
}

void submit(ring3_pool_t *pool, ring3_task_t *task)
{
    check_eq(ring3_pool_submit(pool, task, RING3_POOL_BLOCK, NULL), 0);
}

ring3_pool_stats_t stats_of(ring3_pool_t *pool)
{
    ring3_pool_stats_t stats;

    check_eq(ring3_pool_stats(pool, &stats), 0);
    check_eq(stats.submitted,
             stats.done + stats.cancelled + stats.delayed + stats.queued + stats.running);
    return stats;
}

void finish(ring3_pool_t *pool)
{
    check_eq(ring3_pool_shutdown(pool, RING3_POOL_DRAIN, NULL), 0);
    const ring3_pool_stats_t stats = stats_of(pool);

    check_eq(stats.submitted, stats.done + stats.cancelled);
    check_eq(stats.threads, 0);
    check_eq(ring3_pool_destroy(pool), 0);
}

struct timespec in_ms(int milliseconds)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, milliseconds * INT64_C(1000000));
}
