/* SPDX-License-Identifier: MIT */
/*
 * What a pool has done, and where its time went.
 *
 *     const ring3_pool_options_t options = {.measure = true};
 *     err = ring3_pool_create(&pool, &options);
 *     …
 *     err = ring3_pool_figures(pool, &figures);                 p50, p99, p99.9, utilisation, …
 *     err = ring3_pool_share_over(pool, 10000000, &share);      tasks that took longer than 10 ms
 *
 *     err = ring3_pooltrace_create(&trace, 100000);
 *     err = ring3_pool_trace(pool, trace);                      from now on
 *     …
 *     err = ring3_pooltrace_write(trace, fd);                   for chrome://tracing or Perfetto
 *
 * Times of a task: it waits from its submission, or from when it was due, until it begins; service is
 * from there to its end; latency is both. Cancelled tasks have none. Histograms have 16 steps per
 * power of two, so that a percentile is at most 1/16 too high.
 *
 * A pool that is neither measured nor traced reads no clock. `ring3 pool top PID` shows the pools of
 * a running process without stopping it.
 *
 * All functions are thread-safe and none is async-signal-safe.
 */
#ifndef RING3_POOL_FIGURES_H
#define RING3_POOL_FIGURES_H

#include "ring3/api.h"
#include "ring3/forkjoin.h"
#include "ring3/pool.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

/** Nanoseconds. */
typedef struct ring3_pool_times {
    uint64_t mean, p50, p99, p999, most;
} ring3_pool_times_t;

#define RING3_POOL_LENGTHS 24

typedef struct ring3_pool_figures {
    uint64_t tasks;      /* that ran since the pool was made, or since ring3_pool_figures_reset */
    uint64_t elapsed_ns; /* since then */
    double throughput;   /* tasks per second */
    double utilisation;  /* of the threads' time: 1 = never idle */
    uint64_t busy_ns;    /* of all threads, in tasks */
    uint64_t idle_ns;    /* of all threads, asleep for want of tasks */
    uint64_t sleeps;
    uint64_t cpu_ns; /* of all threads since the pool was made */
    double cpu_ns_per_task;
    size_t memory; /* bytes that the pool allocated, without the stacks of its threads */
    size_t memory_per_task;
    ring3_pool_times_t wait, service, latency;
    /* How many tasks came upon a queue of which length: [0] an empty one, [n] 2^(n-1) to 2^n - 1. */
    uint64_t lengths[RING3_POOL_LENGTHS];
} ring3_pool_figures_t;

/** @return 0; -EINVAL: the pool is not measured; -ECHILD */
int ring3_pool_figures(ring3_pool_t *pool, ring3_pool_figures_t *figures);

/** Begin anew. @return as above */
int ring3_pool_figures_reset(ring3_pool_t *pool);

/** The share of tasks, 0 to 1, whose latency was above `ns`; those in the step of the histogram that
 * `ns` is in do not count. 0 before the first task. @return as above */
int ring3_pool_share_over(ring3_pool_t *pool, uint64_t ns, double *share);

/* --- Traces ----------------------------------------------------------------------------------- */

typedef struct ring3_pooltrace ring3_pooltrace_t;

/** Room for the last `records` events; one trace may serve several pools and teams.
 * @return 0; -ENOMEM; -EINVAL: none */
int ring3_pooltrace_create(ring3_pooltrace_t **trace, size_t records);

/** No pool or team may write to it any more. */
void ring3_pooltrace_destroy(ring3_pooltrace_t *trace);

/** Record each task, and each sleep of a thread; NULL ends it. @return 0; -ECHILD */
int ring3_pool_trace(ring3_pool_t *pool, ring3_pooltrace_t *trace);

/** Record each stolen fork, and each sleep of a member; NULL ends it. @return 0; -ECHILD */
int ring3_team_trace(ring3_team_t *team, ring3_pooltrace_t *trace);

/**
 * Write the trace as JSON, in Chrome's trace event format: one row per thread with what it ran, what
 * it stole and when it slept; tasks have the name of their function, or its address, and how long
 * they waited. May be called while events are recorded.
 * @return 0, or the negative errno of a write
 */
int ring3_pooltrace_write(ring3_pooltrace_t *trace, int fd);

RING3_API_END

#endif
