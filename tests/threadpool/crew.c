/* SPDX-License-Identifier: MIT */
/* Workers with queues of their own; and where threads run. */
#include "support.h"

#include "ring3/container.h"
#include "ring3/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_crew_t *crew_of(unsigned workers, bool steal)
{
    const ring3_crew_options_t options = {.workers = workers, .steal = steal};
    ring3_crew_t *crew;

    check_eq(ring3_crew_create(&crew, &options), 0);
    return crew;
}

/* Checks the balance of every worker. */
static void dismiss(ring3_crew_t *crew)
{
    check_eq(ring3_crew_shutdown(crew, RING3_POOL_DRAIN, NULL), 0);
    for (unsigned i = 0; i < ring3_crew_size(crew); i++) {
        const ring3_pool_stats_t stats = stats_of(ring3_crew_pool(crew, i));

        check_eq(stats.submitted, stats.done + stats.cancelled);
    }
    check_eq(ring3_crew_destroy(crew), 0);
}

struct named {
    struct gated gated;
    char thread[16];
};

static int note_thread(ring3_task_t *task)
{
    struct named *const self = ring3_container_of(task, struct named, gated.task);

    (void)pthread_getname_np(pthread_self(), self->thread, sizeof self->thread);
    return gated_run(task);
}

TEST(crew, the_boss_chooses_the_worker)
{
    ring3_crew_t *const crew = crew_of(3, false);
    struct named tasks[9];

    for (unsigned i = 0; i < 9; i++) {
        tasks[i] = (struct named){.gated = {.task = {.run = note_thread}}};
        check_eq(ring3_crew_submit(crew, &tasks[i].gated.task, i % 3, RING3_POOL_BLOCK, NULL), 0);
    }
    for (unsigned i = 0; i < 9; i++) {
        char name[16];

        check_eq(ring3_task_wait(&tasks[i].gated.task, NULL), 0);
        (void)snprintf(name, sizeof name, "crew/%u", i % 3);
        check_str_eq(tasks[i].thread, name);
    }
    check_eq(ring3_crew_stolen(crew), 0);
    dismiss(crew);
}

TEST(crew, idle_workers_take_from_a_busy_one)
{
    ring3_crew_t *const crew = crew_of(2, true);
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run}, .gate = &gate};
    struct gated rest[5];

    /* All for worker 0, who is busy with the first of them, whoever took that. */
    check_eq(ring3_crew_submit(crew, &first.task, 0, RING3_POOL_BLOCK, NULL), 0);
    await(&first.started, 1);
    for (int i = 0; i < 5; i++) {
        rest[i] = (struct gated){.task = {.run = gated_run}};
        check_eq(ring3_crew_submit(crew, &rest[i].task, 0, RING3_POOL_BLOCK, NULL), 0);
    }
    for (int i = 0; i < 5; i++)
        check_eq(ring3_task_wait(&rest[i].task, NULL), 0);
    check_eq(first.task.state, RING3_TASK_RUNNING);
    check_ge(ring3_crew_stolen(crew), 1, "one of the two was stolen");
    ring3_store(&gate, 1, RING3_RELEASE);
    ring3_wait_wake(&gate);
    dismiss(crew);
}

TEST(crew, any_and_shortest_avoid_a_busy_worker)
{
    ring3_crew_t *const crew = crew_of(2, false);
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run}, .gate = &gate};
    struct gated second = {.task = {.run = gated_run}}, third = second;

    check_eq(ring3_crew_submit(crew, &first.task, 1, RING3_POOL_BLOCK, NULL), 0);
    await(&first.started, 1);
    check_eq(ring3_crew_submit(crew, &second.task, RING3_CREW_SHORTEST, RING3_POOL_BLOCK, NULL), 0);
    check_eq(ring3_task_wait(&second.task, NULL), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    ring3_wait_wake(&gate);
    check_eq(ring3_crew_submit(crew, &third.task, RING3_CREW_ANY, RING3_POOL_BLOCK, NULL), 0);
    check_eq(ring3_crew_submit(crew, &second.task, 2, RING3_POOL_BLOCK, NULL), -EINVAL);
    check_eq(ring3_task_wait(&third.task, NULL), 0);
    dismiss(crew);
}

struct spread {
    ring3_crew_t *crew;
    pthread_t thread;
    struct gated tasks[200];
    int refused;
};

static void *submit_everywhere(void *argument)
{
    struct spread *const self = argument;

    for (unsigned i = 0; i < 200; i++) {
        const unsigned to = i % 3 == 0 ? RING3_CREW_ANY : i % 3 == 1 ? RING3_CREW_SHORTEST : i % 2;

        self->tasks[i] = (struct gated){.task = {.run = gated_run}};
        if (ring3_crew_submit(self->crew, &self->tasks[i].task, to, (ring3_pool_full_t)(i % 4),
                              NULL) != 0)
            self->refused++;
        if (i % 11 == 0)
            (void)ring3_task_cancel(&self->tasks[i].task);
    }
    return NULL;
}

TEST(crew, loses_nothing_whenever_it_closes, 120)
{
    const ring3_pool_options_t each = {.name = "crew", .capacity = 8};
    unsigned seed = 7;

    for (long round = scaled(100, 5000); round > 0; round--) {
        const ring3_crew_options_t options = {
            .workers = 1 + (unsigned)round % 4, .steal = round % 5 != 0, .pool = &each};
        static struct spread spreads[2];
        ring3_crew_t *crew;

        check_eq(ring3_crew_create(&crew, &options), 0);
        for (int i = 0; i < 2; i++) {
            spreads[i].crew = crew;
            spreads[i].refused = 0;
            check_eq(pthread_create(&spreads[i].thread, NULL, submit_everywhere, &spreads[i]), 0);
        }
        check_eq(usleep((useconds_t)rand_r(&seed) % 400), 0);
        check_eq(
            ring3_crew_shutdown(crew, (ring3_pool_closing_t)(RING3_POOL_DRAIN + round % 3), NULL),
            0);
        for (int i = 0; i < 2; i++) {
            check_eq(pthread_join(spreads[i].thread, NULL), 0);
            for (int j = 0; j < 200; j++)
                check(spreads[i].tasks[j].task.state == RING3_TASK_DONE ||
                      spreads[i].tasks[j].task.state == RING3_TASK_IDLE);
        }
        dismiss(crew);
    }
}

static int close_own_crew(ring3_task_t *task)
{
    struct named *const self = ring3_container_of(task, struct named, gated.task);
    ring3_crew_t *const crew = (ring3_crew_t *)(void *)self->gated.gate;

    return ring3_crew_shutdown(crew, RING3_POOL_NOW, NULL) == -EDEADLK &&
                   ring3_crew_destroy(crew) == -EDEADLK
               ? 0
               : 1;
}

TEST(crew, refuses_what_cannot_be)
{
    const ring3_crew_options_t many = {.workers = 5000};
    ring3_crew_t *crew;
    struct named task = {.gated = {.task = {.run = close_own_crew}}};

    check_eq(ring3_crew_create(&crew, &many), -EINVAL);
    crew = crew_of(2, true);
    check(ring3_crew_pool(crew, 2) == NULL);
    task.gated.gate = (uint32_t *)(void *)crew;
    check_eq(ring3_crew_submit(crew, &task.gated.task, 0, RING3_POOL_BLOCK, NULL), 0);
    check_eq(ring3_task_wait(&task.gated.task, NULL), 0);
    check_eq(task.gated.task.result, 0, "a worker must not close its crew");
    dismiss(crew);
}

TEST(crew, is_gone_in_a_child)
{
    ring3_crew_t *const crew = crew_of(2, true);
    ring3_task_t task = {.run = gated_run};
    const pid_t child = fork();
    int status;

    if (child == 0)
        _exit(ring3_crew_submit(crew, &task, 0, RING3_POOL_BLOCK, NULL) == -ECHILD &&
                      ring3_crew_shutdown(crew, RING3_POOL_DRAIN, NULL) == -ECHILD &&
                      ring3_crew_destroy(crew) == 0
                  ? 0
                  : 1);
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
    dismiss(crew);
}

TEST(crew, uses_no_cpu_time_while_idle)
{
    ring3_crew_t *const crew = crew_of(4, true);
    struct timespec before, after;

    check_eq(usleep(100000), 0);
    check_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
    check_eq(usleep(300000), 0);
    check_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
    check_le((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec,
             3000000L, "less than 1 %% of the time");
    dismiss(crew);
}

/* --- Where and how threads run ---------------------------------------------------------------- */

struct placed {
    ring3_task_t task;
    cpu_set_t cpus;
    int policy;
};

static int note_place(ring3_task_t *task)
{
    struct placed *const self = ring3_container_of(task, struct placed, task);
    struct sched_param param;

    check_eq(sched_getaffinity(0, sizeof self->cpus, &self->cpus), 0);
    return pthread_getschedparam(pthread_self(), &self->policy, &param);
}

static struct placed place_in(const ring3_pool_options_t *options)
{
    struct placed placed = {.task = {.run = note_place}};
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, options), 0);
    submit(pool, &placed.task);
    check_eq(ring3_task_wait(&placed.task, NULL), 0);
    check_eq(placed.task.result, 0);
    finish(pool);
    return placed;
}

TEST(pool, pins_its_threads)
{
    cpu_set_t all, last;
    int cpu = CPU_SETSIZE - 1;

    check_eq(sched_getaffinity(0, sizeof all, &all), 0);
    while (!CPU_ISSET((unsigned)cpu, &all))
        cpu--;
    CPU_ZERO(&last);
    CPU_SET((unsigned)cpu, &last);
    const ring3_pool_options_t pinned = {.max = 1, .pin = true};
    const ring3_pool_options_t masked = {.max = 1, .cpus = &last, .cpus_size = sizeof last};
    const struct placed on_one = place_in(&pinned), on_last = place_in(&masked);

    check_eq(CPU_COUNT(&on_one.cpus), 1);
    check(CPU_EQUAL(&on_last.cpus, &last));
}

TEST(pool, takes_a_policy_if_the_system_allows_it)
{
    const ring3_pool_options_t options = {.max = 1, .sched_policy = SCHED_RR, .sched_priority = 1};
    ring3_pool_t *pool;
    const int err = ring3_pool_create(&pool, &options);

    if (err) {
        check_eq(err, -EPERM);
        return;
    }
    finish(pool);
    check_eq(place_in(&options).policy, SCHED_RR);
}

TEST(pool, refuses_places_that_are_not_there)
{
    const ring3_pool_options_t nowhere = {
        .max = 1, .cpus = &(cpu_set_t){{0}}, .cpus_size = sizeof(cpu_set_t)};
    const ring3_pool_options_t unknown = {.max = 1, .sched_policy = 77};
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &nowhere), -EINVAL);
    check_eq(ring3_pool_create(&pool, &unknown), -EINVAL);
}

/* --- A thread for every task ------------------------------------------------------------------ */

TEST(pool, on_demand_starts_a_thread_for_every_task)
{
    const ring3_pool_options_t options = {.max = 3, .on_demand = true};
    ring3_pool_t *pool;
    struct gated tasks[10];

    check_eq(ring3_pool_create(&pool, &options), 0);
    check_eq(stats_of(pool).threads, 0);
    for (int i = 0; i < 10; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run}};
        submit(pool, &tasks[i].task);
    }
    for (int i = 0; i < 10; i++)
        check_eq(ring3_task_wait(&tasks[i].task, NULL), 0);
    await_stat_of(pool, threads, 0);
    check_eq(stats_of(pool).starts, 10);
    check_le(stats_of(pool).threads_most, 3);
    finish(pool);
}
