/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/ttas.h and ring3/backoff.h. */
#include "ring3/backoff.h"

#include "contest.h"

static bool take(void *lock, bool first)
{
    (void)first;
    return ring3_ttas_trylock(lock) == 0;
}

static bool blocked(const void *lock)
{
    return ring3_load(&((const ring3_ttas_t *)lock)->word, RING3_RELAXED) != 0;
}

/*
 * 2^0 to 2^6 pauses. The bound of 64 is about 2 microseconds on current x86: a few times the
 * longest critical section that spinning is meant for.
 */
#define BACKOFF_DOUBLINGS 6

static void back_off(uint32_t turn)
{
    for (uint32_t i = 0; i < 1u << (turn < BACKOFF_DOUBLINGS ? turn : BACKOFF_DOUBLINGS); i++)
        ring3_cpu_relax();
}

static const struct ring3_contest plain = {take, blocked, ring3_contest_relax, NULL, NULL};
static const struct ring3_contest exponential = {take, blocked, back_off, NULL, NULL};

int ring3_ttas_lock_slow(ring3_ttas_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_contest(&plain, lock, how, CLOCK_MONOTONIC, deadline);
}

int ring3_backoff_lock_slow(ring3_backoff_t *lock, ring3_wait_t how,
                            const struct timespec *deadline)
{
    return ring3_contest(&exponential, lock, how, CLOCK_MONOTONIC, deadline);
}
