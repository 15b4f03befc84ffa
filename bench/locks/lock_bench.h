/* SPDX-License-Identifier: MIT */
/*
 * The two lock measurements, and the line that gives a lock to them:
 *
 *     LOCK(pthread_spin, pthread_spinlock_t, pthread_spin_init(lock, 0), pthread_spin_lock(lock),
 *          pthread_spin_unlock(lock));
 *
 * name, type, and three expressions on `type *lock`; the last two may also use `node`, one cache
 * line that belongs to the thread (queue locks). Each lock is compiled into loops of its own, so
 * inline locks are inlined.
 */
#ifndef RING3_LOCK_BENCH_H
#define RING3_LOCK_BENCH_H

#include "ring3_bench.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_LINE 128 /* two cache lines: what adjacent-line prefetch ties together */

/* Turns of an empty loop that hold the lock, and that pass before the next attempt. */
enum { TURNS_INSIDE = 10, TURNS_OUTSIDE = 100 };

struct lock_place {
    _Alignas(LOCK_LINE) char lock[512];
    _Alignas(LOCK_LINE) volatile uint64_t counter; /* what the lock protects */
};

typedef void lock_verb(void *lock, void *node);

/* Room for a lock of that size, all zero. */
static inline struct lock_place *lock_place_new(size_t size)
{
    struct lock_place *place = aligned_alloc(LOCK_LINE, sizeof *place);

    if (!place || size > sizeof place->lock)
        abort();
    memset(place, 0, sizeof *place);
    return place;
}

/* The price of a lock that nobody else wants. */
static inline __attribute__((always_inline)) void
lock_uncontended(struct ring3_bench_thread *t, lock_verb *lock, lock_verb *unlock)
{
    struct lock_place *place = t->shared;
    _Alignas(LOCK_LINE) char node[LOCK_LINE] = {0};

    while (ring3_bench_running(t)) {
        for (int i = 0; i < 256; i++) {
            lock(place->lock, node);
            unlock(place->lock, node);
        }
        t->ops += 256;
    }
}

/* Everybody wants it: a counter and some turns inside, more turns outside. */
static inline __attribute__((always_inline)) void lock_contended(struct ring3_bench_thread *t,
                                                                 lock_verb *lock, lock_verb *unlock)
{
    struct lock_place *place = t->shared;
    _Alignas(LOCK_LINE) char node[LOCK_LINE] = {0};

    while (ring3_bench_running(t)) {
        const uint64_t asked = ring3_bench_clock();
        lock(place->lock, node);
        ring3_bench_waited(t, ring3_bench_clock() - asked);
        place->counter++;
        ring3_bench_spin(TURNS_INSIDE);
        unlock(place->lock, node);
        t->ops++;
        ring3_bench_spin(TURNS_OUTSIDE);
    }
}

/* A lock that lets two in loses increments: no figure without exclusion. */
static inline void lock_check(struct ring3_bench_thread *t)
{
    ring3_bench_count(t, "lost",
                      (double)t->ops -
                          (t->index ? 0 : (double)((struct lock_place *)t->shared)->counter));
}

#define LOCK(id, type, init_expression, lock_expression, unlock_expression)                        \
    static inline void bench_##id##_lock(void *place, void *node)                                  \
    {                                                                                              \
        type *lock = place;                                                                        \
        (void)node;                                                                                \
        lock_expression;                                                                           \
    }                                                                                              \
    static inline void bench_##id##_unlock(void *place, void *node)                                \
    {                                                                                              \
        type *lock = place;                                                                        \
        (void)node;                                                                                \
        unlock_expression;                                                                         \
    }                                                                                              \
    static void *bench_##id##_new(const struct ring3_bench *bench, int threads, int64_t param)     \
    {                                                                                              \
        struct lock_place *place = lock_place_new(sizeof(type));                                   \
        type *lock = (void *)place->lock;                                                          \
        (void)bench, (void)threads, (void)param, (void)lock;                                       \
        init_expression;                                                                           \
        return place;                                                                              \
    }                                                                                              \
    static void bench_##id##_uncontended(struct ring3_bench_thread *t)                             \
    {                                                                                              \
        lock_uncontended(t, bench_##id##_lock, bench_##id##_unlock);                               \
    }                                                                                              \
    static void bench_##id##_contended(struct ring3_bench_thread *t)                               \
    {                                                                                              \
        lock_contended(t, bench_##id##_lock, bench_##id##_unlock);                                 \
    }                                                                                              \
    RING3_BENCH(id##_uncontended, .name = "uncontended/" #id, .body = bench_##id##_uncontended,    \
                .setup = bench_##id##_new, .teardown = free);                                      \
    RING3_BENCH(id##_contended, .name = "contended/" #id, .body = bench_##id##_contended,          \
                .setup = bench_##id##_new, .teardown = free, .thread_teardown = lock_check,        \
                .threads = {1, 2, 4, 8})

#endif
