/* SPDX-License-Identifier: MIT */
/* Permits, and the two kinds of queue in the parking table. */
#include "ring3_test.h"

#include "exclusion.h"
#include "ring3/mutex.h"
#include "ring3/park.h"
#include "ring3/self.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static const struct timespec past = {1, 0};

static struct timespec in_ms(int milliseconds)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, milliseconds * 1000000L);
}

static void check_table_is_empty(void)
{
    for (int i = 0; i < 1 << RING3_PARK_BUCKETS_LOG2; i++) {
        check_eq(ring3_park_table[i].callable, 0u, "bucket %d", i);
        check(ring3_park_table[i].first == NULL, "bucket %d", i);
        check(ring3_park_table[i].last == NULL, "bucket %d", i);
        check_eq(ring3_park_table[i].lock, 0u, "bucket %d", i);
    }
}

/* --- Permits ---------------------------------------------------------------------------------- */

TEST(permit, unpark_before_park_is_remembered_once)
{
    const struct timespec deadline = in_ms(10);

    ring3_unpark(ring3_self());
    ring3_unpark(ring3_self());
    ring3_park();
    check_eq(ring3_park_until(CLOCK_MONOTONIC, &deadline), -ETIMEDOUT, "one permit, not two");
    check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline));
}

TEST(permit, deadlines)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    const struct timespec before_the_epoch = {-1, 0}, malformed = {1, 1000000000};

    for (int i = 0; i < 2; i++) {
        const struct timespec deadline = ring3_deadline_in(clocks[i], 10000000);

        check_eq(ring3_park_until(clocks[i], &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(clocks[i], &deadline));
        check_eq(ring3_park_until(clocks[i], &past), -ETIMEDOUT);
        check_eq(ring3_park_until(clocks[i], &before_the_epoch), -ETIMEDOUT);
        check_eq(ring3_park_until(clocks[i], &malformed), -EINVAL);
        ring3_unpark(ring3_self());
        check_eq(ring3_park_until(clocks[i], &past), 0, "a permit that is there is taken");
    }
    check_eq(ring3_park_until(CLOCK_BOOTTIME, NULL), -EINVAL);
}

/* A parker that is told what happens while the context sleeps, and then reports a time-out. */
static void (*meanwhile)(void);
static int unparks;

static int park_and_time_out(ring3_self_t *self, const uint32_t *word, uint32_t expected,
                             clockid_t clock, const struct timespec *deadline)
{
    (void)self, (void)clock, (void)deadline;
    check_eq(*word, expected, "parked without need");
    meanwhile();
    return -ETIMEDOUT;
}
static void *claim_self(ring3_self_t *self, uint32_t *word)
{
    (void)word;
    return self;
}
static void count_unpark(void *claimed)
{
    (void)claimed;
    unparks++;
}
static void no_yield(ring3_self_t *self)
{
    (void)self;
}

static const ring3_parker_t timing_out = {park_and_time_out, claim_self, count_unpark, no_yield};
static ring3_self_t sleeper = {.parker = &timing_out, .id = 1};

static void unpark_sleeper(void)
{
    ring3_unpark(&sleeper);
}

TEST(permit, one_that_comes_at_the_deadline_is_taken)
{
    ring3_self_t *const before = ring3_self_switch(&sleeper);

    meanwhile = unpark_sleeper;
    check_eq(ring3_park_until(CLOCK_MONOTONIC, &past), 0);
    check_eq(sleeper.permit, 0u);
    check_eq(unparks, 1);
    (void)ring3_self_switch(before);
}

static struct {
    ring3_self_t *waiter;
    uint32_t flag; /* odd: the waiter is called; even: it has heard */
} talk;

/* An unpark for no reason, and soon after one for a reason. */
static void *unpark_twice(void *often)
{
    stay_on_cpu(1);
    for (uint32_t i = 0; i < *(uint32_t *)often; i++) {
        for (int turn = 0; ring3_load(&talk.flag, RING3_ACQUIRE) != 2 * i; turn++)
            if (turn > 10000)
                sched_yield();
        ring3_unpark(talk.waiter);
        for (volatile uint32_t j = 0; j < i % 29; j = j + 1)
            ;
        ring3_store(&talk.flag, 2 * i + 1, RING3_RELAXED);
        ring3_unpark(talk.waiter);
    }
    return NULL;
}

/* The second may find the permit of the first still there and wake nobody: then whoever takes the
 * permit must see what came before both. */
TEST(permit, what_came_before_an_unpark_is_seen_also_when_permits_merge, 60)
{
    uint32_t often = (uint32_t)rounds(200000);
    pthread_t thread;

    talk.waiter = ring3_self();
    stay_on_cpu(0);
    check_eq(pthread_create(&thread, NULL, unpark_twice, &often), 0);
    for (uint32_t i = 0; i < often; i++) {
        while (ring3_load(&talk.flag, RING3_RELAXED) != 2 * i + 1) {
            const struct timespec long_enough = in_ms(2000);

            check_eq(ring3_park_until(CLOCK_MONOTONIC, &long_enough), 0, "overslept in round %u",
                     i);
        }
        ring3_store(&talk.flag, 2 * i + 2, RING3_RELEASE);
    }
    check_eq(pthread_join(thread, NULL), 0);
}

static struct {
    ring3_self_t *one, *other;
    long turns;
} ping;

static void *pong(void *unused)
{
    (void)unused;
    ring3_store(&ping.other, ring3_self(), RING3_RELEASE);
    for (int i = 0; i < rounds(10000); i++) {
        ring3_park();
        ping.turns++;
        ring3_unpark(ping.one);
    }
    return NULL;
}

TEST(permit, two_threads_call_each_other_in_turn)
{
    pthread_t thread;

    ping.one = ring3_self();
    check_eq(pthread_create(&thread, NULL, pong, NULL), 0);
    while (!ring3_load(&ping.other, RING3_ACQUIRE))
        sched_yield();
    for (int i = 0; i < rounds(10000); i++) {
        check_eq(ping.turns, (long)i);
        ring3_unpark(ping.other);
        ring3_park();
    }
    check_eq(pthread_join(thread, NULL), 0);
}

/* --- Turn ------------------------------------------------------------------------------------- */

static uint32_t word;
static uint32_t awake;

static void *sleep_for_key(void *key)
{
    check_eq(ring3_park_turn(&word, (uint32_t)(intptr_t)key, &word, 0, NULL), 0);
    ring3_fetch_or(&awake, 1u << (intptr_t)key, RING3_RELEASE);
    return NULL;
}

TEST(turn, an_announcement_wakes_its_key_only)
{
    pthread_t thread[4];

    for (int i = 0; i < 4; i++) {
        check_eq(pthread_create(&thread[i], NULL, sleep_for_key, (void *)(intptr_t)i), 0);
        while (!ring3_load(&ring3_park_bucket(&word, (uint32_t)i)->callable, RING3_ACQUIRE))
            sched_yield();
    }
    ring3_park_announce(&word, 4);
    ring3_park_announce(&awake, 2);
    ring3_park_release(&word);
    sleep_ms(20);
    check_eq(ring3_load(&awake, RING3_ACQUIRE), 0u, "woken by what was meant for others");
    for (int i = 3; i >= 0; i--) {
        ring3_park_announce(&word, (uint32_t)i);
        check_eq(pthread_join(thread[i], NULL), 0);
        check_eq(ring3_load(&awake, RING3_ACQUIRE), 0xfu & ~((1u << i) - 1));
    }
    check_table_is_empty();
}

TEST(turn, does_not_sleep_once_the_word_has_changed)
{
    word = 1;
    check_eq(ring3_park_turn(&word, 0, &word, 0, NULL), 0);
    check_table_is_empty();
}

TEST(turn, gives_up_after_the_deadline_and_not_before)
{
    const struct timespec deadline = in_ms(10);

    check_eq(ring3_park_turn(&word, 0, &word, 0, &deadline), -ETIMEDOUT);
    check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline));
    check_eq(ring3_park_turn(&word, 0, &word, 0, &past), -ETIMEDOUT);
    check_table_is_empty();
}

static void announce_word(void)
{
    ring3_park_announce(&word, 7);
}

TEST(turn, one_that_comes_at_the_deadline_is_taken)
{
    ring3_self_t *const before = ring3_self_switch(&sleeper);

    meanwhile = announce_word;
    check_eq(ring3_park_turn(&word, 7, &word, 0, &past), 0);
    check_eq(unparks, 1);
    (void)ring3_self_switch(before);
    check_table_is_empty();
}

/* --- Contest ---------------------------------------------------------------------------------- */

static uint32_t held;

static bool is_held(const void *address)
{
    (void)address;
    return ring3_load(&held, RING3_RELAXED) != 0;
}

static struct {
    bool queued, first, woken;
} second;

static void *stand_second(void *unused)
{
    ring3_waiter_t waiter;

    (void)unused;
    second.first = ring3_park_enter(&waiter, &held);
    ring3_store(&second.queued, true, RING3_RELEASE);
    check_eq(ring3_park_sleep(&waiter, is_held, CLOCK_MONOTONIC, NULL), 0);
    ring3_store(&second.woken, true, RING3_RELEASE);
    ring3_park_leave(&waiter, false);
    return NULL;
}

/* The main thread stands first, another second and asleep. */
static pthread_t two_in_line(ring3_waiter_t *waiter)
{
    pthread_t thread;

    held = 1;
    check(ring3_park_enter(waiter, &held));
    check_eq(pthread_create(&thread, NULL, stand_second, NULL), 0);
    while (!ring3_load(&second.queued, RING3_ACQUIRE))
        sched_yield();
    check(!second.first);
    while (!ring3_load(&waiter->next->asleep, RING3_ACQUIRE))
        sched_yield();
    return thread;
}

TEST(contest, while_the_first_is_awake_a_release_wakes_nobody)
{
    ring3_waiter_t waiter;
    const pthread_t thread = two_in_line(&waiter);

    check_eq(ring3_park_bucket(&held, 0)->callable, 0u);
    ring3_park_release(&held);
    ring3_park_release_slow(&held);
    sleep_ms(10);
    check(!ring3_load(&second.woken, RING3_ACQUIRE));
    ring3_park_leave(&waiter, false);
    check_eq(pthread_join(thread, NULL), 0);
    check_table_is_empty();
}

TEST(contest, when_the_first_gives_up_the_next_is_woken)
{
    ring3_waiter_t waiter;
    const pthread_t thread = two_in_line(&waiter);

    check_eq(ring3_park_sleep(&waiter, is_held, CLOCK_MONOTONIC, &past), -ETIMEDOUT);
    ring3_park_leave(&waiter, false);
    check_eq(pthread_join(thread, NULL), 0);
    check_table_is_empty();
}

TEST(contest, when_the_first_has_won_its_release_wakes_the_next)
{
    ring3_waiter_t waiter;
    const pthread_t thread = two_in_line(&waiter);

    ring3_park_leave(&waiter, true);
    check_eq(ring3_park_bucket(&held, 0)->callable, 1u, "the next has become callable");
    sleep_ms(10);
    check(!ring3_load(&second.woken, RING3_ACQUIRE), "woken while the lock was held");
    ring3_store(&held, 0, RING3_RELEASE);
    ring3_park_release(&held);
    check_eq(pthread_join(thread, NULL), 0);
    check_table_is_empty();
}

TEST(contest, the_first_does_not_sleep_on_a_free_lock)
{
    ring3_waiter_t waiter;

    held = 0;
    check(ring3_park_enter(&waiter, &held));
    check_eq(ring3_park_sleep(&waiter, is_held, CLOCK_MONOTONIC, NULL), 0);
    check_eq(ring3_park_bucket(&held, 0)->callable, 0u);
    ring3_park_leave(&waiter, true);
    check_table_is_empty();
}

static void release_held(void)
{
    ring3_park_release(&held);
}

TEST(contest, a_call_that_comes_at_the_deadline_is_taken)
{
    ring3_self_t *const before = ring3_self_switch(&sleeper);
    ring3_waiter_t waiter;

    held = 1;
    meanwhile = release_held;
    check(ring3_park_enter(&waiter, &held));
    check_eq(ring3_park_sleep(&waiter, is_held, CLOCK_MONOTONIC, &past), 0);
    ring3_park_leave(&waiter, false);
    (void)ring3_self_switch(before);
    check_table_is_empty();
}

/* --- Calls and deadlines that cross ----------------------------------------------------------- */

/* A parker that counts how often its context was called. */
static long calls;

static int futex_park(ring3_self_t *self, const uint32_t *asleep, uint32_t expected,
                      clockid_t clock, const struct timespec *deadline)
{
    (void)self;
    return ring3_futex_wait(asleep, expected, RING3_PRIVATE, clock, deadline) == -ETIMEDOUT
               ? -ETIMEDOUT
               : 0;
}
static void *count_claim(ring3_self_t *self, uint32_t *asleep)
{
    (void)self;
    ring3_fetch_add(&calls, 1, RING3_RELAXED);
    return asleep;
}
static void futex_unpark(void *asleep)
{
    (void)ring3_futex_wake(asleep, 1, RING3_PRIVATE);
}

static const ring3_parker_t counting = {futex_park, count_claim, futex_unpark, no_yield};
static bool stop;

static void *call_often(void *unused)
{
    stay_on_cpu(1);
    for (uint32_t i = 0; !ring3_load(&stop, RING3_RELAXED); i++) {
        ring3_park_announce(&word, 3);
        ring3_park_release(&held);
        for (volatile uint32_t j = 0; j < i % 501; j = j + 1)
            ;
    }
    return unused;
}

/* The word never changes and the lock is never free: whoever is called must hear of it, and nobody
 * else, however close the deadline was. */
TEST(turn, every_call_is_reported_once_when_calls_and_deadlines_cross, 60)
{
    ring3_self_t self = {.parker = &counting, .id = 1};
    ring3_self_t *const before = ring3_self_switch(&self);
    ring3_waiter_t waiter;
    pthread_t thread;
    long heard = 0;

    stay_on_cpu(0);
    held = 1;
    check(ring3_park_enter(&waiter, &held));
    check_eq(pthread_create(&thread, NULL, call_often, NULL), 0);
    for (int i = 0; i < rounds(20000); i++) {
        const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, i % 1000 * 10);

        if (i % 2)
            heard += ring3_park_turn(&word, 3, &word, 0, &deadline) == 0;
        else
            heard += ring3_park_sleep(&waiter, is_held, CLOCK_MONOTONIC, &deadline) == 0;
        check_eq(heard, ring3_load(&calls, RING3_RELAXED), "after %d waits", i + 1);
    }
    ring3_store(&stop, true, RING3_RELAXED);
    check_eq(pthread_join(thread, NULL), 0);
    ring3_park_leave(&waiter, false);
    (void)ring3_self_switch(before);
    check_gt(heard, 0L);
    check_table_is_empty();
}

/* --- Neighbours in a bucket ------------------------------------------------------------------- */

static ring3_mutex_t *left, *right;

static void acquire_by_parity(int tid)
{
    ring3_mutex_lock(tid % 2 ? left : right);
    if (tid % 2)
        ring3_mutex_lock(right);
}
static void release_by_parity(int tid)
{
    ring3_mutex_unlock(right);
    if (tid % 2)
        ring3_mutex_unlock(left);
}

TEST(contest, locks_in_one_bucket_do_not_disturb_each_other)
{
    static ring3_mutex_t many[1 << 12];
    int i = 1;

    left = &many[0];
    while (ring3_park_bucket(&many[i], 0) != ring3_park_bucket(left, 0))
        check_lt(++i, 1 << 12);
    right = &many[i];
    check_eq(run_exclusion(acquire_by_parity, release_by_parity, 8, rounds(20000)).violations, 0);
    check_table_is_empty();
}
