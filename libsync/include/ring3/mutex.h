/* SPDX-License-Identifier: MIT */
/*
 * The default mutex: 4 bytes, one atomic instruction to lock, none to unlock, parks under
 * contention.
 *
 *     static ring3_mutex_t mutex = RING3_MUTEX_INIT;    (all-zero is unlocked)
 *     ring3_mutex_lock(&mutex);
 *     …
 *     ring3_mutex_unlock(&mutex);
 *
 * The lock word
 *     0-15   owner     1 + the owner's CPU. Set by whoever locks, by compare-and-swap of the whole
 *                      word; cleared by the owner: a plain store of 0 to the whole word or, if it
 *                      sees bit 16, an atomic operation that keeps it
 *     16     reserved  set by the first waiter after 1 ms, and by a fair unlock; cleared by the
 *                      first waiter when it takes the lock or gives up
 *     17-31  zero
 *
 * Newcomers take the lock only if the whole word is zero; the first waiter may take it when `owner`
 * is. So a thread that is running may lock and unlock many times without a context switch, but the
 * longest waiter is not passed over for much longer than 1 ms. (An unlock that looked just before
 * bit 16 was set wipes it with its store; that unlock also wakes the waiter, which sets it again.)
 * The owner's CPU is a hint: a waiter on the same CPU does not spin, because the owner cannot be
 * running.
 *
 * For threads of one process. Not recursive. The waiters queue in the parking table (ring3/park.h),
 * so that unlock, after its store, touches nothing of the mutex: whoever locks it next may free it.
 * Not async-signal-safe, and no cancellation point. In a child of fork the mutex is as it was in
 * the parent: held, if another thread held it. One that the forking thread holds may be unlocked or
 * initialised anew there; if it was reserved, trylock refuses until lock has taken it once.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_MUTEX_H
#define RING3_MUTEX_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/park.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_mutex {
    uint32_t word;
} ring3_mutex_t;

#define RING3_MUTEX_INIT                                                                           \
    {                                                                                              \
        0                                                                                          \
    }

#define RING3_MUTEX_OWNER    0xffffu
#define RING3_MUTEX_RESERVED 0x10000u

void ring3_mutex_lock_slow(ring3_mutex_t *mutex);

static inline void ring3_mutex_init(ring3_mutex_t *mutex)
{
    ring3_store(&mutex->word, 0, RING3_RELAXED);
}

/* What a thread on `cpu` writes to `owner`. Never zero, also when the CPU is unknown (-1) or beyond
 * 15 bits. */
static inline uint32_t ring3_mutex_on(int cpu)
{
    return ((uint32_t)cpu & 0x7fff) + 1;
}

/** Take the mutex if it is free. 0 or -EBUSY (also when it is free but kept for a waiter). */
static inline int ring3_mutex_trylock(ring3_mutex_t *mutex)
{
    uint32_t seen = 0;

    /* Pairs with the release in ring3_mutex_unlock. */
    return ring3_cas_try(&mutex->word, &seen, ring3_mutex_on(ring3_cpu()), RING3_ACQUIRE) ? 0
                                                                                          : -EBUSY;
}

/** Take the mutex, waiting as long as it takes. */
static inline void ring3_mutex_lock(ring3_mutex_t *mutex)
{
    if (ring3_unlikely(ring3_mutex_trylock(mutex) != 0))
        ring3_mutex_lock_slow(mutex);
}

/**
 * Take the mutex, waiting until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever. Not looked at if the mutex is
 * free.
 * @return 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time
 */
int ring3_mutex_clocklock(ring3_mutex_t *mutex, clockid_t clock, const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC, with another way of waiting than the adaptive one (ring3/wait.h). */
int ring3_mutex_timedlock_as(ring3_mutex_t *mutex, ring3_wait_t how,
                             const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_mutex_timedlock(ring3_mutex_t *mutex, const struct timespec *deadline)
{
    return ring3_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);
}

/** Release the mutex. Only its owner may. */
static inline void ring3_mutex_unlock(ring3_mutex_t *mutex)
{
    /* Both releases pair with the acquires in trylock and in mutex.c's take. */
    if (ring3_likely(!(ring3_load(&mutex->word, RING3_RELAXED) & RING3_MUTEX_RESERVED)))
        ring3_store(&mutex->word, 0, RING3_RELEASE);
    else
        (void)ring3_fetch_and(&mutex->word, RING3_MUTEX_RESERVED, RING3_RELEASE);
    ring3_park_release(mutex);
}

/**
 * Release the mutex to the thread that has waited in its queue longest: nobody else can take it
 * before. Without one, as ring3_mutex_unlock. A hand-over costs a context switch when the waiter
 * sleeps, so this is for sections after which the others must have their turn. Both ways of
 * unlocking may be mixed.
 */
void ring3_mutex_unlock_fair(ring3_mutex_t *mutex);

RING3_API_END

#endif
