/* SPDX-License-Identifier: MIT */
/* Two threads that take turns, and what the machine charges for sharing. */
#include "ring3_bench.h"

#include "ring3/cond.h"
#include "ring3/mutex.h"
#include "ring3/sem.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>

/*
 * A round trip: the first thread says ping and waits for pong. `param` 1 puts both on one CPU. The
 * second leaves when the first has said so.
 */
struct table {
    bool over, one_cpu;
    int turn;
    ring3_sem_t ours[2];
    sem_t theirs[2];
    ring3_mutex_t mutex;
    ring3_cond_t cond;
    pthread_mutex_t pthread_mutex;
    pthread_cond_t pthread_cond;
};

static void *lay(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct table *const table = calloc(1, sizeof *table);

    (void)bench, (void)threads;
    if (!table)
        abort();
    table->one_cpu = param == 1;
    for (int i = 0; i < 2; i++) {
        (void)ring3_sem_init(&table->ours[i], 0, 0, RING3_PRIVATE);
        (void)sem_init(&table->theirs[i], 0, 0);
    }
    (void)pthread_mutex_init(&table->pthread_mutex, NULL);
    (void)pthread_cond_init(&table->pthread_cond, NULL);
    return table;
}

static void *sit_down(struct ring3_bench_thread *t)
{
    const struct table *const table = t->shared;
    cpu_set_t all, one;
    int wanted = table->one_cpu ? 0 : t->index;

    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2)
        return NULL;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &all) && wanted-- == 0)
            CPU_SET((size_t)cpu, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    return NULL;
}

/* How often this thread has given up its CPU to wait. */
static double sleeps_so_far(void)
{
    struct rusage used;

    return getrusage(RUSAGE_THREAD, &used) == 0 ? (double)used.ru_nvcsw : 0;
}

#define TRIP(id, first_says, first_waits, second_waits, second_says)                               \
    static void trip_##id(struct ring3_bench_thread *t)                                            \
    {                                                                                              \
        struct table *const table = t->shared;                                                     \
        const double before = sleeps_so_far();                                                     \
        double trips = 0;                                                                          \
                                                                                                   \
        for (bool over = false; !over; trips++) {                                                  \
            if (t->index == 0) {                                                                   \
                over = table->over = !ring3_bench_running(t);                                      \
                first_says;                                                                        \
                first_waits;                                                                       \
                t->ops++;                                                                          \
            } else {                                                                               \
                second_waits;                                                                      \
                over = table->over;                                                                \
                second_says;                                                                       \
            }                                                                                      \
        }                                                                                          \
        ring3_bench_count(t, "sleeps", (sleeps_so_far() - before) / trips);                        \
    }                                                                                              \
    RING3_BENCH(trip_##id, .name = "trip/" #id, .body = trip_##id, .setup = lay, .teardown = free, \
                .thread_setup = sit_down, .threads = {2}, .params = {1, 2})

TRIP(ring3_sem, (void)ring3_sem_post(&table->ours[0]), (void)ring3_sem_wait(&table->ours[1]),
     (void)ring3_sem_wait(&table->ours[0]), (void)ring3_sem_post(&table->ours[1]));
TRIP(sem_t, (void)sem_post(&table->theirs[0]), (void)sem_wait(&table->theirs[1]),
     (void)sem_wait(&table->theirs[0]), (void)sem_post(&table->theirs[1]));

/* Set `turn` and signal: after the unlock, or inside. */
static void say(struct table *table, int turn, bool inside)
{
    ring3_mutex_lock(&table->mutex);
    table->turn = turn;
    if (inside)
        ring3_cond_signal(&table->cond);
    ring3_mutex_unlock(&table->mutex);
    if (!inside)
        ring3_cond_signal(&table->cond);
}

static void listen(struct table *table, int turn)
{
    ring3_mutex_lock(&table->mutex);
    while (table->turn != turn)
        ring3_cond_wait(&table->cond, &table->mutex);
    ring3_mutex_unlock(&table->mutex);
}

static void pthread_say(struct table *table, int turn, bool inside)
{
    pthread_mutex_lock(&table->pthread_mutex);
    table->turn = turn;
    if (inside)
        pthread_cond_signal(&table->pthread_cond);
    pthread_mutex_unlock(&table->pthread_mutex);
    if (!inside)
        pthread_cond_signal(&table->pthread_cond);
}

static void pthread_listen(struct table *table, int turn)
{
    pthread_mutex_lock(&table->pthread_mutex);
    while (table->turn != turn)
        pthread_cond_wait(&table->pthread_cond, &table->pthread_mutex);
    pthread_mutex_unlock(&table->pthread_mutex);
}

TRIP(ring3_cond, say(table, 1, false), listen(table, 0), listen(table, 1), say(table, 0, false));
TRIP(ring3_cond_inside, say(table, 1, true), listen(table, 0), listen(table, 1),
     say(table, 0, true));
TRIP(pthread_cond, pthread_say(table, 1, false), pthread_listen(table, 0), pthread_listen(table, 1),
     pthread_say(table, 0, false));
TRIP(pthread_cond_inside, pthread_say(table, 1, true), pthread_listen(table, 0),
     pthread_listen(table, 1), pthread_say(table, 0, true));

/* --- What an atomic operation costs, alone and with others ------------------------------------------ */

static _Alignas(128) uint64_t word;

#define ATOMIC(id, operation)                                                                      \
    static void atomic_##id(struct ring3_bench_thread *t)                                          \
    {                                                                                              \
        while (ring3_bench_running(t))                                                             \
            for (int i = 0; i < 256; i++, t->ops++)                                                \
                (void)operation;                                                                   \
    }                                                                                              \
    RING3_BENCH(atomic_##id, .name = "atomic/" #id, .body = atomic_##id, .threads = {1, 2})

ATOMIC(load, ring3_load(&word, RING3_RELAXED));
ATOMIC(store, (ring3_store(&word, 1, RING3_RELAXED), 0));
ATOMIC(test_and_set_when_set, ring3_exchange(&word, 1, RING3_ACQUIRE));
ATOMIC(cas_that_fails, ring3_cas(&word, 12345, 1, RING3_ACQUIRE));
ATOMIC(fetch_add, ring3_fetch_add(&word, 1, RING3_RELAXED));

/* --- False sharing: counters of two threads in one line, or a line each ------------------------------ */

static _Alignas(128) uint64_t counters[64];

static void share(struct ring3_bench_thread *t, int apart)
{
    uint64_t *const mine = &counters[t->index * apart];

    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++)
            ring3_store(mine, *mine + 1, RING3_RELAXED);
}

static void packed(struct ring3_bench_thread *t)
{
    share(t, 1);
}
RING3_BENCH(packed, .name = "sharing/packed", .body = packed, .threads = {1, 2});

static void padded(struct ring3_bench_thread *t)
{
    share(t, 16);
}
RING3_BENCH(padded, .name = "sharing/ring3_padded", .body = padded, .threads = {1, 2});

/* --- One big lock or many small ones -------------------------------------------------------------------- */

enum { CELLS = 64 };
static struct cell {
    ring3_mutex_t mutex;
    pthread_mutex_t pthread_mutex;
    uint64_t count;
} RING3_CACHE_ALIGNED cells[CELLS];

#define GRAINS(id, lock, unlock)                                                                   \
    static void grains_##id(struct ring3_bench_thread *t)                                          \
    {                                                                                              \
        uint32_t turn = (uint32_t)t->index * 7919;                                                 \
                                                                                                   \
        while (ring3_bench_running(t))                                                             \
            for (int i = 0; i < 64; i++, t->ops++) {                                               \
                const uint32_t any = (turn = turn * 1103515245 + 12345) >> 16;                     \
                struct cell *const cell = &cells[any % (uint32_t)t->param];                        \
                                                                                                   \
                lock;                                                                              \
                cells[any % CELLS].count++;                                                        \
                ring3_bench_spin(100);                                                             \
                unlock;                                                                            \
            }                                                                                      \
    }                                                                                              \
    RING3_BENCH(grains_##id, .name = "granularity/" #id, .body = grains_##id, .threads = {4},      \
                .params = {1, 2, 4, 8, 16, 64})

GRAINS(ring3_mutex, ring3_mutex_lock(&cell->mutex), ring3_mutex_unlock(&cell->mutex));
GRAINS(pthread_mutex, pthread_mutex_lock(&cell->pthread_mutex),
       pthread_mutex_unlock(&cell->pthread_mutex));
