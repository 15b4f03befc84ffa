/* SPDX-License-Identifier: MIT */
/* What ours and the peers do, line by line the same. */
#ifndef POOL_BENCH_WORK_H
#define POOL_BENCH_WORK_H

#include "ring3_bench.h"

#include <stdint.h>
#include <stdlib.h>

#define FIB          20
#define FIB_SPAWNS   10945 /* that fib(20) makes */

#define SAXPY_LENGTH (4 << 20)

struct vectors {
    float *x, *y;
};

static inline void saxpy(const struct vectors *v, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        v->y[i] += 2.5f * v->x[i];
}

static inline void make_vectors(struct vectors *v)
{
    v->x = (float *)calloc(SAXPY_LENGTH, sizeof *v->x);
    v->y = (float *)calloc(SAXPY_LENGTH, sizeof *v->y);
    if (!v->x || !v->y)
        abort();
    for (int64_t i = 0; i < SAXPY_LENGTH; i++)
        v->x[i] = v->y[i] = (float)i;
}

static inline void free_vectors(struct vectors *v)
{
    free(v->x);
    free(v->y);
}

#define MANDELBROT_SIZE 256

/* The iterations of one row of the Mandelbrot set: rows differ much in their cost. */
static inline uint64_t mandelbrot_row(int64_t row)
{
    uint64_t sum = 0;

    for (int column = 0; column < MANDELBROT_SIZE; column++) {
        const double re = -2.0 + 3.0 * column / MANDELBROT_SIZE;
        const double im = -1.5 + 3.0 * (double)row / MANDELBROT_SIZE;
        double x = 0, y = 0;
        int turns = 0;

        while (x * x + y * y < 4 && turns < 300) {
            const double next = x * x - y * y + re;

            y = 2 * x * y + im;
            x = next;
            turns++;
        }
        sum += (uint64_t)turns;
    }
    return sum;
}

#endif
