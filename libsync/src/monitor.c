/* SPDX-License-Identifier: MIT */
/* Waiting inside monitors: see ring3/monitor.h. */
#include "ring3/monitor.h"

#include "ring3/container.h"

#include "mutex_queue.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(ring3_monitor_t) == 16, "the size is part of the interface");

struct monitor_waiter {
    ring3_waiter_t waiter;
    ring3_monitor_condition_t condition;
    const void *context;
};

/* The mutex has a queue of its own at the monitor's address; ours are at those of the counts. */

static bool holds(const ring3_waiter_t *waiter)
{
    const struct monitor_waiter *const one =
        ring3_container_of(waiter, struct monitor_waiter, waiter);

    return one->condition(one->context);
}

/* What a waiter is told that has been given the monitor itself. */
#define HANDED 1

/* Inside the monitor: take out the one in the queue at `count` who has waited longest among those
 * that `fits` says (NULL: any). */
static ring3_waiter_t *choose(uint32_t *count, bool (*fits)(const ring3_waiter_t *), int result,
                              struct ring3_taken *taken)
{
    const struct ring3_queue queue = ring3_queue_lock(count);
    ring3_waiter_t *waiter = ring3_queue_first(queue, count);

    while (waiter && fits && !fits(waiter))
        waiter = ring3_queue_after(waiter);
    if (waiter) {
        ring3_store(count, *count - 1, RING3_RELAXED);
        ring3_queue_take(queue, waiter, result, taken);
    }
    ring3_queue_unlock(queue);
    return waiter;
}

/* Inside the monitor: a signaller, or else the longest waiter whose condition holds, enters next,
 * among others. */
static void let_go_on(ring3_monitor_t *monitor)
{
    struct ring3_taken taken = {NULL, NULL};

    if ((ring3_load(&monitor->urgent, RING3_RELAXED) != 0 &&
         choose(&monitor->urgent, NULL, 0, &taken)) ||
        (ring3_load(&monitor->waiters, RING3_RELAXED) != 0 &&
         choose(&monitor->waiters, holds, 0, &taken)))
        ring3_mutex_adopt(&monitor->mutex, &taken);
}

/* Take out the one to whom the monitor is handed over instead of being left; false: nobody. */
static bool find_heir(ring3_monitor_t *monitor, struct ring3_taken *taken)
{
    return (ring3_load(&monitor->urgent, RING3_RELAXED) != 0 &&
            choose(&monitor->urgent, NULL, HANDED, taken)) ||
           (monitor->handoff && ring3_load(&monitor->waiters, RING3_RELAXED) != 0 &&
            choose(&monitor->waiters, holds, HANDED, taken));
}

void ring3_monitor_leave_slow(ring3_monitor_t *monitor)
{
    struct ring3_taken taken = {NULL, NULL};

    if (find_heir(monitor, &taken)) {
        ring3_queue_wake(&taken);
        return;
    }
    if (!monitor->handoff)
        let_go_on(monitor);
    ring3_mutex_unlock(&monitor->mutex);
}

/* Inside the monitor: stand in the queue at `count`. */
static struct ring3_queue stand(ring3_waiter_t *waiter, uint32_t *count)
{
    const struct ring3_queue queue = ring3_queue_lock(count);

    waiter->address = count;
    ring3_store(count, *count + 1, RING3_RELAXED);
    ring3_queue_stand(queue, waiter);
    return queue;
}

/* Sleep in that queue, and be inside again: HANDED, if by the one who took us out; 0; -ETIMEDOUT. */
static int sleep_outside(ring3_monitor_t *monitor, struct ring3_queue queue, ring3_waiter_t *waiter,
                         uint32_t *count, clockid_t clock, const struct timespec *deadline)
{
    const int result = ring3_queue_sleep(queue, waiter, clock, deadline, false);

    if (result == HANDED)
        return result;
    if (result == -ETIMEDOUT) {
        ring3_store(count, *count - 1, RING3_RELAXED);
        ring3_queue_unlock(queue);
    }
    if (waiter->contest)
        ring3_mutex_lock_from_queue(&monitor->mutex, waiter);
    else
        ring3_mutex_lock(&monitor->mutex);
    return result;
}

static int wait_outside(ring3_monitor_t *monitor, ring3_waiter_t *waiter, uint32_t *count,
                        clockid_t clock, const struct timespec *deadline)
{
    const struct ring3_queue queue = stand(waiter, count);

    ring3_monitor_leave_slow(monitor);
    return sleep_outside(monitor, queue, waiter, count, clock, deadline);
}

int ring3_monitor_clockawait(ring3_monitor_t *monitor, ring3_monitor_condition_t condition,
                             const void *context, clockid_t clock, const struct timespec *deadline)
{
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    while (!condition(context)) {
        struct monitor_waiter me = {.condition = condition, .context = context};

        if (result == -ETIMEDOUT)
            return result;
        result = wait_outside(monitor, &me.waiter, &monitor->waiters, clock, deadline);
        /* Whoever handed it over has tested the condition. */
        if (result == HANDED)
            return 0;
    }
    return 0;
}

int ring3_monitor_wait(ring3_monitor_t *monitor, ring3_cond_t *cond, clockid_t clock,
                       const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    let_go_on(monitor);
    return ring3_cond_clockwait(cond, &monitor->mutex, clock, deadline);
}

int ring3_monitor_signal_wait(ring3_monitor_t *monitor, ring3_monitor_signal_t *signal,
                              clockid_t clock, const struct timespec *deadline)
{
    ring3_waiter_t me = {0};
    int result = ring3_deadline_check(clock, deadline);

    if (result == 0)
        result = wait_outside(monitor, &me, &signal->waiters, clock, deadline);
    return result == HANDED ? 0 : result;
}

bool ring3_monitor_signal(ring3_monitor_t *monitor, ring3_monitor_signal_t *signal)
{
    struct ring3_taken taken = {NULL, NULL};
    ring3_waiter_t me = {0};

    if (ring3_load(&signal->waiters, RING3_RELAXED) == 0 ||
        !choose(&signal->waiters, NULL, HANDED, &taken))
        return false;
    /* Stand first: whoever has the monitor next may leave it at once, and has to find us. */
    const struct ring3_queue queue = stand(&me, &monitor->urgent);

    ring3_queue_wake(&taken);
    (void)sleep_outside(monitor, queue, &me, &monitor->urgent, CLOCK_MONOTONIC, NULL);
    return true;
}
