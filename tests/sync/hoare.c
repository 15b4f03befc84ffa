/* SPDX-License-Identifier: MIT */
/* Monitors that are handed over: Hoare's signals, and conditions with RING3_MONITOR_HANDOFF. */
#include "crew.h"

#include "ring3/monitor.h"

#include "queue.h"

#include <errno.h>

static ring3_monitor_t monitor;
static ring3_monitor_signal_t filled;
static ring3_cond_t mesa;
static int items, taken, stolen, empty_handed;
static int order[8], steps;

static void note(int what)
{
    order[steps++] = what;
}

static bool has_item(const void *unused)
{
    (void)unused;
    return items > 0;
}

static uint32_t inside_waits(const uint32_t *count)
{
    return ring3_load(count, RING3_RELAXED);
}

/* A thief competes for the monitor at the moment of the signal: it queues while the signaller is
 * inside, so that it is the first newcomer. */
static void steal(int me)
{
    (void)me;
    RING3_MONITOR(&monitor)
    {
        note(3);
        stolen = items;
        items = 0;
    }
}

/* True once somebody stands in the mutex's queue. */
static bool thief_waits(void)
{
    const struct ring3_queue queue = ring3_queue_lock(&monitor.mutex);
    const bool waits = ring3_queue_contested(queue, &monitor.mutex);

    ring3_queue_unlock(queue);
    return waits;
}

/* With `if`, not `while`. */
static void take_by_hoare(int me)
{
    (void)me;
    RING3_MONITOR(&monitor)
    {
        if (items == 0)
            check_eq(ring3_monitor_signal_wait(&monitor, &filled, CLOCK_MONOTONIC, NULL), 0);
        note(1);
        if (items == 0)
            empty_handed++;
        else
            items--, taken++;
    }
}

TEST(hoare, an_if_is_enough_although_a_thief_waits)
{
    pthread_t waiter, thief;

    check(!ring3_monitor_signal(&monitor, &filled), "nobody waits: no effect");
    waiter = crew_start(take_by_hoare, 0);
    crew_until_quietly(inside_waits(&filled.waiters) == 1);
    ring3_monitor_enter(&monitor);
    thief = crew_start(steal, 0);
    crew_until_quietly(thief_waits());
    items = 1;
    note(0);
    check(ring3_monitor_signal(&monitor, &filled));
    note(2); /* the signaller comes back in before the thief, who has waited long */
    ring3_monitor_leave(&monitor);
    crew_join(waiter);
    crew_join(thief);
    check_eq(taken, 1);
    check_eq(empty_handed, 0);
    check_eq(stolen, 0);
    for (int i = 0; i < 4; i++)
        check_eq(order[i], i, "step %d", i);
    check_eq(monitor.urgent, 0u);
    check_eq(monitor.mutex.word, 0u);
}

static void take_by_mesa(int me)
{
    (void)me;
    RING3_MONITOR(&monitor)
    {
        if (items == 0)
            check_eq(ring3_monitor_wait(&monitor, &mesa, CLOCK_MONOTONIC, NULL), 0);
        if (items == 0)
            empty_handed++;
        else
            items--, taken++;
    }
}

TEST(hoare, an_if_fails_under_mesa)
{
    pthread_t waiter, thief;

    waiter = crew_start(take_by_mesa, 0);
    crew_until_quietly(inside_waits(&mesa.waiters) == 1);
    ring3_monitor_enter(&monitor);
    thief = crew_start(steal, 0);
    crew_until_quietly(thief_waits());
    items = 1;
    ring3_cond_signal(&mesa);
    ring3_monitor_leave(&monitor);
    crew_join(waiter);
    crew_join(thief);
    check_eq(stolen, 1, "the thief came in first");
    check_eq(empty_handed, 1);
}

static void await_item(int me)
{
    (void)me;
    RING3_MONITOR(&monitor)
    {
        ring3_monitor_await(&monitor, has_item, NULL);
        note(1);
        check_eq(items, 1);
        items = 0;
    }
}

TEST(hoare, a_monitor_can_be_handed_to_the_one_whose_condition_holds)
{
    pthread_t waiter, thief;

    monitor = (ring3_monitor_t)RING3_MONITOR_HANDOFF;
    waiter = crew_start(await_item, 0);
    crew_until_quietly(inside_waits(&monitor.waiters) == 1);
    ring3_monitor_enter(&monitor);
    thief = crew_start(steal, 0);
    crew_until_quietly(thief_waits());
    items = 1;
    ring3_monitor_leave(&monitor);
    crew_join(waiter);
    crew_join(thief);
    check_eq(order[0], 1);
    check_eq(order[1], 3, "the thief comes after");
    check_eq(stolen, 0);
    check_eq(monitor.mutex.word, 0u);
}

TEST(hoare, times_out_inside_and_is_forgotten)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01), bad = {0, -1};

    ring3_monitor_enter(&monitor);
    check_eq(ring3_monitor_signal_wait(&monitor, &filled, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
    check_eq(ring3_monitor_signal_wait(&monitor, &filled, CLOCK_MONOTONIC, &bad), -EINVAL);
    check_eq(ring3_mutex_trylock(&monitor.mutex), -EBUSY, "inside again");
    check_eq(filled.waiters, 0u);
    check(!ring3_monitor_signal(&monitor, &filled));
    ring3_monitor_leave(&monitor);
}

/* --- A bounded buffer with `if`, for many on both sides ---------------------------------------- */

enum { ROOM = 3 };
static ring3_monitor_signal_t drained;
static long each, made, eaten, sum_made, sum_eaten;
static int buffer[ROOM], used, out_of_bounds;

static void put(int item)
{
    RING3_MONITOR(&monitor)
    {
        if (used == ROOM)
            (void)ring3_monitor_signal_wait(&monitor, &drained, CLOCK_MONOTONIC, NULL);
        if (used < 0 || used >= ROOM) {
            out_of_bounds++;
            return;
        }
        buffer[used++] = item;
        made++, sum_made += item;
        (void)ring3_monitor_signal(&monitor, &filled);
    }
}

static void get(void)
{
    RING3_MONITOR(&monitor)
    {
        if (used == 0)
            (void)ring3_monitor_signal_wait(&monitor, &filled, CLOCK_MONOTONIC, NULL);
        if (used <= 0 || used > ROOM) {
            out_of_bounds++;
            return;
        }
        sum_eaten += buffer[--used];
        eaten++;
        (void)ring3_monitor_signal(&monitor, &drained);
    }
}

static void produce_or_consume(int me)
{
    for (long i = 0; i < each; i++) {
        if (me % 2)
            put((int)i);
        else
            get();
    }
}

TEST(hoare, a_bounded_buffer_needs_no_loops, 60)
{
    each = crew_count(1000);
    crew_run(8, produce_or_consume);
    check_eq(out_of_bounds, 0);
    check_eq(made, 4 * each);
    check_eq(eaten, made);
    check_eq(sum_eaten, sum_made);
    check_eq(used, 0);
    check_eq(monitor.urgent | filled.waiters | drained.waiters, 0u);
}

static bool below_room(const void *unused)
{
    (void)unused;
    return used < ROOM;
}

static bool above_none(const void *unused)
{
    (void)unused;
    return used > 0;
}

static void add_or_take(int me)
{
    for (long i = 0; i < each; i++)
        RING3_MONITOR(&monitor)
        {
            ring3_monitor_await(&monitor, me % 2 ? below_room : above_none, NULL);
            used += me % 2 ? 1 : -1;
            if (used < 0 || used > ROOM)
                out_of_bounds++;
        }
}

TEST(hoare, conditions_hold_for_many_at_once, 60)
{
    each = crew_count(1000);
    monitor = (ring3_monitor_t)RING3_MONITOR_HANDOFF;
    crew_run(8, add_or_take);
    check_eq(out_of_bounds, 0);
    check_eq(used, 0);
    check_eq(monitor.waiters, 0u);
    check_eq(monitor.mutex.word, 0u);
}
