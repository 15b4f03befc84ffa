/* SPDX-License-Identifier: MIT */
/*
 * The slow path of every lock that newcomers may take before older waiters (TAS, TTAS, the default
 * mutex): spin, then stand in the parking table's queue, whose first competes with newcomers.
 */
#ifndef RING3_CONTEST_H
#define RING3_CONTEST_H

#include "ring3/wait.h"

#include <stdbool.h>

struct ring3_contest {
    /* One attempt. `first`: the caller is the first in the queue, for whom the lock may have been
     * reserved. */
    bool (*take)(void *lock, bool first);
    /* True while an attempt would fail; what a waiter looks at before it sleeps. */
    bool (*blocked)(const void *lock);
    /* Pause between two attempts, `turn` counting from 0. */
    void (*pause)(uint32_t turn);
    /* Keep newcomers out (on) until the first in the queue has got the lock, or let them in again
     * (off); or NULL. */
    void (*reserve)(void *lock, bool on);
    /* True while spinning cannot help, because the holder is not running; or NULL. */
    bool (*hopeless)(const void *lock);
};

/* Take `lock` after the first attempt failed. 0; -ETIMEDOUT; -EINVAL as ring3_deadline_check. */
int ring3_contest(const struct ring3_contest *rules, void *lock, ring3_wait_t how, clockid_t clock,
                  const struct timespec *deadline);

/*
 * The same for a waiter that was moved to the lock's queue while it slept on something else
 * (ring3_park_adopt) and has been woken as its first.
 */
void ring3_contest_from_queue(const struct ring3_contest *rules, void *lock, ring3_waiter_t *waiter,
                              ring3_wait_t how);

/* The plainest pause. */
void ring3_contest_relax(uint32_t turn);

#endif
