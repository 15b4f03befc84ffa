/* SPDX-License-Identifier: MIT */
/*
 * Experiments with what threads stand on: many on one kernel thread, many on few, one on each; events that
 * interrupt or are polled for; from wake-up to run; and two rules of thumb of textbooks, on the simulator.
 */
#include "ring3_bench.h"

#include "ring3/io.h"
#include "ring3/sem.h"
#include "ring3/sim.h"
#include "ring3/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static void must(int err)
{
    if (err)
        abort();
}

static int64_t ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- N:1, M:N, 1:1 ---------------------------------------------------------------------------- */

struct model {
    unsigned workers;
    ring3_runtime_model_t kind;
};

static const struct model many_to_one = {1, RING3_RUNTIME_SHARED},
                          many_to_many = {2, RING3_RUNTIME_SHARED},
                          one_to_one = {0, RING3_RUNTIME_BOUND};

/* Each of `count` threads runs `body`, on one model of ring3's, or as a kernel thread. */
static void in_threads(const struct model *model, int64_t count, void *(*body)(void *))
{
    ring3_thread_t *const threads = calloc((size_t)count, sizeof *threads);

    if (!threads)
        abort();
    must(ring3_runtime_start(&(ring3_runtime_options_t){
        .workers = model->workers, .model = model->kind, .kernel_threads = (unsigned)count + 64}));
    for (int64_t i = 0; i < count; i++)
        must(ring3_thread_create(&threads[i], NULL, body, NULL));
    for (int64_t i = 0; i < count; i++)
        must(ring3_thread_join(threads[i], NULL));
    while (ring3_runtime_stop() == -EBUSY)
        ring3_thread_yield();
    free(threads);
}

static void *brief(void *arg)
{
    ring3_thread_yield();
    return arg;
}

static void *compute(void *arg)
{
    ring3_bench_spin(2000000);
    return arg;
}

/* The kernel blocks whoever calls, and nobody has told the kernel of user threads. */
static void *wait_in_kernel(void *arg)
{
    for (int i = 0; i < 5; i++) {
        ring3_blocking_enter();
        (void)poll(NULL, 0, 1);
        ring3_blocking_leave();
    }
    return arg;
}

/* N:1 as it was before there were such brackets: the only worker waits too. */
static void *wait_with_worker(void *arg)
{
    for (int i = 0; i < 5; i++)
        (void)poll(NULL, 0, 1);
    return arg;
}

static void model_brief(struct ring3_bench_thread *t, const struct model *model)
{
    in_threads(model, t->param, brief);
    t->ops = (uint64_t)t->param;
}

static void model_compute(struct ring3_bench_thread *t, const struct model *model)
{
    in_threads(model, 8, compute);
    t->ops = 8;
}

static void model_wait(struct ring3_bench_thread *t, const struct model *model)
{
    in_threads(model, 32, model == &many_to_one ? wait_with_worker : wait_in_kernel);
    t->ops = 32;
}

#define MODEL(load, model, ...)                                                                    \
    static void load##_##model(struct ring3_bench_thread *t)                                       \
    {                                                                                              \
        model_##load(t, &model);                                                                   \
    }                                                                                              \
    RING3_BENCH(load##_##model, .name = "model-" #load "/" #model, .body = load##_##model,         \
                __VA_ARGS__)

MODEL(brief, many_to_one, .params = {1000, 10000});
MODEL(brief, many_to_many, .params = {1000, 10000});
MODEL(brief, one_to_one, .params = {1000, 10000});
MODEL(compute, many_to_one);
MODEL(compute, many_to_many);
MODEL(compute, one_to_one);
MODEL(wait, many_to_one);
MODEL(wait, many_to_many);
MODEL(wait, one_to_one);

/* --- Interrupt or poll ------------------------------------------------------------------------ */

/* A device that has something every so many microseconds. */
struct device {
    int fd;
    int64_t gap, events;
};

static void *produce(void *at)
{
    const struct device *const device = at;
    int64_t due = ns(CLOCK_MONOTONIC);

    for (int64_t i = 0; i < device->events; i++) {
        struct timespec next;
        uint64_t stamp;

        due += device->gap;
        next = (struct timespec){due / 1000000000, due % 1000000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        stamp = (uint64_t)ns(CLOCK_MONOTONIC);
        if (write(device->fd, &stamp, sizeof stamp) < 0)
            abort();
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* `pause` us between two looks; 0: look again at once; below that: the kernel wakes us. Counters: how late
 * an event is seen, and the share of a CPU that seeing takes. */
static void events(struct ring3_bench_thread *t, int pause)
{
    const int64_t count = 200000 / t->param < 1000 ? 200000 / t->param : 1000;
    int64_t *const late = calloc((size_t)count, sizeof *late), began = ns(CLOCK_MONOTONIC),
                   cpu = ns(CLOCK_THREAD_CPUTIME_ID);
    int ends[2];
    struct device device = {.gap = t->param * 1000, .events = count};
    pthread_t producer;

    must(pipe(ends));
    device.fd = ends[1];
    must(pthread_create(&producer, NULL, produce, &device));
    for (int64_t i = 0; i < count; i++) {
        struct pollfd look = {ends[0], POLLIN, 0};
        uint64_t stamp;

        while (pause >= 0 && poll(&look, 1, 0) == 0)
            if (pause > 0)
                (void)usleep((useconds_t)pause);
        if (read(ends[0], &stamp, sizeof stamp) != (ssize_t)sizeof stamp)
            abort();
        late[i] = ns(CLOCK_MONOTONIC) - (int64_t)stamp;
    }
    cpu = ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    began = ns(CLOCK_MONOTONIC) - began;
    (void)pthread_join(producer, NULL);
    (void)close(ends[0]);
    (void)close(ends[1]);
    qsort(late, (size_t)count, sizeof *late, compare);
    ring3_bench_count(t, "late_us", (double)late[count / 2] / 1e3);
    ring3_bench_count(t, "late_p99_us", (double)late[count * 99 / 100] / 1e3);
    ring3_bench_count(t, "cpu_percent", 100 * (double)cpu / (double)began);
    t->ops = (uint64_t)count;
    free(late);
}

static void interrupted(struct ring3_bench_thread *t)
{
    events(t, -1);
}

static void polled(struct ring3_bench_thread *t)
{
    events(t, 0);
}

static void polled_slowly(struct ring3_bench_thread *t)
{
    events(t, 1000);
}

RING3_BENCH(interrupted, .name = "event/interrupt", .body = interrupted,
            .params = {50, 200, 1000, 5000});
RING3_BENCH(polled, .name = "event/poll", .body = polled, .params = {50, 200, 1000, 5000});
RING3_BENCH(polled_slowly, .name = "event/poll_each_ms", .body = polled_slowly,
            .params = {50, 200, 1000, 5000});

/* --- From wake-up to run ---------------------------------------------------------------------- */

static ring3_sem_t wakeups;
static uint64_t woken_at;
static uint32_t over;

enum { WAKEUPS = 100 };

static void *spin(void *unused)
{
    while (!ring3_load(&over, RING3_RELAXED))
        continue;
    return unused;
}

static void *wake_now_and_then(void *unused)
{
    for (int i = 0; i < WAKEUPS; i++) {
        (void)usleep(3000);
        /* Pairs with the acquire in dispatch: the semaphore orders it too. */
        ring3_store(&woken_at, (uint64_t)ns(CLOCK_MONOTONIC), RING3_RELEASE);
        (void)ring3_sem_post(&wakeups);
    }
    return unused;
}

/* One worker, `param` threads that compute without end, and one that a kernel thread wakes. */
static void dispatch(struct ring3_bench_thread *t, const char *policy)
{
    static const ring3_thread_attr_t least = {
        .explicit_sched = true, .priority = RING3_PRIORITY_LEVELS - 1, .weight = 1, .nice = 19};
    ring3_thread_t threads[16];
    int64_t late[WAKEUPS];
    pthread_t waker;

    ring3_store(&over, 0, RING3_RELAXED);
    must(ring3_sem_init(&wakeups, 0, 0, RING3_PRIVATE));
    must(ring3_runtime_start(
        &(ring3_runtime_options_t){.workers = 1, .preempt = true, .policy = policy}));
    for (int64_t i = 0; i < t->param; i++)
        must(ring3_thread_create(&threads[i], &least, spin, NULL));
    must(pthread_create(&waker, NULL, wake_now_and_then, NULL));
    for (int i = 0; i < WAKEUPS; i++) {
        (void)ring3_sem_wait(&wakeups);
        /* Pairs with the release in wake_now_and_then. */
        late[i] = ns(CLOCK_MONOTONIC) - (int64_t)ring3_load(&woken_at, RING3_ACQUIRE);
    }
    ring3_store(&over, 1, RING3_RELAXED);
    (void)pthread_join(waker, NULL);
    for (int64_t i = 0; i < t->param; i++)
        must(ring3_thread_join(threads[i], NULL));
    must(ring3_runtime_stop());
    qsort(late, WAKEUPS, sizeof *late, compare);
    ring3_bench_count(t, "late_us", (double)late[WAKEUPS / 2] / 1e3);
    ring3_bench_count(t, "late_p90_us", (double)late[WAKEUPS * 9 / 10] / 1e3);
    ring3_bench_count(t, "late_p99_us", (double)late[WAKEUPS * 99 / 100] / 1e3);
    t->ops = WAKEUPS;
}

static void dispatch_rr(struct ring3_bench_thread *t)
{
    dispatch(t, "rr,quantum=1");
}

static void dispatch_priority(struct ring3_bench_thread *t)
{
    dispatch(t, "priority,quantum=1,preempt=on");
}

static void dispatch_cfs(struct ring3_bench_thread *t)
{
    dispatch(t, "cfs,quantum=1,latency=2,granularity=0.5");
}

RING3_BENCH(dispatch_rr, .name = "dispatch/rr", .body = dispatch_rr, .params = {1, 4, 16});
RING3_BENCH(dispatch_priority, .name = "dispatch/priority", .body = dispatch_priority,
            .params = {1, 4, 16});
RING3_BENCH(dispatch_cfs, .name = "dispatch/cfs", .body = dispatch_cfs, .params = {1, 4, 16});

/* --- Rules of thumb, on the virtual clock ----------------------------------------------------- */

struct run {
    ring3_sim_workload_t work;
    ring3_sim_options_t options;
    ring3_sim_result_t result;
};

static void simulate(struct run *run, const ring3_sim_generator_t *generator, const char *policy)
{
    must(ring3_policy_parse("bench", policy, &run->options.policy, &run->options.params));
    must(ring3_sim_generate(generator, &run->work));
    must(ring3_sim_run(&run->work, &run->options, &run->result));
}

static void free_run(struct run *run)
{
    ring3_sim_result_free(&run->result);
    ring3_sim_workload_free(&run->work);
}

/* The percentage of CPU bursts that one quantum is enough for. */
static double share_within(const ring3_sim_workload_t *work, int64_t quantum)
{
    double within = 0, all = 0;

    for (size_t i = 0; i < work->count; i++)
        for (size_t k = 0; k < work->jobs[i].steps; k++) {
            const ring3_sim_step_t *const step = &work->steps[work->jobs[i].first + k];

            if (step->kind != RING3_SIM_CPU)
                continue;
            all += (double)work->jobs[i].repeat;
            within += step->time <= quantum ? (double)work->jobs[i].repeat : 0;
        }
    return all > 0 ? 100 * within / all : 0;
}

/* Jobs as in the experiment with policies, when a switch takes 0.1 ms. */
static void rule_of_80(struct ring3_bench_thread *t)
{
    static const ring3_sim_generator_t mixed = {.seed = 1,
                                                .jobs = 60,
                                                .gap = 40 * MS,
                                                .burst = 20 * MS,
                                                .io = 30 * MS,
                                                .bursts = 4,
                                                .io_part = 50};
    struct run run = {.options.switch_cost = MS / 10};
    char policy[32];

    (void)snprintf(policy, sizeof policy, "rr,quantum=%d", (int)t->param);
    simulate(&run, &mixed, policy);
    ring3_bench_count(t, "within_percent", share_within(&run.work, t->param * MS));
    ring3_bench_count(t, "turnaround_ms", run.result.turnaround / 1e6);
    ring3_bench_count(t, "switches", (double)run.result.switches);
    t->ops = 1;
    free_run(&run);
}

RING3_BENCH(rule_of_80, .name = "rule-of-80/rr", .body = rule_of_80,
            .params = {1, 2, 5, 10, 20, 40, 80, 160});

/* How long one waits when the CPU is in use for so much of the time: param is the mean gap between
 * arrivals. */
static void load(struct ring3_bench_thread *t, const char *policy)
{
    const ring3_sim_generator_t arrivals = {
        .seed = 1, .jobs = 2000, .gap = t->param * MS, .burst = 10 * MS, .bursts = 1};
    struct run run = {.options.cpus = 1};

    simulate(&run, &arrivals, policy);
    ring3_bench_count(t, "busy_percent", 100 * (double)run.result.busy / (double)run.result.end);
    ring3_bench_count(t, "waiting_ms", run.result.waiting / 1e6);
    t->ops = 1;
    free_run(&run);
}

static void load_fcfs(struct ring3_bench_thread *t)
{
    load(t, "fcfs");
}

static void load_rr(struct ring3_bench_thread *t)
{
    load(t, "rr,quantum=5");
}

RING3_BENCH(load_fcfs, .name = "load/fcfs", .body = load_fcfs, .params = {11, 12, 14, 18, 25, 40});
RING3_BENCH(load_rr, .name = "load/rr", .body = load_rr, .params = {11, 12, 14, 18, 25, 40});
