/* SPDX-License-Identifier: MIT */
/* Live threads on the virtual clock run the schedule that the simulator draws; and traces. */
#include "threads.h"

#include "ring3/nursery.h"
#include "simulate.h"

#include <errno.h>
#include <unistd.h>

static const ring3_sim_workload_t *live_work;

/* What the simulator does with a job's steps, in a thread. */
static void *perform(void *at)
{
    const ring3_sim_job_t *const job = at;

    for (uint64_t round = 0; round < job->repeat; round++)
        for (size_t i = 0; i < job->steps; i++) {
            const ring3_sim_step_t *const step = &live_work->steps[job->first + i];

            if (step->kind == RING3_SIM_CPU)
                check_eq(ring3_work(step->time), 0);
            else
                check_eq(ring3_sleep_ns(step->time), 0);
        }
    return NULL;
}

/* Runs the jobs in threads; the schedule goes to `slices`. */
static ptrdiff_t run_live(const ring3_sim_workload_t *work, const char *policy,
                          ring3_trace_slice_t *slices, size_t count)
{
    const ring3_runtime_options_t options = {
        .workers = 1, .policy = policy, .virtual_clock = true, .trace = count};
    ring3_nursery_t nursery;
    ptrdiff_t got;

    live_work = work;
    start(&options);
    ring3_nursery_init(&nursery);
    for (size_t i = 0; i < work->count; i++) {
        ring3_sim_job_t *const job = &work->jobs[i];
        const ring3_thread_attr_t attr = {.name = job->name,
                                          .start = job->arrive,
                                          .explicit_sched = true,
                                          .priority = job->priority,
                                          .weight = job->weight,
                                          .nice = job->nice,
                                          .band = job->band,
                                          .queue = job->queue};

        check_eq(ring3_nursery_spawn(&nursery, &attr, perform, job), 0);
    }
    check_eq(ring3_nursery_wait(&nursery, NULL), 0);
    got = ring3_trace_read(0, slices, count);
    while (ring3_runtime_stop() == -EBUSY)
        ring3_thread_yield();
    return got;
}

static void check_same(const char *jobs, const char *policy)
{
    enum { MOST = 4000 };
    ring3_trace_slice_t *const live = calloc(MOST, sizeof *live);
    struct simulation *const sim = simulate(jobs, policy, NULL);
    const ptrdiff_t count = run_live(&sim->work, policy, live, MOST);

    for (ptrdiff_t i = 0; i < count && i < (ptrdiff_t)sim->result.slice_count; i++) {
        const ring3_sim_slice_t *const drawn = &sim->result.slices[i];

        check(strcmp(live[i].name, sim->work.jobs[drawn->job].name) == 0 &&
                  live[i].from == drawn->from && live[i].to == drawn->to,
              "%s, slice %d: live %s %f-%f, drawn %s %f-%f", policy, (int)i, live[i].name,
              (double)live[i].from / MS, (double)live[i].to / MS, sim->work.jobs[drawn->job].name,
              (double)drawn->from / MS, (double)drawn->to / MS);
    }
    check_eq(count, (ptrdiff_t)sim->result.slice_count, "%s", policy);
    simulation_free(sim);
    free(live);
}

static const char four[] =
    "job P1 cpu=7\njob P2 arrive=2 cpu=4\njob P3 arrive=4 cpu=1\njob P4 arrive=5 cpu=4\n";
static const char three[] = "job A cpu=30\njob B cpu=6\njob C cpu=20\n";
static const char mixed[] = "job big cpu=50 weight=3 prio=130\n"
                            "job io cpu=1.5 io=7 repeat=20 prio=110\n"
                            "job mid arrive=11 cpu=20 nice=5 weight=2\n"
                            "job late arrive=33.3 cpu=9 queue=1\n";
static const char *const loads[] = {four, three, mixed};

TEST(virtual, live_threads_run_the_schedule_that_the_simulator_draws)
{
    /* sjf and srtf know declared bursts in the simulator only; rm, edf and linux want periods. */
    static const char *const policies[] = {
        "fcfs",
        "rr,quantum=3",
        "rr,quantum=1",
        "wrr,quantum=2",
        "wfq,quantum=2",
        "priority",
        "priority,aging=3",
        "mlfq",
        "multilevel",
        "lottery,quantum=2",
        "stride,quantum=2",
        "o1",
        "cfs",
        "eevdf",
    };

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        for (size_t k = 0; k < sizeof loads / sizeof *loads; k++)
            check_same(loads[k], policies[i]);
}

TEST(virtual, the_same_seed_gives_the_same_run)
{
    enum { MOST = 1000 };
    struct simulation *const sim = simulate(loads[2], "lottery,quantum=1", NULL);
    ring3_trace_slice_t *const a = calloc(MOST, sizeof *a), *const b = calloc(MOST, sizeof *b);
    const ptrdiff_t first = run_live(&sim->work, "lottery,quantum=1,seed=5", a, MOST);
    const ptrdiff_t second = run_live(&sim->work, "lottery,quantum=1,seed=5", b, MOST);
    ptrdiff_t other;
    bool same = true;

    check_gt(first, 10);
    check_eq(first, second);
    for (ptrdiff_t i = 0; i < first; i++)
        check(a[i].name == b[i].name && a[i].from == b[i].from && a[i].to == b[i].to);
    other = run_live(&sim->work, "lottery,quantum=1,seed=6", b, MOST);
    for (ptrdiff_t i = 0; i < first && i < other; i++)
        same &= a[i].name == b[i].name && a[i].from == b[i].from;
    check(!same, "another seed, another run");
    simulation_free(sim);
    free(a);
    free(b);
}

static void *work_and_sleep(void *turns)
{
    for (long i = 0; i < value_of(turns); i++) {
        check_eq(ring3_work(MS), 0);
        check_eq(ring3_sleep_ns(MS), 0);
    }
    return NULL;
}

TEST(virtual, a_trace_keeps_the_last_slices)
{
    ring3_trace_slice_t slices[20];
    ring3_thread_t thread;

    check_eq(ring3_trace_read(0, slices, 20), -EINVAL, "nothing runs");
    start(&(ring3_runtime_options_t){.workers = 1, .virtual_clock = true, .trace = 5});
    thread = spawn(work_and_sleep, number(9));
    (void)join(thread);
    check_eq(ring3_trace_read(0, slices, 20), 5);
    for (int i = 0; i < 5; i++)
        check_eq(slices[i].from, (8 + 2 * i) * MS);
    check_eq(ring3_trace_read(0, slices, 2), 2);
    check_eq(slices[1].from, 16 * MS);
    check_eq(ring3_trace_read(1, slices, 20), -EINVAL);
    stop();
}

TEST(virtual, a_trace_is_written_in_chromes_format)
{
    const ring3_thread_attr_t attr = {.name = "a \"quoted\" name"};
    FILE *const file = tmpfile();
    char text[2048] = "";
    ring3_thread_t thread;

    start(&(ring3_runtime_options_t){.workers = 1, .virtual_clock = true, .trace = 5});
    check_eq(ring3_thread_create(&thread, &attr, work_and_sleep, number(2)), 0);
    (void)join(thread);
    check_eq(ring3_trace_write(fileno(file)), 0);
    check_gt(pread(fileno(file), text, sizeof text - 1, 0), 0);
    check_contains(text, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
                         "{\"ph\":\"X\",\"pid\":0,\"tid\":0,\"ts\":0.000,\"dur\":1000.000,"
                         "\"name\":\"a \\\"quoted\\\" name\"");
    check_contains(text, "\"ts\":2000.000");
    check_contains(text, "\n]}\n");
    check_eq(ring3_trace_write(-1), -EBADF);
    stop();
    check_eq(ring3_trace_write(1), -EINVAL);
    check_eq(fclose(file), 0);
}
