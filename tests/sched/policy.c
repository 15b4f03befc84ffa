/* SPDX-License-Identifier: MIT */
/* What holds for every policy, and what each promises beyond the worked examples. */
#include "simulate.h"

#include <errno.h>
#include <signal.h>

static struct simulation *generated(const char *policy, const ring3_sim_options_t *options,
                                    uint64_t seed)
{
    const ring3_sim_generator_t generator = {.seed = seed,
                                             .jobs = 60,
                                             .gap = 8 * MS,
                                             .burst = 10 * MS,
                                             .io = 15 * MS,
                                             .bursts = 3,
                                             .io_part = 50};
    struct simulation *const sim = calloc(1, sizeof *sim);

    check(sim != NULL);
    check_eq(ring3_sim_generate(&generator, &sim->work), 0);
    if (options)
        sim->options = *options;
    for (size_t i = 0; i < sim->work.count; i++) {
        sim->work.jobs[i].priority = 100 + (int32_t)(i * 7 % 40);
        sim->work.jobs[i].nice = (int8_t)(i * 5 % 11) - 5;
        sim->work.jobs[i].weight = 1 + (uint32_t)i % 4;
        sim->work.jobs[i].band = (uint8_t)(i % 5);
        sim->work.jobs[i].deadline = (int64_t)(50 + i) * MS;
    }
    check_eq(ring3_policy_parse("test", policy, &sim->options.policy, &sim->options.params), 0);
    check_eq(ring3_sim_run(&sim->work, &sim->options, &sim->result), 0);
    return sim;
}

static int64_t demand(const struct simulation *sim, size_t job)
{
    int64_t sum = 0;

    for (size_t i = 0; i < sim->work.jobs[job].steps; i++) {
        const ring3_sim_step_t *const step = &sim->work.steps[sim->work.jobs[job].first + i];

        sum += step->kind == RING3_SIM_CPU ? step->time : 0;
    }
    return sum;
}

/* Every job gets exactly what it asked for, no CPU runs two at once, no job runs on two CPUs, and
 * the accounts add up. */
static void check_sound(const struct simulation *sim, const char *policy)
{
    int64_t cpu_free[RING3_SIM_CPUS] = {0};
    int64_t *const job_free = calloc(sim->work.count, sizeof *job_free);

    for (size_t i = 0; i < sim->result.slice_count; i++) {
        const ring3_sim_slice_t *const slice = &sim->result.slices[i];

        check_lt(slice->from, slice->to, "%s", policy);
        check_le(cpu_free[slice->cpu], slice->from, "%s: two jobs on a CPU", policy);
        check_le(job_free[slice->job], slice->from, "%s: a job on two CPUs", policy);
        cpu_free[slice->cpu] = job_free[slice->job] = slice->to;
    }
    for (size_t i = 0; i < sim->work.count; i++) {
        const ring3_sim_outcome_t *const outcome = &sim->result.jobs[i];

        check_eq(outcome->finished, 1, "%s: job %zu did not finish", policy, i);
        check_eq(outcome->ran, demand(sim, i), "%s: job %zu", policy, i);
        check_eq(outcome->ran + outcome->waited + outcome->blocked, outcome->turnaround,
                 "%s: job %zu", policy, i);
    }
    free(job_free);
}

TEST(policy, every_policy_serves_every_job_in_full)
{
    for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++)
        for (unsigned cpus = 1; cpus <= 4; cpus++)
            for (int global = 0; global < 2; global++) {
                const ring3_sim_options_t options = {.cpus = cpus, .global = global};
                struct simulation *const sim = generated((*policy)->name, &options, cpus);

                check_sound(sim, (*policy)->name);
                simulation_free(sim);
            }
}

TEST(policy, every_policy_keeps_the_cpu_busy_while_there_is_work)
{
    static const char jobs[] = "job a cpu=13\njob b cpu=5 nice=5\njob c cpu=29 prio=3 weight=5\n"
                               "job d arrive=20 cpu=11 class=rr prio=50\njob e cpu=2 queue=1\n";

    for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++) {
        struct simulation *const sim = simulate(jobs, (*policy)->name, NULL);

        check_eq(sim->result.end, 60 * MS, "%s", (*policy)->name);
        check_eq(sim->result.busy, 60 * MS, "%s", (*policy)->name);
        simulation_free(sim);
    }
}

TEST(policy, the_same_input_gives_the_same_schedule)
{
    for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++) {
        const ring3_sim_options_t options = {.cpus = 2};
        struct simulation *const a = generated((*policy)->name, &options, 7);
        struct simulation *const b = generated((*policy)->name, &options, 7);

        check_eq(a->result.slice_count, b->result.slice_count, "%s", (*policy)->name);
        check(memcmp(a->result.slices, b->result.slices,
                     a->result.slice_count * sizeof *a->result.slices) == 0,
              "%s", (*policy)->name);
        simulation_free(a);
        simulation_free(b);
    }
}

/* --- Priorities ------------------------------------------------------------------------------- */

static const char starving[] = "job low prio=120 cpu=10\n"
                               "job high prio=100 cpu=9 io=1 repeat=50\n"
                               "job high2 prio=100 cpu=9 io=1 repeat=50\n";

TEST(policy, without_aging_low_priorities_starve)
{
    const ring3_sim_options_t until = {.until = 450 * MS};
    struct simulation *const sim = simulate(starving, "priority", &until);

    check_eq(sim->result.jobs[0].ran, 0);
    simulation_free(sim);
}

TEST(policy, aging_bounds_the_wait)
{
    const ring3_sim_options_t until = {.until = 450 * MS};
    struct simulation *const sim = simulate(starving, "priority,aging=5", &until);

    /* 20 priorities at 5 ms each, and the running one's turn. */
    check_eq(sim->result.jobs[0].finished, 1);
    check_le(sim->result.jobs[0].first_run, 125 * MS);
    simulation_free(sim);
}

/* --- Feedback --------------------------------------------------------------------------------- */

TEST(policy, mlfq_boost_saves_long_jobs_from_starving)
{
    static const char jobs[] = "job long cpu=60\n"
                               "job a arrive=30 cpu=5 io=5 repeat=60\n"
                               "job b arrive=30 cpu=5 io=5 repeat=60\n";
    const ring3_sim_options_t until = {.until = 500 * MS};
    struct simulation *sim = simulate(jobs, "mlfq,quanta=6/12/0", &until);

    check_eq(sim->result.jobs[0].finished, 0, "it starves at the bottom");
    simulation_free(sim);
    sim = simulate(jobs, "mlfq,quanta=6/12/0,boost=50", &until);
    check_eq(sim->result.jobs[0].finished, 1);
    simulation_free(sim);
    sim = simulate(jobs, "mlfq,quanta=6/12/0,promote=40", &until);
    check_eq(sim->result.jobs[0].finished, 1);
    simulation_free(sim);
}

TEST(policy, mlfq_allotment_sees_through_who_blocks_just_in_time)
{
    static const char jobs[] = "job gamer cpu=7 io=0.1 repeat=40\njob honest cpu=100\n";
    const ring3_sim_options_t until = {.until = 200 * MS};
    struct simulation *const naive = simulate(jobs, "mlfq,quanta=8/8/8", &until);
    struct simulation *const wary = simulate(jobs, "mlfq,quanta=8/8/8,allotment=1", &until);

    check_gt(naive->result.jobs[0].ran, 180 * MS, "it takes nearly all");
    check_lt(wary->result.jobs[0].ran, 120 * MS, "it has sunk to the other's level");
    simulation_free(naive);
    simulation_free(wary);
}

TEST(policy, multilevel_by_rank_and_by_shares)
{
    static const char jobs[] = "job front queue=0 cpu=1000\njob back queue=1 cpu=1000\n";
    const ring3_sim_options_t until = {.until = 500 * MS};
    struct simulation *sim = simulate(jobs, "multilevel,quanta=8/0", &until);

    check_eq(sim->result.jobs[1].ran, 0);
    simulation_free(sim);
    sim = simulate(jobs, "multilevel,quanta=8/0,shares=80/20", &until);
    check(llabs(sim->result.jobs[0].ran - 400 * MS) <= 10 * MS, "%lld",
          (long long)sim->result.jobs[0].ran);
    simulation_free(sim);
    /* Background is preempted by an arrival in the foreground. */
    check_gantt("job back queue=1 cpu=10\njob front arrive=3 queue=0 cpu=4\n",
                "multilevel,quanta=8/0", "back 0-3, front 3-7, back 7-14");
}

/* --- Shares ----------------------------------------------------------------------------------- */

TEST(policy, stride_gives_exact_shares_and_lottery_likely_ones)
{
    static const char jobs[] = "job a weight=1 cpu=100s\njob b weight=2 cpu=100s\n"
                               "job c weight=5 cpu=100s\n";
    const ring3_sim_options_t until = {.until = 8000 * MS};
    struct simulation *sim = simulate(jobs, "stride,quantum=1", &until);

    check(llabs(sim->result.jobs[0].ran - 1000 * MS) <= MS);
    check(llabs(sim->result.jobs[1].ran - 2000 * MS) <= MS);
    check(llabs(sim->result.jobs[2].ran - 5000 * MS) <= MS);
    simulation_free(sim);
    for (int seed = 1; seed <= 5; seed++) {
        char policy[64];

        (void)snprintf(policy, sizeof policy, "lottery,quantum=1,seed=%d", seed);
        sim = simulate(jobs, policy, &until);
        /* 8000 draws with chance 1/8: a standard deviation of 30, five of which are allowed. */
        check(llabs(sim->result.jobs[0].ran - 1000 * MS) <= 150 * MS, "seed %d: %lld ms", seed,
              (long long)(sim->result.jobs[0].ran / MS));
        simulation_free(sim);
    }
}

TEST(policy, a_lottery_draw_depends_on_the_seed)
{
    static const char jobs[] = "job a cpu=100\njob b cpu=100\n";
    struct simulation *const one = simulate(jobs, "lottery,quantum=1,seed=1", NULL);
    struct simulation *const two = simulate(jobs, "lottery,quantum=1,seed=2", NULL);

    check(strcmp(one->gantt, two->gantt) != 0);
    simulation_free(one);
    simulation_free(two);
}

TEST(policy, lottery_compensates_who_blocks_early)
{
    static const char jobs[] = "job a cpu=100s\njob b cpu=100s\njob c cpu=100s\njob d cpu=100s\n"
                               "job part cpu=2 io=0.001 repeat=9999\n";
    const ring3_sim_options_t until = {.until = 60000 * MS};
    struct simulation *const sim = simulate(jobs, "lottery,quantum=10", &until);
    const int64_t part = sim->result.jobs[4].ran;

    /* Between two of its bursts of 2 ms there is one turn of 10 while it waits, and as many as it
     * loses: 4 without compensation (a share of 3.8 %), 0.8 with 5 times its tickets (10 %). */
    check(part > 5000 * MS && part < 7000 * MS, "%lld ms of 60000", (long long)(part / MS));
    simulation_free(sim);
}

TEST(policy, nice_values_weigh_as_in_linux)
{
    static const char *const fair[] = {"cfs", "eevdf", "linux"};
    const ring3_sim_options_t until = {.until = 20000 * MS};

    check_eq(ring3_nice_weight(0), 1024);
    check_eq(ring3_nice_weight(-20), 88761);
    check_eq(ring3_nice_weight(19), 15);
    for (int i = 0; i < 3; i++) {
        struct simulation *const sim =
            simulate("job a cpu=100s\njob b nice=5 cpu=100s\n", fair[i], &until);
        const double share = (double)sim->result.jobs[0].ran / (20000.0 * MS);

        check(share > 1024.0 / 1359 - 0.01 && share < 1024.0 / 1359 + 0.01, "%s: %f", fair[i],
              share);
        simulation_free(sim);
    }
}

TEST(policy, an_io_bound_job_preempts_the_cpu_bound_under_fair_policies)
{
    static const char *const fair[] = {"cfs", "eevdf", "o1", "linux"};
    const ring3_sim_options_t until = {.until = 2000 * MS};

    for (int i = 0; i < 4; i++) {
        struct simulation *const sim = simulate(
            "job io cpu=1 io=20 repeat=999\njob a cpu=100s\njob b cpu=100s\n", fair[i], &until);
        const ring3_sim_outcome_t *const io = &sim->result.jobs[0];

        /* At most one slice of waiting for each burst, most often none. */
        check_lt(io->waited, io->ran * 4, "%s: waited %lld us", fair[i],
                 (long long)(io->waited / 1000));
        simulation_free(sim);
    }
}

/* --- Linux ------------------------------------------------------------------------------------ */

TEST(policy, classes_go_deadline_then_real_time_then_fair_then_idle)
{
    check_gantt("job idle class=idle cpu=2\n"
                "job fair cpu=2\n"
                "job fifo class=fifo prio=10 cpu=2\n"
                "job dl class=deadline deadline=50 cpu=2\n"
                "job urgent class=fifo prio=5 cpu=2 arrive=3\n",
                "linux", "dl 0-2, fifo 2-3, urgent 3-5, fifo 5-6, fair 6-8, idle 8-10");
}

TEST(policy, fifo_runs_until_it_blocks_and_rr_takes_turns)
{
    static const char *const both[] = {"linux,quantum=2", "o1,quantum=2"};

    for (int i = 0; i < 2; i++) {
        check_gantt("job a class=fifo prio=7 cpu=5\njob b class=fifo prio=7 cpu=5\n", both[i],
                    "a 0-5, b 5-10");
        check_gantt("job a class=rr prio=7 cpu=4\njob b class=rr prio=7 cpu=4\n", both[i],
                    "a 0-2, b 2-4, a 4-6, b 6-8");
    }
}

TEST(policy, o1_slices_follow_the_nice_value_and_expire)
{
    /* Level 120: 20 * 5 ms; level 115: 25 * 20 ms. The more urgent first, but it expires. */
    check_gantt("job a cpu=150\njob b nice=-5 cpu=600\n", "o1",
                "b 0-500, a 500-600, b 600-700, a 700-750");
}

/* --- Estimates -------------------------------------------------------------------------------- */

TEST(policy, sjf_learns_bursts_that_nobody_declares)
{
    static const char jobs[] = "job long cpu=20 io=1 repeat=20\njob short cpu=1 io=1 repeat=60\n"
                               "job long2 cpu=20 io=1 repeat=20\n";
    static const char *const kinds[] = {"sjf,estimate=last", "sjf,estimate=window",
                                        "sjf,estimate=average"};

    for (int i = 0; i < 3; i++) {
        struct simulation *const sim = simulate(jobs, kinds[i], NULL);
        struct simulation *const fcfs = simulate(jobs, "fcfs", NULL);

        check_lt(sim->result.jobs[1].turnaround, fcfs->result.jobs[1].turnaround, "%s", kinds[i]);
        simulation_free(sim);
        simulation_free(fcfs);
    }
}

/* --- Several CPUs ----------------------------------------------------------------------------- */

TEST(policy, idle_cpus_steal_and_pinned_jobs_stay)
{
    const ring3_sim_options_t two = {.cpus = 2};
    struct simulation *sim =
        simulate("job a pin=0 cpu=10\njob b pin=0 cpu=10\njob c cpu=10\njob d cpu=2\n", "rr", &two);

    for (size_t i = 0; i < sim->result.slice_count; i++)
        if (sim->result.slices[i].job < 2)
            check_eq(sim->result.slices[i].cpu, 0);
    simulation_free(sim);
    sim = simulate("job a cpu=20\njob b cpu=2\njob c cpu=20\njob d cpu=2\n", "fcfs", &two);
    check_eq(sim->result.end, 24 * MS, "the idle CPU has taken c");
    check_eq(sim->result.busy, 44 * MS);
    simulation_free(sim);
}

/* --- Registration and parameters -------------------------------------------------------------- */

static ring3_entity_t *only;

static void own_enqueue(void *queue, ring3_entity_t *entity, ring3_why_t why, int64_t now)
{
    (void)why, (void)now;
    ring3_list_t *const head = *(ring3_list_t **)queue;

    entity->link.next = head;
    *(ring3_list_t **)queue = &entity->link;
}

static void own_dequeue(void *queue, ring3_entity_t *entity, int64_t now)
{
    (void)queue, (void)entity, (void)now;
}

/* The last in is the first out. */
static ring3_entity_t *own_pick(void *queue, int64_t now)
{
    ring3_list_t *const head = *(ring3_list_t **)queue;

    (void)now;
    if (!head)
        return NULL;
    *(ring3_list_t **)queue = head->next;
    only = ring3_container_of(head, ring3_entity_t, link);
    return only;
}

TEST(policy, three_functions_are_a_policy)
{
    static const ring3_policy_t lifo = {.name = "newest",
                                        .queue_size = sizeof(void *),
                                        .enqueue = own_enqueue,
                                        .dequeue = own_dequeue,
                                        .pick = own_pick};
    static const ring3_policy_t nothing = {.name = "nothing"};

    check_eq(ring3_policy_register(&nothing), -EINVAL);
    check_eq(ring3_policy_register(&lifo), 0);
    check_eq(ring3_policy_register(&lifo), -EEXIST);
    check(ring3_policy_find("newest") == &lifo);
    check_gantt("job a cpu=2\njob b cpu=2\njob c cpu=2\n", "newest", "c 0-2, b 2-4, a 4-6");
}

static void complain(void)
{
    const ring3_policy_t *policy;
    ring3_policy_params_t params;

    check_eq(ring3_policy_parse("RING3_SCHED", "rr,quantum=soon", &policy, &params), -EINVAL);
    check_eq(params.quantum, 10 * MS, "the default stays");
    check_eq(ring3_policy_parse("RING3_SCHED", "best", &policy, &params), -EINVAL);
    check(!policy);
    check_eq(ring3_policy_parse("RING3_SCHED", "mlfq,quanta=1/2/3/4/5/6/7/8/9", &policy, &params),
             -EINVAL);
    check_eq(ring3_policy_parse("RING3_SCHED", "rr,dump=KILL", &policy, &params), -EINVAL);
    check_eq(params.dump_signal, 0);
    check_eq(ring3_policy_parse("RING3_SCHED", "rr,dump=SIGNAL", &policy, &params), -EINVAL);
}

TEST(policy, an_automatic_quantum_loses_one_per_cent)
{
    static const char two[] = "job a cpu=5000\njob b cpu=5000\n";
    const ring3_sim_options_t costly = {.switch_cost = MS / 20};
    struct simulation *const sim = simulate(two, "rr,quantum=auto", &costly);
    const double lost =
        (double)sim->result.overhead / (double)(sim->result.overhead + sim->result.busy);
    ring3_policy_params_t params;
    const ring3_policy_t *policy;

    check_gt(sim->result.switches, 1000UL);
    check_gt(lost, 0.0095, "%f", lost);
    check_le(lost, 0.0105, "%f", lost);
    simulation_free(sim);
    check_eq(ring3_policy_parse("test", "rr,quantum=auto", &policy, &params), 0);
    ring3_policy_settle(&params, 0);
    check_eq(params.quantum, 10 * MS, "a switch that costs nothing says nothing");
    ring3_policy_settle(&params, ring3_policy_preemption_cost());
    check_ge(params.quantum, 50000L);
    check_le(params.quantum, 100 * MS);
}

TEST(policy, parameters_come_from_text)
{
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    char text[1024];

    check_eq(ring3_policy_parse("test",
                                "mlfq,quanta=2/500us/0,boost=1s,allotment=3,preempt=off,alpha=0.25,"
                                "seed=9,shares=80/20",
                                &policy, &params),
             0);
    check_str_eq(policy->name, "mlfq");
    check_eq(params.levels, 3);
    check_eq(params.quanta[0], 2 * MS);
    check_eq(params.quanta[1], MS / 2);
    check_eq(params.quanta[2], 0);
    check_eq(params.boost, 1000 * MS);
    check_eq(params.allotment, 3);
    check(!params.preempt && params.alpha == 0.25);
    check_eq(params.seed, 9);
    check_eq(params.shares[1], 20);
    check_eq(ring3_policy_parse("test", "rr,dump=SIGUSR1", &policy, &params), 0);
    check_eq(params.dump_signal, SIGUSR1);
    check_eq(ring3_policy_parse("test", "rr,dump=USR2", &policy, &params), 0);
    check_eq(params.dump_signal, SIGUSR2);
    check_eq(run_in_child(complain, text, sizeof text), 0);
    check_contains(text, "RING3_SCHED: quantum=soon ignored");
    check_contains(text, "policy=best ignored");
    check_contains(text, "dump=KILL ignored");
}
