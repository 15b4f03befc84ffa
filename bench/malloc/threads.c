/* SPDX-License-Identifier: MIT */
/* Workloads of several threads. */
#include "work.h"

#include <pthread.h>
#include <stdbool.h>

enum { THREADS = 4 };

static void in_threads(int count, void *(*body)(void *), void *arguments, size_t size)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < count; i++)
        if (pthread_create(&thread[i], NULL, body, (char *)arguments + (size_t)i * size) != 0) {
            fprintf(stderr, "malloc-work: cannot start a thread\n");
            exit(1);
        }
    for (int i = 0; i < count; i++)
        pthread_join(thread[i], NULL);
}

/*
 * A server's mix: four threads, 16 bytes to 64 KiB, small ones far more often than large ones, 500
 * alive in each thread; one turn in eight swaps an object with the neighbours through a shared
 * shelf, so that some are freed by another thread.
 */
struct mixer {
    uint64_t random, turns;
};

static struct {
    pthread_mutex_t lock;
    struct work_object *object[64];
} shelf = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *mix(void *argument)
{
    struct mixer *mixer = argument;
    struct work_object *alive[500] = {0};

    for (uint64_t i = 0; i < mixer->turns; i++) {
        const uint64_t r = work_random(&mixer->random);
        struct work_object **slot = &alive[r % 500];
        /* Each size class is half as frequent as the one below it. */
        const int class = __builtin_ctzll((r >> 16) | 1u << 11);
        const uint64_t smallest = UINT64_C(16) << class;
        if (r >> 61 == 0) {
            pthread_mutex_lock(&shelf.lock);
            struct work_object **place = &shelf.object[(r >> 40) % 64], *taken = *place;
            *place = *slot;
            *slot = taken;
            pthread_mutex_unlock(&shelf.lock);
        }
        work_free(*slot);
        *slot = work_new(smallest + (r >> 32) % smallest);
    }
    for (size_t i = 0; i < 500; i++)
        work_free(alive[i]);
    return NULL;
}

uint64_t work_mix(uint64_t turns)
{
    struct mixer mixer[THREADS];

    for (int i = 0; i < THREADS; i++)
        mixer[i] = (struct mixer){0x9e3779b97f4a7c15 * (uint64_t)(i + 1), turns / THREADS};
    in_threads(THREADS, mix, mixer, sizeof *mixer);
    for (size_t i = 0; i < 64; i++)
        work_free(shelf.object[i]);
    return turns / THREADS * THREADS;
}

/*
 * Objects made in one thread and freed in another: two producers, two consumers, queues of 64
 * batches of 32 objects each.
 */
enum { BATCH = 32, QUEUE = 64 };

struct batch {
    struct work_object *object[BATCH];
};

struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch queue[QUEUE];
    uint64_t put, taken, turns;
};

static void *produce(struct pipe *pipe, uint64_t random)
{
    for (uint64_t i = 0; i < pipe->turns; i += BATCH) {
        struct batch batch;
        for (int k = 0; k < BATCH; k++)
            batch.object[k] = work_new(16 + work_random(&random) % 497);
        pthread_mutex_lock(&pipe->lock);
        while (pipe->put - pipe->taken == QUEUE)
            pthread_cond_wait(&pipe->changed, &pipe->lock);
        pipe->queue[pipe->put++ % QUEUE] = batch;
        pthread_cond_signal(&pipe->changed);
        pthread_mutex_unlock(&pipe->lock);
    }
    return NULL;
}

static void *consume(struct pipe *pipe)
{
    for (uint64_t i = 0; i < pipe->turns; i += BATCH) {
        pthread_mutex_lock(&pipe->lock);
        while (pipe->put == pipe->taken)
            pthread_cond_wait(&pipe->changed, &pipe->lock);
        const struct batch batch = pipe->queue[pipe->taken++ % QUEUE];
        pthread_cond_signal(&pipe->changed);
        pthread_mutex_unlock(&pipe->lock);
        for (int k = 0; k < BATCH; k++)
            work_free(batch.object[k]);
    }
    return NULL;
}

struct end {
    struct pipe *pipe;
    bool producer;
};

static void *run_end(void *argument)
{
    struct end *end = argument;

    return end->producer ? produce(end->pipe, 0x9e3779b97f4a7c15) : consume(end->pipe);
}

uint64_t work_handoff(uint64_t turns)
{
    static struct pipe pipes[THREADS / 2];
    struct end end[THREADS];

    for (int i = 0; i < THREADS; i++) {
        struct pipe *pipe = &pipes[i / 2];
        pthread_mutex_init(&pipe->lock, NULL);
        pthread_cond_init(&pipe->changed, NULL);
        pipe->turns = turns / (THREADS / 2) / BATCH * BATCH;
        end[i] = (struct end){pipe, i % 2 == 0};
    }
    in_threads(THREADS, run_end, end, sizeof *end);
    return pipes[0].turns * (THREADS / 2);
}

/* A thread that comes, allocates a hundred objects ten times, and goes: what it costs to begin. */
static void *short_life(void *unused)
{
    struct work_object *object[100];

    for (int round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 100; i++)
            object[i] = work_new(16 + i * 10);
        for (int i = 0; i < 100; i++)
            work_free(object[i]);
    }
    return unused;
}

uint64_t work_threads(uint64_t turns)
{
    char none = 0;

    for (uint64_t i = 0; i < turns; i++)
        in_threads(1, short_life, &none, 0);
    return turns;
}
