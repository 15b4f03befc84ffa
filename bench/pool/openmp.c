/* SPDX-License-Identifier: MIT */
/* Peer: OpenMP, as the compiler brings it. `param` is the number of threads. */
#include "work.h"

#include <omp.h>

static void *prepare(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct vectors *const v = calloc(1, sizeof *v);

    (void)bench, (void)threads;
    if (!v)
        abort();
    omp_set_dynamic(0);
    omp_set_num_threads((int)param);
    make_vectors(v);
    return v;
}

static void clean_up(void *shared)
{
    free_vectors(shared);
    free(shared);
}

static long fib(int n)
{
    long a, b;

    if (n < 2)
        return n;
#pragma omp task shared(a)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static void spawn(struct ring3_bench_thread *t)
{
    omp_set_num_threads((int)t->param);
#pragma omp parallel
#pragma omp single
    while (ring3_bench_running(t)) {
        (void)fib(FIB);
        t->ops += FIB_SPAWNS;
    }
}
RING3_BENCH(spawn, .name = "spawn/openmp", .body = spawn, .params = {1, 2});

static void empty(struct ring3_bench_thread *t)
{
    omp_set_num_threads((int)t->param);
    for (; ring3_bench_running(t); t->ops++) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < 2; i++)
            ring3_compiler_barrier();
    }
}
RING3_BENCH(empty, .name = "loop/openmp", .body = empty, .params = {2});

static void run_saxpy(struct ring3_bench_thread *t)
{
    const struct vectors *const v = t->shared;

    omp_set_num_threads((int)t->param);
    for (; ring3_bench_running(t); t->ops++) {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < SAXPY_LENGTH; i++)
            v->y[i] += 2.5f * v->x[i];
    }
}
RING3_BENCH(saxpy, .name = "saxpy/openmp", .body = run_saxpy, .setup = prepare,
            .teardown = clean_up, .params = {1, 2});

static void mandelbrot(struct ring3_bench_thread *t)
{
    uint64_t turns = 0;

    omp_set_num_threads((int)t->param);
    for (; ring3_bench_running(t); t->ops++) {
#pragma omp parallel for schedule(dynamic) reduction(+ : turns)
        for (int64_t row = 0; row < MANDELBROT_SIZE; row++)
            turns += mandelbrot_row(row);
    }
    if (!turns)
        abort();
}
RING3_BENCH(mandelbrot, .name = "mandelbrot/openmp", .body = mandelbrot, .params = {1, 2});
