/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks in C on Google Benchmark.
 *
 *     static void body(struct ring3_bench_thread *t)
 *     {
 *         while (ring3_bench_running(t))
 *             for (int i = 0; i < 64; i++, t->ops++)
 *                 work(t->shared);
 *     }
 *     RING3_BENCH(ring_throughput, .name = "ring/throughput", .body = body, .threads = {1, 2, 4});
 *
 * One benchmark runs once per entry of `threads` and of `params`. Every run lasts a fixed time
 * (--ring3_seconds, 0.15 unless the benchmark says otherwise): all threads start behind a barrier,
 * and ring3_bench_running turns false when the time is over. A body that ignores it and does a
 * fixed amount of work is measured just as well.
 *
 * What is reported: `real_time` is the wall time from the start of the first thread to the end of
 * the last, divided by the operations of all threads together, and `items_per_second` its inverse.
 * Neither is divided by the number of threads. Counters that every benchmark has: cpu_s (CPU time
 * of all threads), peak_rss_kb (of the process); with several threads jain (Jain's fairness index
 * of the operations per thread: 1 = equal, 1/n = one thread had everything); longest_wait_us if a
 * body recorded waits.
 */
#ifndef RING3_BENCH_H
#define RING3_BENCH_H

#include "ring3/atomic.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RING3_BENCH_CHOICES  12 /* entries of a thread or parameter list; zero ends it */
#define RING3_BENCH_COUNTERS 8

struct ring3_bench_counter {
    const char *name;
    double value;
};

/* What a body sees. The fields up to `local` are set for it; it writes the others. */
struct ring3_bench_thread {
    int index, threads;
    int64_t param;     /* this run's entry of `params`; 0 when there are none */
    void *shared;      /* what setup returned */
    void *local;       /* what thread_setup returned */
    const bool *ended; /* through ring3_bench_running */

    uint64_t ops;          /* operations done: the body counts them */
    uint64_t longest_wait; /* cycles, through ring3_bench_waited */
    struct ring3_bench_counter counters[RING3_BENCH_COUNTERS];
};

struct ring3_bench {
    const char *name; /* slashes make groups */
    void (*body)(struct ring3_bench_thread *t);
    /* Once per run, before and after all threads; what setup returns is t->shared. */
    void *(*setup)(const struct ring3_bench *bench, int threads, int64_t param);
    void (*teardown)(void *shared);
    /* In each thread, outside the measured time; what thread_setup returns is t->local. */
    void *(*thread_setup)(struct ring3_bench_thread *t);
    void (*thread_teardown)(struct ring3_bench_thread *t);
    int threads[RING3_BENCH_CHOICES];    /* empty: one thread */
    int64_t params[RING3_BENCH_CHOICES]; /* empty: one run without a parameter */
    const void *context;                 /* for the benchmark's own use */
    double seconds;                      /* 0: what --ring3_seconds says */
    struct ring3_bench *next;            /* the registry's */
};

/* Adds a benchmark; it must stay where it is. Call before main or in a constructor. */
void ring3_bench_register(struct ring3_bench *bench);

/* Registers a benchmark in one line. */
#define RING3_BENCH(id, ...)                                                                       \
    static struct ring3_bench ring3_bench_##id = {__VA_ARGS__};                                    \
    __attribute__((constructor)) static void ring3_bench_register_##id(void)                       \
    {                                                                                              \
        ring3_bench_register(&ring3_bench_##id);                                                   \
    }                                                                                              \
    struct ring3_bench /* takes the semicolon */

static inline bool ring3_bench_running(const struct ring3_bench_thread *t)
{
    return !ring3_load(t->ended, RING3_RELAXED);
}

/* A clock of a few nanoseconds for waits: cycles where the machine has a counter. */
static inline uint64_t ring3_bench_clock(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* Records one wait of `cycles`; the longest over all threads is reported as longest_wait_us. */
static inline void ring3_bench_waited(struct ring3_bench_thread *t, uint64_t cycles)
{
    if (cycles > t->longest_wait)
        t->longest_wait = cycles;
}

/* Adds to a counter of the benchmark's own; the report has the sum over the threads. */
void ring3_bench_count(struct ring3_bench_thread *t, const char *name, double value);

/* Work that the compiler can neither remove nor shorten: `turns` turns of an empty loop. */
static inline void ring3_bench_spin(int turns)
{
    for (int i = 0; i < turns; i++)
        __asm__ volatile("");
}

#ifdef __cplusplus
}
#endif

#endif
