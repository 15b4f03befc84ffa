/* SPDX-License-Identifier: MIT */
/*
 * Read-copy-update: readers neither wait nor write anything that others write. Who changes the data
 * publishes a new version, and frees the old one when every reader that may have seen it is gone.
 *
 *     reading:   ring3_rcu_read_lock();
 *                config = ring3_rcu_dereference(&current);
 *                … config->… …
 *                ring3_rcu_read_unlock();
 *
 *     changing:  (writers exclude each other by a lock of their own)
 *                old = current;
 *                ring3_rcu_assign(&current, fresh);
 *                ring3_rcu_synchronize();      or ring3_rcu_call(&old->head, free_config)
 *                free(old);
 *
 * Two flavours, told apart by the reader's side alone:
 *
 *   memb   sections are marked by enter and leave, at the cost of two plain stores. They nest.
 *   QSBR   the domain RING3_RCU_QSBR: its readers mark nothing. Each says now and then that it is
 *          between sections (ring3_qsbr_quiescent), and before it blocks or idles that it is
 *          offline.
 *
 * A domain is a set of readers that wait for nobody else: a reader that dwells in one does not hold
 * up another. RING3_RCU_DEFAULT serves ring3_rcu_read_lock; ring3_rcu_open gives out more.
 *
 * The word of a reader in a domain (ring3_reader_t.since)
 *     0-11   depth   sections the reader is in; 4095 at most
 *     12-63  since   the grace period that was under way when the outermost began
 * `period` of a domain has the form of such a word with depth 1, and grows by one grace period each
 * time somebody begins to wait. So a waiter waits for those whose word has a depth and is older
 * than its own period, and need not look at anybody twice: what comes later began later.
 *
 * Contexts become readers by themselves, and stop when they end. Reading is async-signal-safe (for a
 * context's first section too) and takes no lock. User threads may be preempted in a section. In a
 * child of fork the forking context's sections go on, those of others are over, and callbacks that
 * had not begun are still to come: with the next ring3_rcu_call or ring3_rcu_barrier there.
 *
 * Sources: McKenney and Slingwine 1998; Desnoyers, McKenney, Stern, Dagenais and Walpole,
 * "User-Level Implementations of Read-Copy Update", 2012 (with a phase bit and two waits instead of
 * the number of the grace period).
 */
#ifndef RING3_RCU_H
#define RING3_RCU_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/reader.h"

#include <stdbool.h>
#include <stdint.h>

RING3_API_BEGIN

typedef uint32_t ring3_rcu_domain_t;

#define RING3_RCU_DEFAULT 0
#define RING3_RCU_QSBR    1

#define RING3_RCU_DEPTH   UINT64_C(0xfff)
#define RING3_RCU_STEP    UINT64_C(0x1000) /* one grace period */

typedef struct ring3_rcu_period {
    uint64_t period; /* written by the one who waits, under the domain's lock */
} RING3_CACHE_ALIGNED ring3_rcu_period_t;

extern ring3_rcu_period_t ring3_rcu_periods[RING3_READER_DOMAINS];

void ring3_rcu_tell(ring3_reader_t *reader, ring3_rcu_domain_t domain);

/* --- Reading ---------------------------------------------------------------------------------- */

/** Begin a section in `domain` (not RING3_RCU_QSBR). */
static inline void ring3_rcu_enter(ring3_rcu_domain_t domain)
{
    ring3_reader_t *const reader = ring3_reader();
    uint64_t *const word = &reader->since[domain];
    const uint64_t seen = ring3_load(word, RING3_RELAXED);

    if (ring3_likely((seen & RING3_RCU_DEPTH) == 0)) {
        /*
         * The acquire pairs with the release in synchronize: a reader of that period sees what was
         * changed before it. The release pairs with synchronize's acquire, which may find this
         * instead of the end of our last section.
         */
        ring3_store(word, ring3_load(&ring3_rcu_periods[domain].period, RING3_ACQUIRE),
                    RING3_RELEASE);
        /* Pairs with the heavy fence in synchronize: it sees the store, or we see the change. */
        ring3_fence_light();
    } else {
        ring3_store(word, seen + 1, RING3_RELAXED);
    }
}

/** End the section. */
static inline void ring3_rcu_leave(ring3_rcu_domain_t domain)
{
    ring3_reader_t *const reader = (ring3_reader_t *)ring3_self_pointer->reader;
    uint64_t *const word = &reader->since[domain];

    /* Pairs with the acquire in synchronize: what we have read may be freed from here on. */
    ring3_store(word, ring3_load(word, RING3_RELAXED) - 1, RING3_RELEASE);
    /* Pairs with the heavy fence of a synchronize that goes to sleep. */
    ring3_fence_light();
    if (ring3_unlikely(ring3_load(&reader->awaited, RING3_RELAXED)))
        ring3_rcu_tell(reader, domain);
}

static inline void ring3_rcu_read_lock(void)
{
    ring3_rcu_enter(RING3_RCU_DEFAULT);
}

static inline void ring3_rcu_read_unlock(void)
{
    ring3_rcu_leave(RING3_RCU_DEFAULT);
}

/** True inside a section of the running context in `domain`; for QSBR, while it is online. */
static inline bool ring3_rcu_reading(ring3_rcu_domain_t domain)
{
    const ring3_reader_t *const reader = (const ring3_reader_t *)ring3_self()->reader;

    return reader && (ring3_load(&reader->since[domain], RING3_RELAXED) & RING3_RCU_DEPTH) != 0;
}

/** Read a pointer that writers publish. Pairs with the release in ring3_rcu_assign. */
#define ring3_rcu_dereference(place) ring3_load(place, RING3_ACQUIRE)

/** Publish what `value` points to. */
#define ring3_rcu_assign(place, value) ring3_store(place, value, RING3_RELEASE)

/* --- Reading, QSBR ---------------------------------------------------------------------------- */

/** From now on this context counts as a reader until it says otherwise. */
static inline void ring3_qsbr_online(void)
{
    if (!ring3_rcu_reading(RING3_RCU_QSBR))
        ring3_rcu_enter(RING3_RCU_QSBR);
}

/** This context does not read, and may block. Needs ring3_qsbr_online before. */
static inline void ring3_qsbr_offline(void)
{
    ring3_rcu_leave(RING3_RCU_QSBR);
}

static inline void ring3_qsbr_read_lock(void) {}
static inline void ring3_qsbr_read_unlock(void) {}

/** This context, which is online, holds no reference from before. */
static inline void ring3_qsbr_quiescent(void)
{
    const uint64_t seen = ring3_load(
        &((ring3_reader_t *)ring3_self_pointer->reader)->since[RING3_RCU_QSBR], RING3_RELAXED);

    /* Nobody has begun to wait since we said so last. */
    if (ring3_likely(seen == ring3_load(&ring3_rcu_periods[RING3_RCU_QSBR].period, RING3_RELAXED)))
        return;
    ring3_rcu_leave(RING3_RCU_QSBR);
    ring3_rcu_enter(RING3_RCU_QSBR);
}

/* --- Waiting for readers ---------------------------------------------------------------------- */

/**
 * Wait until every section in `domain` that is under way has ended. Those who call together share
 * the wait. An online QSBR reader is offline meanwhile.
 *
 * @return 0; -EDEADLK inside a section of that domain; -EINVAL for a domain that does not exist
 *
 * Order: sections that ended, before the return; what came before the call, before sections that
 * begin later. Not async-signal-safe.
 */
int ring3_rcu_synchronize_domain(ring3_rcu_domain_t domain);

static inline int ring3_rcu_synchronize(void)
{
    return ring3_rcu_synchronize_domain(RING3_RCU_DEFAULT);
}

/* Lies in what is to be freed; free for other use before ring3_rcu_call. */
typedef struct ring3_rcu_head {
    struct ring3_rcu_head *next;
    void (*done)(struct ring3_rcu_head *head);
} ring3_rcu_head_t;

/**
 * Have `done(head)` called when every section in `domain` that is under way has ended, without
 * waiting. In order of the calls within a domain, one at a time, in a thread of libsync's own which
 * comes into being with the first call in each domain and blocks all signals, or in one that calls
 * ring3_rcu_barrier. `done` may call ring3_rcu_call, but not ring3_rcu_barrier.
 *
 * Allowed inside sections. Not async-signal-safe.
 */
void ring3_rcu_call_domain(ring3_rcu_domain_t domain, ring3_rcu_head_t *head,
                           void (*done)(ring3_rcu_head_t *head));

static inline void ring3_rcu_call(ring3_rcu_head_t *head, void (*done)(ring3_rcu_head_t *head))
{
    ring3_rcu_call_domain(RING3_RCU_DEFAULT, head, done);
}

/** Wait until all that was given to ring3_rcu_call before has been called. Returns as
 * ring3_rcu_synchronize_domain; -EDEADLK also inside such a call. */
int ring3_rcu_barrier_domain(ring3_rcu_domain_t domain);

static inline int ring3_rcu_barrier(void)
{
    return ring3_rcu_barrier_domain(RING3_RCU_DEFAULT);
}

/* --- Domains ---------------------------------------------------------------------------------- */

/** A domain of one's own: writes its number. 0, or -ENOSPC when RING3_READER_DOMAINS exist. */
int ring3_rcu_open(ring3_rcu_domain_t *domain);

/** Give it back. Nobody may read, wait or have callbacks in it. */
void ring3_rcu_close(ring3_rcu_domain_t domain);

/**
 * After how many seconds of waiting for one reader to complain on stderr: a line that names the
 * reader's thread, repeated each such time. 10 at the start; 0 never. RING3_RCU=stall=SECONDS says
 * the same from outside.
 */
void ring3_rcu_stall_after(uint32_t seconds);

RING3_API_END

#endif
