/* SPDX-License-Identifier: MIT */
/* A three-state futex lock (Drepper, "Futexes are tricky", mutex 2). */
#include "runtime.h"

/* Sections under it are some tens of instructions. */
#define SPINS 100

void kernel_lock_slow(struct kernel_lock *lock)
{
    for (int turn = 0; turn < SPINS; turn++) {
        if (ring3_load(&lock->word, RING3_RELAXED) == 0 &&
            ring3_cas(&lock->word, 0, 1, RING3_ACQUIRE) == 0)
            return;
        ring3_cpu_relax();
    }
    while (ring3_exchange(&lock->word, 2, RING3_ACQUIRE) != 0)
        (void)ring3_futex_wait(&lock->word, 2, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
}
