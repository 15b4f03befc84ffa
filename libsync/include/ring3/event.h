/* SPDX-License-Identifier: MIT */
/*
 * Event: a flag to wait for. Once set it lets everybody pass until it is reset.
 *
 *     static ring3_event_t ready = RING3_EVENT_INIT;    (all-zero is not set)
 *     ring3_event_wait(&ready);                         in those that need it
 *     ring3_event_set(&ready);                          in the one that makes it true
 *
 * word
 *     bits  name     set by                         cleared by
 *     0     set      ring3_event_set                ring3_event_reset
 *     1     waiters  a waiter, before it sleeps     ring3_event_set, which wakes all
 *     2     shared   ring3_event_init               nobody: the event may lie in shared memory
 *     3-31  sets     ring3_event_set counts them (modulo 2^29), so that a waiter passes even if
 *                    the event is reset before it runs
 *
 * ring3_event_set and ring3_event_reset are async-signal-safe. After its one atomic step a set
 * touches only the event's address, so a waiter may free the event at once. Fork: a child must
 * initialise a private event again if anybody waited on it.
 *
 * Order: what came before a set happens before the return of every wait that it lets pass.
 */
#ifndef RING3_EVENT_H
#define RING3_EVENT_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_event {
    uint32_t word;
} ring3_event_t;

#define RING3_EVENT_SET     1u
#define RING3_EVENT_WAITERS 2u
#define RING3_EVENT_SHARED  4u
#define RING3_EVENT_COUNT   8u

#define RING3_EVENT_INIT                                                                           \
    {                                                                                              \
        0                                                                                          \
    }

/** Make the event not set. `shared`: RING3_PRIVATE or RING3_SHARED. */
static inline void ring3_event_init(ring3_event_t *event, int shared)
{
    ring3_store(&event->word, shared == RING3_SHARED ? RING3_EVENT_SHARED : 0, RING3_RELAXED);
}

/** Is it set? */
static inline bool ring3_event_is_set(const ring3_event_t *event)
{
    /* Pairs with the release in ring3_event_set. */
    return (ring3_load(&event->word, RING3_ACQUIRE) & RING3_EVENT_SET) != 0;
}

/**
 * Wait until the event is set.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. A signal handler does not
 * end the wait.
 */
int ring3_event_clockwait(ring3_event_t *event, clockid_t clock, const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC. */
static inline int ring3_event_timedwait(ring3_event_t *event, const struct timespec *deadline)
{
    return ring3_event_clockwait(event, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. */
static inline void ring3_event_wait(ring3_event_t *event)
{
    if (!ring3_event_is_set(event))
        (void)ring3_event_clockwait(event, CLOCK_MONOTONIC, NULL);
}

/** Set the event and let all waiters pass. Setting a set event does nothing. */
void ring3_event_set(ring3_event_t *event);

/** Make the event not set. Who is waiting goes on waiting; who was let pass by a set will pass. */
void ring3_event_reset(ring3_event_t *event);

RING3_API_END

#endif
