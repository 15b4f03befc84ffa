/* SPDX-License-Identifier: MIT */
#include "eventcount.h"

#include "ring3/wait.h"

/* When the kernel refuses membarrier after having agreed to it (a sandbox was entered), a notifier
 * may overlook us; then we look ourselves, this often. */
#define NAP_NS 1000000

void eventcount_notify_slow(struct eventcount *event)
{
    /* The load keeps the line shared while somebody is on the way. */
    if (ring3_load(&event->waking, RING3_RELAXED))
        return;
    /* Pairs with the release in clear_waking: the change of the epoch comes after the key of who
     * cleared the flag. */
    if (ring3_exchange(&event->waking, 1, RING3_ACQ_REL))
        return;
    /* Pairs with the acquires in eventcount_prepare and ring3_wait_change. */
    (void)ring3_fetch_add(&event->epoch, 1, RING3_RELEASE);
    ring3_wait_wake(&event->epoch);
}

static void clear_waking(struct eventcount *event)
{
    /* Pairs with the exchange in eventcount_notify_slow. */
    ring3_store(&event->waking, 0, RING3_RELEASE);
    /* Pairs with the light fence in eventcount_notify: either a notifier sees the sleeper and the
     * cleared flag, or we see the condition. */
    if (!ring3_fence_heavy())
        ring3_store(&event->unsure, 1, RING3_RELAXED);
}

uint32_t eventcount_prepare(struct eventcount *event)
{
    (void)ring3_fetch_add(&event->sleepers, 1, RING3_RELAXED);
    /* Pairs with the release in eventcount_notify_slow. */
    const uint32_t key = ring3_load(&event->epoch, RING3_ACQUIRE);

    clear_waking(event);
    return key;
}

void eventcount_cancel(struct eventcount *event)
{
    (void)ring3_fetch_sub(&event->sleepers, 1, RING3_RELAXED);
}

void eventcount_wait(struct eventcount *event, uint32_t key)
{
    const struct timespec nap = ring3_deadline_in(CLOCK_MONOTONIC, NAP_NS);
    const bool unsure = ring3_load(&event->unsure, RING3_RELAXED);

    /* Pairs with the release in eventcount_notify_slow. */
    (void)ring3_wait_change(&event->epoch, key, RING3_WAIT_ADAPTIVE, unsure ? &nap : NULL);
    (void)ring3_fetch_sub(&event->sleepers, 1, RING3_RELAXED);
    clear_waking(event);
}
