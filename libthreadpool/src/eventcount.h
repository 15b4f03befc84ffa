/* SPDX-License-Identifier: MIT */
/*
 * Eventcount: sleep until some condition over shared memory may have become true, without a lock,
 * and at no cost to who makes it true while nobody sleeps. Source: Vyukov, "Eventcounts", 2010
 * (epoch and re-check); the asymmetric fences of ring3/arch.h.
 *
 *     sleeper:  key = eventcount_prepare(e);          waker:  make the condition true
 *               if (condition) eventcount_cancel(e);          eventcount_notify(e);
 *               else eventcount_wait(e, key);
 *
 * epoch     incremented by each notification that finds sleepers
 * sleepers  contexts between prepare and the end of wait or cancel
 * waking    1 while one is being woken: further notifications leave it to that one, which looks
 *           after it has cleared the flag, and when it finds something notifies the next
 *
 * Whoever clears `waking` (prepare, wait) fences and looks afterwards, so a notification that was
 * left out is not lost. The key is drawn before `waking` is cleared: a notifier that sets the flag after that
 * changes the epoch after that, too, and who sleeps on the key sees it.
 */
#ifndef RING3_EVENTCOUNT_H
#define RING3_EVENTCOUNT_H

#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stdint.h>

struct eventcount {
    uint32_t sleepers, waking;
    uint32_t epoch;
    uint32_t unsure; /* 1: a fence was refused, and notifiers may overlook sleepers */
} RING3_CACHE_ALIGNED;

void eventcount_notify_slow(struct eventcount *event);

/* Wake one sleeper, if there is any and none is being woken. Call after the store that makes the
 * condition true. */
static inline void eventcount_notify(struct eventcount *event)
{
    ring3_fence_light(); /* pairs with the heavy fence in eventcount_prepare */
    if (ring3_unlikely(ring3_load(&event->sleepers, RING3_RELAXED)))
        eventcount_notify_slow(event);
}

/* Announce that this context is about to sleep. Look at the condition between this and wait. */
uint32_t eventcount_prepare(struct eventcount *event);

/* The condition is true: do not sleep. */
void eventcount_cancel(struct eventcount *event);

/* Sleep until notified since the key was drawn. Then look: others leave it to us. */
void eventcount_wait(struct eventcount *event, uint32_t key);

#endif
