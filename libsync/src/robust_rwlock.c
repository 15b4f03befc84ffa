/* SPDX-License-Identifier: MIT */
/* The robust read-write lock: see ring3/robust_rwlock.h. */
#include "ring3/robust_rwlock.h"

#include "robust.h"
#include "thread_id.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>

static_assert(sizeof(ring3_robust_slot_t) == RING3_CACHE_LINE, "a slot is a cache line");

static ring3_robust_t *slot(ring3_robust_rwlock_t *lock, uint32_t i)
{
    return &((ring3_robust_slot_t *)(lock + 1))[i].reader;
}

static uint32_t owner_of(const ring3_robust_t *word)
{
    return ring3_load(&word->word, RING3_RELAXED) & FUTEX_TID_MASK;
}

void ring3_robust_rwlock_init(ring3_robust_rwlock_t *lock, uint32_t slots)
{
    memset(lock, 0, sizeof *lock + slots * sizeof(ring3_robust_slot_t));
    lock->slots = slots;
}

/* --- Reading --------------------------------------------------------------------------------------- */

/* A free slot, now ours; NULL if there is none. */
static ring3_robust_t *find_slot(ring3_robust_rwlock_t *lock)
{
    const uint32_t first = ring3_thread_id() % lock->slots;

    for (uint32_t i = 0; i < lock->slots; i++) {
        ring3_robust_t *const candidate = slot(lock, (first + i) % lock->slots);

        /* The mark of a dead reader is for the next writer, so such a slot is left alone. */
        if (ring3_load(&candidate->word, RING3_RELAXED) == 0 &&
            ring3_robust_take(candidate, false) == 0)
            return candidate;
    }
    return NULL;
}

static ring3_robust_t *own_slot(ring3_robust_rwlock_t *lock)
{
    const uint32_t id = ring3_thread_id(), first = id % lock->slots;

    for (uint32_t i = 0; i < lock->slots; i++)
        if (owner_of(slot(lock, (first + i) % lock->slots)) == id)
            return slot(lock, (first + i) % lock->slots);
    return NULL;
}

/* The writer's mutex is free, and so it stays as long as our slot is seen to be taken. */
static bool no_writer(ring3_robust_rwlock_t *lock)
{
    /* Pairs with the fence in sweep: the writer sees our slot, or we see the writer. */
    ring3_fence_full();
    return (ring3_load(&lock->writer.word, RING3_ACQUIRE) & ~FUTEX_WAITERS) == 0 &&
           lock->writer.state == ROBUST_CONSISTENT;
}

/* Without a writer, no slot will ever be free again. */
static bool all_died(ring3_robust_rwlock_t *lock)
{
    uint32_t i = 0;

    while (i < lock->slots && ring3_load(&slot(lock, i)->word, RING3_RELAXED) & FUTEX_OWNER_DIED)
        i++;
    return i == lock->slots;
}

static int read_behind_writer(ring3_robust_rwlock_t *lock, clockid_t clock,
                              const struct timespec *deadline)
{
    ring3_pause_t pause = {0};
    int result = ring3_robust_clocklock(&lock->writer, clock, deadline);

    if (result == -EOWNERDEAD) {
        /* Not for us to repair. */
        lock->writer.state = ROBUST_CONSISTENT;
        ring3_robust_give(&lock->writer, FUTEX_OWNER_DIED, 1);
    }
    if (result)
        return result;
    while (!find_slot(lock) && result == 0) {
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
        if (ring3_deadline_passed(clock, deadline))
            result = -ETIMEDOUT;
        else if (all_died(lock))
            result = -EOWNERDEAD;
    }
    ring3_robust_give(&lock->writer, result == -EOWNERDEAD ? FUTEX_OWNER_DIED : 0, 1);
    return result;
}

int ring3_robust_rwlock_clockrdlock(ring3_robust_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *deadline)
{
    if (ring3_unlikely(!ring3_robust_possible()))
        return -ENOSYS;
    ring3_robust_t *const mine = find_slot(lock);

    if (ring3_likely(mine && no_writer(lock)))
        return 0;
    if (mine)
        ring3_robust_give(mine, 0, INT_MAX);
    return read_behind_writer(lock, clock, deadline);
}

int ring3_robust_rwlock_rdunlock(ring3_robust_rwlock_t *lock)
{
    ring3_robust_t *const mine = own_slot(lock);

    if (!mine)
        return -EPERM;
    ring3_robust_give(mine, 0, INT_MAX);
    return 0;
}

/* --- Writing --------------------------------------------------------------------------------------- */

/* Wait until nobody living reads. The slots of the dead become free. */
static int sweep(ring3_robust_rwlock_t *lock, clockid_t clock, const struct timespec *deadline,
                 bool *died)
{
    /* Pairs with the fence in no_writer. */
    ring3_fence_full();
    for (uint32_t i = 0; i < lock->slots; i++) {
        ring3_robust_t *const reader = slot(lock, i);
        const int result = ring3_robust_await(reader, clock, deadline);

        ring3_robust_leave();
        uint32_t seen = ring3_load(&reader->word, RING3_ACQUIRE); /* pairs with give */

        if (result)
            return result;
        if (seen & FUTEX_OWNER_DIED) {
            *died = true;
            (void)ring3_cas_try(&reader->word, &seen, 0, RING3_RELAXED);
        }
    }
    return 0;
}

int ring3_robust_rwlock_clockwrlock(ring3_robust_rwlock_t *lock, clockid_t clock,
                                    const struct timespec *deadline)
{
    bool died = false;
    int result, swept;

    if (ring3_unlikely(!ring3_robust_possible()))
        return -ENOSYS;
    if (own_slot(lock))
        return -EDEADLK;
    result = ring3_robust_clocklock(&lock->writer, clock, deadline);
    if (result && result != -EOWNERDEAD)
        return result;
    swept = sweep(lock, clock, deadline, &died);
    if (died || result == -EOWNERDEAD) {
        lock->writer.state = ROBUST_INCONSISTENT;
        result = -EOWNERDEAD;
    }
    if (swept) {
        /* The next writer is told instead. */
        lock->writer.state = ROBUST_CONSISTENT;
        ring3_robust_give(&lock->writer, result ? FUTEX_OWNER_DIED : 0, 1);
        return swept;
    }
    return result;
}

int ring3_robust_rwlock_consistent(ring3_robust_rwlock_t *lock)
{
    return ring3_robust_consistent(&lock->writer);
}

int ring3_robust_rwlock_wrunlock(ring3_robust_rwlock_t *lock)
{
    return ring3_robust_unlock(&lock->writer);
}
