/* SPDX-License-Identifier: MIT */
/* The contended side of the default mutex; the lock word is described in ring3/mutex.h. */
#include "ring3/mutex.h"

#include "contest.h"
#include "mutex_queue.h"

#include <assert.h>

static_assert(sizeof(ring3_mutex_t) == 4, "the default mutex is one word");

static bool take(void *lock, bool first)
{
    ring3_mutex_t *const mutex = lock;
    uint32_t seen = ring3_load(&mutex->word, RING3_RELAXED);

    if (first ? (seen & RING3_MUTEX_OWNER) != 0 : seen != 0)
        return false;
    /* Pairs with the release in ring3_mutex_unlock. Clears the reservation, which only the first
     * waiter sees. */
    return ring3_cas_try(&mutex->word, &seen, ring3_mutex_on(ring3_cpu()), RING3_ACQUIRE);
}

static bool blocked(const void *lock)
{
    const ring3_mutex_t *const mutex = lock;

    return (ring3_load(&mutex->word, RING3_RELAXED) & RING3_MUTEX_OWNER) != 0;
}

static void reserve(void *lock, bool on)
{
    ring3_mutex_t *const mutex = lock;

    /* Relaxed: the bit only keeps newcomers out; the data is ordered by `owner`. */
    if (on)
        (void)ring3_fetch_or(&mutex->word, RING3_MUTEX_RESERVED, RING3_RELAXED);
    else
        (void)ring3_fetch_and(&mutex->word, ~RING3_MUTEX_RESERVED, RING3_RELAXED);
}

/* The owner was on our CPU when it locked, so it is not running now. */
static bool hopeless(const void *lock)
{
    const ring3_mutex_t *const mutex = lock;
    const uint32_t word = ring3_load(&mutex->word, RING3_RELAXED);
    const int cpu = ring3_cpu();

    return cpu >= 0 && (word & RING3_MUTEX_OWNER) == ring3_mutex_on(cpu);
}

static const struct ring3_contest rules = {take, blocked, ring3_contest_relax, reserve, hopeless};

void ring3_mutex_lock_slow(ring3_mutex_t *mutex)
{
    (void)ring3_contest(&rules, mutex, RING3_WAIT_ADAPTIVE, CLOCK_MONOTONIC, NULL);
}

int ring3_mutex_clocklock(ring3_mutex_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    int result = ring3_deadline_check(clock, deadline);

    if (result == 0 && ring3_mutex_trylock(mutex) != 0)
        result = ring3_contest(&rules, mutex, RING3_WAIT_ADAPTIVE, clock, deadline);
    return result;
}

int ring3_mutex_timedlock_as(ring3_mutex_t *mutex, ring3_wait_t how,
                             const struct timespec *deadline)
{
    int result = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (result == 0 && ring3_mutex_trylock(mutex) != 0)
        result = ring3_contest(&rules, mutex, how, CLOCK_MONOTONIC, deadline);
    return result;
}

void ring3_mutex_unlock_fair(ring3_mutex_t *mutex)
{
    const struct ring3_queue queue = ring3_queue_lock(mutex);
    const bool wanted = ring3_queue_contested(queue, mutex);

    /* Under the queue's lock: the first waiter cannot give up, and take the reservation back, before
     * it has been made. Pairs with the acquires in trylock and take. */
    ring3_store(&mutex->word, wanted ? RING3_MUTEX_RESERVED : 0, RING3_RELEASE);
    ring3_queue_unlock(queue);
    ring3_park_release(mutex);
}

void ring3_mutex_adopt(ring3_mutex_t *mutex, struct ring3_taken *taken)
{
    /*
     * A waiter that was woken on our CPU now, while the owner is us or does not run, would only go
     * to sleep again. On another CPU it takes so long to get there that the owner may be done.
     */
    ring3_park_adopt(taken, mutex, blocked, (uint32_t)ring3_cpu() + 1);
}

void ring3_mutex_lock_from_queue(ring3_mutex_t *mutex, ring3_waiter_t *waiter)
{
    ring3_contest_from_queue(&rules, mutex, waiter, RING3_WAIT_ADAPTIVE);
}
