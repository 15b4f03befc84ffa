/* SPDX-License-Identifier: MIT */
/* The fair lock with time slices, and what is special about the owner-biased one. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/biased.h"
#include "ring3/slice.h"

#include <errno.h>
#include <pthread.h>

static ring3_slice_t slice;
static ring3_wait_t policy;

static void acquire(int tid)
{
    (void)tid;
    ring3_slice_lock(&slice, policy);
}

static void release(int tid)
{
    (void)tid;
    ring3_slice_unlock(&slice);
}

TEST(slice, excludes_with_every_waiting_policy, 60)
{
    for (policy = 0; policy < RING3_WAIT_POLICIES; policy++) {
        /* Waiters that only spin keep the CPU from the one whose turn it is. */
        const bool spin = policy == RING3_WAIT_SPIN;

        check_eq(
            run_exclusion(acquire, release, spin ? 2 : 8, spin ? 200 : rounds(3000)).violations, 0,
            "%s", ring3_wait_name(policy));
    }
    check(slice.last == NULL);
}

TEST(slice, refuses_and_gives_up_in_time)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);
    const struct timespec bad = {0, -1};

    ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
    check_eq(ring3_slice_trylock(&slice), -EBUSY);
    check_eq(ring3_slice_timedlock(&slice, RING3_WAIT_ADAPTIVE, &soon), -ETIMEDOUT);
    check(ring3_deadline_passed(CLOCK_MONOTONIC, &soon));
    check_eq(ring3_slice_timedlock(&slice, RING3_WAIT_ADAPTIVE, &bad), -EINVAL);
    check(slice.last == NULL, "who gave up has left the queue");
    ring3_slice_unlock(&slice);
    check_eq(ring3_slice_trylock(&slice), 0);
    ring3_slice_unlock(&slice);
}

static int order[8], served;

static void stand_in_line(int me)
{
    ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
    order[served++] = me;
    ring3_slice_unlock(&slice);
}

static const void *last_in_line(void)
{
    ring3_ttas_lock(&slice.guard, RING3_WAIT_ADAPTIVE);
    const void *const last = slice.last;

    ring3_ttas_unlock(&slice.guard);
    return last;
}

TEST(slice, serves_in_order_of_arrival)
{
    pthread_t thread[8];

    ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
    for (int i = 0; i < 8; i++) {
        const void *const last = last_in_line();

        thread[i] = crew_start(stand_in_line, i);
        crew_until_quietly(last_in_line() != last);
    }
    ring3_slice_unlock(&slice);
    for (int i = 0; i < 8; i++)
        crew_join(thread[i]);
    for (int i = 0; i < 8; i++)
        check_eq(order[i], i);
}

/* The owner of a slice that does not come back: the first waiter takes the lock at its end. */
TEST(slice, an_unused_slice_ends)
{
    ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
    const pthread_t waiter = crew_start(stand_in_line, 0);

    crew_until_quietly(last_in_line() != NULL);
    ring3_store(&slice.until, slice.until + 2000, RING3_RELAXED); /* so that it is not over yet */
    ring3_slice_unlock(&slice);
    crew_join(waiter);
    check_eq(served, 1);
}

/* The longest slice, from now on. */
static void keep_slice_open(void)
{
    struct timespec now;
    uint64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (uint64_t)now.tv_sec * RING3_SECOND_NS + (uint64_t)now.tv_nsec;
    ring3_store(&slice.until, (uint32_t)(ns >> 10) + RING3_SLICE_FAR - 1, RING3_RELAXED);
}

static int tried;

static void try_once(int me)
{
    (void)me;
    keep_slice_open();
    tried = ring3_slice_trylock(&slice);
    if (tried == 0)
        ring3_slice_unlock(&slice);
}

/* While its slice lasts the owner comes back before who waits, and nobody else does. A round in
 * which the slice was over too soon, and the waiter had the lock, shows nothing. */
TEST(slice, only_its_owner_takes_an_open_slice)
{
    int shown = 0;

    for (int round = 0; round < 200 && shown < 3; round++) {
        ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
        ring3_store(&served, 0, RING3_RELAXED);
        const pthread_t waiter = crew_start(stand_in_line, 0);

        crew_until_quietly(last_in_line() != NULL);
        keep_slice_open();
        ring3_slice_unlock(&slice);
        crew_join(crew_start(try_once, 0));
        keep_slice_open();
        const int mine = ring3_slice_trylock(&slice);

        if (mine == 0)
            ring3_slice_unlock(&slice);
        if (last_in_line() != NULL) {
            check_eq(tried, -EBUSY, "somebody who neither owns the slice nor waited");
            check_eq(mine, 0, "the owner");
            shown++;
        }
        crew_join(waiter);
        check_eq(served, 1);
    }
    check_eq(shown, 3);
}

/* A slice whose time is as far away as the clock's 32 bits tell ahead from behind is over. */
TEST(slice, a_slice_of_long_ago_is_over)
{
    ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
    const pthread_t waiter = crew_start(stand_in_line, 0);

    crew_until_quietly(last_in_line() != NULL);
    ring3_store(&slice.until, slice.until + (UINT32_C(1) << 31), RING3_RELAXED);
    ring3_slice_unlock(&slice); /* hands over: nobody waits for half an hour */
    crew_join(waiter);
    check_eq(served, 1);
}

static long turns[2];
static int stop;

static void take_again_and_again(int me)
{
    while (!ring3_load(&stop, RING3_RELAXED)) {
        ring3_slice_lock(&slice, RING3_WAIT_ADAPTIVE);
        ring3_store(&turns[me], turns[me] + 1, RING3_RELAXED);
        ring3_slice_unlock(&slice);
        if (me == 0 && turns[0] >= 50 && ring3_load(&turns[1], RING3_RELAXED) >= 50)
            ring3_store(&stop, 1, RING3_RELAXED);
    }
}

TEST(slice, nobody_starves_beside_a_greedy_thread, 60)
{
    /* Both stay in the loop until both have had it often. */
    crew_run(2, take_again_and_again);
    check_ge(turns[0], 50L);
    check_ge(turns[1], 50L);
}

/* --- Biased ---------------------------------------------------------------------------------------- */

static ring3_biased_t biased;

static void enter_and_leave(int me)
{
    (void)me;
    ring3_biased_lock(&biased, RING3_WAIT_ADAPTIVE);
    ring3_biased_unlock(&biased);
}

TEST(biased, the_bias_stays_with_the_first_until_another_comes)
{
    enter_and_leave(0);
    check_eq(biased.bias, (uintptr_t)ring3_self());
    enter_and_leave(0);
    check_eq(biased.bias, (uintptr_t)ring3_self());
    crew_join(crew_start(enter_and_leave, 0));
    check_eq(biased.bias, (uintptr_t)ring3_self() | 1, "it is taken away");
    biased.again = 0;
    enter_and_leave(0);
    check_eq(biased.bias, (uintptr_t)ring3_self(), "and comes back");
    check_eq(biased.below.word, 0u);
}

static void wait_for_biased(int me)
{
    (void)me;
    ring3_biased_lock(&biased, RING3_WAIT_ADAPTIVE);
    ring3_store(&served, 1, RING3_RELAXED);
    ring3_biased_unlock(&biased);
}

TEST(biased, another_waits_for_the_holder)
{
    ring3_biased_lock(&biased, RING3_WAIT_ADAPTIVE);
    const pthread_t other = crew_start(wait_for_biased, 0);

    /* It has taken the bias away, and sees that we are inside. */
    crew_until_quietly(ring3_load(&biased.bias, RING3_RELAXED) & 1);
    sleep_ms(20);
    check_eq(ring3_load(&served, RING3_RELAXED), 0);
    ring3_biased_unlock(&biased);
    crew_join(other);
    check_eq(served, 1);
}
