/* SPDX-License-Identifier: MIT */
/*
 * What is taught about locks, tried: spinning or sleeping by the length of a section, who overtakes
 * whom, and what a reader waits for writers that never pause.
 */
#include "ring3_bench.h"

#include "ring3/mutex.h"
#include "ring3/rwlock.h"
#include "ring3/spinlock.h"

#include <pthread.h>
#include <stdlib.h>

/* A lock by name, as a pair of verbs: ring3's by algorithm and way of waiting, and pthread's. */
struct contestant {
    struct ring3_bench bench;
    ring3_spinlock_algorithm_t algorithm;
    ring3_wait_t how;
    bool pthread;
};

struct place {
    _Alignas(128) ring3_spinlock_t lock;
    pthread_mutex_t mutex;
    bool pthread;
    _Alignas(128) uint64_t arrivals, latest, overtaken, taken;
};

static void *lay(const struct ring3_bench *bench, int threads, int64_t param)
{
    const struct contestant *const one = bench->context;
    struct place *const place = aligned_alloc(128, sizeof *place);

    (void)threads, (void)param;
    if (!place)
        abort();
    *place = (struct place){.pthread = one->pthread};
    (void)pthread_mutex_init(&place->mutex, NULL);
    if (ring3_spinlock_init(&place->lock, one->algorithm, one->how) != 0)
        abort();
    return place;
}

static void enter(struct place *place)
{
    if (place->pthread)
        pthread_mutex_lock(&place->mutex);
    else
        ring3_spinlock_lock(&place->lock);
}

static void leave(struct place *place)
{
    if (place->pthread)
        pthread_mutex_unlock(&place->mutex);
    else
        ring3_spinlock_unlock(&place->lock);
}

/* `param` turns of an empty loop inside, four times as many outside. */
static void sections(struct ring3_bench_thread *t)
{
    struct place *const place = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        enter(place);
        ring3_bench_spin((int)t->param);
        leave(place);
        ring3_bench_spin((int)t->param * 4);
    }
}

/*
 * Each draws a number when it comes. An acquisition by a number higher than one that still waits has
 * overtaken it: its number is higher than that of everybody who got the lock, plus one. Between the
 * number and the lock's queue a thread may lose its CPU, which makes the best lock a little unfair.
 */
static void arrivals(struct ring3_bench_thread *t)
{
    struct place *const place = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        const uint64_t mine = ring3_fetch_add(&place->arrivals, 1, RING3_RELAXED);

        enter(place);
        place->overtaken += mine < place->latest;
        place->latest = mine > place->latest ? mine : place->latest;
        place->taken++;
        ring3_bench_spin(200);
        leave(place);
        ring3_bench_spin(200);
    }
}

static void tell_overtaken(struct ring3_bench_thread *t)
{
    const struct place *const place = t->shared;

    if (t->index == 0 && place->taken)
        ring3_bench_count(t, "overtaken_percent",
                          100.0 * (double)place->overtaken / (double)place->taken);
}

#define SECTION(title, chosen, waiting, is_pthread)                                                \
    {                                                                                              \
        .bench = {.name = "section/" title,                                                        \
                  .body = sections,                                                                \
                  .threads = {4},                                                                  \
                  .params = {10, 100, 1000, 10000}},                                               \
        .algorithm = RING3_SPINLOCK_##chosen, .how = RING3_WAIT_##waiting, .pthread = is_pthread   \
    }

#define ORDER(title, chosen, is_pthread)                                                           \
    {                                                                                              \
        .bench = {.name = "order/" title,                                                          \
                  .body = arrivals,                                                                \
                  .thread_teardown = tell_overtaken,                                               \
                  .threads = {4}},                                                                 \
        .algorithm = RING3_SPINLOCK_##chosen, .how = RING3_WAIT_ADAPTIVE, .pthread = is_pthread    \
    }

static struct contestant contestants[] = {
    SECTION("tas_spin", TAS, SPIN, false),
    SECTION("ttas_spin", TTAS, SPIN, false),
    SECTION("ttas_delay_spin", DELAY, SPIN, false),
    SECTION("ring3_park", ADAPTIVE, PARK, false),
    SECTION("ring3_adaptive", ADAPTIVE, ADAPTIVE, false),
    SECTION("pthread_mutex", TTAS, SPIN, true),
    ORDER("pthread_mutex", TTAS, true),
    ORDER("ring3_ttas", TTAS, false),
    ORDER("ring3_mutex", ADAPTIVE, false),
    ORDER("ring3_slice", SLICE, false),
    ORDER("ring3_ticket", TICKET, false),
    ORDER("ring3_mcs", MCS, false),
};

__attribute__((constructor)) static void enrol(void)
{
    for (size_t i = 0; i < sizeof contestants / sizeof *contestants; i++) {
        contestants[i].bench.setup = lay;
        contestants[i].bench.teardown = free;
        contestants[i].bench.context = &contestants[i];
        ring3_bench_register(&contestants[i].bench);
    }
}

/* --- One reader among writers that never pause -------------------------------------------------- */

static ring3_rwlock_t rwlock;
static pthread_rwlock_t pthread_rwlock = PTHREAD_RWLOCK_INITIALIZER;

#define PATIENCE(id, prepare, read_in, read_out, write_in, write_out)                              \
    static void *patience_##id##_setup(const struct ring3_bench *bench, int threads,               \
                                       int64_t param)                                              \
    {                                                                                              \
        (void)bench, (void)threads, (void)param;                                                   \
        prepare;                                                                                   \
        return NULL;                                                                               \
    }                                                                                              \
    static void patience_##id(struct ring3_bench_thread *t)                                        \
    {                                                                                              \
        while (ring3_bench_running(t)) {                                                           \
            if (t->index == 0) {                                                                   \
                const uint64_t asked = ring3_bench_clock();                                        \
                read_in;                                                                           \
                ring3_bench_waited(t, ring3_bench_clock() - asked);                                \
                ring3_bench_spin(100);                                                             \
                read_out;                                                                          \
                t->ops++;                                                                          \
                ring3_bench_spin(2000);                                                            \
            } else {                                                                               \
                write_in;                                                                          \
                ring3_bench_spin(1000);                                                            \
                write_out;                                                                         \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    RING3_BENCH(patience_##id, .name = "patience/" #id, .body = patience_##id,                     \
                .setup = patience_##id##_setup, .threads = {4})

#define PATIENCE_OF(id, policy)                                                                    \
    PATIENCE(id, (void)ring3_rwlock_init(&rwlock, policy), (void)ring3_rwlock_rdlock(&rwlock),     \
             ring3_rwlock_rdunlock(&rwlock), ring3_rwlock_wrlock(&rwlock),                         \
             ring3_rwlock_wrunlock(&rwlock))

PATIENCE_OF(ring3_readers_first, RING3_RWLOCK_PREFER_READERS);
PATIENCE_OF(ring3_writers_first, RING3_RWLOCK_PREFER_WRITERS);
PATIENCE_OF(ring3_phase_fair, RING3_RWLOCK_PHASE_FAIR);
PATIENCE(pthread_rwlock, (void)0, pthread_rwlock_rdlock(&pthread_rwlock),
         pthread_rwlock_unlock(&pthread_rwlock), pthread_rwlock_wrlock(&pthread_rwlock),
         pthread_rwlock_unlock(&pthread_rwlock));

/* --- Grace periods by looking every 10 ms ------------------------------------------------------- */

/* Readers count their sections; a grace period is over when every count has moved. */
static struct {
    _Alignas(128) uint64_t sections;
} readers[2];

static void polling(struct ring3_bench_thread *t)
{
    const struct timespec pause = {0, 10000000};

    if (t->index > 0) {
        while (ring3_bench_running(t))
            ring3_store(&readers[t->index].sections, readers[t->index].sections + 1, RING3_RELEASE);
        return;
    }
    for (; ring3_bench_running(t); t->ops++) {
        const uint64_t seen = ring3_load(&readers[1].sections, RING3_ACQUIRE);

        do
            nanosleep(&pause, NULL);
        while (ring3_bench_running(t) && ring3_load(&readers[1].sections, RING3_ACQUIRE) == seen);
    }
}
RING3_BENCH(polling, .name = "synchronize/every_10_ms", .body = polling, .threads = {2});
