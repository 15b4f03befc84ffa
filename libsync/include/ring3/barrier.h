/* SPDX-License-Identifier: MIT */
/*
 * Barrier: everybody waits until all have come. Reusable at once.
 *
 *     ring3_barrier_t step;
 *     ring3_barrier_init(&step, workers, RING3_PRIVATE);
 *     ring3_barrier_wait(&step);             by each worker, between two phases
 *
 * Three algorithms. The central one, ring3_barrier_t, is one word on which all meet: right for a
 * few parties, and the only one that can time out, lie in shared memory, or be used without knowing
 * one's number. ring3_tree_barrier_t spreads arrivals over a tree, ring3_dissemination_barrier_t
 * needs no single last party at all; both let each party wait on words of its own, in log2 n steps
 * for n parties, with storage from the caller.
 *
 * word of the central barrier
 *     bits   name     written by
 *     0-14   arrived  each arrival adds 1, the last one writes 0
 *     15     waiters  a waiter, before it sleeps; the last arrival clears it
 *     16-31  phase    the last arrival adds 1; its parity is the "sense" of the literature
 *
 * The last arrival touches nothing but the word's address after its one atomic step, so a barrier
 * may be freed as soon as ring3_barrier_wait has returned in every party. None of these functions
 * is async-signal-safe or a cancellation point.
 *
 * Sources: Hensgen, Finkel and Manber 1988 (dissemination, and sense reversal); Mellor-Crummey and
 * Scott 1991, algorithms 7 (central), 9 (dissemination) and 11 (tree).
 *
 * Order: what any party did before the barrier happens before everything after it in all parties.
 */
#ifndef RING3_BARRIER_H
#define RING3_BARRIER_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/wait.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

#define RING3_BARRIER_PARTIES_MAX 0x7fffu

/** What exactly one party gets in each phase: the last to arrive. */
#define RING3_BARRIER_LAST 1

/* --- Central --------------------------------------------------------------------------------- */

typedef struct ring3_barrier {
    uint32_t word;
    uint16_t parties;
    uint16_t shared;
} ring3_barrier_t;

#define RING3_BARRIER_WAITERS 0x8000u
#define RING3_BARRIER_PHASE   0x10000u

/** For `parties` contexts, 1 to RING3_BARRIER_PARTIES_MAX. 0 or -EINVAL. An all-zero barrier has
 * one party: nobody waits. */
int ring3_barrier_init(ring3_barrier_t *barrier, uint32_t parties, int shared);

/**
 * Arrive, and wait for the others until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0, or RING3_BARRIER_LAST in the last to arrive; -ETIMEDOUT: the caller does not count as
 * arrived any more; -EINVAL for another clock or a malformed time
 */
int ring3_barrier_clockwait(ring3_barrier_t *barrier, clockid_t clock,
                            const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_barrier_timedwait(ring3_barrier_t *barrier, const struct timespec *deadline)
{
    return ring3_barrier_clockwait(barrier, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. */
static inline int ring3_barrier_wait(ring3_barrier_t *barrier)
{
    return ring3_barrier_clockwait(barrier, CLOCK_MONOTONIC, NULL);
}

/* --- Tree ------------------------------------------------------------------------------------ */

/* One party's place: parties 4i+1 to 4i+4 report to party i; parties 2i+1 and 2i+2 are released by
 * it. Each word has one writer and one reader, and counts phases. */
typedef struct ring3_tree_barrier_node {
    uint32_t arrived[4]; /* written by the four below */
    uint32_t released;   /* written by the one above */
    uint32_t phase;      /* private to the party */
} RING3_CACHE_ALIGNED ring3_tree_barrier_node_t;

typedef struct ring3_tree_barrier {
    ring3_tree_barrier_node_t *nodes;
    uint32_t parties;
    uint32_t wait; /* ring3_wait_t */
} ring3_tree_barrier_t;

/** `nodes`: one all-zero node for each of `parties` (at least 1), which must outlive the barrier. 0
 * or -EINVAL. */
int ring3_tree_barrier_init(ring3_tree_barrier_t *barrier, ring3_tree_barrier_node_t *nodes,
                            uint32_t parties, ring3_wait_t how);

/** Arrive as party `me` (0 to parties - 1, each used by one context) and wait for all others. */
void ring3_tree_barrier_wait(ring3_tree_barrier_t *barrier, uint32_t me);

/* --- Dissemination --------------------------------------------------------------------------- */

#define RING3_DISSEMINATION_ROUNDS 15 /* log2 of RING3_BARRIER_PARTIES_MAX, rounded up */

/* In round r party i tells party i + 2^r that it, and all it has heard of, have come. */
typedef struct ring3_dissemination_barrier_node {
    uint32_t heard[RING3_DISSEMINATION_ROUNDS]; /* each written by one other party */
    uint32_t phase;                             /* private to the party */
} RING3_CACHE_ALIGNED ring3_dissemination_barrier_node_t;

typedef struct ring3_dissemination_barrier {
    ring3_dissemination_barrier_node_t *nodes;
    uint32_t parties;
    uint32_t wait; /* ring3_wait_t */
} ring3_dissemination_barrier_t;

/** As ring3_tree_barrier_init; at most RING3_BARRIER_PARTIES_MAX parties. */
int ring3_dissemination_barrier_init(ring3_dissemination_barrier_t *barrier,
                                     ring3_dissemination_barrier_node_t *nodes, uint32_t parties,
                                     ring3_wait_t how);

/** As ring3_tree_barrier_wait. */
void ring3_dissemination_barrier_wait(ring3_dissemination_barrier_t *barrier, uint32_t me);

RING3_API_END

#endif
