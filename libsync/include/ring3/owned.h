/* SPDX-License-Identifier: MIT */
/*
 * Mutexes that know their owner: one that reports misuse, and one that its owner may lock again.
 *
 *     static ring3_owned_t mutex = RING3_OWNED_INIT(RING3_OWNED_RECURSIVE);
 *     err = ring3_owned_lock(&mutex);
 *
 * mutex  the default mutex below (ring3/mutex.h), for threads of one process
 * kind   ring3_owned_kind_t; all-zero checks for errors
 * owner  the owner's ring3_self(), NULL when free. Written by the owner only; who reads its own
 *        context there is the owner, and for anybody else it is never that, so no order is needed
 * depth  how often the owner has locked it besides the first time; owner only
 *
 * The owner is the execution context: a kernel thread, or a user thread. In a child of fork the
 * forking thread still owns what it owned. Otherwise all is as in ring3/mutex.h, including: not
 * async-signal-safe, no cancellation point.
 *
 * Order: what came before the last unlock happens before everything after the next first lock.
 */
#ifndef RING3_OWNED_H
#define RING3_OWNED_H

#include "ring3/api.h"
#include "ring3/mutex.h"
#include "ring3/self.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef enum ring3_owned_kind {
    RING3_OWNED_ERRORCHECK, /* the default, all-zero: the owner's second lock is -EDEADLK */
    RING3_OWNED_RECURSIVE,  /* the owner may lock again, and unlocks as often */
} ring3_owned_kind_t;

typedef struct ring3_owned {
    ring3_mutex_t mutex;
    uint32_t kind;
    ring3_self_t *owner;
    uint32_t depth, unused;
} ring3_owned_t;

#define RING3_OWNED_INIT(kind)                                                                     \
    {                                                                                              \
        {0}, (kind), 0, 0, 0                                                                       \
    }

/** Make the mutex free. 0; -EINVAL for another kind. */
int ring3_owned_init(ring3_owned_t *mutex, ring3_owned_kind_t kind);

/**
 * Lock, waiting until `deadline` at most.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -EDEADLK if the caller has it and it is not recursive; -EAGAIN if it is, and has been
 * locked 2^32 times; -ETIMEDOUT; -EINVAL for another clock or a malformed time
 */
int ring3_owned_clocklock(ring3_owned_t *mutex, clockid_t clock, const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_owned_timedlock(ring3_owned_t *mutex, const struct timespec *deadline)
{
    return ring3_owned_clocklock(mutex, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. 0; -EDEADLK; -EAGAIN. */
static inline int ring3_owned_lock(ring3_owned_t *mutex)
{
    return ring3_owned_clocklock(mutex, CLOCK_MONOTONIC, NULL);
}

/** 0; -EBUSY (also to the owner, if not recursive); -EAGAIN. */
int ring3_owned_trylock(ring3_owned_t *mutex);

/** 0; -EPERM if the caller does not have it. */
int ring3_owned_unlock(ring3_owned_t *mutex);

RING3_API_END

#endif
