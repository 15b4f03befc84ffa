/* SPDX-License-Identifier: MIT */
/* Run jobs given as text under a policy given as text. */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "ring3_test.h"

#include "ring3/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

struct simulation {
    ring3_sim_workload_t work;
    ring3_sim_options_t options;
    ring3_sim_result_t result;
    char *gantt;
};

/* `options` may be NULL; its policy is filled in. */
static inline struct simulation *simulate(const char *jobs, const char *policy,
                                          const ring3_sim_options_t *options)
{
    struct simulation *const sim = calloc(1, sizeof *sim);
    ring3_sim_error_t error;
    size_t length;
    FILE *out;

    check(sim != NULL);
    check_eq(ring3_sim_read(jobs, strlen(jobs), &sim->work, &error), 0, "%d:%d: %s", error.line,
             error.column, error.reason);
    if (options)
        sim->options = *options;
    check_eq(ring3_policy_parse("test", policy, &sim->options.policy, &sim->options.params), 0);
    check_eq(ring3_sim_run(&sim->work, &sim->options, &sim->result), 0, "%s", policy);
    out = open_memstream(&sim->gantt, &length);
    ring3_sim_print_gantt(out, &sim->work, &sim->result);
    check_eq(fclose(out), 0);
    sim->gantt[strcspn(sim->gantt, "\n")] = '\0';
    return sim;
}

static inline void simulation_free(struct simulation *sim)
{
    ring3_sim_result_free(&sim->result);
    ring3_sim_workload_free(&sim->work);
    free(sim->gantt);
    free(sim);
}

#define check_gantt(jobs, policy, expected)                                                        \
    do {                                                                                           \
        struct simulation *const sim_ = simulate(jobs, policy, NULL);                              \
        check_str_eq(sim_->gantt, expected);                                                       \
        simulation_free(sim_);                                                                     \
    } while (0)

#endif
