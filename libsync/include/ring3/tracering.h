/* SPDX-License-Identifier: MIT */
/*
 * Trace ring: the last records of what has happened, the oldest overwritten, in memory of the
 * caller. Every record has a number, from 0; a reader asks for those from its own number on.
 *
 *     static struct event slots[500];
 *     static ring3_tracering_t ring = RING3_TRACERING_INIT(slots, 500);
 *     ring3_tracering_start(&ring);
 *     ring3_tracering_add(&ring, &event);
 *     n = ring3_tracering_read(&ring, &counter, events, 64, &deadline);    blocks until there are some
 *
 * running  1 between start and stop, each of which succeeds for one caller only
 * guard    around a copy of one record, or of a reader's batch
 * count    records added; the last min(count, capacity) are there
 * waiters  how many readers sleep on `count`
 *
 * Adding takes a spinlock for the time of one copy, and costs one load while the ring is stopped. Not
 * async-signal-safe. For threads of one process; in a child of fork call ring3_tracering_init anew.
 *
 * Order: what came before an add happens before the read that returns the record.
 */
#ifndef RING3_TRACERING_H
#define RING3_TRACERING_H

#include "ring3/api.h"
#include "ring3/ttas.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_tracering {
    void *slots;
    size_t size;       /* of a record */
    uint64_t capacity; /* records */
    uint64_t count;
    uint32_t running, waiters, word;
    ring3_ttas_t guard;
} ring3_tracering_t;

/* `slots_` is an array. */
#define RING3_TRACERING_INIT(slots_, capacity_)                                                    \
    {                                                                                              \
        (slots_), sizeof *(slots_), (capacity_), 0, 0, 0, 0,                                       \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

void ring3_tracering_init(ring3_tracering_t *ring, void *slots, size_t size, size_t capacity);

/** Begin to record. 0; -EALREADY if it is running. */
int ring3_tracering_start(ring3_tracering_t *ring);

/** End it; readers that sleep return. 0; -EALREADY if it is stopped. */
int ring3_tracering_stop(ring3_tracering_t *ring);

/** Copy a record into the ring if it is running. */
void ring3_tracering_add(ring3_tracering_t *ring, const void *record);

/** Copy the newest `max` records, oldest first; returns how many. `first` gets the number of the
 * first one; may be NULL. */
size_t ring3_tracering_snapshot(ring3_tracering_t *ring, void *records, size_t max,
                                uint64_t *first);

/**
 * Copy up to `max` records from number *counter on, which is advanced behind the last one copied; if
 * they have been overwritten, from the oldest there is. Waits until there is one.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL to wait for ever
 * @return how many, at least 1; 0 if the ring is stopped and there is none; -ETIMEDOUT; -EINVAL for
 * a malformed time
 */
long ring3_tracering_read(ring3_tracering_t *ring, uint64_t *counter, void *records, size_t max,
                          const struct timespec *deadline);

RING3_API_END

#endif
