/* SPDX-License-Identifier: MIT */
/* The overwrite-oldest trace ring: see ring3/tracering.h. */
#include "ring3/tracering.h"

#include "ring3/wait.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

void ring3_tracering_init(ring3_tracering_t *ring, void *slots, size_t size, size_t capacity)
{
    *ring = (ring3_tracering_t){.slots = slots, .size = size, .capacity = capacity};
}

static void *slot(const ring3_tracering_t *ring, uint64_t number)
{
    return (char *)ring->slots + number % ring->capacity * ring->size;
}

/* Something has changed that a reader may wait for: `word` counts such changes. */
static void tell(ring3_tracering_t *ring)
{
    (void)ring3_fetch_add(&ring->word, 1, RING3_SEQ_CST);
    /* Sequentially consistent with the reader's: it sees the new word, or we see that it waits. */
    if (ring3_load(&ring->waiters, RING3_SEQ_CST))
        ring3_word_wake(&ring->word, INT_MAX, RING3_PRIVATE);
}

int ring3_tracering_start(ring3_tracering_t *ring)
{
    return ring3_cas(&ring->running, 0, 1, RING3_RELAXED) == 0 ? 0 : -EALREADY;
}

int ring3_tracering_stop(ring3_tracering_t *ring)
{
    if (ring3_cas(&ring->running, 1, 0, RING3_RELAXED) != 1)
        return -EALREADY;
    tell(ring);
    return 0;
}

void ring3_tracering_add(ring3_tracering_t *ring, const void *record)
{
    if (!ring3_load(&ring->running, RING3_RELAXED))
        return;
    ring3_ttas_lock(&ring->guard, RING3_WAIT_ADAPTIVE);
    memcpy(slot(ring, ring->count), record, ring->size);
    ring3_store(&ring->count, ring->count + 1, RING3_RELAXED);
    ring3_ttas_unlock(&ring->guard);
    tell(ring);
}

/* Under the guard: copy up to `max` records from `from` on, or from the oldest there is. */
static size_t copy(const ring3_tracering_t *ring, uint64_t *from, void *records, size_t max)
{
    const uint64_t oldest = ring->count > ring->capacity ? ring->count - ring->capacity : 0;
    size_t n = 0;

    if (*from < oldest)
        *from = oldest;
    for (; n < max && *from + n < ring->count; n++)
        memcpy((char *)records + n * ring->size, slot(ring, *from + n), ring->size);
    return n;
}

size_t ring3_tracering_snapshot(ring3_tracering_t *ring, void *records, size_t max, uint64_t *first)
{
    ring3_ttas_lock(&ring->guard, RING3_WAIT_ADAPTIVE);
    uint64_t from = ring->count > max ? ring->count - max : 0;
    const size_t n = copy(ring, &from, records, max);

    ring3_ttas_unlock(&ring->guard);
    if (first)
        *first = from;
    return n;
}

static size_t copy_new(ring3_tracering_t *ring, uint64_t *counter, void *records, size_t max)
{
    ring3_ttas_lock(&ring->guard, RING3_WAIT_ADAPTIVE);
    const size_t n = copy(ring, counter, records, max);

    ring3_ttas_unlock(&ring->guard);
    *counter += n;
    return n;
}

long ring3_tracering_read(ring3_tracering_t *ring, uint64_t *counter, void *records, size_t max,
                          const struct timespec *deadline)
{
    int result = ring3_deadline_check(CLOCK_MONOTONIC, deadline);
    size_t n = 0;

    if (result)
        return result;
    (void)ring3_fetch_add(&ring->waiters, 1, RING3_SEQ_CST);
    for (;;) {
        const uint32_t seen = ring3_load(&ring->word, RING3_SEQ_CST);
        const bool running = ring3_load(&ring->running, RING3_RELAXED) != 0;

        n = copy_new(ring, counter, records, max);
        if (n > 0 || !running || result == -ETIMEDOUT)
            break;
        result = ring3_word_wait(&ring->word, seen, RING3_PRIVATE, CLOCK_MONOTONIC, deadline);
    }
    (void)ring3_fetch_sub(&ring->waiters, 1, RING3_RELAXED);
    return n > 0 || result != -ETIMEDOUT ? (long)n : result;
}
