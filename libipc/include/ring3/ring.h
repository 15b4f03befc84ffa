/* SPDX-License-Identifier: MIT */
/*
 * Ring: records of any size from one writer to one reader, through memory that both can reach: of one
 * process, or shared between two. No system call while both are awake.
 *
 *     ring3_ring_place(&ring, memory, sizeof memory, RING3_SHARED);   // each side; zeroed memory is empty
 *
 *     ring3_ring_writer_init(&writer, &ring);         ring3_ring_reader_init(&reader, &ring);
 *     slot = ring3_ring_claim(&writer, size);         while (ring3_ring_peek(&reader, &record) == 0) {
 *     … fill slot …                                       … use record.data …
 *     ring3_ring_commit(&writer, size, 0);                ring3_ring_release(&reader);
 *     ring3_ring_publish(&writer);                    }
 *     ring3_ring_writer_wait(&writer, size, NULL);    ring3_ring_reader_wait(&reader, NULL);
 *
 * What is claimed and not committed is given up by claiming again (abort). Many commits may share one
 * publish, which is the only access that the reader's CPU feels.
 *
 * Shared words: each side writes one ring3_ring_end_t and nothing else of the other's
 *     position  writer: bytes published; reader: bytes given back; both only grow, by multiples of 8.
 *               Bit 0 says that this side has closed
 *     waiting   0 awake; else bits 0-1 how it sleeps (RING3_RING_BY_*), the rest counts its sleeps
 *     cpu       1 + the CPU it last ran on, a hint; 0 unknown
 *     fences    1 if its process takes part in global heavy fences
 * Invariant: reader's position <= writer's position <= reader's position + capacity.
 *
 * A record is 8 bytes of header (length, type), the data, and padding to 8 bytes. Where the memory is
 * mapped twice in a row (ring3_ring_map), no record is cut and any size up to the capacity fits;
 * elsewhere a record that would be cut is moved to the start, and the largest is half of that.
 *
 * Trust: a side keeps its own position, the capacity and the place of everything in private, loads
 * each shared word once, and checks it: whatever the peer writes there, nothing outside the ring is
 * read or written and no loop runs for ever (-EPROTO). Data that was peeked is still the peer's to
 * change; copy it (ring3_ring_read) before you judge it.
 *
 * A side that dies leaves the ring whole: what it had not published never was. A new one may take
 * its place by initialising a writer or reader over the same memory.
 *
 * One thread per side at a time. Not async-signal-safe. After fork only one of the two processes may
 * go on with a side. Sources: Lamport 1983 (one writer per index); Thompson et al., Aeron (record
 * header, batches); Dice, Huang, Yang 2001 (the sleeper pays for the fence).
 */
#ifndef RING3_RING_H
#define RING3_RING_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

RING3_API_BEGIN

/* What may not share a cache line is this far apart: adjacent lines are fetched in pairs. */
#define RING3_RING_APART  128
#define RING3_RING_HEADER 8
/* Largest capacity: a sleeper looks at the low half of a position, which must not come round. */
#define RING3_RING_MAX      (1u << 30)

#define RING3_RING_CLOSED   1u /* in position */

#define RING3_RING_BY_FUTEX 1u /* waiting: sleeps on the low half of the peer's position */
#define RING3_RING_BY_BELL  2u /* waiting: wants its event descriptor raised */

typedef struct ring3_ring_end {
    uint64_t position;
    char apart[RING3_RING_APART - 8];
    uint32_t waiting, cpu, fences, unused;
    char apart_too[RING3_RING_APART - 16];
} ring3_ring_end_t;

/* Ahead of the data, where one block of memory holds it all. */
#define RING3_RING_ENDS (2 * sizeof(ring3_ring_end_t))

/** Where a ring is, in this process. */
typedef struct ring3_ring {
    ring3_ring_end_t *writer, *reader; /* the side that is not one's own may be mapped read-only */
    void *data;                        /* 8-byte aligned; the reader may have it read-only */
    uint32_t capacity;                 /* bytes, a power of two */
    uint32_t mirrored;                 /* the data is mapped twice in a row */
    uint32_t shared;                   /* RING3_SHARED or RING3_PRIVATE */
    size_t mapped; /* bytes mapped ahead of the data; 0: it is the caller's memory */
} ring3_ring_t;

typedef struct ring3_ring_side {
    ring3_ring_end_t *mine;
    const ring3_ring_end_t *peer;
    unsigned char *data;
    uint64_t sleeps, wakes; /* so often it went to sleep, and woke its peer */
    uint32_t capacity, mirrored, shared;
    uint32_t light;          /* this process takes part in global fences: ours need not be one */
    uint32_t woken;          /* the peer's `waiting` that was last dealt with */
    uint32_t cpu;            /* what `mine` says */
    int32_t bell;            /* event descriptor to raise for a peer that wants it, or -1 */
    uint32_t bell_is_socket; /* one to send a byte to instead, which cannot block us */
    uint32_t broken;
    uint32_t crowded; /* so many waits more without yielding: others want the CPU */
    uint32_t turns;   /* that the last wait spun */
} ring3_ring_side_t;

typedef struct ring3_ring_writer {
    ring3_ring_side_t side;
    uint64_t tail;    /* where the next record goes */
    uint64_t seen;    /* the reader's position, as last checked */
    uint64_t records; /* committed */
} ring3_ring_writer_t;

typedef struct ring3_ring_reader {
    ring3_ring_side_t side;
    uint64_t head; /* the next record */
    uint64_t seen; /* the writer's position, as last checked */
    uint64_t given;
    uint64_t span; /* of the record that was peeked */
    uint64_t records;
} ring3_ring_reader_t;

typedef struct ring3_record {
    const void *data; /* 8-byte aligned */
    uint32_t size;
    uint32_t type;
} ring3_record_t;

/* Type of the filler that moves a record to the start; the caller's are below. */
#define RING3_RING_FILLER 0xffffffffu

/* --- Where it is ------------------------------------------------------------------------------- */

/** Lay a ring over `bytes` bytes at `memory` (8-byte aligned): both ends, then the largest power of
 * two of data that fits. Same bytes, same layout. @return 0; -EINVAL (fewer than RING3_RING_ENDS + 64) */
int ring3_ring_place(ring3_ring_t *ring, void *memory, size_t bytes, int shared);

/**
 * Map a ring, its data twice in a row, from a memory file of ring3_ring_file_size bytes: at `offset`
 * the page of the ends, and behind it the data. A new one is made by ring3_memfd_create.
 *
 * @param capacity  bytes, a power of two, at least a page
 * @return 0; -EINVAL, -ENOMEM, -EACCES, -EPERM
 */
int ring3_ring_map(ring3_ring_t *ring, int fd, uint64_t offset, uint32_t capacity);
size_t ring3_ring_file_size(uint32_t capacity);

/** The same without a file to pass on, for threads, and children of fork. */
int ring3_ring_create(ring3_ring_t *ring, uint32_t capacity);

/** Unmap what map and create have mapped. */
void ring3_ring_unmap(ring3_ring_t *ring);

/* --- Waking (the slow halves of what is below) -------------------------------------------------- */

void ring3_ring_wake(ring3_ring_side_t *side, uint32_t waiting);
bool ring3_ring_writer_refresh(ring3_ring_writer_t *writer, uint64_t need);
int ring3_ring_reader_refresh(ring3_ring_reader_t *reader);

/* After the store of a position: wake the peer if it sleeps. */
static inline void ring3_ring_notify(ring3_ring_side_t *side)
{
    uint32_t cpu = (uint32_t)ring3_cpu() + 1;

    if (ring3_unlikely(cpu != side->cpu)) {
        side->cpu = cpu;
        ring3_store(&side->mine->cpu, cpu, RING3_RELAXED);
    }
    /* Pairs with the heavy fence in ring3_ring_arm. */
    if (ring3_likely(side->light))
        ring3_compiler_barrier();
    else
        ring3_fence_full();
    const uint32_t waiting = ring3_load(&side->peer->waiting, RING3_RELAXED);

    if (ring3_unlikely(waiting != side->woken))
        ring3_ring_wake(side, waiting);
}

/* --- Writing ----------------------------------------------------------------------------------- */

/** Begin to write where the last writer ended. @return 0; -EPROTO (the positions make no sense) */
int ring3_ring_writer_init(ring3_ring_writer_t *writer, const ring3_ring_t *ring);

/** The largest record. */
static inline size_t ring3_ring_largest(const ring3_ring_side_t *side)
{
    return (side->mirrored ? side->capacity : side->capacity / 2) - RING3_RING_HEADER;
}

static inline uint64_t ring3_ring_span(size_t size)
{
    return RING3_RING_HEADER + (((uint64_t)size + 7) & ~UINT64_C(7));
}

static inline void ring3_ring_put_header(ring3_ring_writer_t *writer, uint32_t size, uint32_t type)
{
    const uint64_t header = (uint64_t)type << 32 | size;

    memcpy(writer->side.data + (writer->tail & (writer->side.capacity - 1)), &header,
           sizeof header);
}

/**
 * Room for a record of `size` bytes, in one piece, 8-byte aligned.
 *
 * @return where to write it; NULL when there is no room now, `size` exceeds ring3_ring_largest, or
 *         the reader has spoilt the ring: ring3_ring_writer_wait tells which
 */
static inline void *ring3_ring_claim(ring3_ring_writer_t *writer, size_t size)
{
    const uint32_t capacity = writer->side.capacity;
    const uint64_t span = ring3_ring_span(size);
    const uint64_t at = writer->tail & (capacity - 1);
    const uint64_t filler =
        writer->side.mirrored || span <= capacity - at ? 0 : (uint64_t)capacity - at;

    if (ring3_unlikely(size > ring3_ring_largest(&writer->side)))
        return NULL;
    if (ring3_unlikely(writer->tail + filler + span - writer->seen > capacity) &&
        !ring3_ring_writer_refresh(writer, filler + span))
        return NULL;
    if (ring3_unlikely(filler)) {
        ring3_ring_put_header(writer, (uint32_t)filler - RING3_RING_HEADER, RING3_RING_FILLER);
        writer->tail += filler;
    }
    return writer->side.data + (writer->tail & (capacity - 1)) + RING3_RING_HEADER;
}

/** Add the claimed record, of `size` bytes or fewer than claimed; the reader sees it when published. */
static inline void ring3_ring_commit(ring3_ring_writer_t *writer, size_t size, uint32_t type)
{
    ring3_ring_put_header(writer, (uint32_t)size, type);
    writer->tail += ring3_ring_span(size);
    writer->records++;
}

/** Let the reader see all that was committed, and wake it if it sleeps. */
static inline void ring3_ring_publish(ring3_ring_writer_t *writer)
{
    /* Pairs with the acquire in ring3_ring_reader_refresh. */
    ring3_store(&writer->side.mine->position, writer->tail, RING3_RELEASE);
    ring3_ring_notify(&writer->side);
}

/** Copy one record in, without publishing. @return 0; -EAGAIN (see ring3_ring_claim) */
static inline int ring3_ring_put(ring3_ring_writer_t *writer, const void *data, size_t size,
                                 uint32_t type)
{
    void *const slot = ring3_ring_claim(writer, size);

    if (ring3_unlikely(!slot))
        return -EAGAIN;
    memcpy(slot, data, size);
    ring3_ring_commit(writer, size, type);
    return 0;
}

/**
 * Publish, then wait until a record of `size` bytes can be claimed.
 * @return 0; -ETIMEDOUT; -EPIPE (the reader has closed); -EMSGSIZE (it never can); -EPROTO; -EINVAL
 */
int ring3_ring_writer_wait(ring3_ring_writer_t *writer, size_t size,
                           const struct timespec *deadline);

/** Publish, and say that no more will come. */
void ring3_ring_writer_close(ring3_ring_writer_t *writer);

/* --- Reading ----------------------------------------------------------------------------------- */

/** Begin to read where the last reader ended. @return 0; -EPROTO */
int ring3_ring_reader_init(ring3_ring_reader_t *reader, const ring3_ring_t *ring);

int ring3_ring_peek_slow(ring3_ring_reader_t *reader, ring3_record_t *record);

/**
 * The next record, where it lies. It stays there until released.
 * @return 0; -EAGAIN (none now); -EPIPE (none, and the writer has closed); -EPROTO
 */
static inline int ring3_ring_peek(ring3_ring_reader_t *reader, ring3_record_t *record)
{
    const uint64_t at = reader->head & (reader->side.capacity - 1);
    uint64_t header, span;

    if (ring3_unlikely(reader->head == reader->seen))
        return ring3_ring_peek_slow(reader, record);
    /* Once: the writer may be hostile and change it between two looks. */
    header = ring3_load((const uint64_t *)(const void *)(reader->side.data + at), RING3_RELAXED);
    span = ring3_ring_span((uint32_t)header);
    if (ring3_unlikely(span > reader->seen - reader->head ||
                       (!reader->side.mirrored && span > reader->side.capacity - at) ||
                       (uint32_t)(header >> 32) == RING3_RING_FILLER))
        return ring3_ring_peek_slow(reader, record);
    record->data = reader->side.data + at + RING3_RING_HEADER;
    record->size = (uint32_t)header;
    record->type = (uint32_t)(header >> 32);
    reader->span = span;
    return 0;
}

/** Give all room up to the present place back to the writer. Done by itself every eighth of the
 * capacity, and when the ring is found empty. */
static inline void ring3_ring_give_back(ring3_ring_reader_t *reader)
{
    reader->given = reader->head;
    /* Pairs with the acquire in ring3_ring_writer_refresh: we have read what may be overwritten. */
    ring3_store(&reader->side.mine->position, reader->head, RING3_RELEASE);
    ring3_ring_notify(&reader->side);
}

/** Be done with the record that was peeked last. */
static inline void ring3_ring_release(ring3_ring_reader_t *reader)
{
    reader->head += reader->span;
    reader->span = 0;
    reader->records++;
    if (ring3_unlikely(reader->head - reader->given >= reader->side.capacity / 8))
        ring3_ring_give_back(reader);
}

/**
 * Copy the next record out.
 * @param type  may be NULL
 * @return its size; -EAGAIN, -EPIPE, -EPROTO; -EMSGSIZE: it is longer than `size` and was left there
 */
static inline ptrdiff_t ring3_ring_read(ring3_ring_reader_t *reader, void *buffer, size_t size,
                                        uint32_t *type)
{
    ring3_record_t record;
    const int err = ring3_ring_peek(reader, &record);

    if (ring3_unlikely(err))
        return err;
    if (ring3_unlikely(record.size > size))
        return -EMSGSIZE;
    memcpy(buffer, record.data, record.size);
    if (type)
        *type = record.type;
    ring3_ring_release(reader);
    return (ptrdiff_t)record.size;
}

/** Wait until there is a record. @return 0; -ETIMEDOUT; -EPIPE (closed, and all was read); -EPROTO; -EINVAL */
int ring3_ring_reader_wait(ring3_ring_reader_t *reader, const struct timespec *deadline);

/** Say that nothing more will be read. */
void ring3_ring_reader_close(ring3_ring_reader_t *reader);

/* --- Waiting elsewhere, e.g. in poll ------------------------------------------------------------ */

/**
 * Look at a word of the peer's for a while before going to sleep: as long as that can help, which is
 * while the peer runs on another CPU (at most some 25 us), or has just been given this one.
 * @return true when it is no longer `seen`
 */
bool ring3_ring_spin(ring3_ring_side_t *side, const uint64_t *word, uint64_t seen);

/**
 * Announce a sleep: from now on the peer's next publish or give-back wakes this side. Look once more
 * before sleeping.
 *
 * @param how  RING3_RING_BY_FUTEX, RING3_RING_BY_BELL or both
 * @return true; false if the peer's announcements cannot be relied upon (a sandbox took membarrier
 *         away): then sleep for a millisecond at most
 */
bool ring3_ring_arm(ring3_ring_side_t *side, uint32_t how);
void ring3_ring_disarm(ring3_ring_side_t *side);

RING3_API_END

#endif
