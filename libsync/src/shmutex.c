/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/shmutex.h. */
#include "ring3/shmutex.h"

#include "spin.h"

static void lock(void *mutex)
{
    ring3_shmutex_lock(mutex);
}

static void unlock(void *mutex)
{
    ring3_shmutex_unlock(mutex);
}

const ring3_lock_ops_t ring3_shmutex_ops = {lock, unlock};

int ring3_shmutex_lock_slow(ring3_shmutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE); turn > 0; turn--) {
        if (ring3_load(&mutex->word, RING3_RELAXED) == 0 && ring3_shmutex_trylock(mutex) == 0)
            return 0;
        ring3_cpu_relax();
    }
    /* The acquire pairs with the release in ring3_shmutex_unlock. */
    while (ring3_exchange(&mutex->word, 2, RING3_ACQUIRE) != 0)
        if (ring3_futex_wait(&mutex->word, 2, RING3_SHARED, clock, deadline) == -ETIMEDOUT)
            return -ETIMEDOUT;
    return 0;
}
