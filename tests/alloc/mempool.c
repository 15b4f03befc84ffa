/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/mempool.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { RESERVE = 4 };

/* An allocator that fails when told, and knows what is out. */
static bool memory_is_short;
static long out;

static void *element_new(void *unused)
{
    (void)unused;
    if (ring3_load(&memory_is_short, RING3_RELAXED))
        return NULL;
    (void)ring3_fetch_add(&out, 1, RING3_RELAXED);
    return calloc(1, sizeof(uint32_t));
}

static void element_free(void *element, void *unused)
{
    (void)unused;
    (void)ring3_fetch_sub(&out, 1, RING3_RELAXED);
    free(element);
}

static void *slots[RESERVE];

static ring3_mempool_t start(void)
{
    ring3_mempool_t pool;

    check_eq(ring3_mempool_init(&pool, slots, RESERVE, element_new, element_free, NULL), 0);
    check_eq(out, RESERVE);
    return pool;
}

static ring3_mempool_statistics_t now(ring3_mempool_t *pool)
{
    ring3_mempool_statistics_t statistics;

    ring3_mempool_statistics(pool, &statistics);
    return statistics;
}

TEST(mempool, leaves_the_reserve_alone_while_there_is_memory)
{
    ring3_mempool_t pool = start();
    void *elements[100];

    for (int i = 0; i < 100; i++)
        check(elements[i] = ring3_mempool_take(&pool, NULL));
    check_eq(now(&pool).spare, RESERVE);
    check_eq(now(&pool).from_reserve, 0);
    for (int i = 0; i < 100; i++)
        ring3_mempool_give(&pool, elements[i]);
    check_eq(out, RESERVE, "what is more than the reserve goes back");
    ring3_mempool_destroy(&pool);
    check_eq(out, 0);
}

TEST(mempool, serves_from_the_reserve_when_memory_is_short)
{
    ring3_mempool_t pool = start();
    const struct timespec past = {0, 0};
    void *elements[RESERVE], *plenty;

    plenty = ring3_mempool_take(&pool, NULL);
    memory_is_short = true;
    for (int i = 0; i < RESERVE; i++)
        check(elements[i] = ring3_mempool_try_take(&pool));
    check_eq(now(&pool).from_reserve, RESERVE);
    check(!ring3_mempool_try_take(&pool));
    check(!ring3_mempool_take(&pool, &past), "nothing until the deadline");
    ring3_mempool_give(&pool, plenty);
    check(ring3_mempool_take(&pool, NULL) == plenty, "what came back is in the reserve");
    ring3_mempool_give(&pool, plenty);
    for (int i = 0; i < RESERVE; i++)
        ring3_mempool_give(&pool, elements[i]);
    check_eq(now(&pool).spare, RESERVE, "filled first");
    ring3_mempool_destroy(&pool);
    check_eq(out, 0);
}

TEST(mempool, fills_its_reserve_or_does_not_start)
{
    ring3_mempool_t pool;

    memory_is_short = true;
    check_eq(ring3_mempool_init(&pool, slots, RESERVE, element_new, element_free, NULL), -ENOMEM);
    check_eq(ring3_mempool_init(&pool, slots, 0, element_new, element_free, NULL), -EINVAL);
    check_eq(out, 0);
}

static ring3_mempool_t shared;

static void *work(void *unused)
{
    for (long i = scaled(2000, 100000); i > 0; i--) {
        uint32_t *const element = ring3_mempool_take(&shared, NULL);

        check_eq(ring3_fetch_add(element, 1, RING3_RELAXED), 0, "an element of two owners");
        sched_yield();
        (void)ring3_fetch_sub(element, 1, RING3_RELAXED);
        ring3_mempool_give(&shared, element);
    }
    return unused;
}

TEST(mempool, lets_everyone_go_on_with_nothing_but_the_reserve, 60)
{
    pthread_t threads[3 * RESERVE];

    shared = start();
    memory_is_short = true;
    for (int i = 0; i < 3 * RESERVE; i++)
        check_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < 3 * RESERVE; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    check_eq(now(&shared).spare, RESERVE);
    ring3_mempool_destroy(&shared);
    check_eq(out, 0);
}
