/* SPDX-License-Identifier: MIT */
/* The simulator: job files, locks, costs and reports. */
#include "simulate.h"

#include <errno.h>

/* --- Job files -------------------------------------------------------------------------------- */

TEST(sim, an_error_names_line_column_and_reason)
{
    static const struct {
        const char *text;
        int line, column;
        const char *reason;
    } wrong[] = {
        {"", 1, 1, "there is no job"},
        {"# nothing\n\n", 2, 1, "there is no job"},
        {"job a cpu=1\nwork b cpu=1\n", 2, 1, "begins with \"job\""},
        {"job\n", 1, 4, "name is missing"},
        {"job a=b cpu=1\n", 1, 5, "no \"=\""},
        {"job a cpu=1\n  job a cpu=2\n", 2, 7, "job a already"},
        {"job a cpu=soon\n", 1, 11, "is no time"},
        {"job a cpu=-1\n", 1, 11, "is no time"},
        {"job a cpu=1 colour=red\n", 1, 13, "unknown word \"colour\""},
        {"job a cpu\n", 1, 7, "has no value"},
        {"job a cpu=1 prio=140\n", 1, 18, "from 0 to 139"},
        {"job a cpu=1 nice=-21\n", 1, 18, "from -20 to 19"},
        {"job a cpu=1 class=best\n", 1, 19, "class must be"},
        {"job a arrive=3 # cpu=1\n", 1, 5, "no CPU time"},
        {"job a cpu=1 lock=m lock=m unlock=m\n", 1, 5, "which it has"},
        {"job a cpu=1 unlock=m\n", 1, 5, "which it has not"},
        {"job a cpu=1 lock=m\n", 1, 5, "lock held"},
        {"job a cpu=1 period=5 deadline=6\n", 1, 5, "later than its period"},
        {"job abcdefghijklmnopqrstuvwxyz cpu=1\n", 1, 5, "1 to 23 characters"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ring3_sim_workload_t work;
        ring3_sim_error_t error;

        check_eq(ring3_sim_read(wrong[i].text, strlen(wrong[i].text), &work, &error), -EINVAL, "%s",
                 wrong[i].text);
        check_contains(error.reason, wrong[i].reason);
        check_eq(error.line, wrong[i].line, "%s", wrong[i].text);
        check_eq(error.column, wrong[i].column, "%s", wrong[i].text);
        check_eq(work.count, 0);
    }
}

TEST(sim, any_bytes_are_either_jobs_or_an_error)
{
    static const char base[] = "job P1 arrive=0 cpu=7 io=2 cpu=1 lock=a unlock=a repeat=3 prio=5\n"
                               "job P2 period=50 deadline=40 cpu=20 nice=-5 class=rr # x\n";
    unsigned state = 1;

    for (long turn = 0; turn < scaled(20000, 500000); turn++) {
        char text[sizeof base];
        ring3_sim_workload_t work;
        ring3_sim_error_t error;
        int err;

        memcpy(text, base, sizeof base);
        for (int k = 0; k < 3; k++) {
            state = state * 1103515245 + 12345;
            text[(state >> 8) % (sizeof base - 1)] = (char)(state >> 24);
        }
        err = ring3_sim_read(text, sizeof base - 1, &work, &error);
        if (err) {
            check_eq(err, -EINVAL);
            check(error.line >= 1 && error.column >= 1 && error.reason[0]);
        } else {
            ring3_sim_workload_free(&work);
        }
    }
}

TEST(sim, times_have_units_and_comments_end_lines)
{
    struct simulation *const sim = simulate("job a cpu=1500us # not cpu=9\r\n"
                                            "\n"
                                            "job b arrive=0.25 cpu=0.5ms",
                                            "fcfs", NULL);

    check_str_eq(sim->gantt, "a 0-1.5, b 1.5-2");
    simulation_free(sim);
}

/* --- Locks ------------------------------------------------------------------------------------ */

/* The classic: low holds what high wants, and medium keeps low from going on. */
static const char inversion[] = "job low prio=30 cpu=1 lock=m cpu=4 unlock=m cpu=1\n"
                                "job medium prio=20 arrive=3 cpu=10\n"
                                "job high prio=10 arrive=2 lock=m cpu=2 unlock=m\n";

TEST(sim, without_inheritance_medium_delays_high)
{
    check_gantt(inversion, "priority", "low 0-3, medium 3-13, low 13-15, high 15-17, low 17-18");
}

TEST(sim, with_inheritance_high_waits_for_the_critical_section_only)
{
    const ring3_sim_options_t options = {.inherit = true};
    struct simulation *const sim = simulate(inversion, "priority", &options);

    check_str_eq(sim->gantt, "low 0-5, high 5-7, medium 7-17, low 17-18");
    simulation_free(sim);
}

TEST(sim, inheritance_goes_along_the_chain)
{
    const ring3_sim_options_t options = {.inherit = true};
    struct simulation *const sim =
        simulate("job c prio=40 lock=x cpu=3 unlock=x cpu=1\n"
                 "job b prio=30 arrive=1 lock=y lock=x cpu=1 unlock=x unlock=y cpu=1\n"
                 "job m prio=20 arrive=2 cpu=5\n"
                 "job a prio=10 arrive=2 lock=y cpu=1 unlock=y\n",
                 "priority", &options);

    /* c inherits from a through b. */
    check_str_eq(sim->gantt, "c 0-3, b 3-4, a 4-5, m 5-10, b 10-11, c 11-12");
    simulation_free(sim);
}

TEST(sim, a_deadlock_is_named)
{
    struct simulation *const sim = simulate("job a lock=x cpu=2 lock=y cpu=1 unlock=y unlock=x\n"
                                            "job b lock=y cpu=2 lock=x cpu=1 unlock=x unlock=y\n",
                                            "rr,quantum=1", NULL);
    char text[4096] = "";
    FILE *const out = fmemopen(text, sizeof text, "w");

    check(sim->result.stuck);
    ring3_sim_print(out, &sim->work, &sim->result);
    check_eq(fclose(out), 0);
    check_contains(text, "Deadlock");
    simulation_free(sim);
}

/* --- Costs and claims ------------------------------------------------------------------------- */

TEST(sim, a_switch_of_a_tenth_of_the_quantum_costs_a_tenth_of_the_cpu)
{
    const ring3_sim_options_t options = {.switch_cost = MS / 10};
    struct simulation *const sim =
        simulate("job a cpu=500\njob b cpu=500\n", "rr,quantum=1", &options);

    check(sim->result.utilisation > 0.90 && sim->result.utilisation < 0.92, "%f",
          sim->result.utilisation);
    check_eq(sim->result.overhead, (int64_t)sim->result.switches * MS / 10);
    simulation_free(sim);
}

/* One CPU-bound job and three that mostly wait: behind the big one the CPU later stands idle. */
TEST(sim, first_come_first_served_shows_the_convoy_effect)
{
    static const char jobs[] = "job big cpu=50 io=1 repeat=4\n"
                               "job io1 cpu=1 io=10 repeat=20\n"
                               "job io2 cpu=1 io=10 repeat=20\n"
                               "job io3 cpu=1 io=10 repeat=20\n";
    struct simulation *const fcfs = simulate(jobs, "fcfs", NULL);
    struct simulation *const rr = simulate(jobs, "rr,quantum=2", NULL);

    check_gt(rr->result.utilisation, fcfs->result.utilisation + 0.05, "%f and %f",
             rr->result.utilisation, fcfs->result.utilisation);
    simulation_free(fcfs);
    simulation_free(rr);
}

TEST(sim, overdue_releases_follow_at_once_and_count_as_misses)
{
    const ring3_sim_options_t until = {.until = 100 * MS};
    struct simulation *const sim = simulate("job over period=10 cpu=12\n", "edf", &until);

    check_str_eq(sim->gantt, "over 0-100");
    check_eq((long)sim->result.jobs[0].finished, 8);
    check_eq((long)sim->result.misses, 9, "8 late ones, and one that is late already");
    simulation_free(sim);
}

TEST(sim, what_never_ends_is_refused_without_a_limit)
{
    ring3_sim_workload_t work;
    ring3_sim_error_t error;
    ring3_sim_options_t options = {.policy = ring3_policy_find("fcfs")};
    ring3_sim_result_t result;
    static const char jobs[] = "job a pin=3 cpu=1\n";

    ring3_policy_defaults(&options.params);
    check_eq(ring3_sim_read(jobs, strlen(jobs), &work, &error), 0);
    check_eq(ring3_sim_run(&work, &options, &result), -EINVAL, "there is no CPU 3");
    options.cpus = 4;
    check_eq(ring3_sim_run(&work, &options, &result), 0);
    ring3_sim_result_free(&result);
    work.jobs[0].repeat = 0;
    check_eq(ring3_sim_run(&work, &options, &result), -EINVAL, "without end");
    ring3_sim_workload_free(&work);
}

TEST(sim, made_up_jobs_depend_on_the_seed_alone)
{
    ring3_sim_generator_t generator = {.seed = 3,
                                       .jobs = 1000,
                                       .gap = 10 * MS,
                                       .burst = 10 * MS,
                                       .io = 5 * MS,
                                       .bursts = 2,
                                       .io_part = 30};
    ring3_sim_workload_t a, b;
    double mean;

    check_eq(ring3_sim_generate(&generator, &a), 0);
    check_eq(ring3_sim_generate(&generator, &b), 0);
    check_eq(a.step_count, b.step_count);
    check(memcmp(a.steps, b.steps, a.step_count * sizeof *a.steps) == 0);
    /* The mean of 1000 exponential gaps: a standard deviation of 3 %. */
    mean = (double)a.jobs[999].arrive / 999 / MS;
    check(mean > 8.5 && mean < 11.5, "%f", mean);
    ring3_sim_workload_free(&b);
    generator.seed = 4;
    check_eq(ring3_sim_generate(&generator, &b), 0);
    check(a.jobs[999].arrive != b.jobs[999].arrive);
    ring3_sim_workload_free(&a);
    ring3_sim_workload_free(&b);
    generator.jobs = 0;
    check_eq(ring3_sim_generate(&generator, &a), -EINVAL);
}

TEST(sim, the_picture_is_well_formed)
{
    struct simulation *const sim = simulate("job a&b cpu=5\njob <c> cpu=5\n", "rr,quantum=1", NULL);
    const char *const name = "rr \"1\"";
    char text[16384] = "";
    FILE *const out = fmemopen(text, sizeof text, "w");

    ring3_sim_write_svg(out, &sim->work, &name, &sim->result, 1);
    check_eq(fclose(out), 0);
    check_contains(text, "<svg xmlns=");
    check_contains(text, "a&amp;b");
    check_contains(text, "&lt;c&gt;");
    check_contains(text, "rr &quot;1&quot;");
    check_contains(text, "</svg>");
    simulation_free(sim);
}
