/* SPDX-License-Identifier: MIT */
/* Giving the bias and taking it away: see ring3/biased.h. */
#include "ring3/biased.h"

#include "reader.h"

#include <assert.h>

static_assert(sizeof(ring3_biased_t) == 24, "the size is part of the interface");

#define REVOKED ((uintptr_t)1)

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * RING3_SECOND_NS + (uint64_t)time.tv_nsec;
}

/* The caller holds `below`. Returns once the biased context is not inside and cannot enter. */
static int revoke(ring3_biased_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const uintptr_t owner = lock->bias;
    const uint64_t start = now();
    ring3_pause_t pause = {0};

    ring3_store(&lock->bias, owner | REVOKED, RING3_RELAXED);
    /* Pairs with the light fence in ring3_biased_enter. */
    ring3_fence_patient();
    /* Pairs with the release in ring3_biased_unlock. */
    while (ring3_load(&lock->inside, RING3_ACQUIRE))
        if (ring3_pause(&pause, how, deadline) != 0) {
            /* It is still inside by that way, and keeps it. */
            ring3_store(&lock->bias, owner, RING3_RELAXED);
            return -ETIMEDOUT;
        }
    lock->again = now() + 9 * (now() - start);
    return 0;
}

/* The caller holds `below`, and may be the owner. */
static void bias(ring3_biased_t *lock)
{
    /* We hold by way of `inside` from here on. */
    ring3_store(&lock->inside, 1, RING3_RELAXED);
    ring3_store(&lock->bias, (uintptr_t)ring3_self(), RING3_RELAXED);
    ring3_mutex_unlock(&lock->below);
}

/* The caller holds `below`, and came to it without or with waiting. */
static int held_below(ring3_biased_t *lock, bool at_once, ring3_wait_t how,
                      const struct timespec *deadline)
{
    const uintptr_t self = (uintptr_t)ring3_self();
    int result = 0;

    if (lock->bias && !(lock->bias & REVOKED)) {
        result = revoke(lock, how, deadline);
    } else if (lock->bias == 0 ||
               (lock->bias == (self | REVOKED) && at_once && now() >= lock->again)) {
        bias(lock);
        return 0;
    }
    if (result)
        ring3_mutex_unlock(&lock->below);
    else
        lock->plain = 1;
    return result;
}

int ring3_biased_lock_slow(ring3_biased_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const bool at_once = ring3_mutex_trylock(&lock->below) == 0;
    const int result = at_once ? 0 : ring3_mutex_timedlock_as(&lock->below, how, deadline);

    return result ? result : held_below(lock, at_once, how, deadline);
}

int ring3_biased_timedlock(ring3_biased_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    return ring3_biased_enter(lock) ? 0 : ring3_biased_lock_slow(lock, how, deadline);
}

int ring3_biased_trylock(ring3_biased_t *lock)
{
    const struct timespec past = {0, 0};

    if (ring3_biased_enter(lock))
        return 0;
    if (ring3_mutex_trylock(&lock->below) != 0)
        return -EBUSY;
    return held_below(lock, true, RING3_WAIT_SPIN, &past) == 0 ? 0 : -EBUSY;
}

void ring3_biased_unlock_slow(ring3_biased_t *lock)
{
    lock->plain = 0;
    ring3_mutex_unlock(&lock->below);
}
