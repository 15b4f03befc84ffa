/* SPDX-License-Identifier: MIT */
/*
 * ring3 sched top: workers and user threads of a running process, read where they lie (figures.h).
 * The process is not stopped, so that what one look shows may be some microseconds apart.
 */
#include "sched_top.h"

#include "figures.h"
#include "remote.h"
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATES    5 /* ring3_thread_state_t */
#define NAME_TEXT 32
#define PAGE      UINT64_C(4096)

static const char *const states[STATES] = {
    [RING3_THREAD_NEW] = "new",         [RING3_THREAD_READY] = "ready",
    [RING3_THREAD_RUNNING] = "running", [RING3_THREAD_BLOCKED] = "blocked",
    [RING3_THREAD_ENDED] = "ended",
};

struct look {
    pid_t pid;
    int64_t now;
    bool list; /* print the threads as they are read */
    struct sched_figures figures;
    struct runtime runtime;
    struct worker workers[RING3_RUNTIME_WORKERS];
    uint64_t stolen, preempted;
    uint32_t of_state[STATES];
};

/* Text at an address that the process gave us: it may lie at the end of what can be read. */
static void read_text(pid_t pid, const void *at, char *text, size_t size)
{
    const uint64_t address = (uintptr_t)at, to_page = PAGE - address % PAGE;
    const size_t first = to_page < size ? to_page : size;

    memset(text, 0, size);
    if (remote_read(pid, address, text, first) != 0)
        memcpy(text, "?", 2);
    else if (!memchr(text, '\0', first) && first < size)
        (void)remote_read(pid, address + first, text + first, size - first);
    text[size - 1] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

/* --- Threads ---------------------------------------------------------------------------------- */

static unsigned index_of_worker(const struct look *look, const struct thread *thread)
{
    unsigned i = 0;

    while (i < look->runtime.workers && look->runtime.worker[i] != thread->worker)
        i++;
    return i;
}

static void list_thread(const struct look *look, const struct thread *thread)
{
    const unsigned worker = index_of_worker(look, thread);
    char name[NAME_TEXT], where[16] = "own";
    struct rare rare;

    if (!thread->dated || remote_read(look->pid, (uintptr_t)thread->rare, &rare, sizeof rare) != 0)
        memset(&rare, 0, sizeof rare);

    read_text(look->pid, thread->name, name, sizeof name);
    if (worker < look->runtime.workers)
        (void)snprintf(where, sizeof where, "%u", worker);
    printf("%8" PRIu32 " %-8s %6s %10" PRIu32 " %10" PRIu32 " %12.3f %12.3f %7" PRIu64 "  %s\n",
           thread->index + 1, states[thread->state], where, thread->voluntary, thread->involuntary,
           (double)rare.ran * 1e-6, (double)rare.waiting * 1e-6, rare.misses, name);
}

static int look_at_threads(struct look *look)
{
    const size_t in_slab = look->figures.slab_threads;
    const size_t size = in_slab * sizeof(struct thread);
    struct thread *const threads = malloc(size);
    uint32_t made;
    int err = threads ? remote_read(look->pid, look->figures.made, &made, sizeof made) : -ENOMEM;

    if (look->list)
        printf("%8s %-8s %6s %10s %10s %12s %12s %7s  %s\n", "thread", "state", "worker",
               "voluntary", "preempted", "ran/ms", "waited/ms", "misses", "name");
    for (uint64_t slab = 0; !err && slab * in_slab < made; slab++) {
        uint64_t at;

        err = remote_read(look->pid, look->figures.slabs + slab * sizeof at, &at, sizeof at);
        if (!err)
            err = remote_read(look->pid, at, threads, size);
        for (size_t i = 0; !err && i < in_slab; i++) {
            if (threads[i].state >= STATES)
                continue;
            look->of_state[threads[i].state]++;
            if (look->list)
                list_thread(look, &threads[i]);
        }
    }
    free(threads);
    return err;
}

/* --- One look --------------------------------------------------------------------------------- */

static uint64_t value_of(const ring3_counters_t *counters, const char *name)
{
    const ring3_counter_t *const entry = remote_find(counters, name);

    return entry ? entry->value : 0;
}

/* 1 if this is the object with a runtime that is as we know it. */
static int visit(void *context, const char *object, const ring3_counters_t *counters)
{
    const ring3_counter_t *const entry = remote_find(counters, FIGURES_RUNTIME);
    struct look *const look = context;
    struct sched_figures *const figures = &look->figures;

    (void)object;
    if (!entry || entry->row_size != sizeof *figures ||
        remote_read(look->pid, entry->value, figures, sizeof *figures) != 0 ||
        figures->runtime_size != sizeof look->runtime ||
        figures->worker_size != sizeof(struct worker) ||
        figures->thread_size != sizeof(struct thread) || figures->slab_threads == 0 ||
        figures->slab_threads > UINT16_MAX ||
        remote_read(look->pid, figures->runtime, &look->runtime, sizeof look->runtime) != 0 ||
        !look->runtime.running || look->runtime.workers > RING3_RUNTIME_WORKERS)
        return 0;
    look->stolen = value_of(counters, FIGURES_STOLEN);
    look->preempted = value_of(counters, FIGURES_PREEMPTED);
    return 1;
}

static int look_once(struct look *look)
{
    const int err = remote_counters(look->pid, visit, look);
    struct timespec now;

    if (err <= 0)
        return err ? err : -ENOENT;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    look->now = ns_of(&now);
    memset(look->of_state, 0, sizeof look->of_state);
    for (unsigned i = 0; i < look->runtime.workers; i++)
        if (remote_read(look->pid, (uintptr_t)look->runtime.worker[i], &look->workers[i],
                        sizeof look->workers[i]) != 0)
            memset(&look->workers[i], 0, sizeof look->workers[i]);
    return 0;
}

/* --- Showing ---------------------------------------------------------------------------------- */

static void show_policy(const struct look *look)
{
    const struct runtime *const seen = &look->runtime;
    ring3_policy_t policy = {.name = NULL};
    char name[NAME_TEXT];

    (void)remote_read(look->pid, (uintptr_t)seen->policy, &policy, sizeof policy);
    read_text(look->pid, policy.name, name, sizeof name);
    printf("%s: %u workers, %" PRIu32 " kernel threads; %" PRIu64 " stolen, %" PRIu64
           " preempted, %" PRIu64 " handed over\n",
           name, seen->workers, seen->carriers + 1, look->stolen, look->preempted,
           seen->handed_over);
}

static void what_it_does(const struct look *look, const struct worker *worker, char *text,
                         size_t size)
{
    struct thread thread;

    if (worker->sleeping)
        (void)snprintf(text, size, "%s", worker->sleeping == 2 ? "(polls)" : "(sleeps)");
    else if (!worker->current ||
             remote_read(look->pid, (uintptr_t)worker->current, &thread, sizeof thread) != 0)
        (void)snprintf(text, size, "(idle)");
    else
        read_text(look->pid, thread.name, text, size);
}

static void show_workers(const struct look *look, const struct look *before)
{
    const double seconds = (double)(look->now - before->now) * 1e-9;

    printf("%6s %8s %4s %8s %12s  %s\n", "worker", "kernel", "cpu", "queued", "switches/s", "runs");
    for (unsigned i = 0; i < look->runtime.workers; i++) {
        const struct worker *const worker = &look->workers[i];
        const uint32_t turns = worker->turns - before->workers[i].turns;
        char text[NAME_TEXT];

        what_it_does(look, worker, text, sizeof text);
        printf("%6u %8d %4" PRIu32 " %8" PRIu32 " %12.0f  %s\n", i, worker->kernel_id, worker->cpu,
               worker->queued, (double)turns / seconds, text);
    }
}

static void show_states(const struct look *look)
{
    printf("threads:");
    for (int i = 0; i < STATES; i++)
        printf("%s %" PRIu32 " %s", i ? "," : "", look->of_state[i], states[i]);
    printf("\n\n");
    (void)fflush(stdout);
}

static int watch(pid_t pid, bool list, long count, double delay)
{
    static struct look before, now; /* large */
    const struct timespec pause = {(time_t)delay, (long)((delay - (double)(time_t)delay) * 1e9)};
    int err;

    before.pid = now.pid = pid;
    now.list = list;
    err = look_once(&before);
    for (long i = 0; !err && (count == 0 || i < count); i++) {
        (void)nanosleep(&pause, NULL);
        err = look_once(&now);
        if (err)
            break;
        show_policy(&now);
        show_workers(&now, &before);
        err = look_at_threads(&now);
        if (!err)
            show_states(&now);
        before = now;
    }
    return err;
}

static int wrong(const char *what)
{
    (void)fprintf(stderr, "ring3 sched top: %s; `ring3 sched --help` says more\n", what);
    return 2;
}

int sched_top(int argc, char **argv)
{
    double delay = 1;
    long count = 0;
    bool list = false;
    int option;

    while ((option = getopt(argc, argv, "n:d:t")) != -1) {
        char *end = NULL;

        if (option == 't')
            list = true;
        else if (option == 'n')
            count = strtol(optarg, &end, 10);
        else if (option == 'd')
            delay = strtod(optarg, &end);
        if (option != 't' && (!end || *end || count < 0 || !(delay >= 0.01 && delay <= 86400)))
            return wrong("wrong option");
    }
    if (optind != argc - 1)
        return wrong("which process?");

    const pid_t pid = remote_pid("sched top", argv[optind]);

    if (pid < 0)
        return 2;
    const int err = watch(pid, list, count, delay);

    if (err == -ENOENT)
        return (void)fprintf(stderr, "ring3 sched top: process %d has no user-level threads\n",
                             pid),
               1;
    return err ? remote_complain("sched top", pid, err) : 0;
}
