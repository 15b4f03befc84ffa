/* SPDX-License-Identifier: MIT */
/* Going to sleep over a ring, in steps, so that one fence can serve several. */
#ifndef RING3_IPC_RING_WAIT_H
#define RING3_IPC_RING_WAIT_H

#include "ring3/ring.h"

/*
 * ring3_ring_arm is: announce; a full fence; and if the peer's own fences are light ones, a global one. Of several
 * rings each is announced, and the fences are made once.
 */
void ring3_ring_announce(ring3_ring_side_t *side, uint32_t how);

/* After the full fence. */
static inline bool ring3_ring_needs_global(const ring3_ring_side_t *side)
{
    return ring3_load(&side->peer->fences, RING3_RELAXED) != 0;
}

#endif
