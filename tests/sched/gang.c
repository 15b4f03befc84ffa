/* SPDX-License-Identifier: MIT */
/* Gangs in the simulator: co-scheduled, or all at once and together. */
#include "simulate.h"

#include <errno.h>

static const char jobs[] = "job a1 gang=a cpu=4\n"
                           "job s1 cpu=4\n"
                           "job s2 cpu=4\n"
                           "job a2 gang=a cpu=4\n"
                           "job b1 gang=b cpu=4\n"
                           "job b2 gang=b cpu=4\n";

/* How long both of them ran at the same time. */
static int64_t together(const struct simulation *sim, uint32_t one, uint32_t other)
{
    int64_t time = 0;

    for (size_t i = 0; i < sim->result.slice_count; i++)
        for (size_t k = 0; k < sim->result.slice_count; k++) {
            const ring3_sim_slice_t *const a = &sim->result.slices[i], *const b =
                                                                           &sim->result.slices[k];
            const int64_t from = a->from > b->from ? a->from : b->from;
            const int64_t to = a->to < b->to ? a->to : b->to;

            if (a->job == one && b->job == other && from < to)
                time += to - from;
        }
    return time;
}

TEST(gang, alone_they_hardly_meet)
{
    const ring3_sim_options_t options = {.cpus = 2, .global = true};
    struct simulation *const sim = simulate(jobs, "rr,quantum=2", &options);

    check_eq(together(sim, 0, 3), 0L);
    simulation_free(sim);
}

TEST(gang, members_run_together)
{
    for (int gangs = RING3_SIM_COSCHEDULED; gangs <= RING3_SIM_GANG; gangs++) {
        const ring3_sim_options_t options = {.cpus = 2, .gangs = (ring3_sim_gangs_t)gangs};
        struct simulation *const sim = simulate(jobs, "rr,quantum=2", &options);

        check_eq(together(sim, 0, 3), 4 * MS, "kind %d", gangs);
        check_eq(together(sim, 4, 5), 4 * MS, "kind %d", gangs);
        check_eq(sim->result.end, 12 * MS);
        simulation_free(sim);
    }
}

/* Three CPUs, a gang of three, and strangers that leave two idle now and then. */
TEST(gang, all_or_none_leaves_cpus_idle_and_cosched_does_not)
{
    static const char wide[] = "job s1 cpu=6\n"
                               "job g1 gang=g cpu=4\n"
                               "job g2 gang=g cpu=4\n"
                               "job g3 gang=g cpu=4\n";
    ring3_sim_options_t options = {.cpus = 3, .gangs = RING3_SIM_GANG};
    struct simulation *sim = simulate(wide, "fcfs", &options);

    check_str_eq(sim->gantt, "cpu0: s1 0-6, g1 6-10");
    check_eq(sim->result.jobs[2].first_run, 6 * MS);
    check_eq(sim->result.end, 10 * MS);
    simulation_free(sim);

    options.gangs = RING3_SIM_COSCHEDULED;
    sim = simulate(wide, "fcfs", &options);
    check_eq(sim->result.jobs[1].first_run, 0L);
    check_eq(sim->result.jobs[2].first_run, 0L);
    simulation_free(sim);
}

/* The turn of a gang ends when the first of its members' does. */
TEST(gang, turns_end_together)
{
    static const char mixed[] = "job g1 gang=g cpu=2\n"
                                "job g2 arrive=1 gang=g cpu=5\n"
                                "job s1 arrive=1 cpu=2\n"
                                "job s2 arrive=1 cpu=2\n";
    const ring3_sim_options_t options = {.cpus = 2, .gangs = RING3_SIM_GANG};
    struct simulation *const sim = simulate(mixed, "rr,quantum=2", &options);
    int64_t ran = 0;

    for (uint32_t i = 0; i < 4; i++)
        ran += sim->result.jobs[i].ran;
    check_eq(ran, 11 * MS);
    for (uint32_t i = 0; i < 4; i++)
        check_eq((long)sim->result.jobs[i].finished, 1, "job %u", i);
    simulation_free(sim);
}

TEST(gang, what_cannot_be_is_refused)
{
    ring3_sim_workload_t work;
    ring3_sim_result_t result;
    ring3_sim_error_t error;
    ring3_sim_options_t options = {
        .policy = ring3_policy_find("rr"), .cpus = 1, .gangs = RING3_SIM_GANG};

    ring3_policy_defaults(&options.params);
    check_eq(ring3_sim_read(jobs, strlen(jobs), &work, &error), 0);
    check_eq(ring3_sim_run(&work, &options, &result), -EINVAL, "a gang of two on one CPU");
    options.gangs = RING3_SIM_COSCHEDULED;
    check_eq(ring3_sim_run(&work, &options, &result), 0);
    ring3_sim_result_free(&result);
    ring3_sim_workload_free(&work);
    check_eq(ring3_sim_read("job a gang= cpu=1\n", 18, &work, &error), -EINVAL);
    check_eq(error.column, 12);
    check_str_eq(error.reason, "a gang's name has 1 to 23 characters");
}
