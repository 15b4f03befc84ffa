/* SPDX-License-Identifier: MIT */
/* Several locks at once: see ring3/lockset.h. */
#include "ring3/lockset.h"

#include "ring3/arch.h"
#include "ring3/mutex.h"
#include "ring3/spinlock.h"
#include "ring3/wait.h"

static void mutex_lock(void *lock)
{
    ring3_mutex_lock(lock);
}
static int mutex_trylock(void *lock)
{
    return ring3_mutex_trylock(lock);
}
static void mutex_unlock(void *lock)
{
    ring3_mutex_unlock(lock);
}
const ring3_lockset_ops_t ring3_lockset_mutex = {mutex_lock, mutex_trylock, mutex_unlock};

static void spinlock_lock(void *lock)
{
    ring3_spinlock_lock(lock);
}
static int spinlock_trylock(void *lock)
{
    return ring3_spinlock_trylock(lock);
}
static void spinlock_unlock(void *lock)
{
    ring3_spinlock_unlock(lock);
}
const ring3_lockset_ops_t ring3_lockset_spinlock = {spinlock_lock, spinlock_trylock,
                                                    spinlock_unlock};

/* By insertion: sets are small. */
static void sort(void **locks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        void *const lock = locks[i];
        size_t place = i;

        for (; place > 0 && (uintptr_t)locks[place - 1] > (uintptr_t)lock; place--)
            locks[place] = locks[place - 1];
        locks[place] = lock;
    }
}

/* In a sorted set, the second and later occurrences of one lock. */
static bool repeated(void *const *locks, size_t i)
{
    return i > 0 && locks[i] == locks[i - 1];
}

void ring3_lockset_lock(const ring3_lockset_ops_t *ops, void **locks, size_t count)
{
    sort(locks, count);
    for (size_t i = 0; i < count; i++)
        if (!repeated(locks, i))
            ops->lock(locks[i]);
}

void ring3_lockset_unlock(const ring3_lockset_ops_t *ops, void **locks, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (!repeated(locks, i))
            ops->unlock(locks[i]);
}

/* Try all but `held`, which we have. On failure all but `held` are given back, and *busy says which
 * one it was. */
static int try_others(const ring3_lockset_ops_t *ops, void **locks, size_t count, const void *held,
                      void **busy)
{
    for (size_t i = 0; i < count; i++) {
        if (locks[i] == held || repeated(locks, i))
            continue;
        const int result = ops->trylock(locks[i]);

        if (result == 0)
            continue;
        *busy = locks[i];
        while (i-- > 0)
            if (locks[i] != held && !repeated(locks, i))
                ops->unlock(locks[i]);
        return result;
    }
    return 0;
}

int ring3_lockset_trylock(const ring3_lockset_ops_t *ops, void **locks, size_t count)
{
    void *busy;

    sort(locks, count);
    return try_others(ops, locks, count, NULL, &busy);
}

/* Two that back off for the same time meet again; the clock is random enough. */
static void pause_randomly(uint32_t attempt)
{
    ring3_pause_t pause = {attempt};
    const uint32_t times = (uint32_t)(ring3_cycles() * UINT64_C(0x9E3779B97F4A7C15) >> 61);

    for (uint32_t i = 0; i <= times; i++)
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
}

int ring3_lockset_lock_backoff(const ring3_lockset_ops_t *ops, void **locks, size_t count,
                               const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);
    void *first = count ? locks[0] : NULL;

    if (bad || count == 0)
        return bad;
    sort(locks, count);
    for (uint32_t attempt = 0;; attempt++) {
        void *busy = NULL;

        ops->lock(first);
        if (try_others(ops, locks, count, first, &busy) == 0)
            return 0;
        ops->unlock(first);
        if (ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            return -ETIMEDOUT;
        pause_randomly(attempt);
        first = busy;
    }
}

bool ring3_lockset_add(const ring3_lockset_ops_t *ops, void *held, void *other)
{
    if (held == other || ops->trylock(other) == 0)
        return false;
    if ((uintptr_t)held < (uintptr_t)other) {
        ops->lock(other);
        return false;
    }
    ops->unlock(held);
    ops->lock(other);
    ops->lock(held);
    return true;
}
