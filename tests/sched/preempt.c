/* SPDX-License-Identifier: MIT */
/* Threads that do not give up the CPU are interrupted. */
#include "threads.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/self.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ring3_runtime_options_t preemptive[] = {
    {.workers = 1, .preempt = true, .policy = "rr,quantum=1"},
    {.workers = 2, .preempt = true, .policy = "rr,quantum=1"},
    {.workers = 1, .preempt = true, .policy = "cfs"},
    {.workers = 1, .preempt = true, .policy = "linux,quantum=1"},
};

#define KINDS ((int)(sizeof preemptive / sizeof *preemptive))

/* Under TSan, signals are not delivered where they came: there is no preemption. */
static bool cooperative_only(void)
{
#ifdef RING3_TSAN
    return true;
#else
    return under_qemu() || under_valgrind();
#endif
}

static uint32_t over;
static uint64_t rounds[8];

static void *loop(void *place)
{
    uint64_t *const mine = &rounds[value_of(place)];

    while (!ring3_load(&over, RING3_RELAXED))
        ring3_store(mine, *mine + 1, RING3_RELAXED);
    return NULL;
}

TEST(preempt, endless_loops_share_a_worker_and_a_sleeper_wakes, 120)
{
    if (cooperative_only())
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        ring3_thread_t threads[8];

        memset(rounds, 0, sizeof rounds);
        ring3_store(&over, 0, RING3_RELAXED);
        start(&preemptive[kind]);
        for (long i = 0; i < 8; i++)
            threads[i] = spawn(loop, number(i));
        /* Without preemption the first of these would never return. */
        for (bool all = false; !all;) {
            check_eq(ring3_sleep_ns(1000000), 0);
            all = true;
            for (int i = 0; i < 8; i++)
                all &= ring3_load(&rounds[i], RING3_RELAXED) > 0;
        }
        ring3_store(&over, 1, RING3_RELAXED);
        for (int i = 0; i < 8; i++)
            (void)join(threads[i]);
        stop();
    }
}

/* malloc and stdio hold locks of the kernel thread: nobody may be interrupted inside them. */
static void *use_libc(void *seed)
{
    unsigned state = (unsigned)value_of(seed) + 1;
    char *blocks[16] = {NULL};
    long sum = 0;

    for (long i = 0; i < scaled(60000, 5000000); i++) {
        char text[32];
        const unsigned place = (state = state * 1103515245 + 12345) >> 16 & 15;
        const size_t size = 16 + (state >> 8) % 2000;

        free(blocks[place]);
        blocks[place] = malloc(size);
        memset(blocks[place], (int)place, size);
        (void)snprintf(text, sizeof text, "%u.%ld", place, i);
        sum += (long)strtol(text, NULL, 10) == (long)place;
        errno = (int)place;
        for (volatile int spin = 0; spin < 100; spin++)
            continue;
        sum += errno == (int)place;
    }
    for (int i = 0; i < 16; i++)
        free(blocks[i]);
    return number(sum);
}

TEST(preempt, malloc_stdio_and_errno_stay_whole, 120)
{
    if (cooperative_only())
        return;
    for (int kind = 0; kind < 2; kind++) {
        ring3_thread_t threads[6];

        start(&preemptive[kind]);
        for (long i = 0; i < 6; i++)
            threads[i] = spawn(use_libc, number(i));
        for (int i = 0; i < 6; i++) {
            ring3_thread_stats_t stats;

            while (ring3_thread_stats(threads[i], &stats) == 0 && stats.state != RING3_THREAD_ENDED)
                check_eq(ring3_sleep_ns(1000000), 0);
            check_eq(value_of(join(threads[i])), 2 * scaled(60000, 5000000));
        }
        stop();
    }
}

static uint32_t began;

static void *hold(void *unused)
{
    ring3_self_t *const self = ring3_self();
    const double until = seconds_now() + 0.05;
    uint64_t seen;

    (void)unused;
    ring3_preempt_disable(self);
    seen = ring3_load(&rounds[0], RING3_RELAXED);
    ring3_store(&began, 1, RING3_RELAXED);
    while (seconds_now() < until)
        continue;
    seen = ring3_load(&rounds[0], RING3_RELAXED) - seen;
    ring3_preempt_enable(self);
    return number((long)seen);
}

TEST(preempt, a_no_preempt_section_is_left_alone, 120)
{
    ring3_thread_t holder, other;

    if (cooperative_only())
        return;
    start(&preemptive[0]);
    other = spawn(loop, number(0));
    holder = spawn(hold, NULL);
    check_eq(value_of(join(holder)), 0, "rounds of the other in between");
    check_eq(began, 1);
    ring3_store(&over, 1, RING3_RELAXED);
    (void)join(other);
    check_gt(rounds[0], 0);
    stop();
}

static void *end_it_urgently(void *unused)
{
    check_eq(ring3_sleep_ns(5000000), 0);
    ring3_store(&over, 1, RING3_RELAXED);
    return unused;
}

/* No turn ends here: the loop gives way only to who is more urgent. */
TEST(preempt, who_wakes_and_is_more_urgent_takes_the_cpu, 120)
{
    const ring3_thread_attr_t urgent = {.explicit_sched = true, .priority = 50};
    ring3_thread_t a, b;

    if (cooperative_only())
        return;
    start(&(ring3_runtime_options_t){
        .workers = 1, .preempt = true, .policy = "priority,quantum=1000s"});
    check_eq(ring3_thread_create(&b, &urgent, end_it_urgently, NULL), 0);
    ring3_thread_yield();
    a = spawn(loop, number(0));
    (void)join(a);
    (void)join(b);
    stop();
}
