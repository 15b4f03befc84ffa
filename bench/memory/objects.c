/* SPDX-License-Identifier: MIT */
/* Objects that must be initialised: made anew each time, or kept as they are while they are free. */
#include "ring3_bench.h"

#include "ring3/malloc.h"
#include "ring3/slab.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A session of a server: locks, lists and a table that start empty. */
struct session {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct session *next, *previous;
    void *table[32];
};

static void construct(void *object)
{
    struct session *const session = object;

    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_cond_init(&session->changed, NULL);
    session->next = session->previous = session;
    for (int i = 0; i < 32; i++)
        session->table[i] = NULL;
}

static void destruct(void *object)
{
    struct session *const session = object;

    (void)pthread_cond_destroy(&session->changed);
    (void)pthread_mutex_destroy(&session->lock);
}

/* Each object is used for a little while it is there, and left as it was found. */
static void use(struct session *session)
{
    session->table[3] = session;
    __asm__ volatile("" : : "r"(session) : "memory");
    session->table[3] = NULL;
}

static void *setup(const struct ring3_bench *bench, int threads, int64_t param)
{
    ring3_slab_t *cache;

    (void)bench;
    (void)threads;
    (void)param;
    if (ring3_slab_create(&cache, "session", sizeof(struct session), 0, construct, destruct)) {
        fprintf(stderr, "memory: no object cache\n");
        exit(1);
    }
    return cache;
}

static void teardown(void *cache)
{
    (void)ring3_slab_destroy(cache);
}

static void from_slab(struct ring3_bench_thread *t)
{
    ring3_slab_t *const cache = t->shared;

    while (ring3_bench_running(t))
        for (int i = 0; i < 64; i++, t->ops++) {
            struct session *const session = ring3_slab_allocate(cache);

            use(session);
            (void)ring3_slab_free(cache, session);
        }
}

static void anew(struct ring3_bench_thread *t, void *(*allocate)(size_t), void (*release)(void *))
{
    while (ring3_bench_running(t))
        for (int i = 0; i < 64; i++, t->ops++) {
            struct session *const session = allocate(sizeof *session);

            construct(session);
            use(session);
            destruct(session);
            release(session);
        }
}

static void from_malloc(struct ring3_bench_thread *t)
{
    anew(t, malloc, free);
}

static void from_ring3_malloc(struct ring3_bench_thread *t)
{
    anew(t, ring3_malloc, ring3_free);
}

RING3_BENCH(object_slab, .name = "object/ring3_slab", .body = from_slab, .setup = setup,
            .teardown = teardown, .threads = {1, 2});
RING3_BENCH(object_ring3, .name = "object/ring3_malloc", .body = from_ring3_malloc,
            .threads = {1, 2});
RING3_BENCH(object_malloc, .name = "object/malloc", .body = from_malloc, .threads = {1, 2});
