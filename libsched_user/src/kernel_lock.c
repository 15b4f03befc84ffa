/* SPDX-License-Identifier: MIT */
/* The slow half of the lock for kernel threads: see runtime.h. */
#include "runtime.h"

/* Sections under it are some tens of instructions. */
#define SPINS 100

/* How long to sleep at a time where no fence makes sure that who unlocks sees a sleeper. */
#define UNSURE_NS 1000000

uint32_t kernel_lock_sleepers;

static bool take(struct kernel_lock *lock)
{
    /* Pairs with the release in kernel_unlock. */
    return ring3_load(&lock->word, RING3_RELAXED) == 0 &&
           ring3_cas(&lock->word, 0, 1, RING3_ACQUIRE) == 0;
}

void kernel_lock_slow(struct kernel_lock *lock)
{
    for (int turn = 0; turn < SPINS; turn++) {
        if (take(lock))
            return;
        ring3_cpu_relax();
    }
    (void)ring3_fetch_add(&kernel_lock_sleepers, 1, RING3_RELAXED);
    const bool sure = ring3_fence_heavy(); /* pairs with the light fence in kernel_unlock */

    while (!take(lock)) {
        const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, UNSURE_NS);

        (void)ring3_futex_wait(&lock->word, 1, RING3_PRIVATE, CLOCK_MONOTONIC, sure ? NULL : &soon);
    }
    (void)ring3_fetch_sub(&kernel_lock_sleepers, 1, RING3_RELAXED);
}
