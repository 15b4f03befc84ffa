/* SPDX-License-Identifier: MIT */
/*
 * Monitor: data that only one context at a time works on, and waiting for what the data says.
 *
 *     static ring3_monitor_t account;                   (all-zero is ready for use)
 *
 *     void withdraw(long amount)
 *     {
 *         RING3_MONITOR(&account) {
 *             ring3_monitor_await(&account, covers, &amount);
 *             balance -= amount;
 *         }
 *     }
 *
 * The block is entered with the monitor's mutex and left without it, whichever way control leaves
 * it (also by break, return and goto, but not by longjmp). ring3_monitor_await waits until a
 * condition of the data holds. Nobody signals: whoever leaves the monitor, or waits in it, looks
 * which of the waiting conditions now holds, and lets the longest waiter among those go on.
 *
 * Mesa semantics: another context may enter before the one that was let go on; that is why the
 * condition is tested again inside. When await returns 0 the condition holds. Condition variables
 * (ring3/cond.h) can be used in a monitor too, by ring3_monitor_wait.
 *
 * Hoare's semantics, by choice: with RING3_MONITOR_HANDOFF whoever leaves hands the monitor itself
 * to the waiter whose condition holds, so that nobody comes in between; and a signal of a
 * ring3_monitor_signal_t hands it over at once, while the signaller waits, and comes back in before
 * all newcomers. What held at the signal holds after the wait: an `if` is enough. Each signal costs
 * two context switches, and each hand-over one.
 *
 * waiters  how many stand in the queue of those that await a condition; changed under its lock
 * urgent   how many signallers wait to come back in; changed inside the monitor
 * handoff  1 with RING3_MONITOR_HANDOFF
 *
 * For contexts of one process. Not recursive, not async-signal-safe, no cancellation point, and no
 * signal handler ends a wait. In a child of fork a monitor must be initialised again if another
 * thread was in it.
 *
 * Order: what came before leaving happens before everything after the next entry.
 * Sources: Hoare 1974 (monitors, conditional critical regions after Brinch Hansen 1972); Lampson
 * and Redell 1980 (Mesa); the conditional critical sections of nsync.
 */
#ifndef RING3_MONITOR_H
#define RING3_MONITOR_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/cond.h"
#include "ring3/mutex.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_monitor {
    ring3_mutex_t mutex;
    uint32_t waiters, urgent, handoff;
} ring3_monitor_t;

#define RING3_MONITOR_INIT                                                                         \
    {                                                                                              \
        {0}, 0, 0, 0                                                                               \
    }

/* As it says above; otherwise the same. */
#define RING3_MONITOR_HANDOFF                                                                      \
    {                                                                                              \
        {0}, 0, 0, 1                                                                               \
    }

/** What signallers and waiters of Hoare's kind meet at, inside one monitor. All-zero: nobody waits. */
typedef struct ring3_monitor_signal {
    uint32_t waiters; /* changed inside the monitor, and by one that gives up */
} ring3_monitor_signal_t;

/**
 * A condition of the monitor's data. It is evaluated inside the monitor, often by another context
 * than the one that waits, and must do nothing else: no waiting, no locks.
 */
typedef bool (*ring3_monitor_condition_t)(const void *context);

/** Enter; waits while another context is inside. */
static inline void ring3_monitor_enter(ring3_monitor_t *monitor)
{
    ring3_mutex_lock(&monitor->mutex);
}

void ring3_monitor_leave_slow(ring3_monitor_t *monitor);

/** Leave, and let one go on whose condition now holds. */
static inline void ring3_monitor_leave(ring3_monitor_t *monitor)
{
    /* Waiters come only inside the monitor, where we are. */
    if (ring3_unlikely((ring3_load(&monitor->waiters, RING3_RELAXED) |
                        ring3_load(&monitor->urgent, RING3_RELAXED)) != 0))
        ring3_monitor_leave_slow(monitor);
    else
        ring3_mutex_unlock(&monitor->mutex);
}

/**
 * Wait, inside the monitor, until `condition(context)` holds; the monitor is left meanwhile.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0: the condition holds; -ETIMEDOUT: it does not; -EINVAL for another clock or a malformed
 * time. The caller is inside the monitor in every case.
 */
int ring3_monitor_clockawait(ring3_monitor_t *monitor, ring3_monitor_condition_t condition,
                             const void *context, clockid_t clock, const struct timespec *deadline);

/** The same without a deadline. */
static inline void ring3_monitor_await(ring3_monitor_t *monitor,
                                       ring3_monitor_condition_t condition, const void *context)
{
    (void)ring3_monitor_clockawait(monitor, condition, context, CLOCK_MONOTONIC, NULL);
}

/** ring3_cond_clockwait inside the monitor: as others there, it lets one go on whose condition
 * holds. */
int ring3_monitor_wait(ring3_monitor_t *monitor, ring3_cond_t *cond, clockid_t clock,
                       const struct timespec *deadline);

/**
 * Wait, inside the monitor, for a signal of Hoare's kind; the monitor is left meanwhile.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0: signalled, and nobody was inside since the signaller; -ETIMEDOUT, and the caller has
 * come in again among others; -EINVAL for another clock or a malformed time
 */
int ring3_monitor_signal_wait(ring3_monitor_t *monitor, ring3_monitor_signal_t *signal,
                              clockid_t clock, const struct timespec *deadline);

/**
 * Inside the monitor: hand it to the one who has waited longest, wait until it is left or waited in,
 * and go on inside. Returns false, and has no effect, if nobody waits.
 */
bool ring3_monitor_signal(ring3_monitor_t *monitor, ring3_monitor_signal_t *signal);

/* What the block below stands on. */
static inline ring3_monitor_t *ring3_monitor_begin(ring3_monitor_t *monitor)
{
    ring3_monitor_enter(monitor);
    return monitor;
}

static inline void ring3_monitor_end(ring3_monitor_t **monitor)
{
    ring3_monitor_leave(*monitor);
}

/** A block, or one statement, inside the monitor. */
#define RING3_MONITOR(monitor)                                                                     \
    for (ring3_monitor_t * ring3_inside_                                                           \
             __attribute__((cleanup(ring3_monitor_end))) = ring3_monitor_begin(monitor),           \
             *ring3_turn_ = ring3_inside_;                                                         \
         ring3_turn_; ring3_turn_ = NULL)

RING3_API_END

#endif
