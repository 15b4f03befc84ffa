/* SPDX-License-Identifier: MIT */
/*
 * Memory pools: elements in reserve for when memory is short, so that work which frees memory when
 * it ends can always be begun.
 *
 *     void *slots[4];
 *     ring3_mempool_t requests;
 *     int err = ring3_mempool_init(&requests, slots, 4, request_new, request_free, NULL);
 *     struct request *r = ring3_mempool_take(&requests, NULL);       never NULL
 *     ring3_mempool_give(&requests, r);
 *     ring3_mempool_destroy(&requests);
 *
 * An element is taken from the allocator as long as that has one. When it has none, the reserve
 * serves; when that is used up, the caller waits until an element is given back. Elements given
 * back fill the reserve first. So with a reserve of N, N elements can always be in use, whatever
 * the state of memory: whoever holds one must give it back in bounded time, and must not wait for a
 * second one of the same pool.
 *
 * Thread-safe; ring3_mempool_take blocks, the others do not. Not async-signal-safe. In a child of
 * fork of a process with several threads the pool must not be used if another thread was inside.
 *
 * Source: Linux, Documentation/core-api and mm/mempool.c.
 */
#ifndef RING3_MEMPOOL_H
#define RING3_MEMPOOL_H

#include "ring3/api.h"
#include "ring3/mutex.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/** Fields are private. */
typedef struct ring3_mempool {
    ring3_mutex_t lock;
    uint32_t given;          /* counts what came back; who waits, waits on it */
    uint32_t waiting;        /* threads that do */
    unsigned reserve, spare; /* elements wanted in reserve, and there */
    void **slots;            /* the spare ones */
    void *(*allocate)(void *context);
    void (*release)(void *element, void *context);
    void *context;
    uint64_t taken, from_reserve, waits; /* so far */
} ring3_mempool_t;

typedef struct ring3_mempool_statistics {
    unsigned reserve, spare;
    uint64_t taken;        /* elements, so far; of these … */
    uint64_t from_reserve; /* … from the reserve, and … */
    uint64_t waits;        /* … only after a wait */
} ring3_mempool_statistics_t;

/**
 * Start a pool, and fill its reserve.
 *
 * @param slots     room for `reserve` pointers, the caller's, as long as the pool lives
 * @param allocate  returns an element, or NULL; it must not block. Called without the pool's lock.
 * @param release   takes an element back
 * @return 0; -ENOMEM when the reserve cannot be filled; -EINVAL for a reserve of 0
 */
int ring3_mempool_init(ring3_mempool_t *pool, void **slots, unsigned reserve,
                       void *(*allocate)(void *context),
                       void (*release)(void *element, void *context), void *context);

/** An element: NULL only when `deadline` (CLOCK_MONOTONIC, absolute; NULL: never) has passed. */
void *ring3_mempool_take(ring3_mempool_t *pool, const struct timespec *deadline);

/** An element, or NULL rather than wait. */
void *ring3_mempool_try_take(ring3_mempool_t *pool);

/** Order: what the giver did to the element happens before the taker has it. */
void ring3_mempool_give(ring3_mempool_t *pool, void *element);

/** Release the reserve. Elements in use must have come back. */
void ring3_mempool_destroy(ring3_mempool_t *pool);

void ring3_mempool_statistics(ring3_mempool_t *pool, ring3_mempool_statistics_t *statistics);

RING3_API_END

#endif
