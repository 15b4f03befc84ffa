/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/tas.h. */
#include "ring3/tas.h"

#include "contest.h"

static bool take(void *lock, bool first)
{
    (void)first;
    return ring3_tas_trylock(lock) == 0;
}

static bool blocked(const void *lock)
{
    return ring3_load(&((const ring3_tas_t *)lock)->word, RING3_RELAXED) != 0;
}

static const struct ring3_contest rules = {take, blocked, ring3_contest_relax, NULL, NULL};

int ring3_tas_lock_slow(ring3_tas_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_contest(&rules, lock, how, CLOCK_MONOTONIC, deadline);
}
