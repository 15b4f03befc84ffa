/* SPDX-License-Identifier: MIT */
/* ring3's ways to read what others write, and pthread's. */
#include "read_bench.h"

#include "ring3/biglock.h"
#include "ring3/counter.h"
#include "ring3/hazard.h"
#include "ring3/mutex.h"
#include "ring3/rcu.h"
#include "ring3/rwlock.h"
#include "ring3/seqlock.h"

#include <pthread.h>

static ring3_rwlock_t rwlock;
static ring3_biglock_t biglock;
static ring3_seqlock_t seqlock;
static ring3_mutex_t mutex;
static pthread_rwlock_t pthread_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t pthread_mutex = PTHREAD_MUTEX_INITIALIZER;

READ(ring3_rcu, ring3_rcu_read_lock(), ring3_rcu_read_unlock());
READ(ring3_hazard, (void)ring3_hazard_protect(0, &read_current), ring3_hazard_clear(0));
READ(ring3_biglock, (void)ring3_biglock_rdlock(&biglock), ring3_biglock_rdunlock(&biglock));
READ(ring3_rwlock, (void)ring3_rwlock_rdlock(&rwlock), ring3_rwlock_rdunlock(&rwlock));
READ(ring3_seqlock, const uint32_t seen = ring3_seqcount_begin(&seqlock.count),
     (void)ring3_seqcount_retry(&seqlock.count, seen));
READ(pthread_rwlock, pthread_rwlock_rdlock(&pthread_lock), pthread_rwlock_unlock(&pthread_lock));

static void qsbr(struct ring3_bench_thread *t)
{
    ring3_qsbr_online();
    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++) {
            ring3_qsbr_read_lock();
            read_both(ring3_load(&read_current, RING3_ACQUIRE));
            ring3_qsbr_read_unlock();
            ring3_qsbr_quiescent();
        }
    ring3_qsbr_offline();
}
RING3_BENCH(qsbr, .name = "read/ring3_qsbr", .body = qsbr, .threads = {1, 2, 4});

/* --- With writers ------------------------------------------------------------------------------ */

/* A new version in a spare place; the old one is free again after a grace period. */
static void replace(void)
{
    static struct read_data versions[2];

    ring3_mutex_lock(&mutex);
    struct read_data *const next = read_current == &versions[0] ? &versions[1] : &versions[0];

    *next = *read_current;
    write_both(next);
    ring3_rcu_assign(&read_current, next);
    (void)ring3_rcu_synchronize();
    ring3_mutex_unlock(&mutex);
}

RATIO(ring3_rcu, ring3_rcu_read_lock(), ring3_rcu_read_unlock(), replace());
RATIO(ring3_biglock, (void)ring3_biglock_rdlock(&biglock), ring3_biglock_rdunlock(&biglock),
      ring3_biglock_wrlock(&biglock);
      write_both(read_current); ring3_biglock_wrunlock(&biglock));
RATIO(ring3_rwlock, (void)ring3_rwlock_rdlock(&rwlock), ring3_rwlock_rdunlock(&rwlock),
      ring3_rwlock_wrlock(&rwlock);
      write_both(read_current); ring3_rwlock_wrunlock(&rwlock));
RATIO(ring3_mutex, ring3_mutex_lock(&mutex), ring3_mutex_unlock(&mutex), ring3_mutex_lock(&mutex);
      write_both(read_current); ring3_mutex_unlock(&mutex));
RATIO(ring3_seqlock, const uint32_t seen = ring3_seqcount_begin(&seqlock.count),
      (void)ring3_seqcount_retry(&seqlock.count, seen), ring3_seqlock_lock(&seqlock);
      write_both(read_current); ring3_seqlock_unlock(&seqlock));
RATIO(pthread_rwlock, pthread_rwlock_rdlock(&pthread_lock), pthread_rwlock_unlock(&pthread_lock),
      pthread_rwlock_wrlock(&pthread_lock);
      write_both(read_current); pthread_rwlock_unlock(&pthread_lock));
RATIO(pthread_mutex, pthread_mutex_lock(&pthread_mutex), pthread_mutex_unlock(&pthread_mutex),
      pthread_mutex_lock(&pthread_mutex);
      write_both(read_current); pthread_mutex_unlock(&pthread_mutex));

/* --- A crowd, one turn in a hundred a write -------------------------------------------------------- */

#define CROWD_OF(id, policy)                                                                       \
    CROWD(id, (void)ring3_rwlock_init(&rwlock, policy), (void)ring3_rwlock_rdlock(&rwlock),        \
          ring3_rwlock_rdunlock(&rwlock), ring3_rwlock_wrlock(&rwlock);                            \
          write_both(read_current); ring3_rwlock_wrunlock(&rwlock))

CROWD_OF(ring3_phase_fair, RING3_RWLOCK_PHASE_FAIR);
CROWD_OF(ring3_readers_first, RING3_RWLOCK_PREFER_READERS);
CROWD_OF(ring3_writers_first, RING3_RWLOCK_PREFER_WRITERS);
CROWD(ring3_big_reader, (void)0, (void)ring3_biglock_rdlock(&biglock),
      ring3_biglock_rdunlock(&biglock), ring3_biglock_wrlock(&biglock);
      write_both(read_current); ring3_biglock_wrunlock(&biglock));
CROWD(pthread_rwlock, (void)0, pthread_rwlock_rdlock(&pthread_lock),
      pthread_rwlock_unlock(&pthread_lock), pthread_rwlock_wrlock(&pthread_lock);
      write_both(read_current); pthread_rwlock_unlock(&pthread_lock));

/* --- Grace periods: the first thread waits, the others read -------------------------------------- */

static void synchronize(struct ring3_bench_thread *t)
{
    if (t->index == 0)
        for (; ring3_bench_running(t); t->ops++)
            (void)ring3_rcu_synchronize();
    else
        while (ring3_bench_running(t)) {
            ring3_rcu_read_lock();
            read_both(ring3_load(&read_current, RING3_ACQUIRE));
            ring3_rcu_read_unlock();
        }
}
RING3_BENCH(synchronize, .name = "synchronize/ring3_rcu", .body = synchronize, .threads = {1, 2});

/* --- Counting --------------------------------------------------------------------------------------- */

static ring3_counter_t counter;
static uint64_t word;

static void count_parts(struct ring3_bench_thread *t)
{
    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++)
            ring3_counter_add(&counter, 1);
}
RING3_BENCH(count_parts, .name = "count/ring3_counter", .body = count_parts, .threads = {1, 2});

static void count_word(struct ring3_bench_thread *t)
{
    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++)
            ring3_fetch_add(&word, 1, RING3_RELAXED);
}
RING3_BENCH(count_word, .name = "count/atomic", .body = count_word, .threads = {1, 2});

/* --- Starvation: one writer among readers that never pause ------------------------------------------ */

#define STARVE(id, prepare, read_in, read_out, write_in, write_out)                                \
    static void *starve_##id##_setup(const struct ring3_bench *bench, int threads, int64_t param)  \
    {                                                                                              \
        (void)bench, (void)threads, (void)param;                                                   \
        prepare;                                                                                   \
        return NULL;                                                                               \
    }                                                                                              \
    static void starve_##id(struct ring3_bench_thread *t)                                          \
    {                                                                                              \
        while (ring3_bench_running(t)) {                                                           \
            if (t->index == 0) {                                                                   \
                const uint64_t asked = ring3_bench_clock();                                        \
                write_in;                                                                          \
                ring3_bench_waited(t, ring3_bench_clock() - asked);                                \
                ring3_bench_spin(100);                                                             \
                write_out;                                                                         \
                t->ops++;                                                                          \
                ring3_bench_spin(2000);                                                            \
            } else {                                                                               \
                read_in;                                                                           \
                ring3_bench_spin(1000);                                                            \
                read_out;                                                                          \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    RING3_BENCH(starve_##id, .name = "starve/" #id, .body = starve_##id,                           \
                .setup = starve_##id##_setup, .threads = {4})

STARVE(ring3_readers_first, (void)ring3_rwlock_init(&rwlock, RING3_RWLOCK_PREFER_READERS),
       (void)ring3_rwlock_rdlock(&rwlock), ring3_rwlock_rdunlock(&rwlock),
       ring3_rwlock_wrlock(&rwlock), ring3_rwlock_wrunlock(&rwlock));
STARVE(ring3_writers_first, (void)ring3_rwlock_init(&rwlock, RING3_RWLOCK_PREFER_WRITERS),
       (void)ring3_rwlock_rdlock(&rwlock), ring3_rwlock_rdunlock(&rwlock),
       ring3_rwlock_wrlock(&rwlock), ring3_rwlock_wrunlock(&rwlock));
STARVE(ring3_phase_fair, (void)ring3_rwlock_init(&rwlock, RING3_RWLOCK_PHASE_FAIR),
       (void)ring3_rwlock_rdlock(&rwlock), ring3_rwlock_rdunlock(&rwlock),
       ring3_rwlock_wrlock(&rwlock), ring3_rwlock_wrunlock(&rwlock));
STARVE(pthread_rwlock, (void)0, pthread_rwlock_rdlock(&pthread_lock),
       pthread_rwlock_unlock(&pthread_lock), pthread_rwlock_wrlock(&pthread_lock),
       pthread_rwlock_unlock(&pthread_lock));
