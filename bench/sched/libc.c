/* SPDX-License-Identifier: MIT */
/* Peers: what the C library and the kernel bring. */
#include "ring3_bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#define BATCH 64

/* --- The bare switch -------------------------------------------------------------------------- */

static ucontext_t home, other;

static void bounce(void)
{
    for (;;)
        (void)swapcontext(&other, &home);
}

static void swap(struct ring3_bench_thread *t)
{
    static char stack[64 << 10];

    (void)getcontext(&other);
    other.uc_stack.ss_sp = stack;
    other.uc_stack.ss_size = sizeof stack;
    makecontext(&other, bounce, 0);
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops += 2)
            (void)swapcontext(&home, &other);
}

RING3_BENCH(swap, .name = "switch/swapcontext", .body = swap);

/* --- Threads, all on one CPU ------------------------------------------------------------------ */

static void stay_here(void)
{
    cpu_set_t one;
    const int cpu = sched_getcpu();

    CPU_ZERO(&one);
    CPU_SET(cpu < 0 ? 0 : (unsigned)cpu, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

static uint32_t over;

static void *yield_until_over(void *yields)
{
    uint64_t count = 0;

    for (; !ring3_load(&over, RING3_RELAXED); count++)
        (void)sched_yield();
    *(uint64_t *)yields = count;
    return NULL;
}

static void yields(struct ring3_bench_thread *t)
{
    uint64_t others = 0;
    pthread_t thread;

    stay_here();
    ring3_store(&over, 0, RING3_RELAXED);
    if (pthread_create(&thread, NULL, yield_until_over, &others))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++)
            (void)sched_yield();
    ring3_store(&over, 1, RING3_RELAXED);
    (void)pthread_join(thread, NULL);
    t->ops += others;
}

RING3_BENCH(pthread_yield, .name = "yield/pthread", .body = yields, .params = {2});

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(struct ring3_bench_thread *t)
{
    stay_here();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++) {
            pthread_t thread;

            if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
                abort();
        }
}

RING3_BENCH(pthread_create_join, .name = "create-join/pthread", .body = create_join);

/* --- Round trips through pipes ---------------------------------------------------------------- */

static int there[2], back[2];

static void *echo(void *unused)
{
    long item;

    while (read(there[0], &item, sizeof item) == sizeof item)
        if (write(back[1], &item, sizeof item) != sizeof item)
            abort();
    return unused;
}

static void round_trip(struct ring3_bench_thread *t)
{
    pthread_t thread;
    long item = 0;

    stay_here();
    if (pipe(there) || pipe(back) || pthread_create(&thread, NULL, echo, NULL))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++)
            if (write(there[1], &item, sizeof item) != sizeof item ||
                read(back[0], &item, sizeof item) != sizeof item)
                abort();
    (void)close(there[1]);
    (void)pthread_join(thread, NULL);
    (void)close(there[0]);
    (void)close(back[0]);
    (void)close(back[1]);
}

RING3_BENCH(pipe_round_trip, .name = "round-trip/pthread_pipe", .body = round_trip);
