/* SPDX-License-Identifier: MIT */
/* A process in one word of shared memory: pid << 32 | low half of its start time. */
#ifndef RING3_IPC_LANE_OWNER_H
#define RING3_IPC_LANE_OWNER_H

#include "ring3/atomic.h"
#include "ring3/identity.h"

#include <errno.h>
#include <stdint.h>

static inline uint64_t ring3_owner_word(const ring3_identity_t *identity)
{
    return (uint64_t)(uint32_t)identity->pid << 32 | (uint32_t)identity->start;
}

static inline int ring3_owner_self(uint64_t *word)
{
    ring3_identity_t me;
    const int err = ring3_identity_self(&me);

    if (!err)
        *word = ring3_owner_word(&me);
    return err;
}

/* Only if the kernel says so: what cannot be judged lives. */
static inline bool ring3_owner_dead(uint64_t word)
{
    ring3_identity_t now;
    const int err = ring3_identity_of((pid_t)(word >> 32), &now);

    return err == -ESRCH || (!err && ring3_owner_word(&now) != word);
}

/* Takes a word that is free or, if `ask`, whose owner is dead.
 * 0; 1 if it was a dead one's; -EBUSY. */
static inline int ring3_owner_take(uint64_t *word, uint64_t me, bool ask)
{
    uint64_t seen = 0;

    /* Pairs with the release of who had it before. */
    if (ring3_cas_try(word, &seen, me, RING3_ACQUIRE))
        return 0;
    /* A dead one released nothing, but has stopped writing. */
    if (ask && ring3_owner_dead(seen) && ring3_cas_try(word, &seen, me, RING3_ACQUIRE))
        return 1;
    return -EBUSY;
}

#endif
