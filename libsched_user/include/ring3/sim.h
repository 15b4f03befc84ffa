/* SPDX-License-Identifier: MIT */
/*
 * The scheduling simulator: jobs on a virtual clock, under the policies that also serve live
 * threads.
 *
 *     ring3_sim_workload_t work;
 *     ring3_sim_error_t error;
 *     ring3_sim_result_t result;
 *     if (ring3_sim_read(text, strlen(text), &work, &error) != 0)
 *         … error.line, error.column, error.reason …
 *     ring3_sim_options_t options = {.policy = ring3_policy_find("rr")};
 *     ring3_policy_defaults(&options.params);
 *     ring3_sim_run(&work, &options, &result);
 *     ring3_sim_print(stdout, &work, &result);
 *     ring3_sim_result_free(&result);
 *     ring3_sim_workload_free(&work);
 *
 * A job file has one job per line, `#` begins a comment:
 *
 *     job NAME [arrive=T] [cpu=T] [io=T] [lock=NAME] [unlock=NAME] … [repeat=N] [prio=N] [nice=N]
 *              [weight=N] [queue=N] [class=fair|deadline|fifo|rr|idle] [period=T] [deadline=T]
 *              [pin=CPU] [gang=NAME]
 *
 * cpu, io, lock and unlock are steps, done in the order written, `repeat` times (1). A job with a
 * period is released anew every period; `repeat` then counts releases, and without it there is no
 * end. Times are milliseconds, or end in ns, us, ms or s.
 *
 * At one instant: bursts end, then arrivals and wake-ups queue in the order of the file, then those
 * whose turn is over queue behind them. Everything is exact (integer nanoseconds) and the same
 * input gives the same result.
 *
 * Thread-safe as long as each object is used by one thread at a time. Memory comes from malloc.
 */
#ifndef RING3_SIM_H
#define RING3_SIM_H

#include "ring3/api.h"
#include "ring3/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

RING3_API_BEGIN

#define RING3_SIM_CPUS  64
#define RING3_SIM_LOCKS 32
#define RING3_SIM_NAME  24

typedef enum ring3_sim_kind {
    RING3_SIM_CPU,
    RING3_SIM_IO,
    RING3_SIM_LOCK,
    RING3_SIM_UNLOCK,
} ring3_sim_kind_t;

typedef struct ring3_sim_step {
    ring3_sim_kind_t kind;
    uint32_t lock; /* index of its name */
    int64_t time;  /* ns */
} ring3_sim_step_t;

typedef struct ring3_sim_job {
    char name[RING3_SIM_NAME];
    int64_t arrive;
    int64_t period, deadline; /* 0: none */
    uint64_t repeat;          /* 0: for ever */
    int32_t priority;
    uint32_t weight;
    int8_t nice;
    uint8_t band, queue;
    int8_t pin;    /* the CPU it must run on, or -1 */
    uint32_t gang; /* 1 + index of its name, or 0 */
    size_t first, steps;
} ring3_sim_job_t;

typedef struct ring3_sim_workload {
    ring3_sim_job_t *jobs;
    size_t count;
    ring3_sim_step_t *steps; /* of all jobs */
    size_t step_count;
    char locks[RING3_SIM_LOCKS][RING3_SIM_NAME];
    uint32_t lock_count;
    char gangs[RING3_SIM_LOCKS][RING3_SIM_NAME];
    uint32_t gang_count;
} ring3_sim_workload_t;

typedef struct ring3_sim_error {
    int line, column; /* from 1 */
    char reason[96];
} ring3_sim_error_t;

/** Read jobs from text. 0; -EINVAL and *error; -ENOMEM. The workload is empty after an error. */
int ring3_sim_read(const char *text, size_t length, ring3_sim_workload_t *work,
                   ring3_sim_error_t *error);

/** What ring3_sim_generate makes. */
typedef struct ring3_sim_generator {
    uint64_t seed;
    uint32_t jobs;
    int64_t gap;      /* mean time between arrivals, exponential */
    int64_t burst;    /* mean CPU burst, exponential */
    int64_t io;       /* mean wait between bursts; 0: none */
    uint32_t bursts;  /* per job */
    uint32_t io_part; /* percent of jobs that are I/O-bound: bursts a tenth, ten times as many */
} ring3_sim_generator_t;

/** Make up a workload. The same numbers give the same jobs. 0; -EINVAL; -ENOMEM. */
int ring3_sim_generate(const ring3_sim_generator_t *generator, ring3_sim_workload_t *work);

void ring3_sim_workload_free(ring3_sim_workload_t *work);

/** What is done for jobs of one gang. Not with pinned jobs; CPUs share one queue then. */
typedef enum ring3_sim_gangs {
    RING3_SIM_ALONE,       /* nothing */
    RING3_SIM_COSCHEDULED, /* when one is picked, the others that are ready get CPUs too */
    RING3_SIM_GANG,        /* all that are ready run at once or not at all, and their turns end
                              together; -EINVAL for a gang that is larger than the CPUs are many */
} ring3_sim_gangs_t;

typedef struct ring3_sim_options {
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    unsigned cpus; /* 0: 1 */
    bool global;   /* one queue for all CPUs instead of one each with stealing */
    ring3_sim_gangs_t gangs;
    bool inherit;        /* who holds a lock inherits the priority of who waits for it */
    int64_t switch_cost; /* CPU time that a switch takes, ns */
    int64_t until;       /* stop here; 0: when all is done, or after one hyperperiod */
} ring3_sim_options_t;

/** Job `job` ran on `cpu`, without a break. */
typedef struct ring3_sim_slice {
    uint32_t job, cpu;
    int64_t from, to;
} ring3_sim_slice_t;

typedef struct ring3_sim_outcome {
    int64_t first_run; /* -1: never */
    int64_t finish;    /* of the last of its releases; -1: not finished */
    int64_t ran, waited, blocked;
    int64_t response;   /* first_run - arrive; of a periodic job the longest release to finish */
    int64_t turnaround; /* finish - arrive; of a periodic job the mean over its releases */
    uint64_t releases, finished, misses;
    int64_t tardiness; /* the longest, ns */
} ring3_sim_outcome_t;

typedef struct ring3_sim_result {
    ring3_sim_slice_t *slices; /* in order of their beginning */
    size_t slice_count;
    ring3_sim_outcome_t *jobs;
    unsigned cpus;
    uint64_t switches; /* a CPU ran another job than before */
    uint64_t migrations;
    int64_t end; /* the simulation's */
    int64_t busy, overhead;
    uint64_t misses;
    double waiting, response, turnaround; /* means, ns; of the jobs that finished */
    double utilisation;                   /* 0..1 */
    bool stuck;                           /* jobs were left that wait for each other's locks */
} ring3_sim_result_t;

/** Run the workload. 0; -EINVAL for options or jobs that make no sense; -ENOMEM. */
int ring3_sim_run(const ring3_sim_workload_t *work, const ring3_sim_options_t *options,
                  ring3_sim_result_t *result);
void ring3_sim_result_free(ring3_sim_result_t *result);

/** The schedule as "P1 0-7, P2 7-11", one line for each CPU. */
void ring3_sim_print_gantt(FILE *out, const ring3_sim_workload_t *work,
                           const ring3_sim_result_t *result);

/** The schedule as a picture, and a table of jobs with averages. */
void ring3_sim_print(FILE *out, const ring3_sim_workload_t *work, const ring3_sim_result_t *result);

/** One row of a comparison; with a NULL result the heading. */
void ring3_sim_print_summary(FILE *out, const char *name, const ring3_sim_result_t *result);

/** The schedules of several runs of one workload as an SVG picture. */
void ring3_sim_write_svg(FILE *out, const ring3_sim_workload_t *work, const char *const *names,
                         const ring3_sim_result_t *results, size_t count);

RING3_API_END

#endif
