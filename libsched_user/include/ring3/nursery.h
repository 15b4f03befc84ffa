/* SPDX-License-Identifier: MIT */
/*
 * Nurseries: threads that do not outlive the block that made them.
 *
 *     ring3_nursery_t nursery;
 *     ring3_nursery_init(&nursery);
 *     ring3_nursery_spawn(&nursery, NULL, fetch, "a");
 *     ring3_nursery_spawn(&nursery, NULL, fetch, "b");
 *     err = ring3_nursery_wait(&nursery, deadline);     all have ended, or the time has passed
 *     ring3_nursery_close(&nursery);                    cancel those that are left, and join them
 *
 * Members may spawn into their nursery. One thread at a time may wait or close. User threads only
 * (ring3/thread.h); not async-signal-safe. A forked child must not use its parent's nurseries.
 * Source: Smith, "Notes on structured concurrency", 2018; libdill's bundles.
 */
#ifndef RING3_NURSERY_H
#define RING3_NURSERY_H

#include "ring3/api.h"
#include "ring3/list.h"
#include "ring3/thread.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/** The fields are private. */
typedef struct ring3_nursery {
    uint32_t lock;
    uint32_t members;
    uint32_t closing;
    void *waiter;
    ring3_list_t list;
} ring3_nursery_t;

void ring3_nursery_init(ring3_nursery_t *nursery);

/** Make a thread in the nursery; its result is ignored. As ring3_thread_create; -ECANCELED while the
 * nursery is being closed. */
int ring3_nursery_spawn(ring3_nursery_t *nursery, const ring3_thread_attr_t *attr,
                        void *(*body)(void *arg), void *arg);

/** Wait until all members have ended. 0; -ETIMEDOUT (deadline on CLOCK_MONOTONIC, NULL for ever);
 * -ECANCELED; -EPERM outside user threads; -EBUSY if another thread waits. */
int ring3_nursery_wait(ring3_nursery_t *nursery, const struct timespec *deadline);

/** Ask all members to end. They remain members until they do. */
void ring3_nursery_cancel(ring3_nursery_t *nursery);

/** Cancel all members and wait for them, also if the caller itself is cancelled. Then the nursery is
 * empty and may be used again. 0; -EPERM; -EBUSY. */
int ring3_nursery_close(ring3_nursery_t *nursery);

RING3_API_END

#endif
