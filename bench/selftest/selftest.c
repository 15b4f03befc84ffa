/* SPDX-License-Identifier: MIT */
/* Benchmarks whose figures are known beforehand; tests/scripts/bench.sh looks at what is reported.
 */
#include "ring3_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct shared {
    int threads, prepared, cleaned;
};

static const char the_context;

static void must(bool claim, const char *what)
{
    if (!claim) {
        fprintf(stderr, "selftest: %s\n", what);
        exit(1);
    }
}

static void *setup(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct shared *shared = calloc(1, sizeof *shared);

    must(shared && threads > 0 && param > 0, "setup gets the run's threads and parameter");
    must(bench->context == &the_context, "setup gets its benchmark");
    shared->threads = threads;
    return shared;
}

static void teardown(void *shared)
{
    const struct shared *const s = shared;

    must(s->cleaned == s->threads, "teardown comes after every thread_teardown");
    free(shared);
}

static void *thread_setup(struct ring3_bench_thread *t)
{
    struct shared *const shared = t->shared;

    ring3_fetch_add(&shared->prepared, 1, RING3_RELAXED);
    return t;
}

static void thread_teardown(struct ring3_bench_thread *t)
{
    struct shared *const shared = t->shared;

    ring3_fetch_add(&shared->cleaned, 1, RING3_RELAXED);
}

/* Thread k does (k + 1) x param operations; one of them waits 20 ms, the others less. */
static void known_count(struct ring3_bench_thread *t)
{
    const struct shared *const shared = t->shared;
    const uint64_t begin = ring3_bench_clock();

    must(ring3_load(&shared->prepared, RING3_RELAXED) == t->threads,
         "no body starts before every thread_setup is done");
    must(t->local == t, "local is what thread_setup returned");
    usleep(t->index == 0 ? 20000 : 1000);
    ring3_bench_waited(t, ring3_bench_clock() - begin);
    t->ops = (uint64_t)t->param * (uint64_t)(t->index + 1);
    ring3_bench_count(t, "two", 1);
    ring3_bench_count(t, "two", 1);
}

RING3_BENCH(known_count, .name = "selftest/known_count", .body = known_count, .setup = setup,
            .teardown = teardown, .thread_setup = thread_setup, .thread_teardown = thread_teardown,
            .context = &the_context, .threads = {1, 4}, .params = {10, 1000});

/* Ends by the clock. */
static void fixed_time(struct ring3_bench_thread *t)
{
    while (ring3_bench_running(t))
        t->ops++;
}

RING3_BENCH(fixed_time, .name = "selftest/fixed_time", .body = fixed_time, .threads = {2});
