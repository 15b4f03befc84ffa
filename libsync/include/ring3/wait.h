/* SPDX-License-Identifier: MIT */
/*
 * Waiting: futexes with absolute deadlines, and waiting policies. Locks ask this layer to wait;
 * none busy-waits on its own, and nothing else in ring3 blocks.
 *
 * Policies
 *     RING3_WAIT_ADAPTIVE  spin for a bounded time while that can help, give up the CPU some times,
 *                          then park: the default
 *     RING3_WAIT_SPIN      spin until the lock comes; only for threads that have a CPU each
 *     RING3_WAIT_YIELD     spin for a bounded time, then give up the CPU between looks
 *     RING3_WAIT_PARK      park at once
 *
 * A deadline is an absolute `struct timespec`; NULL means for ever. A time in the past is not an
 * error: what can be had without waiting is still had. Where a function names no clock it is
 * CLOCK_MONOTONIC.
 */
#ifndef RING3_WAIT_H
#define RING3_WAIT_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/park.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef enum ring3_wait {
    RING3_WAIT_ADAPTIVE,
    RING3_WAIT_SPIN,
    RING3_WAIT_YIELD,
    RING3_WAIT_PARK,
} ring3_wait_t;

#define RING3_WAIT_POLICIES 4

/** "adaptive", "spin", "yield", "park"; NULL for another value. */
const char *ring3_wait_name(ring3_wait_t how);

/* --- Time ------------------------------------------------------------------------------------- */

#define RING3_SECOND_NS 1000000000L

/** The time `nanoseconds` from now on `clock`, for use as a deadline. */
struct timespec ring3_deadline_in(clockid_t clock, int64_t nanoseconds);

/** 0 if the pair can be a deadline; -EINVAL for a clock other than the two, or nanoseconds outside
 * 0..999999999. */
int ring3_deadline_check(clockid_t clock, const struct timespec *deadline);

/** True once `deadline` (may be NULL: never) has passed on `clock`. */
bool ring3_deadline_passed(clockid_t clock, const struct timespec *deadline);

/* --- Futex ------------------------------------------------------------------------------------ */

#define RING3_PRIVATE 0
#define RING3_SHARED  1 /* the word lies in memory that other processes map too */

/**
 * Sleep in the kernel while *word == expected.
 *
 * @return 0 when woken (or for no reason: look again); -EAGAIN if *word differed; -EINTR;
 * -ETIMEDOUT; -EINVAL for a malformed time; -EFAULT
 *
 * Async-signal-safe. Source: futex(2), FUTEX_WAIT_BITSET.
 */
int ring3_futex_wait(const uint32_t *word, uint32_t expected, int shared, clockid_t clock,
                     const struct timespec *deadline);

/** Wake up to `count` sleepers on `word`; returns how many woke. The word need not exist any more.
 */
int ring3_futex_wake(const uint32_t *word, int count, int shared);

/* --- Words ------------------------------------------------------------------------------------ */

/**
 * Wait while *word == expected: the futex operation for every kind of context, after spinning for a
 * bounded time. Private words wait in the parking table, shared ones in the kernel.
 *
 * @return 0 when woken, or when *word differed, or for no reason: look again; -ETIMEDOUT. The
 * deadline is well-formed.
 *
 * Order: none by itself; look at the word with an acquire. A signal handler does not end it.
 */
int ring3_word_wait(const uint32_t *word, uint32_t expected, int shared, clockid_t clock,
                    const struct timespec *deadline);

/**
 * Wake up to `count` waiters, first come first. Call after the store that changed the word; it
 * costs a lock or a system call each time, so keep in the word whether anybody waits. The word need
 * not exist any more. Async-signal-safe.
 */
void ring3_word_wake(const uint32_t *word, int count, int shared);

/* --- Policies --------------------------------------------------------------------------------- */

/**
 * Wait, the way `how` says, until *word != old. The one who changes the word must then call
 * ring3_wait_wake on it. At most one context may wait on a word at a time.
 *
 * @return 0; -ETIMEDOUT. The deadline is on CLOCK_MONOTONIC and well-formed (ring3_deadline_check).
 *
 * Order: the load that saw the change is an acquire; it pairs with the release that changed the
 * word.
 */
int ring3_wait_change(const uint32_t *word, uint32_t old, ring3_wait_t how,
                      const struct timespec *deadline);

/** Wake the waiter on `word`. Call after the store that changed it, which must be a release. */
static inline void ring3_wait_wake(const uint32_t *word)
{
    ring3_park_announce(word, 0);
}

/**
 * Pauses between the looks of a waiter that nobody will wake: short spins, then yields, then naps
 * that grow to a millisecond (cut at the deadline). Start with {0}.
 */
typedef struct ring3_pause {
    uint32_t turn;
} ring3_pause_t;

/** One pause. 0; -ETIMEDOUT once the deadline (CLOCK_MONOTONIC, well-formed) has passed. */
int ring3_pause(ring3_pause_t *pause, ring3_wait_t how, const struct timespec *deadline);

RING3_API_END

#endif
