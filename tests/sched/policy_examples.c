/* SPDX-License-Identifier: MIT */
/* Worked examples from textbooks and lectures: each policy must draw exactly their charts. */
#include "simulate.h"

#include "estimate.h"

#include <math.h>

/* Waiting times of the jobs in ms, their mean, and the number of switches. */
static void check_waits(const char *jobs, const char *policy, const double *waits, double mean,
                        long switches)
{
    struct simulation *const sim = simulate(jobs, policy, NULL);

    for (size_t i = 0; i < sim->work.count; i++)
        check_eq(sim->result.jobs[i].waited, (int64_t)(waits[i] * MS), "%s: %s", policy,
                 sim->work.jobs[i].name);
    check(fabs(sim->result.waiting - mean * MS) < 1, "%s: mean %f", policy,
          sim->result.waiting / MS);
    check_eq((long)sim->result.switches, switches, "%s", policy);
    simulation_free(sim);
}

/* --- Four jobs: (arrival, burst) = (0,7) (2,4) (4,1) (5,4) ------------------------------------ */

static const char four[] = "job P1 arrive=0 cpu=7\n"
                           "job P2 arrive=2 cpu=4\n"
                           "job P3 arrive=4 cpu=1\n"
                           "job P4 arrive=5 cpu=4\n";

TEST(policy_examples, four_jobs_first_come_first_served)
{
    check_gantt(four, "fcfs", "P1 0-7, P2 7-11, P3 11-12, P4 12-16");
    check_waits(four, "fcfs", (double[]){0, 5, 7, 7}, 4.75, 3);
}

TEST(policy_examples, four_jobs_shortest_first)
{
    check_gantt(four, "sjf", "P1 0-7, P3 7-8, P2 8-12, P4 12-16");
    check_waits(four, "sjf", (double[]){0, 6, 3, 7}, 4.00, 3);
}

TEST(policy_examples, four_jobs_shortest_remaining_first)
{
    struct simulation *const sim = simulate(four, "srtf", NULL);

    check_str_eq(sim->gantt, "P1 0-2, P2 2-4, P3 4-5, P2 5-7, P4 7-11, P1 11-16");
    check_eq((long)sim->result.response, (long)(0.5 * MS));
    simulation_free(sim);
    check_waits(four, "srtf", (double[]){9, 1, 0, 2}, 3.00, 5);
}

TEST(policy_examples, four_jobs_round_robin)
{
    check_gantt(four, "rr,quantum=3",
                "P1 0-3, P2 3-6, P1 6-9, P3 9-10, P4 10-13, P2 13-14, P1 14-15, P4 15-16");
    check_gantt(four, "rr,quantum=2",
                "P1 0-2, P2 2-4, P1 4-6, P3 6-7, P2 7-9, P4 9-11, P1 11-13, P4 13-15, P1 15-16");
    check_gantt(four, "rr,quantum=4", "P1 0-4, P2 4-8, P3 8-9, P1 9-12, P4 12-16");
    check_gantt(four, "rr,quantum=7", "P1 0-7, P2 7-11, P3 11-12, P4 12-16");
    check_waits(four, "rr,quantum=3", (double[]){8, 8, 5, 7}, 7.00, 7);
}

/* Queueing the old one before the new one would give means of 5.75, 6.25 and 5.00. */
TEST(policy_examples, a_new_arrival_queues_before_who_is_preempted)
{
    check_waits(four, "rr,quantum=1", (double[]){8, 6, 1, 7}, 5.50, 14);
    check_waits(four, "rr,quantum=2", (double[]){9, 3, 2, 6}, 5.00, 8);
    check_waits(four, "rr,quantum=4", (double[]){5, 2, 4, 7}, 4.50, 4);
}

TEST(policy_examples, round_robin_is_poor_for_equal_jobs)
{
    static const char equal[] = "job A cpu=4\njob B cpu=4\njob C cpu=4\njob D cpu=4\n";

    check_waits(equal, "fcfs", (double[]){0, 4, 8, 12}, 6.0, 3);
    check_waits(equal, "rr,quantum=1", (double[]){9, 10, 11, 12}, 10.5, 15);
}

/* --- First come, first served, and shortest first --------------------------------------------- */

TEST(policy_examples, first_come_depends_on_the_order)
{
    check_waits("job P1 cpu=24\njob P2 cpu=3\njob P3 cpu=3\n", "fcfs", (double[]){0, 24, 27}, 17,
                2);
    check_waits("job P2 cpu=3\njob P3 cpu=3\njob P1 cpu=24\n", "fcfs", (double[]){0, 3, 6}, 3, 2);
}

TEST(policy_examples, shortest_job_with_and_without_preemption)
{
    static const char jobs[] = "job P1 cpu=8\n"
                               "job P2 arrive=1 cpu=4\n"
                               "job P3 arrive=2 cpu=9\n"
                               "job P4 arrive=3 cpu=5\n";

    check_gantt(jobs, "srtf", "P1 0-1, P2 1-5, P4 5-10, P1 10-17, P3 17-26");
    check_waits(jobs, "srtf", (double[]){9, 0, 15, 2}, 6.5, 4);
    check_waits(jobs, "sjf", (double[]){0, 7, 15, 9}, 7.75, 3);
}

TEST(policy_examples, exponential_average_of_bursts)
{
    static const int bursts[] = {6, 4, 6, 4, 13, 13, 13};
    static const int expected[] = {10, 8, 6, 6, 5, 9, 11, 12};
    ring3_policy_params_t params;
    struct estimate estimate = {0};

    ring3_policy_defaults(&params);
    params.estimate = RING3_ESTIMATE_AVERAGE;
    for (int i = 0; i < 7; i++) {
        check_eq(estimate_next(&estimate, &params), expected[i] * MS, "before burst %d", i + 1);
        estimate_add(&estimate, &params, bursts[i] * MS);
    }
    check_eq(estimate_next(&estimate, &params), expected[7] * MS);
    params.estimate = RING3_ESTIMATE_LAST;
    check_eq(estimate_next(&estimate, &params), 13 * MS);
    params.estimate = RING3_ESTIMATE_WINDOW;
    check_eq(estimate_next(&estimate, &params), (13 + 13 + 13 + 4) * MS / 4);
}

/* --- Priorities ------------------------------------------------------------------------------- */

TEST(policy_examples, priorities_small_numbers_first)
{
    static const char jobs[] = "job P1 prio=3 cpu=10\n"
                               "job P2 prio=1 cpu=1\n"
                               "job P3 prio=4 cpu=2\n"
                               "job P4 prio=5 cpu=1\n"
                               "job P5 prio=2 cpu=5\n";

    check_gantt(jobs, "priority", "P2 0-1, P5 1-6, P1 6-16, P3 16-18, P4 18-19");
    check_waits(jobs, "priority,preempt=off", (double[]){6, 0, 16, 18, 1}, 8.2, 4);
}

/* --- Round-robin ------------------------------------------------------------------------------ */

TEST(policy_examples, round_robin_waits_and_quanta)
{
    static const char tens[] = "job A cpu=10\njob B cpu=10\njob C cpu=10\n";
    struct simulation *sim;

    check_waits("job P1 cpu=24\njob P2 cpu=3\njob P3 cpu=3\n", "rr,quantum=4", (double[]){6, 4, 7},
                17.0 / 3, 3);
    sim = simulate(tens, "rr,quantum=1", NULL);
    check_eq((long)sim->result.turnaround, (long)(29 * MS));
    simulation_free(sim);
    sim = simulate(tens, "rr,quantum=10", NULL);
    check_eq((long)sim->result.turnaround, (long)(20 * MS));
    simulation_free(sim);
}

TEST(policy_examples, a_weight_of_3000_monopolises_weighted_round_robin_but_not_fair_queueing)
{
    static const char jobs[] = "job big weight=3000 cpu=40s\njob half weight=1500 cpu=10\n";
    struct simulation *sim = simulate(jobs, "wrr,quantum=10", NULL);

    check_eq(sim->result.jobs[1].first_run, 30000 * MS, "frozen for 3000 quanta");
    simulation_free(sim);
    sim = simulate(jobs, "wfq,quantum=10", NULL);
    check_le(sim->result.jobs[1].first_run, 20 * MS, "it runs after at most two of the other's");
    simulation_free(sim);
}

/* --- Fair shares ------------------------------------------------------------------------------ */

TEST(policy_examples, fair_queueing_with_weights_1_2_3)
{
    const ring3_sim_options_t until = {.until = 600 * MS};
    static const char jobs[] = "job P1 weight=1 cpu=1000\n"
                               "job P2 weight=2 cpu=1000\n"
                               "job P3 weight=3 cpu=1000\n";
    static const char round[] = {3, 2, 3, 3, 2, 1};
    struct simulation *const sim = simulate(jobs, "wfq,quantum=1", &until);

    for (size_t i = 0; i < sim->result.slice_count; i++) {
        const ring3_sim_slice_t *const slice = &sim->result.slices[i];

        for (int64_t at = slice->from / MS; at < slice->to / MS; at++)
            check_eq(slice->job + 1, (uint32_t)round[at % 6], "quantum %d", (int)at);
    }
    for (int i = 0; i < 3; i++)
        check_eq(sim->result.jobs[i].ran, (i + 1) * 100 * MS);
    simulation_free(sim);
}

TEST(policy_examples, a_late_arrival_gets_its_share_and_no_more)
{
    static const char *const fair[] = {"wfq,quantum=1", "stride,quantum=1",
                                       "cfs,latency=2,granularity=1", "eevdf,granularity=1"};
    const ring3_sim_options_t until = {.until = 4000 * MS};

    for (int i = 0; i < 4; i++) {
        struct simulation *const sim =
            simulate("job old cpu=10s\njob late arrive=3000 cpu=10s\n", fair[i], &until);
        const int64_t late = sim->result.jobs[1].ran;

        check(late >= 495 * MS && late <= 505 * MS, "%s gave it %lld ms of 1000", fair[i],
              (long long)(late / MS));
        simulation_free(sim);
    }
}

/* Ideal sharing of bursts 8, 4, 16, 4: at 16 all have had 4, at 24 8 4 8 4, at 32 all is done. */
TEST(policy_examples, fair_policies_follow_ideal_sharing)
{
    static const char *const fair[] = {"cfs,latency=0.04,granularity=0.01",
                                       "eevdf,granularity=0.01", "wfq,quantum=0.01",
                                       "stride,quantum=0.01"};
    static const int ideal[3][5] = {{16, 4, 4, 4, 4}, {24, 8, 4, 8, 4}, {32, 8, 4, 16, 4}};

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++) {
            const ring3_sim_options_t until = {.until = ideal[k][0] * MS};
            struct simulation *const sim = simulate(
                "job P1 cpu=8\njob P2 cpu=4\njob P3 cpu=16\njob P4 cpu=4\n", fair[i], &until);

            for (int job = 0; job < 4; job++)
                check(llabs(sim->result.jobs[job].ran - ideal[k][job + 1] * MS) <= MS / 10,
                      "%s at %d: job %d had %f", fair[i], ideal[k][0], job + 1,
                      (double)sim->result.jobs[job].ran / MS);
            simulation_free(sim);
        }
}

/* --- Feedback --------------------------------------------------------------------------------- */

TEST(policy_examples, multilevel_feedback_demotes_who_uses_its_quantum)
{
    check_gantt("job A cpu=30\njob B cpu=6\njob C cpu=20\n", "mlfq,quanta=8/16/0",
                "A 0-8, B 8-14, C 14-22, A 22-38, C 38-50, A 50-56");
}

TEST(policy_examples, short_bursts_stay_at_the_top_level)
{
    /* If it were demoted, it would wait for A's turn of 16 from 22 on. */
    check_gantt("job io cpu=8 io=1 cpu=6 io=1 cpu=6\njob A arrive=8 cpu=41\n", "mlfq",
                "io 0-8, A 8-16, io 16-22, A 22-23, io 23-29, A 29-61");
}

/* One letter for each ms. */
static void check_letters(const char *jobs, const char *expected)
{
    const ring3_sim_options_t until = {.until = (int64_t)strlen(expected) * MS};
    struct simulation *const sim = simulate(jobs, "feedback,interval=10", &until);
    char letters[128] = {0};

    for (size_t i = 0; i < sim->result.slice_count; i++)
        for (int64_t at = sim->result.slices[i].from; at < sim->result.slices[i].to; at += MS)
            letters[at / MS] = sim->work.jobs[sim->result.slices[i].job].name[0];
    check_str_eq(letters, expected);
    simulation_free(sim);
}

TEST(policy_examples, feedback_when_all_begin_equal)
{
    check_letters("job X prio=0 cpu=1 io=5 repeat=99\n"
                  "job Y prio=0 cpu=1 io=5 repeat=99\n"
                  "job A prio=0 cpu=99\n"
                  "job B prio=0 cpu=99\n",
                  "XYAAAAAAAABBBBBBBBBBXYAAAAXYAABBXYBBBBXY");
}

TEST(policy_examples, feedback_when_the_cpu_bound_begin_lower)
{
    check_letters("job X prio=0 cpu=1 io=5 repeat=99\n"
                  "job Y prio=0 cpu=1 io=5 repeat=99\n"
                  "job A prio=6 cpu=99\n"
                  "job B prio=6 cpu=99\n",
                  "XYAAAAXYAABBXYBBBBXYAAAAXYAAAAXYBBBBXYBB");
}

/* --- Real time -------------------------------------------------------------------------------- */

TEST(policy_examples, rate_monotonic_50_20_and_100_35)
{
    struct simulation *const sim =
        simulate("job P1 period=50 cpu=20\njob P2 period=100 cpu=35\n", "rm", NULL);

    check_str_eq(sim->gantt, "P1 0-20, P2 20-50, P1 50-70, P2 70-75");
    check_eq((long)sim->result.misses, 0);
    check(fabs(sim->result.utilisation - 0.75) < 1e-9);
    simulation_free(sim);
}

static const char tight[] = "job P1 period=50 cpu=25\njob P2 period=80 cpu=35\n";

TEST(policy_examples, earliest_deadline_first_50_25_and_80_35)
{
    struct simulation *const sim = simulate(tight, "edf", NULL);

    check_contains(sim->gantt, "P1 0-25, P2 25-60, P1 60-85, P2 85-100");
    check_eq((long)sim->result.misses, 0);
    check_eq(sim->result.end, 400 * MS);
    simulation_free(sim);
}

TEST(policy_examples, rate_monotonic_misses_where_earliest_deadline_does_not)
{
    struct simulation *const sim = simulate(tight, "rm", NULL);

    check_contains(sim->gantt, "P1 0-25, P2 25-50, P1 50-75, P2 75-100");
    check_eq((long)sim->result.jobs[0].misses, 0);
    check_gt((long)sim->result.jobs[1].misses, 0);
    check_eq(sim->result.jobs[1].tardiness, 5 * MS, "it ends at 85 instead of 80");
    simulation_free(sim);
}

TEST(policy_examples, admission_tests)
{
    static const double bounds[] = {1.0, 0.828, 0.780, 0.757};
    const ring3_periodic_t light[] = {{20, 50, 0}, {35, 100, 0}};
    const ring3_periodic_t heavy[] = {{25, 50, 0}, {35, 80, 0}};
    /* Above the bound of 0.828, but harmonic. */
    const ring3_periodic_t harmonic[] = {{25, 50, 0}, {50, 100, 0}};
    const ring3_periodic_t over[] = {{30, 50, 0}, {41, 100, 0}};
    const ring3_periodic_t early[] = {{2, 10, 3}, {2, 10, 3}};

    for (size_t n = 1; n <= 4; n++)
        check(fabs(ring3_rm_bound(n) - bounds[n - 1]) < 0.0005, "n = %zu", n);
    check(fabs(ring3_rm_bound(1000000) - 0.693147) < 1e-5);
    check(fabs(ring3_utilisation(light, 2) - 0.75) < 1e-12);
    check_eq(ring3_admit_rm(light, 2), RING3_ADMIT_BOUND);
    check_eq(ring3_admit_rm(heavy, 2), RING3_ADMIT_REJECTED);
    check_eq(ring3_admit_edf(heavy, 2), RING3_ADMIT_BOUND);
    check_eq(ring3_admit_rm(harmonic, 2), RING3_ADMIT_EXACT);
    check_eq(ring3_admit_edf(over, 2), RING3_ADMIT_REJECTED);
    check_eq(ring3_admit_edf(early, 2), RING3_ADMIT_REJECTED, "4 ms are due within 3");
    check_eq(ring3_admit_rm(early, 2), RING3_ADMIT_REJECTED);
    check_eq(ring3_admit_edf((ring3_periodic_t[]){{2, 10, 4}, {2, 10, 4}}, 2), RING3_ADMIT_EXACT);
    check_eq(ring3_admit_rm((ring3_periodic_t[]){{5, 4, 0}}, 1), RING3_ADMIT_REJECTED);
}
