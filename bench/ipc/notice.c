/* SPDX-License-Identifier: MIT */
/*
 * How soon a process notices what another one did, and what it pays meanwhile: by looking again and again, or by
 * being told. Something happens every two milliseconds or so.
 */
#include "ipc_bench.h"

#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/signals.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PERIOD_NS = 2000000 };

/* Shared with the process that makes things happen. */
struct news {
    uint64_t count; /* of what has happened; its happener only */
    uint64_t when;  /* the last of it, ns; written before count */
    uint64_t taken; /* up to here it was noticed; the next may come */
    int event;
    pid_t reader, maker;
};

static void pause_ns(long ns)
{
    const struct timespec time = {0, ns};

    (void)nanosleep(&time, NULL);
}

static void make(struct news *news, bool tell, bool signal)
{
    for (uint64_t count = 1;; count++) {
        pause_ns(PERIOD_NS);
        news->when = ipc_bench_now();
        /* Pairs with the acquire in noticed. */
        ring3_store(&news->count, count, RING3_RELEASE);
        if (tell)
            (void)ring3_event_raise(news->event);
        if (signal)
            (void)kill(news->reader, SIGUSR1);
        /* Pairs with the release in noticed. */
        while (ring3_load(&news->taken, RING3_ACQUIRE) != count)
            pause_ns(PERIOD_NS / 10);
    }
}

struct way {
    long interval; /* of looking, ns; 0: all the time; -1: it is told */
    bool signal;
};

static void *begin(const struct ring3_bench *bench, int threads, int64_t param)
{
    const struct way *const way = bench->context;
    struct news *const news =
        mmap(NULL, sizeof *news, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)threads, (void)param;
    if (news == MAP_FAILED)
        abort();
    news->event = ring3_event_open();
    news->reader = getpid();
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (news->event < 0 || sigprocmask(SIG_BLOCK, &set, NULL))
        abort();
    const pid_t maker = fork();

    if (maker == 0)
        make(news, way->interval < 0 && !way->signal, way->signal);
    news->maker = maker; /* here only: the memory is shared */
    return news;
}

static void end(void *shared)
{
    struct news *const news = shared;

    (void)kill(news->maker, SIGKILL);
    (void)waitpid(news->maker, NULL, 0);
    ring3_fd_close(news->event);
    munmap(news, sizeof *news);
}

/* Adds to *late when there is something new. */
static bool noticed(struct news *news, double *late)
{
    /* Pairs with the release in make. */
    const uint64_t count = ring3_load(&news->count, RING3_ACQUIRE);

    if (count == news->taken)
        return false;
    *late += (double)(ipc_bench_now() - news->when);
    /* Pairs with the acquire in make. */
    ring3_store(&news->taken, count, RING3_RELEASE);
    return true;
}

static void wait_to_be_told(const struct news *news, bool signal)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (signal)
        (void)ring3_signal_wait(&set, NULL, NULL);
    else if (ring3_fd_wait(news->event, POLLIN, NULL) > 0)
        (void)ring3_event_take(news->event);
}

static void notice(struct ring3_bench_thread *t, const struct way *way)
{
    struct news *const news = t->shared;
    const clock_t before = clock();
    double late = 0;

    while (ring3_bench_running(t)) {
        if (way->interval > 0)
            pause_ns(way->interval);
        else if (way->interval < 0)
            wait_to_be_told(news, way->signal);
        t->ops += noticed(news, &late);
    }
    const double each = t->ops ? (double)t->ops : 1;

    ring3_bench_count(t, "late_us", late / each * 1e-3);
    ring3_bench_count(t, "cpu_us", (double)(clock() - before) * 1e6 / CLOCKS_PER_SEC / each);
}

static const struct way spin = {0, false}, often = {50000, false}, seldom = {1000000, false},
                        told = {-1, false}, signalled = {-1, true};

static void by_spinning(struct ring3_bench_thread *t)
{
    notice(t, &spin);
}
static void every_50us(struct ring3_bench_thread *t)
{
    notice(t, &often);
}
static void every_1ms(struct ring3_bench_thread *t)
{
    notice(t, &seldom);
}
static void by_event(struct ring3_bench_thread *t)
{
    notice(t, &told);
}
static void by_signal(struct ring3_bench_thread *t)
{
    notice(t, &signalled);
}

#define NOTICE(id, text, way)                                                                      \
    RING3_BENCH(id, .name = "notice/" text, .body = id, .setup = begin, .teardown = end,           \
                .context = &(way))
NOTICE(by_spinning, "look_always", spin);
NOTICE(every_50us, "look_every_50us", often);
NOTICE(every_1ms, "look_every_1ms", seldom);
NOTICE(by_event, "told_by_event", told);
NOTICE(by_signal, "told_by_signal", signalled);
