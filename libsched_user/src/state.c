/* SPDX-License-Identifier: MIT */
/*
 * The states of a thread and which may follow which:
 *
 *     FREE -> NEW -> RUNNING <-> READY
 *              |       |  |        ^
 *              |       |  +-> BLOCKED
 *              v       v
 *             FREE <- ENDED -> FREE
 *
 * A thread stays NEW while it is queued for the first time. BLOCKED leads to READY only, so nobody runs
 * a thread that was not queued; READY does not lead to BLOCKED, so one that is interrupted on its way
 * to sleep has to run again first. With DEBUG=1 each change is checked.
 */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

#define STATES     6 /* FREE is the last */
#define BIT(state) (1U << (state))

static const unsigned followers[STATES] = {
    [RING3_THREAD_NEW] = BIT(RING3_THREAD_RUNNING) | BIT(STATES - 1),
    [RING3_THREAD_READY] = BIT(RING3_THREAD_RUNNING),
    [RING3_THREAD_RUNNING] =
        BIT(RING3_THREAD_READY) | BIT(RING3_THREAD_BLOCKED) | BIT(RING3_THREAD_ENDED),
    [RING3_THREAD_BLOCKED] = BIT(RING3_THREAD_READY),
    [RING3_THREAD_ENDED] = BIT(STATES - 1),
    [STATES - 1] = BIT(RING3_THREAD_NEW),
};

static uint32_t place_of(uint32_t state)
{
    return state < STATES - 1 ? state : STATES - 1;
}

bool state_may_follow(uint32_t from, uint32_t to)
{
    return followers[place_of(from)] >> place_of(to) & 1;
}

void state_check(const struct thread *thread, uint32_t to)
{
    static const char *const names[STATES] = {"new",     "ready", "running",
                                              "blocked", "ended", "free"};
    const uint32_t from = ring3_load(&thread->state, RING3_RELAXED);

    if (state_may_follow(from, to))
        return;
    (void)fprintf(stderr, "ring3: thread %llu goes from %s to %s, which cannot be\n",
                  (unsigned long long)thread_name(thread), names[place_of(from)],
                  names[place_of(to)]);
    abort();
}
