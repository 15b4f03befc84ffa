/* SPDX-License-Identifier: MIT */
/* Spin, then queue and compete: see contest.h. */
#include "contest.h"

#include "ring3/self.h"
#include "spin.h"

#include <errno.h>

/*
 * A waiter that has been passed over for this long has newcomers kept out until it got the lock.
 * Within a slice, whoever runs may take the lock without a context switch (throughput); across
 * slices order is that of arrival (fairness). Parking Lot uses 0.5 ms; here a shorter slice costs
 * throughput when threads outnumber CPUs.
 */
#define SLICE_NS 1000000

/* How often a spinning waiter looks at its deadline; a yielding one does so each time. */
#define TURNS_PER_CLOCK 64

void ring3_contest_relax(uint32_t turn)
{
    (void)turn;
    ring3_cpu_relax();
}

/* 0; -EAGAIN when the spinning phase is over; -ETIMEDOUT */
static int spin(const struct ring3_contest *rules, void *lock, bool first, ring3_wait_t how,
                clockid_t clock, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t limit = ring3_spin_limit(how);

    for (uint32_t turn = 0;; turn++) {
        if (rules->take(lock, first))
            return 0;
        if (turn >= limit ||
            (how == RING3_WAIT_ADAPTIVE && rules->hopeless && rules->hopeless(lock))) {
            if (how != RING3_WAIT_YIELD)
                return -EAGAIN;
            self->parker->yield(self);
        } else {
            rules->pause(turn);
        }
        if ((turn >= limit || turn % TURNS_PER_CLOCK == TURNS_PER_CLOCK - 1) &&
            ring3_deadline_passed(clock, deadline))
            return -ETIMEDOUT;
    }
}

/* Compete from the queue until we have the lock or the deadline passes; then leave the queue. */
static int compete(const struct ring3_contest *rules, void *lock, ring3_waiter_t *waiter,
                   bool first, ring3_wait_t how, clockid_t clock, const struct timespec *deadline)
{
    const struct timespec patience = ring3_deadline_in(CLOCK_MONOTONIC, SLICE_NS);
    int result;

    for (;;) {
        if (first) {
            /* Again each time: a release that did not see the reservation may have wiped it. */
            if (rules->reserve && ring3_deadline_passed(CLOCK_MONOTONIC, &patience))
                rules->reserve(lock, true);
            result = spin(rules, lock, true, how, clock, deadline);
            if (result == 0)
                break;
        }
        result = ring3_park_sleep(waiter, rules->blocked, clock, deadline);
        if (result == -ETIMEDOUT)
            break;
        first = true;
    }
    ring3_park_leave(waiter, result == 0);
    /* After that, so that none can be made for us any more. If it takes one away from the next in
     * line, that one makes it again. */
    if (result != 0 && first && rules->reserve)
        rules->reserve(lock, false);
    return result;
}

int ring3_contest(const struct ring3_contest *rules, void *lock, ring3_wait_t how, clockid_t clock,
                  const struct timespec *deadline)
{
    ring3_waiter_t waiter;
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    result = spin(rules, lock, false, how, clock, deadline);
    if (result != -EAGAIN)
        return result;

    const bool first = ring3_park_enter(&waiter, lock);

    return compete(rules, lock, &waiter, first, how, clock, deadline);
}

void ring3_contest_from_queue(const struct ring3_contest *rules, void *lock, ring3_waiter_t *waiter,
                              ring3_wait_t how)
{
    (void)compete(rules, lock, waiter, true, how, CLOCK_MONOTONIC, NULL);
}
