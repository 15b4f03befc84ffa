/* SPDX-License-Identifier: MIT */
/*
 * ring3 pool top: the pools of a running process. The table of pools (figures.h) names them, and they
 * are read where they lie. The process is not stopped, and notices nothing; figures of one line may
 * be some microseconds apart.
 */
#include "core.h"
#include "remote.h"
#include "verb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 pool top [option ...] PID\n"
    "\n"
    "Show the thread pools of process PID, which must use ring3's. The process is not\n"
    "stopped, and notices nothing. Needs the rights of a debugger (ptrace(2)).\n"
    "\n"
    "  -n COUNT         show so many times, then end (until interrupted)\n"
    "  -d SECONDS       between them (1)\n"
    "  -o MILLISECONDS  also show the share of tasks that took longer\n"
    "\n"
    "Times and shares are shown of pools that are measured (ring3_pool_figures(3)).\n"
    "\n"
    "Exit status: 0; 1 if the process cannot be looked into or has no pool, also when it\n"
    "ends meanwhile; 2 if an argument is wrong.\n";

struct seen {
    uint64_t at; /* 0: none */
    char name[sizeof((struct ring3_pool *)NULL)->name];
    ring3_pool_stats_t stats;
    uint64_t queued, capacity;
    unsigned most;
    bool measured;
    struct measured figures;
};

struct look {
    pid_t pid;
    uint64_t now;
    struct seen pools[FIGURES_ROWS];
    int count;
};

/* A pool that goes meanwhile cannot be read, or is gone in the next look. */
static void look_at_pool(struct look *look, const struct figures_row *row)
{
    struct seen *const seen = &look->pools[look->count];
    static struct ring3_pool pool;

    if (!row->pool || row->size != sizeof pool ||
        remote_read(look->pid, row->pool, &pool, sizeof pool) != 0)
        return;
    seen->at = row->pool;
    memcpy(seen->name, pool.name, sizeof seen->name);
    seen->name[sizeof seen->name - 1] = '\0';
    seen->stats = pool.stats;
    seen->queued = pool.queue.length;
    seen->capacity = pool.options.capacity;
    seen->most = pool.options.max;
    seen->measured = pool.measured && remote_read(look->pid, (uint64_t)(uintptr_t)pool.measured,
                                                  &seen->figures, sizeof seen->figures) == 0;
    look->count++;
}

static int visit(void *context, const char *object, const ring3_counters_t *counters)
{
    const ring3_counter_t *const entry = remote_find(counters, FIGURES_POOLS);
    struct look *const look = context;
    struct figures_row rows[FIGURES_ROWS];

    (void)object;
    if (!entry || entry->rows != FIGURES_ROWS || entry->row_size != sizeof rows[0] ||
        remote_read(look->pid, entry->value, rows, sizeof rows) != 0)
        return 0;
    for (int i = 0; i < FIGURES_ROWS && look->count < FIGURES_ROWS; i++)
        look_at_pool(look, &rows[i]);
    return 0;
}

static int look_once(pid_t pid, struct look *look)
{
    memset(look, 0, sizeof *look);
    look->pid = pid;
    look->now = pool_now();

    const int err = remote_counters(pid, visit, look);

    return err ? err : look->count ? 0 : -ENOENT;
}

static const struct seen *same(const struct look *look, const struct seen *pool)
{
    for (int i = 0; i < look->count; i++)
        if (look->pools[i].at == pool->at && strcmp(look->pools[i].name, pool->name) == 0)
            return &look->pools[i];
    return NULL;
}

static double ms(uint64_t ns)
{
    return (double)ns * 1e-6;
}

static void show_times(const char *what, const struct histogram *histogram)
{
    const ring3_pool_times_t times = histogram_times(histogram);

    printf("  %-8s %10.3f %10.3f %10.3f %10.3f %10.3f\n", what, ms(times.mean), ms(times.p50),
           ms(times.p99), ms(times.p999), ms(times.most));
}

static void show_figures(const struct seen *pool, const struct seen *before, double seconds,
                         double bound)
{
    const struct measured *const figures = &pool->figures;
    const uint64_t busy = before->measured ? figures->busy - before->figures.busy : figures->busy;
    const double time = (double)pool->stats.threads * seconds * 1e9;
    const uint64_t tasks = figures->latency.count;

    printf("  busy %.1f %%, %" PRIu64
           " sleeps; ms        mean        p50        p99      p99.9       most\n",
           time > 0 ? 100 * (double)busy / time : 0, figures->sleeps);
    show_times("wait", &figures->wait);
    show_times("service", &figures->service);
    show_times("latency", &figures->latency);
    if (bound > 0)
        printf("  longer than %g ms: %.3f %%\n", bound,
               tasks ? 100 * (double)histogram_over(&figures->latency, (uint64_t)(bound * 1e6)) /
                           (double)tasks
                     : 0);
    printf("  queue");
    for (int i = 0; i < RING3_POOL_LENGTHS; i++)
        if (figures->lengths[i])
            printf("  %s%" PRIu64 ": %" PRIu64, i > 1 ? ">=" : "", i ? UINT64_C(1) << (i - 1) : 0,
                   figures->lengths[i]);
    putchar('\n');
}

static void show(const struct look *now, const struct look *before, double bound)
{
    const double seconds = (double)(now->now - before->now) * 1e-9;

    printf("%-11s %9s %8s %13s %12s %10s %10s %8s\n", "pool", "threads", "running", "queued",
           "done/s", "cancelled", "refused", "delayed");
    for (int i = 0; i < now->count; i++) {
        const struct seen *const pool = &now->pools[i];
        const struct seen *const old = same(before, pool);
        const struct seen *const from = old ? old : pool;

        printf("%-11s %4u/%4u %8" PRIu64 " %6" PRIu64 "/%6" PRIu64 " %12.0f %10" PRIu64
               " %10" PRIu64 " %8" PRIu64 "\n",
               pool->name, pool->stats.threads, pool->most, pool->stats.running, pool->queued,
               pool->capacity,
               seconds > 0 ? (double)(pool->stats.done - from->stats.done) / seconds : 0,
               pool->stats.cancelled, pool->stats.refused, pool->stats.delayed);
        if (pool->measured)
            show_figures(pool, from, seconds, bound);
    }
    putchar('\n');
    (void)fflush(stdout);
}

static int top(pid_t pid, long count, double delay, double bound)
{
    static struct look before, now; /* large */
    const struct timespec pause = {(time_t)delay, (long)((delay - (double)(time_t)delay) * 1e9)};
    int err = look_once(pid, &before);

    for (long i = 0; !err && (count == 0 || i < count); i++) {
        (void)nanosleep(&pause, NULL);
        err = look_once(pid, &now);
        if (err)
            break;
        show(&now, &before, bound);
        before = now;
    }
    return err;
}

static int wrong(const char *what)
{
    (void)fprintf(stderr, "ring3 pool: %s; `ring3 pool --help` says more\n", what);
    return 2;
}

static int pool(int argc, char **argv)
{
    double delay = 1, bound = 0;
    long count = 0;
    int option;

    if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "top") != 0)
        return wrong("the only verb is top");
    argc--;
    argv++;
    while ((option = getopt(argc, argv, "n:d:o:")) != -1) {
        char *end = NULL;

        if (option == 'n')
            count = strtol(optarg, &end, 10);
        else if (option == 'd')
            delay = strtod(optarg, &end);
        else if (option == 'o')
            bound = strtod(optarg, &end);
        if (!end || *end || count < 0 || !(bound >= 0) || !(delay >= 0.01 && delay <= 86400))
            return wrong("wrong option");
    }
    if (optind != argc - 1)
        return wrong("which process?");

    const pid_t pid = remote_pid("pool top", argv[optind]);

    if (pid < 0)
        return 2;
    const int err = top(pid, count, delay, bound);

    if (err == -ENOENT)
        return (void)fprintf(stderr, "ring3 pool top: process %d has no pool\n", pid), 1;
    return err ? remote_complain("pool top", pid, err) : 0;
}
RING3_VERB(pool, "watch thread pools", pool);
