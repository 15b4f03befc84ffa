/* SPDX-License-Identifier: MIT */
/*
 * Made-up workloads: exponential gaps, bursts and waits.
 *
 * Exponential numbers come from comparing uniform ones (von Neumann 1951), so that no logarithm
 * rounds differently on another machine.
 */
#include "ring3/sim.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Mean `mean`, at least a microsecond, in whole microseconds. */
static int64_t exponential(uint64_t *state, int64_t mean)
{
    for (uint64_t whole = 0;; whole++) {
        const uint64_t first = next(state) >> 11;
        uint64_t before = first, u;
        bool odd = true;

        /* The run of falling numbers that begins with `first`: taken if its length is odd. */
        while ((u = next(state) >> 11) < before) {
            before = u;
            odd = !odd;
        }
        if (odd) {
            const double drawn = (double)whole + (double)first / 9007199254740992.0;
            const int64_t us = (int64_t)(drawn * (double)mean / 1000);

            return (us > 0 ? us : 1) * 1000;
        }
    }
}

int ring3_sim_generate(const ring3_sim_generator_t *generator, ring3_sim_workload_t *work)
{
    const ring3_sim_generator_t g = *generator;
    uint64_t state = g.seed;
    int64_t arrive = 0;
    size_t steps;

    *work = (ring3_sim_workload_t){.count = 0};
    if (g.jobs == 0 || g.jobs > 1000000 || g.bursts == 0 || g.bursts > 10000 || g.burst <= 0 ||
        g.gap < 0 || g.io < 0 || g.io_part > 100)
        return -EINVAL;
    /* At most ten times the bursts, each with a wait. */
    if (__builtin_mul_overflow((size_t)g.jobs * g.bursts, (size_t)20, &steps))
        return -EINVAL;
    work->jobs = calloc(g.jobs, sizeof *work->jobs);
    work->steps = calloc(steps, sizeof *work->steps);
    if (!work->jobs || !work->steps) {
        ring3_sim_workload_free(work);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < g.jobs; i++) {
        ring3_sim_job_t *const job = &work->jobs[work->count++];
        const bool io_bound = next(&state) % 100 < g.io_part;
        const uint32_t bursts = io_bound ? 10 * g.bursts : g.bursts;

        *job = (ring3_sim_job_t){.arrive = arrive,
                                 .repeat = 1,
                                 .priority = RING3_PRIORITY_DEFAULT,
                                 .weight = 1,
                                 .queue = !io_bound,
                                 .pin = -1,
                                 .first = work->step_count};
        (void)snprintf(job->name, sizeof job->name, "%s%u", io_bound ? "io" : "cpu", i + 1);
        for (uint32_t k = 0; k < bursts; k++) {
            if (k > 0 && g.io > 0)
                work->steps[work->step_count++] =
                    (ring3_sim_step_t){RING3_SIM_IO, 0, exponential(&state, g.io)};
            work->steps[work->step_count++] = (ring3_sim_step_t){
                RING3_SIM_CPU, 0, exponential(&state, io_bound ? g.burst / 10 : g.burst)};
        }
        job->steps = work->step_count - job->first;
        arrive += g.gap > 0 ? exponential(&state, g.gap) : 0;
    }
    return 0;
}
