/* SPDX-License-Identifier: MIT */
/* Avoiding, finding and ending deadlocks; and a test that breaks each of the four conditions. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/deadlock.h"
#include "ring3/lockset.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* --- Banker's algorithm: the example of Silberschatz, Galvin and Gagne ------------------------------- */

static uint32_t available[3] = {3, 3, 2};
static uint32_t allocated[5 * 3] = {0, 1, 0, 2, 0, 0, 3, 0, 2, 2, 1, 1, 0, 0, 2};
static const uint32_t claimed[5 * 3] = {7, 5, 3, 3, 2, 2, 9, 0, 2, 2, 2, 2, 4, 3, 3};
static ring3_banker_t bank = {5, 3, available, allocated, claimed};

TEST(banker, finds_a_safe_order)
{
    uint32_t order[5], free[3], has;

    check(ring3_banker_safe(&bank, order));
    memcpy(free, available, sizeof free);
    for (int i = 0; i < 5; i++)
        for (int t = 0; t < 3; t++) {
            has = allocated[order[i] * 3 + (uint32_t)t];
            check_le(claimed[order[i] * 3 + (uint32_t)t] - has, free[t], "place %d", i);
            free[t] += has;
        }
}

TEST(banker, grants_what_stays_safe_and_nothing_else)
{
    const uint32_t first[] = {1, 0, 2}, second[] = {3, 3, 0}, third[] = {0, 2, 0};
    const uint32_t too_much[] = {0, 3, 0}, all[] = {3, 0, 2};

    check_eq(ring3_banker_request(&bank, 1, first), 0);
    check_eq(available[0], 2u);
    check_eq(ring3_banker_request(&bank, 4, second), -EAGAIN);
    check_eq(ring3_banker_request(&bank, 0, third), -EDEADLK, "the state would be unsafe");
    check_eq(available[1], 3u, "and nothing has changed");
    check_eq(ring3_banker_request(&bank, 1, too_much), -EINVAL, "more than it claimed");
    check_eq(ring3_banker_request(&bank, 5, first), -EINVAL);
    check_eq(ring3_banker_release(&bank, 1, too_much), -EINVAL);
    check_eq(ring3_banker_release(&bank, 1, all), 0);
    check_eq(available[0], 5u);
}

/* --- Detection: three resource-allocation graphs ------------------------------------------------------ */

TEST(detector, tells_a_deadlock_from_a_cycle)
{
    const uint32_t none[] = {0, 0};
    /* No cycle: P0 waits for P1, who waits for nobody. */
    const uint32_t a_has[] = {1, 0, 0, 1}, a_wants[] = {0, 1, 0, 0};
    /* A cycle, one instance each. */
    const uint32_t b_wants[] = {0, 1, 1, 0};
    /* The same cycle, but P2 has a second instance and will give it back. */
    const uint32_t c_has[] = {1, 0, 0, 1, 0, 1}, c_wants[] = {0, 1, 1, 0, 0, 0};
    const uint64_t cycle[] = {2, 1, 0}, chain[] = {2, 4, 0}, far[] = {2, 4, 8, 16, 4};
    uint32_t path[5];

    check_eq(ring3_deadlock_detect(2, 2, none, a_has, a_wants), 0u);
    check_eq(ring3_deadlock_detect(2, 2, none, a_has, b_wants), 3u);
    check_eq(ring3_deadlock_detect(3, 2, none, c_has, c_wants), 0u);

    check_eq(ring3_deadlock_cycle(3, chain, path), 0u);
    check_eq(ring3_deadlock_cycle(3, cycle, path), 2u);
    /* 0 -> 1 -> 2 -> 3 -> 4 -> 2 */
    check_eq(ring3_deadlock_cycle(5, far, path), 3u);
    check_eq(path[0], 2u);
    check_eq(path[1], 3u);
    check_eq(path[2], 4u);
}

/* --- Recovery -------------------------------------------------------------------------------------------- */

enum { RING = 5 };
static ring3_deadlock_mutex_t mutexes[RING];
static uint32_t seated, victims, winners;

/* Each takes its own, waits until all have, and wants its neighbour's: a cycle of five. */
static void close_the_ring(int me)
{
    check_eq(ring3_deadlock_lock(&mutexes[me], (uint32_t)me + 1, NULL), 0);
    ring3_fetch_add(&seated, 1, RING3_RELAXED);
    crew_until(ring3_load(&seated, RING3_RELAXED) == RING);
    const int result = ring3_deadlock_lock(&mutexes[(me + 1) % RING], (uint32_t)me + 1, NULL);

    if (result == -EDEADLK) {
        ring3_fetch_or(&victims, 1u << me, RING3_RELAXED);
    } else {
        check_eq(result, 0);
        ring3_fetch_add(&winners, 1, RING3_RELAXED);
        check_eq(ring3_deadlock_unlock(&mutexes[(me + 1) % RING]), 0);
    }
    check_eq(ring3_deadlock_unlock(&mutexes[me]), 0);
}

TEST(deadlock, its_cheapest_waiter_is_the_victim)
{
    crew_run(RING, close_the_ring);
    check_eq(winners, RING - 1u);
    check_eq(victims, 1u, "the one with the lowest cost");
}

TEST(deadlock, misuse_and_deadlines)
{
    const struct timespec bad = {0, -1};

    check_eq(ring3_deadlock_unlock(&mutexes[0]), -EPERM);
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, &bad), -EINVAL);
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, NULL), 0);
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, NULL), -EDEADLK);
    check_eq(ring3_deadlock_unlock(&mutexes[0]), 0);
}

static uint32_t held;

static void hold_first(int me)
{
    (void)me;
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, NULL), 0);
    ring3_store(&held, 1, RING3_RELEASE);
    crew_until_quietly(ring3_load(&held, RING3_ACQUIRE) == 2);
    check_eq(ring3_deadlock_unlock(&mutexes[0]), 0);
}

TEST(deadlock, a_wait_without_a_cycle_is_a_wait)
{
    const pthread_t holder = crew_start(hold_first, 0);
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

    crew_until_quietly(ring3_load(&held, RING3_ACQUIRE) == 1);
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, &soon), -ETIMEDOUT);
    check(mutexes[0].first == NULL);
    ring3_store(&held, 2, RING3_RELEASE);
    check_eq(ring3_deadlock_lock(&mutexes[0], 0, NULL), 0);
    check_eq(ring3_deadlock_unlock(&mutexes[0]), 0);
    crew_join(holder);
}

static long total;

static void transfer(int me)
{
    for (long i = crew_count(3000); i > 0; i--) {
        ring3_deadlock_mutex_t *const a = &mutexes[me], *const b = &mutexes[(me + 1 + i % 3) % 4];

        if (a == b)
            continue;
        for (;;) {
            check_eq(ring3_deadlock_lock(a, (uint32_t)me, NULL) == -EDEADLK, false);
            if (ring3_deadlock_lock(b, (uint32_t)me, NULL) == 0)
                break;
            check_eq(ring3_deadlock_unlock(a), 0);
            sched_yield();
        }
        ring3_fetch_add(&total, 1, RING3_RELAXED);
        check_eq(ring3_deadlock_unlock(b), 0);
        check_eq(ring3_deadlock_unlock(a), 0);
    }
}

TEST(deadlock, unordered_transfers_all_come_to_an_end, 60)
{
    crew_run(4, transfer);
    check_gt(total, 0L);
}

/* --- One test for each condition (Coffman): without it, no deadlock -------------------------------------- */

static ring3_mutex_t one, two;
static uint32_t both;

static void meet(void)
{
    ring3_fetch_add(&both, 1, RING3_RELAXED);
    crew_until(ring3_load(&both, RING3_RELAXED) >= 2);
}

/* All four hold: a deadline is what ends it. */
static int cross(int me)
{
    ring3_mutex_t *const mine = me ? &two : &one, *const theirs = me ? &one : &two;
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.05);

    ring3_mutex_lock(mine);
    meet();
    const int result = ring3_mutex_timedlock(theirs, &soon);

    if (result == 0)
        ring3_mutex_unlock(theirs);
    /* Nobody lets go before both have given up or won. */
    ring3_fetch_add(&both, 1, RING3_RELAXED);
    crew_until_quietly(ring3_load(&both, RING3_RELAXED) == 4);
    ring3_mutex_unlock(mine);
    return result;
}

static int crossed[2];

static void cross_over(int me)
{
    crossed[me] = cross(me);
}

TEST(conditions, all_four_together_are_a_deadlock)
{
    crew_run(2, cross_over);
    check_eq(crossed[0], -ETIMEDOUT);
    check_eq(crossed[1], -ETIMEDOUT);
}

static uint64_t shared_count;

/* No mutual exclusion: both update one word atomically, in any order. */
static void without_exclusion(int me)
{
    (void)me;
    meet();
    for (int i = 0; i < 1000; i++)
        ring3_fetch_add(&shared_count, 1, RING3_RELAXED);
}

TEST(conditions, without_mutual_exclusion)
{
    crew_run(2, without_exclusion);
    check_eq(shared_count, 2000u);
}

/* No hold and wait: each gives up what it holds before it waits. */
static void without_hold_and_wait(int me)
{
    void *locks[] = {me ? &two : &one, me ? &one : &two};

    meet();
    for (int i = 0; i < 500; i++) {
        check_eq(ring3_lockset_lock_backoff(&ring3_lockset_mutex, locks, 2, NULL), 0);
        shared_count++;
        ring3_lockset_unlock(&ring3_lockset_mutex, locks, 2);
    }
}

TEST(conditions, without_hold_and_wait, 60)
{
    crew_run(2, without_hold_and_wait);
    check_eq(shared_count, 1000u);
}

/* Preemption: the victim of the detector loses what it holds, by giving it back. */
static void with_preemption(int me)
{
    ring3_deadlock_mutex_t *const mine = &mutexes[me], *const theirs = &mutexes[1 - me];

    for (bool met = false;; met = true) {
        check_eq(ring3_deadlock_lock(mine, (uint32_t)me, NULL), 0);
        if (!met)
            meet();
        if (ring3_deadlock_lock(theirs, (uint32_t)me, NULL) == 0)
            break;
        ring3_fetch_add(&victims, 1, RING3_RELAXED);
        check_eq(ring3_deadlock_unlock(mine), 0);
        sched_yield();
    }
    shared_count++;
    check_eq(ring3_deadlock_unlock(theirs), 0);
    check_eq(ring3_deadlock_unlock(mine), 0);
}

TEST(conditions, with_preemption)
{
    crew_run(2, with_preemption);
    check_eq(shared_count, 2u);
    check_ge(victims, 1u, "both held one, so that somebody had to lose it");
}

/* No circular wait: everybody locks in one order. */
static void without_circular_wait(int me)
{
    void *locks[] = {me ? &two : &one, me ? &one : &two};

    meet();
    for (int i = 0; i < 500; i++) {
        ring3_lockset_lock(&ring3_lockset_mutex, locks, 2);
        shared_count++;
        ring3_lockset_unlock(&ring3_lockset_mutex, locks, 2);
    }
}

TEST(conditions, without_circular_wait, 60)
{
    crew_run(2, without_circular_wait);
    check_eq(shared_count, 1000u);
}
