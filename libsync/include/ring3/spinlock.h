/* SPDX-License-Identifier: MIT */
/*
 * One spinlock interface over many algorithms, chosen when the lock is initialised.
 *
 *     ring3_spinlock_t lock;
 *     ring3_spinlock_init(&lock, RING3_SPINLOCK_TICKET, RING3_WAIT_ADAPTIVE);
 *     ring3_spinlock_lock(&lock);
 *     …
 *     ring3_spinlock_unlock(&lock);
 *
 * An all-zero lock is valid: TTAS, adaptive waiting. The algorithms can also be used without
 * dispatch, each through its own header (ring3/tas.h and so on), which
 * states its fairness, what a timed waiter gives up, and its source. A lock holds the index of its
 * algorithm, never a pointer to code.
 *
 * Holding one of these locks raises the context's no-preempt depth (ring3/self.h). For threads of
 * one process; not recursive; not async-signal-safe, except where every holder blocks the signals
 * whose handlers take the lock (ring3_spinlock_lock_sigsave).
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
#ifndef RING3_SPINLOCK_H
#define RING3_SPINLOCK_H

#include "ring3/api.h"
#include "ring3/array.h"
#include "ring3/biased.h"
#include "ring3/cas.h"
#include "ring3/clh.h"
#include "ring3/guarded.h"
#include "ring3/mcs.h"
#include "ring3/mutex.h"
#include "ring3/qlock.h"
#include "ring3/slice.h"
#include "ring3/tas.h"
#include "ring3/ticket.h"
#include "ring3/ttas.h"
#include "ring3/wait.h"

#include <signal.h>
#include <stdint.h>

RING3_API_BEGIN

typedef enum ring3_spinlock_algorithm {
    RING3_SPINLOCK_TTAS, /* the default, all-zero */
    RING3_SPINLOCK_TAS,
    RING3_SPINLOCK_BACKOFF,
    RING3_SPINLOCK_TICKET,
    RING3_SPINLOCK_MCS,
    RING3_SPINLOCK_CAS,
    RING3_SPINLOCK_DELAY,
    RING3_SPINLOCK_TICKET_BACKOFF,
    RING3_SPINLOCK_CLH,
    RING3_SPINLOCK_GUARDED,
    RING3_SPINLOCK_QUEUED,
    RING3_SPINLOCK_BIASED,
    RING3_SPINLOCK_SLICE,
    RING3_SPINLOCK_ADAPTIVE,  /* the default mutex */
    RING3_SPINLOCK_ARRAY,     /* by ring3_spinlock_init_array */
    RING3_SPINLOCK_ALGORITHMS /* how many there are */
} ring3_spinlock_algorithm_t;

typedef struct ring3_spinlock {
    union {
        ring3_ttas_t ttas;
        ring3_tas_t tas;
        ring3_ticket_t ticket;
        ring3_mcs_t mcs;
        ring3_caslock_t cas;
        ring3_clh_t clh;
        ring3_guarded_t guarded;
        ring3_qlock_t queued;
        ring3_biased_t biased;
        ring3_slice_t slice;
        ring3_mutex_t adaptive;
        ring3_array_t array;
        uint64_t room[3]; /* what an algorithm may use */
    } state;
    uint16_t algorithm; /* ring3_spinlock_algorithm_t */
    uint16_t wait;      /* bits 0-1: ring3_wait_t; the rest: in debug builds, who holds it */
    uint32_t unused;
} ring3_spinlock_t;

/** Make `lock` free, with this algorithm and waiting policy. 0; -EINVAL if either is out of range,
 * and for the array lock, which needs slots. */
int ring3_spinlock_init(ring3_spinlock_t *lock, ring3_spinlock_algorithm_t algorithm,
                        ring3_wait_t how);

/** The same with Anderson's array lock and the caller's slots, as ring3_array_init. 0; -EINVAL. */
int ring3_spinlock_init_array(ring3_spinlock_t *lock, ring3_array_slot_t *slots, uint32_t count,
                              ring3_wait_t how);

/** "ttas", "tas", "backoff", "ticket", "mcs", "cas", "delay", "ticket-backoff", "clh", "guarded", "queued",
 * "biased", "slice", "adaptive", "array";
 * NULL for another value. */
const char *ring3_spinlock_name(ring3_spinlock_algorithm_t algorithm);

/** The algorithm of that name, or -ENOENT. */
int ring3_spinlock_find(const char *name);

void ring3_spinlock_lock(ring3_spinlock_t *lock);

/** 0 or -EBUSY. */
int ring3_spinlock_trylock(ring3_spinlock_t *lock);

/** 0; -ETIMEDOUT; -EINVAL for a malformed time. The deadline is absolute, on CLOCK_MONOTONIC; NULL
 * waits for ever. */
int ring3_spinlock_timedlock(ring3_spinlock_t *lock, const struct timespec *deadline);

void ring3_spinlock_unlock(ring3_spinlock_t *lock);

/**
 * Lock with all signals blocked, for a lock that signal handlers take too: a handler that came while
 * its own thread held the lock would wait for ever. `saved` gets the mask that was in force, which
 * the unlock puts back exactly, so that pairs may be nested: the inner unlock unblocks nothing. The
 * two calls must be made by one kernel thread. A handler that takes the lock uses this form as well,
 * or blocks what could interrupt it by sa_mask.
 *
 * Source: spin_lock_irqsave of Linux, with signals for interrupts.
 */
void ring3_spinlock_lock_sigsave(ring3_spinlock_t *lock, sigset_t *saved);
void ring3_spinlock_unlock_sigrestore(ring3_spinlock_t *lock, const sigset_t *saved);

RING3_API_END

#endif
