/* SPDX-License-Identifier: MIT */
/*
 * Wait until one of several words has changed.
 *
 *     ring3_waitany_t any[] = {{&a->word, seen_a}, {&b->word, seen_b}};
 *     which = ring3_waitany(any, 2, CLOCK_MONOTONIC, &deadline);
 *
 * The words lie in memory where wakers use RING3_SHARED: shared semaphores, events and conditions,
 * or words of one's own with ring3_futex_wake(word, n, RING3_SHARED). As with a futex, whoever
 * changes a word wakes it; spurious returns are possible in the sense that the word may have changed
 * back. One system call (futex_waitv, Linux 5.16); without it the words are looked at again and
 * again, at intervals that grow to a millisecond.
 *
 * Thread-safe; a signal handler does not end it; no cancellation point. Order: none by itself; look
 * at the word with an acquire.
 */
#ifndef RING3_WAITANY_H
#define RING3_WAITANY_H

#include "ring3/api.h"
#include "ring3/event.h"
#include "ring3/sem.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

#define RING3_WAITANY_MAX 128 /* the kernel's limit */

typedef struct ring3_waitany {
    const uint32_t *word;
    uint32_t expected;
} ring3_waitany_t;

/** @return the index of a word that differs from what was expected, or that was woken; -ETIMEDOUT;
 * -EINVAL for none or more than RING3_WAITANY_MAX words, another clock or a malformed time */
int ring3_waitany(const ring3_waitany_t *words, int count, clockid_t clock,
                  const struct timespec *deadline);

/** Wait until one of several shared events is set: its index; -ETIMEDOUT; -EINVAL. */
int ring3_waitany_event(ring3_event_t *const *events, int count, clockid_t clock,
                        const struct timespec *deadline);

/** Wait until one of several shared semaphores has a permit, and take it: its index; -ETIMEDOUT;
 * -EINVAL; -ECANCELED if one was closed. */
int ring3_waitany_sem(ring3_sem_t *const *sems, int count, clockid_t clock,
                      const struct timespec *deadline);

RING3_API_END

#endif
