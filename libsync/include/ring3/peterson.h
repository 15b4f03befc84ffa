/* SPDX-License-Identifier: MIT */
/*
 * Peterson's lock for two contexts, from loads and stores alone. For teaching: every access must be
 * sequentially consistent, because the proof needs each context's store to be seen before its next
 * load, which no machine promises for plain accesses. Source: Peterson 1981.
 *
 * wants[i]  1 while context i wants the lock or has it; written by i
 * turn      whom to let pass if both want it; written by whoever comes, the later one waits
 *
 * A waiter waits for one turn of the other at most. Lock and unlock only: there is no way to try.
 * A waiter pauses and naps between its looks, nobody wakes it. All-zero is free. For threads of one
 * process, or of several if it lies in shared memory; not async-signal-safe.
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_PETERSON_H
#define RING3_PETERSON_H

#include "ring3/api.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_peterson {
    uint32_t wants[2], turn;
} ring3_peterson_t;

/** Lock as context `me`, 0 or 1. */
static inline void ring3_peterson_lock(ring3_peterson_t *lock, uint32_t me, ring3_wait_t how)
{
    ring3_pause_t pause = {0};

    ring3_store(&lock->wants[me], 1, RING3_SEQ_CST);
    ring3_store(&lock->turn, !me, RING3_SEQ_CST);
    /* The loads pair with the stores above and in unlock, in the one order of all of them. */
    while (ring3_load(&lock->wants[!me], RING3_SEQ_CST) &&
           ring3_load(&lock->turn, RING3_SEQ_CST) != me)
        (void)ring3_pause(&pause, how, NULL);
}

static inline void ring3_peterson_unlock(ring3_peterson_t *lock, uint32_t me)
{
    /* Pairs with the load of wants[!me] in the other's lock. */
    ring3_store(&lock->wants[me], 0, RING3_RELEASE);
}

RING3_API_END

#endif
