/* SPDX-License-Identifier: MIT */
/* The waiting side of ring3/qlock.h. Its nodes are kept in qlock_nodes.c. */
#include "ring3/qlock.h"

#include "qlock_nodes.h"
#include "spin.h"

#include <assert.h>

static_assert(sizeof(ring3_qlock_t) == 4, "the queued lock is one word");

#define LOCKED     RING3_QLOCK_LOCKED
#define PENDING    RING3_QLOCK_PENDING
#define TAIL_SHIFT 16
#define TAIL_MASK  (~UINT32_C(0) << TAIL_SHIFT)

/* Until none of `bits` is set in the word. Returns what was seen. `key` is under which unlock
 * announces our turn. */
static uint32_t wait_clear(ring3_qlock_t *lock, uint32_t bits, uint32_t key, ring3_wait_t how)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t spins = ring3_spin_limit(how);
    uint32_t seen;

    for (uint32_t turn = 0;; turn++) {
        /* Pairs with the release in ring3_qlock_unlock. */
        seen = ring3_load(&lock->word, RING3_ACQUIRE);
        if ((seen & bits) == 0)
            return seen;
        if (turn < spins)
            ring3_cpu_relax();
        else if (how == RING3_WAIT_YIELD)
            self->parker->yield(self);
        else
            (void)ring3_park_turn(lock, key, &lock->word, seen, NULL);
    }
}

/* We have set `pending`: the lock is ours as soon as its holder leaves. */
static void wait_pending(ring3_qlock_t *lock, ring3_wait_t how)
{
    (void)wait_clear(lock, LOCKED, PENDING, how);
    /* Nobody else may change these two bits now. The acquire pairs with the holder's release. */
    (void)ring3_fetch_sub(&lock->word, PENDING - LOCKED, RING3_ACQUIRE);
    /* The first in the queue goes on waiting for us: there is nothing to tell it. */
}

/* Stand at the end of the queue; returns the word as it was. */
static uint32_t enqueue(ring3_qlock_t *lock, uint32_t mine)
{
    uint32_t seen = ring3_load(&lock->word, RING3_RELAXED);

    /* The release publishes our node, the acquire pairs with that of the node before. */
    while (!ring3_cas_weak(&lock->word, &seen, (seen & ~TAIL_MASK) | mine << TAIL_SHIFT,
                           RING3_ACQ_REL))
        ;
    return seen;
}

static uint32_t wait_next(struct ring3_qlock_node *me)
{
    ring3_pause_t pause = {0};
    uint32_t next;

    /* An arrival is between its exchange and its link. Pairs with the release there. */
    while ((next = ring3_load(&me->next, RING3_ACQUIRE)) == 0)
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    return next;
}

/* The first in the queue takes the lock, and makes the next the first. */
static void take_as_first(ring3_qlock_t *lock, uint32_t mine, ring3_wait_t how)
{
    uint32_t seen = wait_clear(lock, LOCKED | PENDING, 0, how);

    for (;;) {
        const bool last = seen >> TAIL_SHIFT == mine;

        /* Pairs with the release of the last holder. */
        if (ring3_cas_try(&lock->word, &seen, last ? LOCKED : seen | LOCKED, RING3_ACQUIRE)) {
            if (last)
                return;
            break;
        }
    }
    struct ring3_qlock_node *const next = &ring3_qlock_nodes[wait_next(&ring3_qlock_nodes[mine])];

    /* Pairs with the acquire in ring3_wait_change. */
    ring3_store(&next->turn, 1, RING3_RELEASE);
    ring3_wait_wake(&next->turn);
}

static void wait_in_queue(ring3_qlock_t *lock, uint32_t mine, ring3_wait_t how)
{
    struct ring3_qlock_node *const me = &ring3_qlock_nodes[mine];

    ring3_store(&me->next, 0, RING3_RELAXED);
    ring3_store(&me->turn, 0, RING3_RELAXED);
    const uint32_t before = enqueue(lock, mine) >> TAIL_SHIFT;

    if (before) {
        ring3_store(&ring3_qlock_nodes[before].next, mine, RING3_RELEASE);
        (void)ring3_wait_change(&me->turn, 0, how, NULL);
    }
    take_as_first(lock, mine, how);
}

static int poll_for_it(ring3_qlock_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_pause_t pause = {0};

    while (ring3_qlock_trylock(lock) != 0)
        if (ring3_pause(&pause, how, deadline) != 0)
            return ring3_qlock_trylock(lock) == 0 ? 0 : -ETIMEDOUT;
    return 0;
}

void ring3_qlock_lock_slow(ring3_qlock_t *lock, ring3_wait_t how)
{
    uint32_t seen = LOCKED;

    /* Held, and nobody waits: then we need no node. */
    if (ring3_cas_try(&lock->word, &seen, LOCKED | PENDING, RING3_RELAXED)) {
        wait_pending(lock, how);
        return;
    }
    const uint32_t mine = ring3_qlock_node_get();

    if (mine) {
        wait_in_queue(lock, mine, how);
        ring3_qlock_node_put(mine);
    } else {
        (void)poll_for_it(lock, how, NULL);
    }
}

int ring3_qlock_timedlock(ring3_qlock_t *lock, ring3_wait_t how, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    if (bad)
        return bad;
    if (ring3_qlock_trylock(lock) == 0)
        return 0;
    if (deadline)
        return poll_for_it(lock, how, deadline);
    ring3_qlock_lock_slow(lock, how);
    return 0;
}
