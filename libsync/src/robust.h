/* SPDX-License-Identifier: MIT */
/* Words of which the kernel knows that they are ours: what robust mutexes and read-write locks have
 * in common. */
#ifndef RING3_ROBUST_LIST_H
#define RING3_ROBUST_LIST_H

#include "ring3/robust.h"

enum { ROBUST_CONSISTENT, ROBUST_INCONSISTENT, ROBUST_LOST };

/* Take the word if nobody living owns it. 0; -EOWNERDEAD; -EBUSY. `waited`: the caller has waited,
 * and others may still. */
int ring3_robust_take(ring3_robust_t *mutex, bool waited);

/* Give the word away, leaving `word` in it: 0, or FUTEX_OWNER_DIED to pass the news on. */
void ring3_robust_give(ring3_robust_t *mutex, uint32_t word, int wake);

/*
 * Sleep until the word may have no living owner any more. 0 or -ETIMEDOUT. Until the next take, or
 * ring3_robust_leave, the kernel wakes another waiter if we die, who may have been woken.
 */
int ring3_robust_await(ring3_robust_t *mutex, clockid_t clock, const struct timespec *deadline);
void ring3_robust_leave(void);

/* True if this thread has a list that our layout fits. */
bool ring3_robust_possible(void);

#endif
