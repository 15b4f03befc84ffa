/* SPDX-License-Identifier: MIT */
/* Periodic threads on the virtual clock, and parameters of live threads. */
#include "threads.h"

#include "ring3/event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)

struct task {
    const char *name;
    int64_t time, period;
    int jobs, refused;
    uint64_t misses;
};

/* Set when both tasks have their periods. */
static ring3_event_t released;

static void *perform(void *at)
{
    struct task *const task = at;
    ring3_thread_stats_t stats;

    task->refused = ring3_thread_set_periodic(task->time, 0, task->period);
    ring3_event_wait(&released);
    if (task->refused)
        return NULL;
    for (int i = 0; i < task->jobs; i++) {
        check_eq(ring3_work(task->time), 0);
        check_ge(ring3_thread_wait_next_period(), 0);
    }
    check_eq(ring3_thread_stats(ring3_thread_self(), &stats), 0);
    task->misses = stats.misses;
    return NULL;
}

/* Runs the two tasks and writes who ran when, in ms. */
static void run(const char *policy, struct task *tasks, char text[512])
{
    ring3_trace_slice_t slices[32];
    ring3_thread_t threads[2];
    ptrdiff_t count;
    size_t length = 0;

    start(&(ring3_runtime_options_t){
        .workers = 1, .policy = policy, .virtual_clock = true, .trace = 32});
    for (int i = 0; i < 2; i++)
        check_eq(ring3_thread_create(&threads[i], &(ring3_thread_attr_t){.name = tasks[i].name},
                                     perform, &tasks[i]),
                 0);
    ring3_thread_yield();
    ring3_event_set(&released);
    for (int i = 0; i < 2; i++)
        (void)join(threads[i]);
    count = ring3_trace_read(0, slices, 32);
    for (ptrdiff_t i = 0; i < count; i++)
        length +=
            (size_t)snprintf(text + length, 512 - length, "%s%s %d-%d", i ? ", " : "",
                             slices[i].name, (int)(slices[i].from / MS), (int)(slices[i].to / MS));
    stop();
}

TEST(periodic, rate_monotonic_live)
{
    struct task tasks[] = {{.name = "P1", .time = 20 * MS, .period = 50 * MS, .jobs = 2},
                           {.name = "P2", .time = 35 * MS, .period = 100 * MS, .jobs = 1}};
    char text[512] = "";

    run("rm", tasks, text);
    check_str_eq(text, "P1 0-20, P2 20-50, P1 50-70, P2 70-75");
    check_eq(tasks[0].misses + tasks[1].misses, 0);
}

TEST(periodic, earliest_deadline_first_live)
{
    struct task tasks[] = {{.name = "P1", .time = 25 * MS, .period = 50 * MS, .jobs = 2},
                           {.name = "P2", .time = 35 * MS, .period = 80 * MS, .jobs = 1}};
    char text[512] = "";

    run("edf", tasks, text);
    check_str_eq(text, "P1 0-25, P2 25-60, P1 60-85");
    check_eq(tasks[0].misses + tasks[1].misses, 0);
}

TEST(periodic, what_would_miss_its_deadline_is_not_admitted)
{
    struct task tasks[] = {{.name = "P1", .time = 25 * MS, .period = 50 * MS, .jobs = 2},
                           {.name = "P2", .time = 35 * MS, .period = 80 * MS, .jobs = 1}};
    char text[512] = "";

    run("rm", tasks, text);
    check_eq(tasks[0].refused, 0);
    check_eq(tasks[1].refused, -EBUSY);
}

static void *overrun(void *unused)
{
    ring3_thread_stats_t stats;

    check_eq(ring3_thread_wait_next_period(), -EPERM);
    check_eq(ring3_thread_set_periodic(-1, 0, MS), -EINVAL);
    check_eq(ring3_thread_set_periodic(MS, 3 * MS, 2 * MS), -EINVAL);
    check_eq(ring3_thread_set_periodic(MS, 0, 10 * MS), 0);
    check_eq(ring3_work(25 * MS), 0);
    check_eq(ring3_thread_wait_next_period(), 2, "those of 10 and 20");
    check_eq(ring3_thread_wait_next_period(), 1);
    check_eq(ring3_thread_wait_next_period(), 0, "that of 30 is waited for");
    check_eq(ring3_runtime_now(), 30 * MS);
    check_eq(ring3_thread_stats(ring3_thread_self(), &stats), 0);
    check_eq(stats.misses, 2, "the jobs due at 10 and 20");
    check_eq(stats.tardiness, 15 * MS);
    return unused;
}

TEST(periodic, overruns_are_counted)
{
    start(&(ring3_runtime_options_t){.workers = 1, .policy = "edf", .virtual_clock = true});
    (void)join(spawn(overrun, NULL));
    check_eq(ring3_thread_set_priority(ring3_thread_self(), 140), -EINVAL);
    check_eq(ring3_thread_set_weight(ring3_thread_self(), 0), -EINVAL);
    check_eq(ring3_thread_set_nice(ring3_thread_self(), -21), -EINVAL);
    check_eq(ring3_thread_set_nice(12345678, 0), -ESRCH);
    stop();
}

static char order[8];

static void *write_letter(void *letter)
{
    order[strlen(order)] = (char)value_of(letter);
    return NULL;
}

TEST(periodic, a_queued_thread_moves_when_its_priority_changes)
{
    ring3_thread_t threads[3];

    start(&(ring3_runtime_options_t){.workers = 1, .policy = "priority"});
    for (int i = 0; i < 3; i++)
        threads[i] = spawn(write_letter, number('a' + i));
    check_eq(ring3_thread_set_priority(threads[2], 10), 0);
    check_eq(ring3_thread_set_priority(threads[0], 130), 0);
    for (int i = 0; i < 3; i++)
        (void)join(threads[i]);
    check_str_eq(order, "cba");
    stop();
}
