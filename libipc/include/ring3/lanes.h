/* SPDX-License-Identifier: MIT */
/*
 * Many writers, one reader or many: a ring of its own for each writer (a lane), in one block of memory.
 *
 *     ring3_lanes_format(memory, bytes, 4);                 // once
 *     ring3_lanes_attach(&lanes, memory, bytes);            // everybody
 *
 *     ring3_lane_open(&lane, &lanes);                       ring3_lanes_reader_open(&reader, &lanes, 64);
 *     ring3_lane_send(&lane, data, size, 0, NULL);          ring3_lanes_receive(&reader, …);
 *
 * Writers share no word among themselves and use no compare-and-swap: a writer that stops or dies at
 * any instruction delays nobody, and loses only what it had not published. Records of one writer stay
 * in order; between writers there is none.
 *
 * Readers take turns at the lanes: who has locked a lane reads up to `batch` records and passes on. If a
 * reader dies with a lane, another one takes it over, and receives again (marked so) what the dead one
 * had not given back: at least once. With one reader every record comes exactly once.
 *
 * A lane whose writer has died is read to its end and given to the next writer that comes. Whether a
 * process lives is asked of the kernel (pid and start time), never guessed from time; all must be in
 * one pid namespace. Senseless words in a lane are counted (refused), and what its writer had published
 * is passed over; other lanes go on.
 *
 * head      waiting  1 when a reader may sleep. Set by readers; cleared by the writer that wakes them
 *           bell     counts wakings; readers sleep on it
 * per lane  writer   who has it: pid << 32 | low half of the start time. Set by compare-and-swap from 0 or
 *                    from the word of a dead process; cleared by its writer
 *           reader   the same for the reader at work
 *
 * One thread per ring3_lane_t and ring3_lanes_reader_t. Not async-signal-safe. A forked child opens its
 * own. Source: ring3/ring.h for the lanes themselves.
 */
#ifndef RING3_LANES_H
#define RING3_LANES_H

#include "ring3/api.h"
#include "ring3/ring.h"

RING3_API_BEGIN

#define RING3_LANES_MAX 64

typedef struct ring3_lanes_head {
    uint32_t magic, count;
    uint32_t capacity, shared;
    char apart[RING3_RING_APART - 16];
    uint32_t waiting, bell;
    char apart_too[RING3_RING_APART - 8];
} ring3_lanes_head_t;

typedef struct ring3_lane_owner {
    uint64_t writer;
    char apart[RING3_RING_APART - 8];
    uint64_t reader;
    char apart_too[RING3_RING_APART - 8];
} ring3_lane_owner_t;

/* What one process knows of the block. */
typedef struct ring3_lanes {
    ring3_lanes_head_t *head;
    uint32_t count, capacity, shared;
} ring3_lanes_t;

typedef struct ring3_lane {
    ring3_lanes_t lanes;
    ring3_lane_owner_t *owner;
    ring3_ring_writer_t writer; /* claim and commit with it; publish with ring3_lane_publish */
    uint64_t me;
} ring3_lane_t;

typedef struct ring3_lanes_reader {
    ring3_lanes_t lanes;
    uint64_t me;
    uint32_t batch, left; /* records per turn; left of this one */
    uint32_t at;          /* the lane we have, or looked at last */
    uint32_t has;         /* we have it */
    uint32_t again;       /* so many records may have been seen by a reader that died */
    uint64_t records, taken_over, refused;
    ring3_ring_reader_t readers[RING3_LANES_MAX];
} ring3_lanes_reader_t;

/** Bytes for `count` lanes of `capacity` (a power of two, at least 64). */
size_t ring3_lanes_size(uint32_t count, uint32_t capacity);

/** Lay out lanes of the largest capacity that fits; the memory is 128-byte aligned and zeroed. Only
 * one process does. @return 0, -EINVAL (too small, or more than RING3_LANES_MAX) */
int ring3_lanes_format(void *memory, size_t bytes, uint32_t count, int shared);

/** @return 0; -EBADMSG (not formatted, or for more memory than `bytes`) */
int ring3_lanes_attach(ring3_lanes_t *lanes, void *memory, size_t bytes);

/** Take a lane that is free, or whose writer has died. @return 0; -EBUSY (none); -ESRCH, … (no /proc) */
int ring3_lane_open(ring3_lane_t *lane, const ring3_lanes_t *lanes);
void ring3_lane_close(ring3_lane_t *lane);

void ring3_lanes_wake(ring3_lanes_head_t *head, int shared);

/** Let the readers see what was committed. */
static inline void ring3_lane_publish(ring3_lane_t *lane)
{
    ring3_ring_publish(&lane->writer);
    /* After the fence in publish; pairs with the heavy one of a reader that goes to sleep. */
    if (ring3_unlikely(ring3_load(&lane->lanes.head->waiting, RING3_RELAXED)))
        ring3_lanes_wake(lane->lanes.head, (int)lane->lanes.shared);
}

/** Send one record, waiting for room. @return 0; -ETIMEDOUT, -EMSGSIZE, -EPROTO, -EINVAL */
int ring3_lane_send(ring3_lane_t *lane, const void *data, size_t size, uint32_t type,
                    const struct timespec *deadline);

/**
 * Begin to read.
 * @param batch  records per turn at a lane, at least 1: so many may come twice after a reader's death.
 *               0: this is the only reader, and keeps every lane
 */
int ring3_lanes_reader_open(ring3_lanes_reader_t *reader, const ring3_lanes_t *lanes,
                            uint32_t batch);

/** Give back what was received, and the lanes. */
void ring3_lanes_reader_close(ring3_lanes_reader_t *reader);

typedef struct ring3_lanes_record {
    uint32_t lane, type;
    bool again; /* a reader that died may have received it too */
} ring3_lanes_record_t;

/** Copy the next record out, waiting for it. `record` may be NULL.
 * @return its size; -EMSGSIZE (left there), -ETIMEDOUT, -EINVAL */
ptrdiff_t ring3_lanes_receive(ring3_lanes_reader_t *reader, void *buffer, size_t size,
                              ring3_lanes_record_t *record, const struct timespec *deadline);

RING3_API_END

#endif
