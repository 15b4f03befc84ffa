/* SPDX-License-Identifier: MIT */
/*
 * Wait queue as in kernels: the waiter stands in the queue first and looks at its condition then, so
 * that no wake-up between the two is lost.
 *
 *     waiting:  ring3_waitq_entry_t me = RING3_WAITQ_ENTRY;
 *               for (;;) {
 *                   ring3_waitq_prepare(&queue, &me, RING3_WAITQ_EXCLUSIVE);
 *                   if (condition)
 *                       break;
 *                   result = ring3_waitq_sleep(&me, RING3_WAITQ_INTERRUPTIBLE, clock, deadline, NULL);
 *                   if (result != 0)
 *                       break;
 *               }
 *               ring3_waitq_finish(&queue, &me);
 *
 *     waking:   condition = true;
 *               ring3_waitq_wake(&queue, 1, 0);
 *
 * A wake-up goes through the queue from its front: all plain waiters that match are woken, and
 * `count` exclusive ones (0: all). Plain waiters stand at the front, exclusive ones behind them in
 * order of arrival, or, with RING3_WAITQ_LIFO, in the opposite order: who slept last has the warmest
 * caches. A waiter with a key matches wake-ups with the same key, and wake-ups without one (0); one
 * without a key matches all. A waiter's own `wake` function may refuse, or do something else than
 * wake it.
 *
 * A woken waiter has left the queue. If it finds its condition false, it prepares anew and stands at
 * the end. All-zero is an empty queue; it may be freed when nobody stands in it. For kernel and user
 * threads of one process. Not async-signal-safe; no cancellation point. In a child of fork it must
 * be made all-zero again.
 *
 * Order: what came before a wake-up happens before the return of the sleeps that it ends.
 * Source: Linux, include/linux/wait.h.
 */
#ifndef RING3_WAITQ_H
#define RING3_WAITQ_H

#include "ring3/api.h"
#include "ring3/list.h"
#include "ring3/self.h"
#include "ring3/ttas.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_waitq_entry {
    ring3_list_t link;
    ring3_self_t *self;
    uintptr_t key;
    /* Under the queue's lock; true: take the entry out and wake it. NULL: always true. */
    bool (*wake)(struct ring3_waitq_entry *entry, uintptr_t key);
    void *context; /* for `wake` */
    uint32_t flags, state;
    struct ring3_waitq_entry *chain;
    ring3_list_t token_link;
    struct ring3_cancel *token;
} ring3_waitq_entry_t;

/* Set `key`, `wake` and `context` after this if they are wanted. */
#define RING3_WAITQ_ENTRY                                                                          \
    {                                                                                              \
        {0, 0}, 0, 0, 0, 0, 0, 0, 0, {0, 0}, 0                                                     \
    }

typedef struct ring3_waitq {
    ring3_ttas_t guard;
    ring3_list_t entries; /* all-zero: empty */
} ring3_waitq_t;

#define RING3_WAITQ_EXCLUSIVE 1u
#define RING3_WAITQ_LIFO      2u

typedef enum ring3_waitq_mode {
    RING3_WAITQ_UNINTERRUPTIBLE,
    RING3_WAITQ_INTERRUPTIBLE, /* a signal handler that has run ends the sleep: -EINTR */
} ring3_waitq_mode_t;

/** A token ends the sleeps that were given it, now and later. All-zero is not cancelled. */
typedef struct ring3_cancel {
    ring3_ttas_t guard;
    uint32_t cancelled;
    ring3_list_t sleepers;
} ring3_cancel_t;

/** Stand in the queue, if not there yet, and be counted as asleep from now on. */
void ring3_waitq_prepare(ring3_waitq_t *queue, ring3_waitq_entry_t *entry, uint32_t flags);

/**
 * Sleep until a wake-up since prepare.
 *
 * @param deadline  absolute time on `clock` (CLOCK_MONOTONIC or CLOCK_REALTIME), or NULL for ever
 * @param token     ends the sleep when it is cancelled; may be NULL
 * @return 0; -ETIMEDOUT; -EINTR; -ECANCELED; -EINVAL. In every case ring3_waitq_finish is due.
 */
int ring3_waitq_sleep(ring3_waitq_entry_t *entry, ring3_waitq_mode_t mode, clockid_t clock,
                      const struct timespec *deadline, ring3_cancel_t *token);

/** Leave the queue. True if the entry had been woken: an exclusive waiter that does not use the
 * wake-up should pass it on. */
bool ring3_waitq_finish(ring3_waitq_t *queue, ring3_waitq_entry_t *entry);

/** Wake those who match, `count` exclusive ones at most (0: all). Returns how many were woken. */
int ring3_waitq_wake(ring3_waitq_t *queue, int count, uintptr_t key);

/** True if somebody stands in the queue. After a store it needs a full fence in between to be
 * relied on. */
bool ring3_waitq_active(ring3_waitq_t *queue);

/** End all sleeps that were given the token. Thread-safe. */
void ring3_cancel(ring3_cancel_t *token);

static inline bool ring3_cancelled(const ring3_cancel_t *token)
{
    return ring3_load(&token->cancelled, RING3_ACQUIRE) != 0;
}

RING3_API_END

#endif
