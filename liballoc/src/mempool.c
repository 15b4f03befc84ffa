/* SPDX-License-Identifier: MIT */
/* Memory pools: see ring3/mempool.h. Everything but `given` and `waiting` is under the lock. */
#include "ring3/mempool.h"

#include "ring3/wait.h"

#include <errno.h>

int ring3_mempool_init(ring3_mempool_t *pool, void **slots, unsigned reserve,
                       void *(*allocate)(void *context),
                       void (*release)(void *element, void *context), void *context)
{
    if (reserve == 0)
        return -EINVAL;
    *pool = (ring3_mempool_t){
        .reserve = reserve,
        .slots = slots,
        .allocate = allocate,
        .release = release,
        .context = context,
    };
    while (pool->spare < reserve) {
        void *const element = allocate(context);

        if (!element) {
            ring3_mempool_destroy(pool);
            return -ENOMEM;
        }
        slots[pool->spare++] = element;
    }
    return 0;
}

static void *take_spare(ring3_mempool_t *pool)
{
    void *element = NULL;

    ring3_mutex_lock(&pool->lock);
    if (pool->spare > 0) {
        element = pool->slots[--pool->spare];
        pool->from_reserve++;
    }
    pool->taken += element != NULL;
    ring3_mutex_unlock(&pool->lock);
    return element;
}

void *ring3_mempool_try_take(ring3_mempool_t *pool)
{
    void *const element = pool->allocate(pool->context);

    if (!element)
        return take_spare(pool);
    ring3_mutex_lock(&pool->lock);
    pool->taken++;
    ring3_mutex_unlock(&pool->lock);
    return element;
}

/* Sleep until an element comes back. The count is read before the pool is found empty, so one that
 * comes back in between ends the sleep at once. */
static void *wait_for_one(ring3_mempool_t *pool, const struct timespec *deadline)
{
    void *element = NULL;
    int err = 0;

    ring3_mutex_lock(&pool->lock);
    pool->waits++;
    ring3_mutex_unlock(&pool->lock);
    /* Sequentially consistent, as the pair in ring3_mempool_give: either we see its count, or it
     * sees us waiting. */
    (void)ring3_fetch_add(&pool->waiting, 1, RING3_SEQ_CST);
    do {
        const uint32_t given = ring3_load(&pool->given, RING3_SEQ_CST);

        element = ring3_mempool_try_take(pool);
        if (!element)
            err = ring3_word_wait(&pool->given, given, RING3_PRIVATE, CLOCK_MONOTONIC, deadline);
    } while (!element && err != -ETIMEDOUT);
    (void)ring3_fetch_sub(&pool->waiting, 1, RING3_RELAXED);
    return element;
}

void *ring3_mempool_take(ring3_mempool_t *pool, const struct timespec *deadline)
{
    void *const element = ring3_mempool_try_take(pool);

    return element ? element : wait_for_one(pool, deadline);
}

void ring3_mempool_give(ring3_mempool_t *pool, void *element)
{
    bool kept = false;

    ring3_mutex_lock(&pool->lock);
    if (pool->spare < pool->reserve) {
        pool->slots[pool->spare++] = element;
        kept = true;
    }
    ring3_mutex_unlock(&pool->lock);
    if (!kept)
        pool->release(element, pool->context);
    /* One for one: a waiter finds the element in the reserve, or memory for another. */
    (void)ring3_fetch_add(&pool->given, 1, RING3_SEQ_CST);
    if (ring3_load(&pool->waiting, RING3_SEQ_CST))
        ring3_word_wake(&pool->given, 1, RING3_PRIVATE);
}

void ring3_mempool_destroy(ring3_mempool_t *pool)
{
    while (pool->spare > 0)
        pool->release(pool->slots[--pool->spare], pool->context);
}

void ring3_mempool_statistics(ring3_mempool_t *pool, ring3_mempool_statistics_t *statistics)
{
    ring3_mutex_lock(&pool->lock);
    *statistics = (ring3_mempool_statistics_t){
        .reserve = pool->reserve,
        .spare = pool->spare,
        .taken = pool->taken,
        .from_reserve = pool->from_reserve,
        .waits = pool->waits,
    };
    ring3_mutex_unlock(&pool->lock);
}
