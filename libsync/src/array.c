/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/array.h. */
#include "ring3/array.h"

#include "ring3/self.h"

#include "spin.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(ring3_array_t) == 24, "the size is part of the interface");
static_assert(sizeof(ring3_array_slot_t) == RING3_CACHE_LINE, "a line for each slot");

int ring3_array_init(ring3_array_t *lock, ring3_array_slot_t *slots, uint32_t count)
{
    if (count == 0 || (count & (count - 1)) != 0)
        return -EINVAL;
    memset(slots, 0, count * sizeof *slots);
    *lock = (ring3_array_t)RING3_ARRAY_INIT(slots, count);
    return 0;
}

void ring3_array_wait(ring3_array_t *lock, uint32_t mine, ring3_wait_t how)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t *const turn = &lock->slots[mine & lock->mask].turn;
    const uint32_t spins = ring3_spin_limit(how);

    for (uint32_t look = 0;; look++) {
        /* Pairs with the release in ring3_array_unlock. */
        const uint32_t seen = ring3_load(turn, RING3_ACQUIRE);

        if (seen == mine)
            return;
        if (look < spins)
            ring3_cpu_relax();
        else if (how == RING3_WAIT_YIELD)
            self->parker->yield(self);
        else
            (void)ring3_park_turn(lock, mine, turn, seen, NULL);
    }
}

int ring3_array_timedlock(ring3_array_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);
    ring3_pause_t pause = {0};

    if (bad)
        return bad;
    if (!deadline) {
        ring3_array_lock(lock, how);
        return 0;
    }
    while (ring3_array_trylock(lock) != 0)
        if (ring3_pause(&pause, how, deadline) == -ETIMEDOUT)
            return ring3_array_trylock(lock) == 0 ? 0 : -ETIMEDOUT;
    return 0;
}
