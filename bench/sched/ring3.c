/* SPDX-License-Identifier: MIT */
/* Contexts, user-level threads and channels of ring3, on one worker. */
#include "ring3_bench.h"

#include "bodies.h"

#include "ring3/context.h"
#include "ring3/event.h"
#include "ring3/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK ((size_t)64 << 10)

/* Operations between two looks at the clock. */
#define BATCH 256

/* --- The bare switch -------------------------------------------------------------------------- */

struct pair {
    ring3_context_t home, other;
    char stack[STACK];
};

static void bounce(void *at)
{
    struct pair *const pair = at;

    for (;;)
        ring3_context_switch(&pair->other, &pair->home, NULL, NULL);
}

static void switches(struct ring3_bench_thread *t, uint32_t options)
{
    struct pair *const pair = calloc(1, sizeof *pair);

    if (!pair ||
        ring3_context_init(&pair->other, pair->stack, sizeof pair->stack, bounce, pair, options))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops += 2)
            ring3_context_switch(&pair->home, &pair->other, NULL, NULL);
    ring3_context_fini(&pair->other);
    free(pair);
}

static void bare_switch(struct ring3_bench_thread *t)
{
    switches(t, 0);
}

static void portable_switch(struct ring3_bench_thread *t)
{
    switches(t, RING3_CONTEXT_PORTABLE);
}

RING3_BENCH(bare_switch, .name = "switch/ring3_context", .body = bare_switch);
RING3_BENCH(portable_switch, .name = "switch/ring3_context_ucontext", .body = portable_switch);

/* --- Threads ---------------------------------------------------------------------------------- */

static void begin(const char *policy)
{
    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1, .policy = policy}))
        abort();
}

/* Each of `param` threads yields in turn. */
static void yields(struct ring3_bench_thread *t, const char *policy)
{
    const int64_t others = t->param - 1;
    ring3_thread_t *const threads = calloc((size_t)others, sizeof *threads);

    ring3_store(&over, 0, RING3_RELAXED);
    begin(policy);
    for (int64_t i = 0; i < others; i++)
        if (ring3_thread_create(&threads[i], NULL, yield_until_over, NULL))
            abort();
    ring3_thread_yield();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops += (uint64_t)t->param)
            ring3_thread_yield();
    ring3_store(&over, 1, RING3_RELAXED);
    for (int64_t i = 0; i < others; i++)
        (void)ring3_thread_join(threads[i], NULL);
    (void)ring3_runtime_stop();
    free(threads);
}

static void yield_rr(struct ring3_bench_thread *t)
{
    yields(t, "rr");
}

static void yield_cfs(struct ring3_bench_thread *t)
{
    yields(t, "cfs");
}

RING3_BENCH(yield_rr, .name = "yield/ring3_rr", .body = yield_rr, .params = {2, 1000});
/* Not of a thousand: who created them would wait until each has run for as long as that took. */
RING3_BENCH(yield_cfs, .name = "yield/ring3_cfs", .body = yield_cfs, .params = {2});

static void create_join(struct ring3_bench_thread *t)
{
    begin("rr");
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++) {
            ring3_thread_t thread;

            if (ring3_thread_create(&thread, NULL, nothing, NULL) ||
                ring3_thread_join(thread, NULL))
                abort();
        }
    (void)ring3_runtime_stop();
}

RING3_BENCH(create_join, .name = "create-join/ring3_thread", .body = create_join);

/* --- Channels --------------------------------------------------------------------------------- */

static void round_trip(struct ring3_bench_thread *t)
{
    ring3_thread_t thread;
    long item = 0;

    begin("rr");
    (void)ring3_chan_init(&there, sizeof item, 0, NULL);
    (void)ring3_chan_init(&back, sizeof item, 0, NULL);
    if (ring3_thread_create(&thread, NULL, echo, NULL))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++) {
            (void)ring3_chan_send(&there, &item, NULL);
            (void)ring3_chan_receive(&back, &item, NULL);
        }
    (void)ring3_chan_close(&there);
    (void)ring3_thread_join(thread, NULL);
    (void)ring3_runtime_stop();
}

RING3_BENCH(round_trip, .name = "round-trip/ring3_chan", .body = round_trip);

/* --- Many ------------------------------------------------------------------------------------- */

struct branch {
    long leaves, first;
};

static void *grow(void *at)
{
    const struct branch *const branch = at;
    struct branch parts[10];
    ring3_thread_t threads[10];
    long sum = 0;

    if (branch->leaves == 1)
        return (void *)branch->first;
    for (int i = 0; i < 10; i++) {
        parts[i].leaves = branch->leaves / 10;
        parts[i].first = branch->first + i * parts[i].leaves;
        if (ring3_thread_create(&threads[i], NULL, grow, &parts[i]))
            abort();
    }
    for (int i = 0; i < 10; i++) {
        void *part;

        if (ring3_thread_join(threads[i], &part))
            abort();
        sum += (long)part;
    }
    return (void *)sum;
}

static void skynet(struct ring3_bench_thread *t)
{
    struct branch all = {t->param, 0};

    begin("lifo");
    if ((long)grow(&all) != t->param * (t->param - 1) / 2)
        abort();
    (void)ring3_runtime_stop();
    t->ops = (uint64_t)t->param;
}

RING3_BENCH(skynet, .name = "skynet/ring3_lifo", .body = skynet, .params = {100000, 1000000});

static long from_proc(const char *file, const char *what)
{
    FILE *const status = fopen(file, "r");
    char line[256];
    long value = 0;

    while (status && fgets(line, sizeof line, status))
        if (!*what)
            value++;
        else if (strncmp(line, what, strlen(what)) == 0)
            value = atol(line + strlen(what));
    if (status)
        (void)fclose(status);
    return value;
}

static ring3_event_t gate;

static void *wait_at_gate(void *unused)
{
    ring3_event_wait(&gate);
    return unused;
}

/* All live at once, each on a guarded stack. Counters: bytes of resident memory for each when it was
 * made and when it waits, and mappings of the process. */
static void crowd(struct ring3_bench_thread *t)
{
    const long before = from_proc("/proc/self/status", "VmRSS:");
    ring3_stack_stats_t stacks;

    begin("rr");
    ring3_event_init(&gate, RING3_PRIVATE);
    for (int64_t i = 0; i < t->param; i++)
        if (ring3_thread_create(NULL, &(ring3_thread_attr_t){.detached = true}, wait_at_gate, NULL))
            abort();
    ring3_bench_count(t, "made_bytes",
                      (double)(from_proc("/proc/self/status", "VmRSS:") - before) * 1024 /
                          (double)t->param);
    ring3_thread_yield();
    ring3_bench_count(t, "live_bytes",
                      (double)(from_proc("/proc/self/status", "VmRSS:") - before) * 1024 /
                          (double)t->param);
    ring3_bench_count(t, "mappings", (double)from_proc("/proc/self/maps", ""));
    ring3_stack_stats(&stacks);
    ring3_bench_count(t, "unguarded", (double)stacks.guards[RING3_STACK_CANARY]);
    ring3_event_set(&gate);
    while (ring3_runtime_stop() != 0)
        ring3_thread_yield();
    t->ops = (uint64_t)t->param;
}

RING3_BENCH(crowd, .name = "crowd/ring3_thread", .body = crowd, .params = {1000000});

static uint32_t loops_over;

static void *loop(void *unused)
{
    while (!ring3_load(&loops_over, RING3_RELAXED))
        continue;
    return unused;
}

/* Endless loops and one sleeper on two workers, with a quantum of 1 ms: how late the sleeper wakes. */
static void loops(struct ring3_bench_thread *t)
{
    enum { LOOPS = 64, SLEEPS = 200 };
    ring3_thread_t threads[LOOPS];
    int64_t late[SLEEPS];

    ring3_store(&loops_over, 0, RING3_RELAXED);
    if (ring3_runtime_start(&(ring3_runtime_options_t){
            .workers = 2, .preempt = true, .policy = "linux,quantum=1,latency=1,granularity=1"}))
        abort();
    for (int i = 0; i < LOOPS; i++)
        if (ring3_thread_create(&threads[i], NULL, loop, NULL))
            abort();
    for (int i = 0; i < SLEEPS; i++) {
        const int64_t due = ring3_runtime_now() + 5000000;

        (void)ring3_sleep_ns(5000000);
        late[i] = ring3_runtime_now() - due;
        for (int k = i; k > 0 && late[k] < late[k - 1]; k--) {
            const int64_t other = late[k];

            late[k] = late[k - 1];
            late[k - 1] = other;
        }
    }
    ring3_store(&loops_over, 1, RING3_RELAXED);
    for (int i = 0; i < LOOPS; i++)
        (void)ring3_thread_join(threads[i], NULL);
    (void)ring3_runtime_stop();
    ring3_bench_count(t, "late_p50_us", (double)late[SLEEPS / 2] * 1e-3);
    ring3_bench_count(t, "late_p99_us", (double)late[SLEEPS * 99 / 100] * 1e-3);
    t->ops = SLEEPS;
}

RING3_BENCH(loops, .name = "loops/ring3_preempt", .body = loops);
