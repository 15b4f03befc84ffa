/* SPDX-License-Identifier: MIT */
/* Wait queues with cancel tokens, the trace ring, and waiting for any of several. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/env.h"
#include "ring3/tracering.h"
#include "ring3/waitany.h"
#include "ring3/waitq.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* --- Wait queues ------------------------------------------------------------------------------------ */

static ring3_waitq_t queue;
static ring3_cancel_t token;
static uint32_t condition, standing;
static int results[8];
static int order[8], woken_count;
static uint32_t flags = RING3_WAITQ_EXCLUSIVE;
static ring3_waitq_mode_t mode;
static uintptr_t keys[8];

/* Prepares once, says so, and sleeps once. */
static void sleep_once(int me)
{
    ring3_waitq_entry_t entry = RING3_WAITQ_ENTRY;

    entry.key = keys[me];
    ring3_waitq_prepare(&queue, &entry, flags);
    ring3_fetch_add(&standing, 1, RING3_RELEASE);
    const int result = ring3_waitq_sleep(&entry, mode, CLOCK_MONOTONIC, NULL, &token);

    if (ring3_waitq_finish(&queue, &entry)) {
        /* They are woken one at a time where the order matters. */
        ring3_store(&order[ring3_load(&woken_count, RING3_RELAXED) % 8], me, RING3_RELAXED);
        ring3_fetch_add(&woken_count, 1, RING3_RELEASE);
    }
    ring3_store(&results[me], result, RING3_RELAXED);
}

/* Starts sleepers 0 to n - 1, each after the one before stands in the queue. */
static void start_sleepers(pthread_t *thread, int n)
{
    standing = 0;
    for (int i = 0; i < n; i++) {
        thread[i] = crew_start(sleep_once, i);
        crew_until_quietly(ring3_load(&standing, RING3_ACQUIRE) == (uint32_t)i + 1);
    }
}

static void wake_one_by_one(uint32_t how, bool last_first)
{
    pthread_t thread[4];

    flags = how;
    woken_count = 0;
    start_sleepers(thread, 4);
    for (int i = 0; i < 4; i++) {
        check_eq(ring3_waitq_wake(&queue, 1, 0), 1);
        crew_until_quietly(ring3_load(&woken_count, RING3_ACQUIRE) == i + 1);
    }
    for (int i = 0; i < 4; i++)
        crew_join(thread[i]);
    for (int i = 0; i < 4; i++) {
        check_eq(order[i], last_first ? 3 - i : i);
        check_eq(results[i], 0);
    }
    check(!ring3_waitq_active(&queue));
    check_eq(ring3_waitq_wake(&queue, 1, 0), 0);
}

TEST(waitq, wakes_in_order_of_arrival_or_the_last_first)
{
    wake_one_by_one(RING3_WAITQ_EXCLUSIVE, false);
    wake_one_by_one(RING3_WAITQ_EXCLUSIVE | RING3_WAITQ_LIFO, true);
}

TEST(waitq, wakes_all_plain_waiters_and_n_exclusive_ones)
{
    pthread_t thread[8];

    standing = 0;
    for (int i = 0; i < 8; i++) {
        flags = i % 2 ? RING3_WAITQ_EXCLUSIVE : 0;
        thread[i] = crew_start(sleep_once, i);
        crew_until_quietly(ring3_load(&standing, RING3_ACQUIRE) == (uint32_t)i + 1);
    }
    check_eq(ring3_waitq_wake(&queue, 2, 0), 6);
    check_eq(ring3_waitq_wake(&queue, 0, 0), 2);
    for (int i = 0; i < 8; i++)
        crew_join(thread[i]);
}

TEST(waitq, wakes_by_key)
{
    pthread_t thread[3];

    keys[0] = 1;
    keys[1] = 2;
    keys[2] = 0; /* any */
    start_sleepers(thread, 3);
    check_eq(ring3_waitq_wake(&queue, 0, 2), 2);
    crew_join(thread[1]);
    crew_join(thread[2]);
    check(ring3_waitq_active(&queue), "the one with another key sleeps on");
    check_eq(ring3_waitq_wake(&queue, 0, 0), 1);
    crew_join(thread[0]);
}

static bool refuse_once(ring3_waitq_entry_t *entry, uintptr_t key)
{
    int *const calls = entry->context;

    (void)key;
    return ++*calls > 1;
}

TEST(waitq, asks_a_custom_wake_function)
{
    ring3_waitq_entry_t entry = RING3_WAITQ_ENTRY;
    int calls = 0;

    entry.wake = refuse_once;
    entry.context = &calls;
    ring3_waitq_prepare(&queue, &entry, 0);
    check_eq(ring3_waitq_wake(&queue, 0, 0), 0);
    check_eq(ring3_waitq_wake(&queue, 0, 0), 1);
    check_eq(calls, 2);
    check_eq(ring3_waitq_sleep(&entry, RING3_WAITQ_UNINTERRUPTIBLE, CLOCK_MONOTONIC, NULL, NULL), 0,
             "a wake-up before the sleep is not lost");
    check(ring3_waitq_finish(&queue, &entry));
}

TEST(waitq, keeps_deadlines)
{
    ring3_waitq_entry_t entry = RING3_WAITQ_ENTRY;
    const struct timespec soon = crew_in(CLOCK_REALTIME, 0.01), bad = {0, -1};

    ring3_waitq_prepare(&queue, &entry, 0);
    check_eq(ring3_waitq_sleep(&entry, RING3_WAITQ_UNINTERRUPTIBLE, CLOCK_REALTIME, &soon, NULL),
             -ETIMEDOUT);
    check_eq(ring3_waitq_sleep(&entry, RING3_WAITQ_UNINTERRUPTIBLE, CLOCK_REALTIME, &bad, NULL),
             -EINVAL);
    check(!ring3_waitq_finish(&queue, &entry));
    check(!ring3_waitq_active(&queue));
}

TEST(waitq, a_token_ends_sleeps_now_and_later)
{
    pthread_t thread[3];

    start_sleepers(thread, 3);
    ring3_cancel(&token);
    for (int i = 0; i < 3; i++) {
        crew_join(thread[i]);
        check_eq(results[i], -ECANCELED);
    }
    check(ring3_cancelled(&token));
    sleep_once(3);
    check_eq(results[3], -ECANCELED);
    check(!ring3_waitq_active(&queue));
}

static void nothing(int signal)
{
    (void)signal;
}

TEST(waitq, signals_end_interruptible_sleeps_only)
{
    const struct sigaction action = {.sa_handler = nothing};
    pthread_t thread;

    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    mode = RING3_WAITQ_INTERRUPTIBLE;
    results[0] = 1;
    start_sleepers(&thread, 1);
    /* Again and again: the first may come before it sleeps. */
    while (ring3_load(&results[0], RING3_RELAXED) == 1) {
        check_eq(pthread_kill(thread, SIGUSR1), 0);
        sleep_ms(1);
    }
    crew_join(thread);
    check_eq(results[0], -EINTR);

    mode = RING3_WAITQ_UNINTERRUPTIBLE;
    start_sleepers(&thread, 1);
    for (int i = 0; i < 20; i++) {
        check_eq(pthread_kill(thread, SIGUSR1), 0);
        sleep_ms(1);
    }
    check_eq(ring3_waitq_wake(&queue, 1, 0), 1, "it has not left");
    crew_join(thread);
    check_eq(results[0], 0);
}

/* Two threads pass a baton; a lost wake-up would hang them. */
static void pass_baton(int me)
{
    for (long i = crew_count(20000); i > 0; i--) {
        ring3_waitq_entry_t entry = RING3_WAITQ_ENTRY;

        for (;;) {
            ring3_waitq_prepare(&queue, &entry, RING3_WAITQ_EXCLUSIVE);
            if (ring3_load(&condition, RING3_ACQUIRE) == (uint32_t)me)
                break;
            check_eq(
                ring3_waitq_sleep(&entry, RING3_WAITQ_UNINTERRUPTIBLE, CLOCK_MONOTONIC, NULL, NULL),
                0);
        }
        (void)ring3_waitq_finish(&queue, &entry);
        ring3_store(&condition, 1 - (uint32_t)me, RING3_RELEASE);
        (void)ring3_waitq_wake(&queue, 0, 0);
    }
}

TEST(waitq, loses_no_wake_up, 60)
{
    crew_run(2, pass_baton);
}

/* --- The trace ring of 500 ---------------------------------------------------------------------------- */

enum { ENTRIES = 500 };
static uint64_t slots[ENTRIES];
static ring3_tracering_t ring = RING3_TRACERING_INIT(slots, ENTRIES);

/* n records: all of them, or the last 500, of which the first is number n - 499 counting from 1. */
static void add_and_look(uint64_t n)
{
    uint64_t copy[ENTRIES + 1], first;

    ring3_tracering_init(&ring, slots, sizeof *slots, ENTRIES);
    check_eq(ring3_tracering_start(&ring), 0);
    for (uint64_t i = 1; i <= n; i++)
        ring3_tracering_add(&ring, &i);
    const uint64_t there = n < ENTRIES ? n : ENTRIES;

    check_eq(ring3_tracering_snapshot(&ring, copy, ENTRIES + 1, &first), there);
    for (uint64_t i = 0; i < there; i++)
        check_eq(copy[i], n - there + 1 + i);
    check_eq(first, n - there);
}

TEST(tracering, keeps_the_last_500)
{
    add_and_look(0);
    add_and_look(1);
    add_and_look(499);
    add_and_look(500);
    add_and_look(501);
    add_and_look(999);
    add_and_look(1000);
    add_and_look(1501);
}

static int started, stopped;

static void try_to_start(int me)
{
    (void)me;
    if (ring3_tracering_start(&ring) == 0)
        ring3_fetch_add(&started, 1, RING3_RELAXED);
}

static void try_to_stop(int me)
{
    (void)me;
    if (ring3_tracering_stop(&ring) == 0)
        ring3_fetch_add(&stopped, 1, RING3_RELAXED);
}

TEST(tracering, one_start_and_one_stop_succeed)
{
    const uint64_t record = 1;
    uint64_t copy;

    ring3_tracering_add(&ring, &record);
    check_eq(ring3_tracering_snapshot(&ring, &copy, 1, NULL), 0u, "it does not run yet");
    check_eq(ring3_tracering_start(&ring), 0);
    check_eq(ring3_tracering_start(&ring), -EALREADY);
    check_eq(ring3_tracering_stop(&ring), 0);
    check_eq(ring3_tracering_stop(&ring), -EALREADY);
    /* Of several together, one does. */
    crew_run(4, try_to_start);
    check_eq(started, 1);
    crew_run(4, try_to_stop);
    check_eq(stopped, 1);
}

static uint64_t sum, skipped;

static void read_all(int me)
{
    uint64_t counter = 0, copy[64];
    long n;

    (void)me;
    for (uint64_t expected = 0; (n = ring3_tracering_read(&ring, &counter, copy, 64, NULL)) > 0;) {
        skipped += counter - (uint64_t)n - expected;
        for (long i = 0; i < n; i++) {
            check_eq(copy[i], counter - (uint64_t)n + (uint64_t)i);
            sum++;
        }
        expected = counter;
    }
    check_eq(n, 0L);
}

TEST(tracering, a_reader_blocks_and_knows_what_it_missed, 60)
{
    const uint64_t total = (uint64_t)crew_count(50000);
    const struct timespec past = {0, 0};
    uint64_t counter = 0, copy;

    check_eq(ring3_tracering_start(&ring), 0);
    check_eq(ring3_tracering_read(&ring, &counter, &copy, 1, &past), -ETIMEDOUT);
    const pthread_t reader = crew_start(read_all, 0);

    for (uint64_t i = 0; i < total; i++)
        ring3_tracering_add(&ring, &i);
    check_eq(ring3_tracering_stop(&ring), 0);
    crew_join(reader);
    check_eq(sum + skipped, total);
}

/* --- Any of several ------------------------------------------------------------------------------------- */

static ring3_event_t events[3];
static ring3_sem_t sems[3];

static void set_second(int me)
{
    (void)me;
    sleep_ms(10);
    ring3_event_set(&events[1]);
}

static void post_third(int me)
{
    (void)me;
    sleep_ms(10);
    check_eq(ring3_sem_post(&sems[2]), 0);
}

static void any_of_several(void)
{
    ring3_event_t *const event[] = {&events[0], &events[1], &events[2]};
    ring3_sem_t *const sem[] = {&sems[0], &sems[1], &sems[2]};
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);
    const struct timespec wall = crew_in(CLOCK_REALTIME, 0.01);

    for (int i = 0; i < 3; i++) {
        ring3_event_init(&events[i], RING3_SHARED);
        check_eq(ring3_sem_init(&sems[i], 0, 0, RING3_SHARED), 0);
    }
    check_eq(ring3_waitany_event(event, 3, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
    check_eq(ring3_waitany_sem(sem, 3, CLOCK_REALTIME, &wall), -ETIMEDOUT);
    check_eq(ring3_waitany_sem(sem, 0, CLOCK_MONOTONIC, NULL), -EINVAL);
    check_eq(ring3_waitany_event(event, 3, CLOCK_BOOTTIME, NULL), -EINVAL);
    pthread_t helper = crew_start(set_second, 0);

    check_eq(ring3_waitany_event(event, 3, CLOCK_MONOTONIC, NULL), 1);
    crew_join(helper);
    check_eq(ring3_waitany_event(event, 3, CLOCK_MONOTONIC, NULL), 1, "it stays set");
    helper = crew_start(post_third, 0);
    check_eq(ring3_waitany_sem(sem, 3, CLOCK_MONOTONIC, NULL), 2);
    crew_join(helper);
    check_eq(ring3_sem_trywait(&sems[2]), -EAGAIN, "it took the permit");
    check_eq(ring3_sem_waiters(&sems[2]), 0u);
}

TEST(waitany, waits_for_the_first_of_several)
{
    any_of_several();
}

TEST(waitany, does_without_futex_waitv)
{
    check_eq(ring3_env_disable("futex_waitv"), 0);
    any_of_several();
}
