/* SPDX-License-Identifier: MIT */
/* The central barrier; its word is described in ring3/barrier.h. */
#include "ring3/barrier.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

static_assert(sizeof(ring3_barrier_t) == 8, "the size is part of the interface");

#define ARRIVED RING3_BARRIER_PARTIES_MAX

int ring3_barrier_init(ring3_barrier_t *barrier, uint32_t parties, int shared)
{
    if (parties == 0 || parties > RING3_BARRIER_PARTIES_MAX)
        return -EINVAL;
    barrier->parties = (uint16_t)parties;
    barrier->shared = shared == RING3_SHARED;
    ring3_store(&barrier->word, 0, RING3_RELAXED);
    return 0;
}

/* Did the phase end that the word `before` belongs to? */
static bool over(uint32_t now, uint32_t before)
{
    return (now ^ before) >= RING3_BARRIER_PHASE;
}

/* Take back an arrival. False if the phase has ended meanwhile. */
static bool withdraw(ring3_barrier_t *barrier, uint32_t before)
{
    /* The acquire pairs with the release of the last arrival. */
    uint32_t seen = ring3_load(&barrier->word, RING3_ACQUIRE);

    while (!over(seen, before))
        if (ring3_cas_weak(&barrier->word, &seen, seen - 1, RING3_ACQUIRE))
            return true;
    return false;
}

static int wait_for_end(ring3_barrier_t *barrier, uint32_t before, clockid_t clock,
                        const struct timespec *deadline)
{
    for (;;) {
        /* Pairs with the release of the last arrival. */
        uint32_t seen = ring3_load(&barrier->word, RING3_ACQUIRE);
        const uint32_t asleep = seen | RING3_BARRIER_WAITERS;

        if (over(seen, before))
            return 0;
        if (seen != asleep && !ring3_cas_try(&barrier->word, &seen, asleep, RING3_RELAXED))
            continue;
        if (ring3_word_wait(&barrier->word, asleep, barrier->shared, clock, deadline) == -ETIMEDOUT)
            return withdraw(barrier, before) ? -ETIMEDOUT : 0;
    }
}

int ring3_barrier_clockwait(ring3_barrier_t *barrier, clockid_t clock,
                            const struct timespec *deadline)
{
    const uint32_t parties = barrier->parties ? barrier->parties : 1;
    const int shared = barrier->shared, bad = ring3_deadline_check(clock, deadline);
    uint32_t seen = ring3_load(&barrier->word, RING3_RELAXED), next;
    bool last;

    if (bad)
        return bad;
    do {
        last = (seen & ARRIVED) + 1 == parties;
        next = last ? (seen & ~(RING3_BARRIER_PHASE - 1)) + RING3_BARRIER_PHASE : seen + 1;
        /*
         * Each arrival releases what its party did; the last one acquires it all from the chain of
         * arrivals, and releases it to those who see the new phase.
         */
    } while (!ring3_cas_weak(&barrier->word, &seen, next, RING3_ACQ_REL));
    if (!last)
        return wait_for_end(barrier, seen, clock, deadline);
    if (seen & RING3_BARRIER_WAITERS)
        ring3_word_wake(&barrier->word, INT_MAX, shared);
    return RING3_BARRIER_LAST;
}
