/* SPDX-License-Identifier: MIT */
/* Figures of measured pools, and traces. */
#include "support.h"

#include "ring3/container.h"
#include "ring3/pool_figures.h"

#include "figures.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(histogram, percentiles_are_within_a_sixteenth)
{
    static struct histogram h;
    const uint64_t values[] = {0, 1, 15, 16, 17, 31, 32, 1000, 123456789, UINT64_MAX / 3};

    check_eq(histogram_quantile(&h, 50, 100), 0, "of nothing");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        h = (struct histogram){.count = 0};
        histogram_add(&h, values[i]);
        histogram_add(&h, UINT64_MAX);
        const uint64_t got = histogram_quantile(&h, 50, 100);

        check_ge(got, values[i]);
        check_le(got - values[i], values[i] / 16);
        check_eq(h.most, UINT64_MAX);
        check_eq(histogram_quantile(&h, 999, 1000), UINT64_MAX);
        check_eq(histogram_over(&h, values[i]), 1);
    }
}

TEST(histogram, counts_the_share_asked_for)
{
    static struct histogram h;

    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(&h, i << 20);
    const ring3_pool_times_t times = histogram_times(&h);

    check(times.p50 >= 500u << 20 && times.p50 <= (500u << 20) / 16 * 17);
    check(times.p99 >= 990u << 20 && times.p99 <= times.p999 && times.p999 <= times.most);
    check_eq(times.most, UINT64_C(1000) << 20);
    check_eq(times.mean, UINT64_C(500) << 20 | 1 << 19);
}

static ring3_pool_t *measured_pool(unsigned threads)
{
    const ring3_pool_options_t options = {.max = threads, .measure = true};
    ring3_pool_t *pool;

    check_eq(ring3_pool_create(&pool, &options), 0);
    return pool;
}

static int pause_2ms(ring3_task_t *task)
{
    (void)task;
    check_eq(usleep(2000), 0);
    return 0;
}

TEST(figures, tell_where_the_time_went)
{
    ring3_pool_t *const pool = measured_pool(1);
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run}, .gate = &gate};
    ring3_pool_figures_t figures;
    ring3_task_t tasks[8];
    uint64_t met = 0;
    double share;

    submit(pool, &first.task);
    for (int i = 0; i < 8; i++) {
        tasks[i] = (ring3_task_t){.run = pause_2ms};
        submit(pool, &tasks[i]);
    }
    check_eq(usleep(10000), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    ring3_wait_wake(&gate);
    for (int i = 0; i < 8; i++)
        check_eq(ring3_task_wait(&tasks[i], NULL), 0);
    check_eq(ring3_pool_figures(pool, &figures), 0);
    check_eq(figures.tasks, 9);
    check_ge(figures.service.p50, 2000000);
    check_ge(figures.busy_ns, 16000000);
    check_ge(figures.elapsed_ns, figures.busy_ns, "there is one thread");
    check_ge(figures.wait.most, 10000000, "the last one waits for the first");
    check_ge(figures.latency.most, figures.wait.most);
    check(figures.utilisation > 0 && figures.utilisation <= 1);
    check(figures.throughput > 0 && figures.throughput <= 500);
    check(figures.memory > 0 && figures.memory_per_task == sizeof(ring3_task_t));
    for (int i = 0; i < RING3_POOL_LENGTHS; i++)
        met += figures.lengths[i];
    check_eq(met, 9, "each task came upon the queue once");
    check_eq(ring3_pool_share_over(pool, 1000000, &share), 0);
    check(share == 1, "all took longer than 1 ms, of which %g", share);
    check_eq(ring3_pool_share_over(pool, UINT64_C(1) << 62, &share), 0);
    check(share == 0);
    check_eq(ring3_pool_figures_reset(pool), 0);
    check_eq(ring3_pool_figures(pool, &figures), 0);
    check_eq(figures.tasks, 0);
    finish(pool);
}

TEST(figures, count_no_cancelled_task_and_delay_from_when_it_is_due)
{
    ring3_pool_t *const pool = measured_pool(1);
    uint32_t gate = 0;
    struct gated first = {.task = {.run = gated_run}, .gate = &gate};
    struct gated second = {.task = {.run = gated_run}}, later = {.task = {.run = gated_run}};
    ring3_pool_figures_t figures;

    submit(pool, &first.task);
    submit(pool, &second.task);
    check_eq(ring3_task_cancel(&second.task), 0);
    ring3_store(&gate, 1, RING3_RELEASE);
    ring3_wait_wake(&gate);
    check_eq(ring3_task_wait(&first.task, NULL), 0);
    check_eq(ring3_pool_figures_reset(pool), 0);
    const struct timespec soon = in_ms(30);

    check_eq(ring3_pool_submit_at(pool, &later.task, &soon, 0), 0);
    check_eq(ring3_task_wait(&later.task, NULL), 0);
    check_eq(ring3_pool_figures(pool, &figures), 0);
    check_eq(figures.tasks, 1);
    check_ge(figures.elapsed_ns, figures.latency.most + 20000000, "its delay is no wait");
    finish(pool);
}

TEST(figures, are_of_measured_pools_only)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_pool_figures_t figures;
    double share;

    check_eq(ring3_pool_figures(pool, &figures), -EINVAL);
    check_eq(ring3_pool_figures_reset(pool), -EINVAL);
    check_eq(ring3_pool_share_over(pool, 1, &share), -EINVAL);
    finish(pool);
}

TEST(figures, are_gone_in_a_child)
{
    ring3_pool_t *const pool = measured_pool(1);
    const pid_t child = fork();
    ring3_pool_figures_t figures;
    int status;

    if (child == 0) {
        const bool right = ring3_pool_figures(pool, &figures) == -ECHILD &&
                           ring3_pool_trace(pool, NULL) == -ECHILD;

        _exit(right && ring3_pool_destroy(pool) == 0 ? 0 : 1);
    }
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
    finish(pool);
}

/* --- Traces ----------------------------------------------------------------------------------- */

/* The trace as text. */
static char *written(ring3_pooltrace_t *trace)
{
    FILE *const file = tmpfile();
    char *const text = calloc(1, 1 << 20);

    check(file && text);
    check_eq(ring3_pooltrace_write(trace, fileno(file)), 0);
    rewind(file);
    check(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

static int occurrences(const char *text, const char *what)
{
    int count = 0;

    while ((text = strstr(text, what))) {
        count++;
        text += strlen(what);
    }
    return count;
}

TEST(trace, has_every_task_and_every_sleep)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_pooltrace_t *trace;

    check_eq(ring3_pooltrace_create(&trace, 0), -EINVAL);
    check_eq(ring3_pooltrace_create(&trace, 100), 0);
    check_eq(ring3_pool_trace(pool, trace), 0);
    for (int i = 0; i < 3; i++) {
        ring3_task_t task = {.run = pause_2ms};

        submit(pool, &task);
        check_eq(ring3_task_wait(&task, NULL), 0);
        check_eq(usleep(1000), 0);
    }
    check_eq(ring3_pool_trace(pool, NULL), 0);
    char *const text = written(trace);

    check_eq(occurrences(text, "\"cat\":\"task\""), 3);
    check_ge(occurrences(text, "\"cat\":\"sleep\""), 1);
    check_eq(occurrences(text, "\"name\":\"pool/0\""), 1);
    check(strncmp(text, "{\"displayTimeUnit\"", 18) == 0);
    check(strcmp(text + strlen(text) - 4, "\n]}\n") == 0);
    free(text);
    finish(pool);
    ring3_pooltrace_destroy(trace);
}

TEST(trace, keeps_the_newest)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_pooltrace_t *trace;

    check_eq(ring3_pooltrace_create(&trace, 4), 0);
    check_eq(ring3_pool_trace(pool, trace), 0);
    for (int i = 0; i < 20; i++) {
        struct gated task = {.task = {.run = gated_run}};

        submit(pool, &task.task);
        check_eq(ring3_task_wait(&task.task, NULL), 0);
    }
    char *const text = written(trace);

    check_eq(occurrences(text, "\"ph\":\"X\""), 4);
    check_eq(ring3_pooltrace_write(trace, -1), -EBADF);
    free(text);
    finish(pool);
    ring3_pooltrace_destroy(trace);
}

static uint32_t stolen;

static void be_stolen(ring3_fork_t *fork, ring3_member_t *me)
{
    (void)fork, (void)me;
    ring3_store(&stolen, 1, RING3_RELEASE);
}

static void wait_to_be_stolen(ring3_fork_t *fork, ring3_member_t *me)
{
    ring3_fork_t part = {.run = be_stolen};

    (void)fork;
    RING3_SPAWN(me, &part);
    while (!ring3_load(&stolen, RING3_ACQUIRE))
        check_eq(usleep(100), 0);
    RING3_SYNC(me, &part, be_stolen);
}

TEST(trace, shows_what_a_team_steals)
{
    ring3_fork_t root = {.run = wait_to_be_stolen};
    ring3_pooltrace_t *trace;
    ring3_team_t *team;

    check_eq(ring3_pooltrace_create(&trace, 1000), 0);
    check_eq(ring3_team_create(&team, 2), 0);
    check_eq(ring3_team_trace(team, trace), 0);
    check_eq(ring3_team_run(team, &root), 0);
    check_eq(ring3_team_destroy(team), 0);
    char *const text = written(trace);

    check_eq(occurrences(text, "\"cat\":\"stolen\""), 1);
    check_eq(occurrences(text, "\"args\":{\"from\":0}"), 1);
    free(text);
    ring3_pooltrace_destroy(trace);
}
