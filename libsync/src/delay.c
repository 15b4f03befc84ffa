/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/delay.h. */
#include "ring3/delay.h"

#include "contest.h"

#include "ring3/self.h"

/*
 * Static delays of 1 to 16 pauses, so that waiters that see one release try one after another; the
 * longest is about a cache line's way through all of them.
 */
#define DELAYS 16

static bool is_free(const ring3_ttas_t *lock)
{
    return ring3_load(&lock->word, RING3_RELAXED) == 0;
}

static bool take(void *lock, bool first)
{
    if (!is_free(lock))
        return false;
    /* The first in the parking queue has no rivals among the sleepers and need not stand back. */
    for (uint32_t i = first ? DELAYS : ring3_self()->id % DELAYS; i < DELAYS; i++) {
        ring3_cpu_relax();
        if (!is_free(lock))
            return false;
    }
    return ring3_ttas_trylock(lock) == 0;
}

static bool blocked(const void *lock)
{
    return !is_free(lock);
}

static const struct ring3_contest rules = {take, blocked, ring3_contest_relax, NULL, NULL};

int ring3_delay_lock_slow(ring3_delay_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_contest(&rules, lock, how, CLOCK_MONOTONIC, deadline);
}
