/* SPDX-License-Identifier: MIT */
/*
 * pthread_spinlock_t: waiters spin, and then park instead of burning the time slice of the holder.
 * Four bytes leave no room for a kind: process-private locks that we initialised carry a mark in the
 * upper half, and all others, libc's 0, 1 and small negative numbers, are libc's.
 *
 * word
 *     16-31  MARK
 *     0-15   0 free, 1 held
 */
#include "locks.h"

#include "contest.h"

#define MARK 0x52330000u
#define HELD (MARK | 1u)

static uint32_t *word_of(pthread_spinlock_t *lock)
{
    return (uint32_t *)(uintptr_t)lock;
}

static bool is_libcs(pthread_spinlock_t *lock)
{
    return (ring3_load(word_of(lock), RING3_RELAXED) & 0xffff0000u) != MARK;
}

static bool take(void *lock, bool first)
{
    uint32_t seen = MARK;

    (void)first;
    /* Pairs with the release in pthread_spin_unlock. */
    return ring3_load((uint32_t *)lock, RING3_RELAXED) == MARK &&
           ring3_cas_try((uint32_t *)lock, &seen, HELD, RING3_ACQUIRE);
}

static bool blocked(const void *lock)
{
    return ring3_load((const uint32_t *)lock, RING3_RELAXED) == HELD;
}

static const struct ring3_contest rules = {take, blocked, ring3_contest_relax, NULL, NULL};

PUBLIC int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
    if (shared == PTHREAD_PROCESS_PRIVATE) {
        ring3_store(word_of(lock), MARK, RING3_RELAXED);
        return 0;
    }
    return real()->pthread_spin_init(lock, shared);
}

PUBLIC int pthread_spin_destroy(pthread_spinlock_t *lock)
{
    (void)lock;
    return 0;
}

PUBLIC int pthread_spin_lock(pthread_spinlock_t *lock)
{
    if (is_libcs(lock))
        return real()->pthread_spin_lock(lock);
    if (!take(word_of(lock), false))
        (void)ring3_contest(&rules, word_of(lock), locks_get()->wait, CLOCK_MONOTONIC, NULL);
    return 0;
}

PUBLIC int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    if (is_libcs(lock))
        return real()->pthread_spin_trylock(lock);
    return take(word_of(lock), false) ? 0 : EBUSY;
}

PUBLIC int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    if (is_libcs(lock))
        return real()->pthread_spin_unlock(lock);
    ring3_store(word_of(lock), MARK, RING3_RELEASE);
    ring3_park_release(word_of(lock));
    return 0;
}
