/* SPDX-License-Identifier: MIT */
/*
 * Experiments with policies, most of them on the simulator's virtual clock: what they show depends on
 * the workload alone and not on this machine. What a policy costs is measured.
 */
#include "ring3_bench.h"

#include "ring3/policy.h"
#include "ring3/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

/* The workload of most experiments: half of the jobs mostly wait, the others mostly compute. */
static const ring3_sim_generator_t mixed = {.seed = 1,
                                            .jobs = 60,
                                            .gap = 40 * MS,
                                            .burst = 20 * MS,
                                            .io = 30 * MS,
                                            .bursts = 4,
                                            .io_part = 50};

struct run {
    ring3_sim_workload_t work;
    ring3_sim_options_t options;
    ring3_sim_result_t result;
};

static void must(int err)
{
    if (err)
        abort();
}

static void run_policy(struct run *run, const char *policy)
{
    must(ring3_policy_parse("bench", policy, &run->options.policy, &run->options.params));
    must(ring3_sim_run(&run->work, &run->options, &run->result));
}

static void run_text(struct run *run, const char *jobs, const char *policy)
{
    ring3_sim_error_t error;

    must(ring3_sim_read(jobs, strlen(jobs), &run->work, &error));
    run_policy(run, policy);
}

static void run_mixed(struct run *run, const char *policy)
{
    must(ring3_sim_generate(&mixed, &run->work));
    run_policy(run, policy);
}

static void run_free(struct run *run)
{
    ring3_sim_result_free(&run->result);
    ring3_sim_workload_free(&run->work);
}

/* --- What each policy makes of one workload --------------------------------------------------- */

static void schedule(struct ring3_bench_thread *t, const char *policy)
{
    struct run run = {0};

    run_mixed(&run, policy);
    ring3_bench_count(t, "waiting_ms", run.result.waiting / 1e6);
    ring3_bench_count(t, "response_ms", run.result.response / 1e6);
    ring3_bench_count(t, "turnaround_ms", run.result.turnaround / 1e6);
    ring3_bench_count(t, "switches", (double)run.result.switches);
    t->ops = 1;
    run_free(&run);
}

#define SCHEDULE(id, policy)                                                                       \
    static void schedule_##id(struct ring3_bench_thread *t)                                        \
    {                                                                                              \
        schedule(t, policy);                                                                       \
    }                                                                                              \
    RING3_BENCH(schedule_##id, .name = "schedule/" #id, .body = schedule_##id)

SCHEDULE(fcfs, "fcfs");
SCHEDULE(sjf, "sjf");
SCHEDULE(srtf, "srtf");
SCHEDULE(rr, "rr");
SCHEDULE(priority, "priority");
SCHEDULE(priority_aging, "priority,aging=5");
SCHEDULE(mlfq, "mlfq,boost=200");
SCHEDULE(o1, "o1");
SCHEDULE(cfs, "cfs");
SCHEDULE(eevdf, "eevdf");

/* --- Quantum ---------------------------------------------------------------------------------- */

/* The mean over jobs that compute for long, or of those that mostly wait. */
static double mean_turnaround(const struct run *run, bool io_bound)
{
    double sum = 0;
    int count = 0;

    for (size_t i = 0; i < run->work.count; i++)
        if ((run->work.jobs[i].name[0] == 'i') == io_bound) {
            sum += (double)run->result.jobs[i].turnaround;
            count++;
        }
    return sum / count / 1e6;
}

static const char competitors[] = "job c1 cpu=400\njob c2 cpu=400\njob c3 cpu=400\n"
                                  "job i1 cpu=2 io=20 repeat=20\njob i2 cpu=2 io=20 repeat=20\n";

static void quantum(struct ring3_bench_thread *t, bool io_bound)
{
    struct run run = {.options.switch_cost = MS / 2};
    char policy[32];

    (void)snprintf(policy, sizeof policy, "rr,quantum=%d", (int)t->param);
    run_text(&run, competitors, policy);
    ring3_bench_count(t, "turnaround_ms", mean_turnaround(&run, io_bound));
    ring3_bench_count(t, "lost_percent",
                      100 * (double)run.result.overhead /
                          (double)(run.result.overhead + run.result.busy));
    t->ops = 1;
    run_free(&run);
}

static void quantum_cpu(struct ring3_bench_thread *t)
{
    quantum(t, false);
}

static void quantum_io(struct ring3_bench_thread *t)
{
    quantum(t, true);
}

RING3_BENCH(quantum_cpu, .name = "quantum/cpu_bound", .body = quantum_cpu,
            .params = {1, 2, 5, 10, 20, 50, 100});
RING3_BENCH(quantum_io, .name = "quantum/io_bound", .body = quantum_io,
            .params = {1, 2, 5, 10, 20, 50, 100});

/* --- Starvation and inversion ----------------------------------------------------------------- */

static void finish_of(struct ring3_bench_thread *t, const char *jobs, const char *policy,
                      bool inherit, size_t job)
{
    struct run run = {.options.inherit = inherit};

    run_text(&run, jobs, policy);
    ring3_bench_count(t, "turnaround_ms", (double)run.result.jobs[job].turnaround / 1e6);
    t->ops = 1;
    run_free(&run);
}

/* Two urgent jobs that together leave nothing over for a second. */
static const char crowded[] = "job low prio=130 cpu=20\n"
                              "job u1 prio=100 cpu=10 io=10 repeat=50\n"
                              "job u2 prio=101 cpu=10 io=10 repeat=50\n";

static void starves(struct ring3_bench_thread *t)
{
    finish_of(t, crowded, "priority", false, 0);
}

static void ages(struct ring3_bench_thread *t)
{
    finish_of(t, crowded, "priority,aging=5", false, 0);
}

RING3_BENCH(starves, .name = "starvation/fixed_priorities", .body = starves);
RING3_BENCH(ages, .name = "starvation/aging", .body = ages);

static const char inverted[] = "job low prio=130 cpu=1 lock=bus cpu=4 unlock=bus cpu=1\n"
                               "job high arrive=2 prio=100 cpu=1 lock=bus cpu=2 unlock=bus\n"
                               "job medium arrive=3 prio=110 cpu=100\n";

static void inverts(struct ring3_bench_thread *t)
{
    finish_of(t, inverted, "priority", false, 1);
}

static void inherits(struct ring3_bench_thread *t)
{
    finish_of(t, inverted, "priority", true, 1);
}

RING3_BENCH(inverts, .name = "inversion/plain_lock", .body = inverts);
RING3_BENCH(inherits, .name = "inversion/inheritance", .body = inherits);

/* --- Interactive jobs among those that compute ------------------------------------------------ */

static const char desktop[] = "job h1 cpu=2000\njob h2 cpu=2000\njob h3 cpu=2000 nice=5\n"
                              "job h4 cpu=2000\njob editor cpu=1 io=19 repeat=100\n";

/* How long the editor waits at each of its bursts; and Jain's index of what equal hogs got. */
static void desktop_under(struct ring3_bench_thread *t, const char *policy)
{
    struct run run = {.options.until = 3000 * MS};
    double sum = 0, squares = 0;

    run_text(&run, desktop, policy);
    for (size_t i = 0; i < 4; i++) {
        const double ran = (double)run.result.jobs[i].ran;

        if (i == 2)
            continue;
        sum += ran;
        squares += ran * ran;
    }
    ring3_bench_count(t, "wait_ms", (double)run.result.jobs[4].waited / 100 / 1e6);
    ring3_bench_count(t, "jain_hogs", squares > 0 ? sum * sum / (3 * squares) : 0);
    t->ops = 1;
    run_free(&run);
}

#define DESKTOP(id, policy)                                                                        \
    static void desktop_##id(struct ring3_bench_thread *t)                                         \
    {                                                                                              \
        desktop_under(t, policy);                                                                  \
    }                                                                                              \
    RING3_BENCH(desktop_##id, .name = "desktop/" #id, .body = desktop_##id)

DESKTOP(fcfs, "fcfs");
DESKTOP(rr, "rr");
DESKTOP(mlfq, "mlfq");
DESKTOP(o1, "o1");
DESKTOP(cfs, "cfs");
DESKTOP(eevdf, "eevdf");

/* --- A queue for each CPU, or one for all ----------------------------------------------------- */

static void queues(struct ring3_bench_thread *t, bool global)
{
    struct run run = {.options = {.cpus = (unsigned)t->param, .global = global}};

    run_mixed(&run, "rr,quantum=5");
    ring3_bench_count(t, "migrations", (double)run.result.migrations);
    ring3_bench_count(t, "turnaround_ms", run.result.turnaround / 1e6);
    t->ops = 1;
    run_free(&run);
}

static void queue_each(struct ring3_bench_thread *t)
{
    queues(t, false);
}

static void queue_global(struct ring3_bench_thread *t)
{
    queues(t, true);
}

RING3_BENCH(queue_each, .name = "queues/one_each", .body = queue_each, .params = {2, 4, 8});
RING3_BENCH(queue_global, .name = "queues/global", .body = queue_global, .params = {2, 4, 8});

/* --- What a policy costs ---------------------------------------------------------------------- */

static void cost(struct ring3_bench_thread *t, const char *name)
{
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    ring3_entity_t *const entities = calloc((size_t)t->param, sizeof *entities);
    void *queue;
    int64_t now = 0;

    must(ring3_policy_parse("bench", name, &policy, &params));
    queue = calloc(1, policy->queue_size + 1);
    if (!queue || !entities)
        abort();
    if (policy->init)
        policy->init(queue, &params);
    for (int64_t i = 0; i < t->param; i++) {
        entities[i].id = (uint32_t)i;
        entities[i].priority = RING3_PRIORITY_DEFAULT;
        entities[i].weight = 1;
        policy->enqueue(queue, &entities[i], RING3_ARRIVES, now);
    }
    while (ring3_bench_running(t))
        for (int i = 0; i < 64; i++, t->ops++) {
            ring3_entity_t *const entity = policy->pick(queue, now);

            now += params.quantum;
            if (policy->tick)
                (void)policy->tick(queue, entity, params.quantum, now);
            policy->enqueue(queue, entity, RING3_EXPIRED, now);
        }
    free(queue);
    free(entities);
}

#define COST(id)                                                                                   \
    static void cost_##id(struct ring3_bench_thread *t)                                            \
    {                                                                                              \
        cost(t, #id);                                                                              \
    }                                                                                              \
    RING3_BENCH(cost_##id, .name = "pick/" #id, .body = cost_##id, .params = {10, 100, 1000, 10000})

COST(rr);
COST(priority);
COST(mlfq);
COST(lottery);
COST(stride);
COST(o1);
COST(cfs);
COST(eevdf);
