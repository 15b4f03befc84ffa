/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "ring3/array.h"

#include <errno.h>
#include <string.h>

static ring3_array_slot_t slots[8];
static ring3_array_t lock = RING3_ARRAY_INIT(slots, 8);
static ring3_wait_t how;
static long counter, rounds;
static int order[8], served;

static void count(int me)
{
    for (long i = 0; i < rounds; i++) {
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 20);

        if (me == 5)
            check_eq(ring3_array_timedlock(&lock, how, &soon), 0);
        else
            ring3_array_lock(&lock, how);
        counter++;
        ring3_array_unlock(&lock);
    }
}

/* Also with fewer slots than contexts. */
TEST(array, excludes_under_every_policy, 60)
{
    for (uint32_t size = 1; size <= 8; size *= 8)
        for (how = RING3_WAIT_ADAPTIVE; how <= RING3_WAIT_PARK; how++) {
            check_eq(ring3_array_init(&lock, slots, size), 0);
            counter = 0;
            rounds = crew_count(how == RING3_WAIT_SPIN ? 50 : 1000);
            crew_run(5, count);
            check_eq(counter, 5 * rounds, "%s", ring3_wait_name(how));
        }
}

static void be_served(int me)
{
    ring3_array_lock(&lock, RING3_WAIT_ADAPTIVE);
    order[served++] = me;
    ring3_array_unlock(&lock);
}

TEST(array, serves_in_order_of_arrival_and_across_the_wrap)
{
    pthread_t threads[6];
    const uint32_t start = UINT32_MAX - 2;

    /* As if all numbers before had been served. */
    lock.next = start;
    for (uint32_t number = start - 7; number != start + 1; number++)
        slots[number & 7].turn = number;
    ring3_array_lock(&lock, RING3_WAIT_ADAPTIVE);
    for (int i = 0; i < 6; i++) {
        threads[i] = crew_start(be_served, i);
        crew_until(ring3_load(&lock.next, RING3_RELAXED) == start + 2 + (uint32_t)i);
    }
    ring3_array_unlock(&lock);
    for (int i = 0; i < 6; i++)
        crew_join(threads[i]);
    for (int i = 0; i < 6; i++)
        check_eq(order[i], i);
}

TEST(array, tries_times_out_and_checks)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01), bad = {0, -1};

    check_eq(ring3_array_trylock(&lock), 0);
    check_eq(ring3_array_trylock(&lock), -EBUSY);
    check_eq(ring3_array_timedlock(&lock, RING3_WAIT_ADAPTIVE, &soon), -ETIMEDOUT);
    check_eq(ring3_array_timedlock(&lock, RING3_WAIT_ADAPTIVE, &bad), -EINVAL);
    ring3_array_unlock(&lock);
    check_eq(ring3_array_timedlock(&lock, RING3_WAIT_ADAPTIVE, &soon), 0, "free needs no waiting");
    ring3_array_unlock(&lock);
    check_eq(ring3_array_init(&lock, slots, 0), -EINVAL);
    check_eq(ring3_array_init(&lock, slots, 6), -EINVAL);
}
