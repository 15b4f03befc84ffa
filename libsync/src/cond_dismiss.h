/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a condition until somebody else says that the wait is over for this context, as
 * cancelling a thread does.
 *
 *     dismissing:  *dismissed = 1;                            (relaxed: the queue's lock orders it)
 *                  ring3_cond_dismiss(cond, self);
 *
 * A waiter that a signal has reached first is not dismissed, and one that is dismissed takes no
 * signal from others. For private conditions.
 */
#ifndef RING3_COND_DISMISS_H
#define RING3_COND_DISMISS_H

#include "ring3/cond.h"
#include "ring3/self.h"

#include <stdbool.h>

/* As ring3_cond_clockwait and ring3_cond_clockwait_with; besides, -ECANCELED for a wait that was
 * dismissed. The lock is held again then too. */
int ring3_cond_wait_dismissable(ring3_cond_t *cond, ring3_mutex_t *mutex, clockid_t clock,
                                const struct timespec *deadline, const uint32_t *dismissed);
int ring3_cond_wait_dismissable_with(ring3_cond_t *cond, const ring3_lock_ops_t *ops, void *lock,
                                     clockid_t clock, const struct timespec *deadline,
                                     const uint32_t *dismissed);

/* True if `self` stood in the queue. Else it does not wait any more, or is about to, and will look
 * at its word. */
bool ring3_cond_dismiss(ring3_cond_t *cond, const ring3_self_t *self);

#endif
