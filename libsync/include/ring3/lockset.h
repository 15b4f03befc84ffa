/* SPDX-License-Identifier: MIT */
/*
 * Several locks at once, without deadlock: in one order for everybody, or by trying and backing off.
 *
 *     void *both[] = {&from->mutex, &to->mutex};
 *     ring3_lockset_lock(&ring3_lockset_mutex, both, 2);       sorts `both` by address
 *     …
 *     ring3_lockset_unlock(&ring3_lockset_mutex, both, 2);     in the opposite order
 *
 * Of the four conditions of a deadlock (Coffman, Elphick and Shoshani 1971) the ordered form breaks
 * the circular wait, and the form that backs off breaks hold and wait: it never waits for a lock
 * while it holds another. Use the first where the set is known; the second where a lock is already
 * held that stands later in the order, or where locks have no common order.
 *
 * A lock that occurs twice in a set is locked once. The locks of a set must be of one kind. These
 * functions keep no state; they are as safe as the locks' own.
 *
 * Order: that of the locks.
 */
#ifndef RING3_LOCKSET_H
#define RING3_LOCKSET_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

RING3_API_BEGIN

/* How to lock one of them. */
typedef struct ring3_lockset_ops {
    void (*lock)(void *lock);
    int (*trylock)(void *lock); /* 0, or an errno that is passed on */
    void (*unlock)(void *lock);
} ring3_lockset_ops_t;

/** For ring3_mutex_t and ring3_spinlock_t. */
extern const ring3_lockset_ops_t ring3_lockset_mutex, ring3_lockset_spinlock;

/** Lock all, from the lowest address to the highest; `locks` is sorted so. */
void ring3_lockset_lock(const ring3_lockset_ops_t *ops, void **locks, size_t count);

/** Lock all or none, without waiting: 0, or what the trylock that failed returned. Sorts `locks`. */
int ring3_lockset_trylock(const ring3_lockset_ops_t *ops, void **locks, size_t count);

/**
 * Lock all, in any order: wait for one with no other in hand, try the others; if one is busy, give
 * all back, pause for a random time, and wait for the busy one next. Sorts `locks`.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL to try for ever; it is looked at between
 * two attempts, and does not cut short the wait for the first lock of an attempt
 * @return 0; -ETIMEDOUT, with none locked; -EINVAL for a malformed time
 */
int ring3_lockset_lock_backoff(const ring3_lockset_ops_t *ops, void **locks, size_t count,
                               const struct timespec *deadline);

/** Unlock all, from the last to the first. `locks` is as the locking call left it. */
void ring3_lockset_unlock(const ring3_lockset_ops_t *ops, void **locks, size_t count);

/**
 * Lock `other` while `held` is held, in the order of their addresses: if `other` comes first and is
 * busy, `held` is dropped and both are locked anew.
 *
 * @return true if `held` was dropped: what the caller knew under it must be looked at again
 *
 * Source: double_lock_balance of Linux.
 */
bool ring3_lockset_add(const ring3_lockset_ops_t *ops, void *held, void *other);

RING3_API_END

#endif
