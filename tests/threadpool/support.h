/* SPDX-License-Identifier: MIT */
/* What the suites of libthreadpool share. */
#ifndef THREADPOOL_SUPPORT_H
#define THREADPOOL_SUPPORT_H

#include "ring3_test.h"

#include "ring3/pool.h"
#include "ring3/wait.h"

#include <errno.h>

/* A task that waits until its gate is opened, and counts itself. */
struct gated {
    ring3_task_t task;
    uint32_t *gate; /* NULL: none */
    uint32_t started;
    int result;
    unsigned order; /* the how many-th to run, from 1 */
};

int gated_run(ring3_task_t *task);
/* The next gated task to run is number 1. */
void gated_restart(void);

/* Waits until *word == value. */
void await(const uint32_t *word, uint32_t value);
void await_stat(ring3_pool_t *pool, size_t member, uint64_t value);
#define await_stat_of(pool, member, value)                                                         \
    await_stat(pool, offsetof(ring3_pool_stats_t, member), value)

/* A pool of that many threads and that capacity (0: the default). */
ring3_pool_t *pool_of(unsigned threads, size_t capacity);
void submit(ring3_pool_t *pool, ring3_task_t *task);
ring3_pool_stats_t stats_of(ring3_pool_t *pool);
/* Checks submitted = done + cancelled + delayed + queued + running, and destroys the pool. */
void finish(ring3_pool_t *pool);

struct timespec in_ms(int milliseconds);

#endif
