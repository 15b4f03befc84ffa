/* SPDX-License-Identifier: MIT */
/*
 * Sequence counter and sequence lock: readers write nothing; they read, and read again if a writer
 * was there meanwhile.
 *
 *     reading:   do {
 *                    seen = ring3_seqcount_begin(&count);
 *                    … copy the data, word by word, with ring3_load(…, RING3_RELAXED) …
 *                } while (ring3_seqcount_retry(&count, seen));
 *
 *     writing:   ring3_seqlock_lock(&lock);
 *                … ring3_store(…, RING3_RELAXED) …
 *                ring3_seqlock_unlock(&lock);
 *
 * ring3_seqcount_t is for one writer, or writers that exclude each other by other means;
 * ring3_seqlock_t brings a mutex for them.
 *
 * sequence  odd while a writer is at work; written by the writer only, adding 1 at each end
 *
 * Readers never hold up a writer, but may be held up by writers for ever. What they have read is not
 * consistent before the retry has said so: do not follow pointers in it. The data must be accessed
 * atomically (relaxed is enough), because reading and writing overlap. A copy between whose two
 * looks the sequence wraps (2^31 writes) would not be noticed.
 *
 * Reading is async-signal-safe, but a handler that interrupts the writer would wait for it for ever:
 * use ring3_seqcount_try there. A reader that finds a writer at work pauses, and naps in the end, so
 * that a writer that was preempted can go on. All-zero is ready for use. A child of fork that others
 * were writing in must initialise the object again.
 *
 * Order: what a write section wrote is seen whole, or not at all, by a read section that is not
 * retried. Sources: Lameter 2005 (seqlocks in Linux); Boehm 2012 (their memory orders: the fences
 * there are orders of the accesses here).
 */
#ifndef RING3_SEQLOCK_H
#define RING3_SEQLOCK_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/mutex.h"

#include <stdbool.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_seqcount {
    uint32_t sequence;
} ring3_seqcount_t;

typedef struct ring3_seqlock {
    ring3_seqcount_t count;
    ring3_mutex_t mutex;
} ring3_seqlock_t;

uint32_t ring3_seqcount_wait(const ring3_seqcount_t *count);

/** Begin to read, without waiting: false if a writer is at work. */
static inline bool ring3_seqcount_try(const ring3_seqcount_t *count, uint32_t *seen)
{
    /* Pairs with the release in ring3_seqcount_end: we see what earlier writers wrote. */
    *seen = ring3_load(&count->sequence, RING3_ACQUIRE);
    return (*seen & 1) == 0;
}

/** Begin to read; waits while a writer is at work. Returns what to pass to the retry. */
static inline uint32_t ring3_seqcount_begin(const ring3_seqcount_t *count)
{
    uint32_t seen;

    return ring3_likely(ring3_seqcount_try(count, &seen)) ? seen : ring3_seqcount_wait(count);
}

/** True if a writer has been at work since: what was read is worth nothing. */
static inline bool ring3_seqcount_retry(const ring3_seqcount_t *count, uint32_t seen)
{
    /* The loads of the data come first; pairs with the fence in ring3_seqcount_write. */
    ring3_fence_acquire();
    return ring3_unlikely(ring3_load(&count->sequence, RING3_RELAXED) != seen);
}

/** Begin to write. Writers must exclude each other. */
static inline void ring3_seqcount_write(ring3_seqcount_t *count)
{
    ring3_store(&count->sequence, ring3_load(&count->sequence, RING3_RELAXED) + 1, RING3_RELAXED);
    /* The stores of the data come after; pairs with the fence in ring3_seqcount_retry: a reader
     * that sees one of them sees the odd sequence. */
    ring3_fence_release();
}

static inline void ring3_seqcount_end(ring3_seqcount_t *count)
{
    /* Pairs with the acquire in ring3_seqcount_try. */
    ring3_store(&count->sequence, ring3_load(&count->sequence, RING3_RELAXED) + 1, RING3_RELEASE);
}

/** Begin to write; waits for other writers. */
static inline void ring3_seqlock_lock(ring3_seqlock_t *lock)
{
    ring3_mutex_lock(&lock->mutex);
    ring3_seqcount_write(&lock->count);
}

static inline void ring3_seqlock_unlock(ring3_seqlock_t *lock)
{
    ring3_seqcount_end(&lock->count);
    ring3_mutex_unlock(&lock->mutex);
}

RING3_API_END

#endif
