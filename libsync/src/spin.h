/* SPDX-License-Identifier: MIT */
/* How long each waiting policy spins. */
#ifndef RING3_SPIN_H
#define RING3_SPIN_H

#include "ring3/wait.h"

/*
 * About 3 microseconds on current x86: less than parking and being woken costs (5 to 20
 * microseconds), and several times a short critical section. Spinning longer than one costs the
 * other threads of a busy machine their time.
 */
#define RING3_SPIN_TURNS 100

/* On one CPU the awaited party cannot run while we spin. */
static inline uint32_t ring3_spin_limit(ring3_wait_t how)
{
    switch (how) {
    case RING3_WAIT_SPIN:
        return UINT32_MAX;
    case RING3_WAIT_PARK:
        return 0;
    case RING3_WAIT_YIELD:
    case RING3_WAIT_ADAPTIVE:
        break;
    }
    return ring3_arch.cpus > 1 ? RING3_SPIN_TURNS : 0;
}

#endif
