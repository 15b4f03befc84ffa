/* SPDX-License-Identifier: MIT */
/* The contended side of ring3/ticket.h. */
#include "ring3/ticket.h"

#include "spin.h"

/*
 * Spinning pays only for the waiter that is next: anyone further back waits for at least one
 * hand-over to a thread that may be asleep. With CPUs to spare, let one more spin per CPU.
 */
static uint32_t spins_for(ring3_wait_t how, uint32_t ahead)
{
    if (how == RING3_WAIT_ADAPTIVE && ahead >= (uint32_t)ring3_arch.cpus)
        return 0;
    return ring3_spin_limit(how);
}

/*
 * Proportional backoff: the turn comes after as many hand-overs as there are numbers before ours,
 * each about this many pauses long; there is no use in looking earlier.
 */
#define PAUSES_PER_HOLDER 8

static void wait_for_turn(ring3_ticket_t *lock, uint32_t mine, ring3_wait_t how,
                          uint32_t pauses_per_holder)
{
    ring3_self_t *const self = ring3_self();

    for (uint32_t turn = 0;; turn++) {
        /* Pairs with the release in ring3_ticket_unlock. */
        const uint32_t serving = ring3_load(&lock->serving, RING3_ACQUIRE), ahead = mine - serving;

        if (ahead == 0)
            return;
        if (turn < spins_for(how, ahead)) {
            ring3_cpu_relax();
            for (uint32_t i = 1; i < ahead * pauses_per_holder; i++)
                ring3_cpu_relax();
        } else if (how == RING3_WAIT_YIELD) {
            self->parker->yield(self);
        } else {
            (void)ring3_park_turn(lock, mine, &lock->serving, serving, NULL);
        }
    }
}

void ring3_ticket_wait(ring3_ticket_t *lock, uint32_t mine, ring3_wait_t how)
{
    wait_for_turn(lock, mine, how, 0);
}

void ring3_ticket_wait_backoff(ring3_ticket_t *lock, uint32_t mine, ring3_wait_t how)
{
    wait_for_turn(lock, mine, how, PAUSES_PER_HOLDER);
}

/* A timed waiter polls from outside the queue. */
static int poll_until(ring3_ticket_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_pause_t pause = {0};

    while (ring3_ticket_trylock(lock) != 0)
        if (ring3_pause(&pause, how, deadline) == -ETIMEDOUT)
            return ring3_ticket_trylock(lock) == 0 ? 0 : -ETIMEDOUT;
    return 0;
}

int ring3_ticket_timedlock(ring3_ticket_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    if (deadline)
        return poll_until(lock, how, deadline);
    ring3_ticket_lock(lock, how);
    return 0;
}

int ring3_ticket_timedlock_backoff(ring3_ticket_t *lock, ring3_wait_t how,
                                   const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    if (deadline)
        return poll_until(lock, how, deadline);
    ring3_ticket_lock_backoff(lock, how);
    return 0;
}
