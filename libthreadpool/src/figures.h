/* SPDX-License-Identifier: MIT */
/* The inside of ring3/pool_figures.h: what is counted, and the table that `ring3 pool top` reads. */
#ifndef RING3_FIGURES_H
#define RING3_FIGURES_H

#include "ring3/pool_figures.h"

#include <time.h>

/* Values below 16 have a bin each; above, every power of two has 16. */
#define HISTOGRAM_STEPS 16
#define HISTOGRAM_BINS  (HISTOGRAM_STEPS * 61)

struct histogram {
    uint64_t count, sum, most;
    uint64_t bins[HISTOGRAM_BINS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest bound that a share of `part` in `of` values does not exceed; 0 without values. */
uint64_t histogram_quantile(const struct histogram *histogram, uint64_t part, uint64_t of);

/* Values in bins that begin above `value`. */
uint64_t histogram_over(const struct histogram *histogram, uint64_t value);

ring3_pool_times_t histogram_times(const struct histogram *histogram);

/* Of a measured pool; under its lock. */
struct measured {
    uint64_t since;
    struct histogram wait, service, latency;
    uint64_t lengths[RING3_POOL_LENGTHS];
    uint64_t busy, idle, sleeps;
    uint64_t cpu_gone; /* of threads that have ended */
};

/* The pools of the process: rows of the table of counters that has this name, which is to change
 * when struct ring3_pool does in a way that its size does not show. */
#define FIGURES_POOLS "pool.pools.1"

struct figures_row {
    uint64_t pool; /* its address; 0: none */
    uint64_t size; /* sizeof(struct ring3_pool) */
};

#define FIGURES_ROWS 64

/* Show a pool to tools, and show it no more. When all rows are taken it is not shown. */
void figures_show(const ring3_pool_t *pool);
void figures_hide(const ring3_pool_t *pool);

/* In a child of fork: there are no pools. */
void figures_forget(void);

static inline uint64_t pool_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- Events ----------------------------------------------------------------------------------- */

enum trace_kind { TRACE_TASK, TRACE_SLEEP, TRACE_STOLEN };

/* An event of the calling thread: `what` is the function it ran, `from` when that was submitted or, of
 * what was stolen, from which member. */
void pool_trace_add(ring3_pooltrace_t *trace, enum trace_kind kind, uint64_t begin, uint64_t end,
                    uint64_t what, uint64_t from);

#endif
