/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/cas.h. */
#include "ring3/cas.h"

#include "contest.h"

static bool take(void *lock, bool first)
{
    (void)first;
    return ring3_caslock_trylock(lock) == 0;
}

static bool blocked(const void *lock)
{
    return ring3_load(&((const ring3_caslock_t *)lock)->word, RING3_RELAXED) != 0;
}

static const struct ring3_contest rules = {take, blocked, ring3_contest_relax, NULL, NULL};

int ring3_caslock_lock_slow(ring3_caslock_t *lock, ring3_wait_t how,
                            const struct timespec *deadline)
{
    return ring3_contest(&rules, lock, how, CLOCK_MONOTONIC, deadline);
}
