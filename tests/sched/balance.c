/* SPDX-License-Identifier: MIT */
/* Which worker a thread runs on: the global queue, affinity, migration, pushing and pulling. */
#include "threads.h"

#include "ring3/atomic.h"
#include "ring3/sem.h"

#include <errno.h>
#include <pthread.h>

static unsigned worker_now(void)
{
    ring3_thread_stats_t stats = {.worker = RING3_RUNTIME_WORKERS};

    check_eq(ring3_thread_stats(ring3_thread_self(), &stats), 0);
    return stats.worker;
}

static void *nothing(void *unused)
{
    return unused;
}

/* --- Threads that have begun ------------------------------------------------------------------ */

#define CROWD 16

static uint32_t begun, begun_on[2], leaving, over, moves;

/* Count its moves; those that began on the worker that empties itself end, when all have begun. */
static void *watch_itself(void *unused)
{
    const unsigned home = worker_now();
    unsigned before = home;

    (void)ring3_fetch_add(&begun_on[home], 1, RING3_RELAXED);
    (void)ring3_fetch_add(&begun, 1, RING3_RELEASE);
    while (!ring3_load(&over, RING3_RELAXED) && ring3_load(&leaving, RING3_RELAXED) != 1 + home) {
        unsigned now;

        ring3_thread_yield();
        now = worker_now();
        if (now != before)
            (void)ring3_fetch_add(&moves, 1, RING3_RELAXED);
        before = now;
    }
    return unused;
}

/* Two workers, of which one gets rid of its threads; how often others changed their worker, at least
 * `wanted` times, while the main thread did `rounds` things. */
static uint32_t crowd_moves(const ring3_runtime_options_t *options, bool migrate, uint32_t wanted,
                            int rounds)
{
    ring3_thread_t threads[CROWD];

    ring3_store(&begun, 0, RING3_RELAXED);
    ring3_store(&begun_on[0], 0, RING3_RELAXED);
    ring3_store(&begun_on[1], 0, RING3_RELAXED);
    ring3_store(&leaving, 0, RING3_RELAXED);
    ring3_store(&over, 0, RING3_RELAXED);
    /* Some move before all have begun, and then perhaps no more. */
    ring3_store(&moves, 0, RING3_RELAXED);
    start(options);
    for (int i = 0; i < CROWD; i++)
        check_eq(ring3_thread_create(&threads[i], &(ring3_thread_attr_t){.migrate = migrate},
                                     watch_itself, NULL),
                 0);
    while (ring3_load(&begun, RING3_ACQUIRE) < CROWD)
        ring3_thread_yield();
    ring3_store(
        &leaving,
        ring3_load(&begun_on[0], RING3_RELAXED) < ring3_load(&begun_on[1], RING3_RELAXED) ? 1 : 2,
        RING3_RELAXED);
    for (int i = 0; i < rounds || ring3_load(&moves, RING3_RELAXED) < wanted; i++) {
        (void)join(spawn(nothing, NULL)); /* an idle worker wakes up now and then */
        check_eq(ring3_sleep_ns(100000), 0);
    }
    ring3_store(&over, 1, RING3_RELAXED);
    for (int i = 0; i < CROWD; i++)
        (void)join(threads[i]);
    stop();
    return ring3_load(&moves, RING3_RELAXED);
}

TEST(balance, threads_that_have_begun_stay_with_their_worker_by_default, 60)
{
    check_eq(crowd_moves(&(ring3_runtime_options_t){.workers = 2}, false, 0, 20), 0);
}

TEST(balance, idle_workers_pull_threads_that_may_migrate, 60)
{
    check_ge(crowd_moves(&(ring3_runtime_options_t){.workers = 2, .balance = RING3_BALANCE_PULL},
                         true, 1, 0),
             1);
}

TEST(balance, loaded_workers_push_threads_that_may_migrate, 60)
{
    check_ge(crowd_moves(&(ring3_runtime_options_t){.workers = 2, .balance = RING3_BALANCE_PUSH},
                         true, 1, 0),
             1);
}

TEST(balance, without_balancing_nobody_moves, 60)
{
    check_eq(crowd_moves(&(ring3_runtime_options_t){.workers = 2, .balance = RING3_BALANCE_NONE},
                         true, 0, 20),
             0);
}

TEST(balance, from_the_global_queue_any_worker_takes_any_thread, 60)
{
    check_ge(
        crowd_moves(&(ring3_runtime_options_t){.workers = 2, .global_queue = true}, false, 10, 0),
        10);
}

/* --- Affinity --------------------------------------------------------------------------------- */

static uint32_t strays;

static void *stay_within(void *affinity)
{
    const uint64_t allowed = *(const uint64_t *)affinity;

    for (int i = 0; i < 200; i++) {
        if (!(allowed >> worker_now() & 1))
            (void)ring3_fetch_add(&strays, 1, RING3_RELAXED);
        if (i % 50 == 0)
            check_eq(ring3_sleep_ns(100000), 0);
        ring3_thread_yield();
    }
    return NULL;
}

TEST(balance, threads_run_on_the_workers_of_their_affinity_only, 60)
{
    static const uint64_t some[RING3_RUNTIME_WORKERS / 64] = {0xA}, last[4] = {0x8};
    const ring3_thread_attr_t attrs[] = {
        {.affinity = some},
        {.affinity = some, .migrate = true},
        {.affinity = last, .migrate = true},
        {.affinity = last},
    };

    for (int global = 0; global < 2; global++) {
        ring3_thread_t threads[40];

        ring3_store(&strays, 0, RING3_RELAXED);
        start(&(ring3_runtime_options_t){.workers = 4, .global_queue = global});
        for (int i = 0; i < 40; i++)
            check_eq(ring3_thread_create(&threads[i], &attrs[i % 4], stay_within,
                                         (void *)(uintptr_t)attrs[i % 4].affinity),
                     0);
        for (int i = 0; i < 40; i++)
            (void)join(threads[i]);
        check_eq(ring3_load(&strays, RING3_RELAXED), 0);
        stop();
    }
}

TEST(balance, what_cannot_be_is_refused)
{
    static const uint64_t none[4], beyond[4] = {0, 1}, first[4] = {1};
    const ring3_thread_attr_t wrong[] = {
        {.affinity = none},
        {.affinity = beyond},
        {.affinity = first, .pin = 1},
        {.affinity = first, .bound = true},
    };

    check_eq(ring3_runtime_start(&(ring3_runtime_options_t){.balance = 99}), -EINVAL);
    check_eq(ring3_runtime_start(
                 &(ring3_runtime_options_t){.global_queue = true, .model = RING3_RUNTIME_BOUND}),
             -EINVAL);
    start(&(ring3_runtime_options_t){.workers = 2});
    for (int i = 0; i < 4; i++)
        check_eq(ring3_thread_create(NULL, &wrong[i], nothing, NULL), -EINVAL);
    stop();
}

/* --- All at once ------------------------------------------------------------------------------ */

#define WANDERERS 64

static ring3_sem_t turns[WANDERERS];
static long passes;

/* A ring of threads, each of which waits for the one before it, yields, sleeps, and lets the next one go. */
static void *wander(void *place)
{
    const long me = value_of(place);

    for (int i = 0; i < passes; i++) {
        check_eq(ring3_sem_wait(&turns[me]), 0);
        ring3_thread_yield();
        if ((i + me) % 16 == 0)
            check_eq(ring3_sleep_ns(1000), 0);
        ring3_sem_post(&turns[(me + 1) % WANDERERS]);
        ring3_thread_yield();
    }
    return NULL;
}

static void *push_the_ring(void *unused)
{
    for (int i = 0; i < WANDERERS; i += 8)
        ring3_sem_post(&turns[i]);
    return unused;
}

TEST(balance, threads_that_migrate_are_never_lost_or_run_twice, 120)
{
    passes = scaled(60, 2000);
    for (int mode = 0; mode < 8; mode++) {
        ring3_thread_t threads[WANDERERS];
        pthread_t outside;

        for (int i = 0; i < WANDERERS; i++)
            check_eq(ring3_sem_init(&turns[i], 0, RING3_SEM_MAX, RING3_PRIVATE), 0);
        start(&(ring3_runtime_options_t){.workers = 4,
                                         .global_queue = mode & 1,
                                         .policy = mode & 2 ? "cfs" : "rr,quantum=1",
                                         .preempt = mode & 4});
        for (int i = 0; i < WANDERERS; i++)
            check_eq(ring3_thread_create(&threads[i], &(ring3_thread_attr_t){.migrate = true},
                                         wander, number(i)),
                     0);
        check_eq(pthread_create(&outside, NULL, push_the_ring, NULL), 0);
        for (int i = 0; i < WANDERERS; i++)
            (void)join(threads[i]);
        check_eq(pthread_join(outside, NULL), 0);
        stop();
    }
}
