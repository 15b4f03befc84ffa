/* SPDX-License-Identifier: MIT */
/* The big-reader lock and the two textbook read-write locks, through one table. */
#include "crew.h"

#include "ring3/biglock.h"
#include "ring3/rwclassic.h"

#include <errno.h>

struct kind {
    const char *name;
    int (*rdlock)(clockid_t clock, const struct timespec *deadline);
    int (*wrlock)(clockid_t clock, const struct timespec *deadline);
    int (*tryrdlock)(void);
    int (*trywrlock)(void);
    void (*rdunlock)(void);
    void (*wrunlock)(void);
};

static ring3_biglock_t big;
static ring3_rwcounter_t by_counter;
static ring3_rwsemaphores_t by_semaphores = RING3_RWSEMAPHORES_INIT;

static int big_rdlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_biglock_clockrdlock(&big, clock, deadline);
}
static int big_wrlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_biglock_clockwrlock(&big, clock, deadline);
}
static int big_tryrdlock(void)
{
    return ring3_biglock_tryrdlock(&big);
}
static int big_trywrlock(void)
{
    return ring3_biglock_trywrlock(&big);
}
static void big_rdunlock(void)
{
    ring3_biglock_rdunlock(&big);
}
static void big_wrunlock(void)
{
    ring3_biglock_wrunlock(&big);
}

static int counter_rdlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_rwcounter_clockrdlock(&by_counter, clock, deadline);
}
static int counter_wrlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_rwcounter_clockwrlock(&by_counter, clock, deadline);
}
static int counter_tryrdlock(void)
{
    return ring3_rwcounter_tryrdlock(&by_counter);
}
static int counter_trywrlock(void)
{
    return ring3_rwcounter_trywrlock(&by_counter);
}
static void counter_rdunlock(void)
{
    ring3_rwcounter_rdunlock(&by_counter);
}
static void counter_wrunlock(void)
{
    ring3_rwcounter_wrunlock(&by_counter);
}

static int semaphores_rdlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_rwsemaphores_clockrdlock(&by_semaphores, clock, deadline);
}
static int semaphores_wrlock(clockid_t clock, const struct timespec *deadline)
{
    return ring3_rwsemaphores_clockwrlock(&by_semaphores, clock, deadline);
}
static int semaphores_tryrdlock(void)
{
    return ring3_rwsemaphores_tryrdlock(&by_semaphores);
}
static int semaphores_trywrlock(void)
{
    return ring3_rwsemaphores_trywrlock(&by_semaphores);
}
static void semaphores_rdunlock(void)
{
    ring3_rwsemaphores_rdunlock(&by_semaphores);
}
static void semaphores_wrunlock(void)
{
    ring3_rwsemaphores_wrunlock(&by_semaphores);
}

static const struct kind kinds[] = {
    {"big-reader", big_rdlock, big_wrlock, big_tryrdlock, big_trywrlock, big_rdunlock,
     big_wrunlock},
    {"resource counter", counter_rdlock, counter_wrlock, counter_tryrdlock, counter_trywrlock,
     counter_rdunlock, counter_wrunlock},
    {"two semaphores", semaphores_rdlock, semaphores_wrlock, semaphores_tryrdlock,
     semaphores_trywrlock, semaphores_rdunlock, semaphores_wrunlock},
};
#define KINDS (int)(sizeof kinds / sizeof *kinds)

static const struct kind *kind;
static long counter, copy, writes, rounds;
static int passed;

TEST(rwothers, admit_many_readers_or_one_writer)
{
    for (int i = 0; i < KINDS; i++) {
        kind = &kinds[i];
        for (int round = 0; round < 3; round++) { /* the big lock opens after the first */
            check_eq(kind->rdlock(CLOCK_MONOTONIC, NULL), 0, "%s", kind->name);
            check_eq(kind->tryrdlock(), 0, "%s", kind->name);
            check_eq(kind->trywrlock(), -EBUSY, "%s", kind->name);
            kind->rdunlock();
            check_eq(kind->trywrlock(), -EBUSY, "%s", kind->name);
            kind->rdunlock();
            check_eq(kind->trywrlock(), 0, "%s", kind->name);
            check_eq(kind->tryrdlock(), -EBUSY, "%s", kind->name);
            check_eq(kind->trywrlock(), -EBUSY, "%s", kind->name);
            kind->wrunlock();
        }
    }
}

static void try_both(int me)
{
    const clockid_t clock = me ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    struct timespec soon = crew_in(clock, 0.01);

    check_eq(kind->rdlock(clock, &soon), -ETIMEDOUT, "%s", kind->name);
    soon = crew_in(clock, 0.01);
    check_eq(kind->wrlock(clock, &soon), -ETIMEDOUT, "%s", kind->name);
}

static void try_to_write(int me)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

    (void)me;
    check_eq(kind->wrlock(CLOCK_MONOTONIC, &soon), -ETIMEDOUT, "%s", kind->name);
}

TEST(rwothers, time_out_on_either_clock)
{
    for (int i = 0; i < KINDS; i++) {
        kind = &kinds[i];
        check_eq(kind->wrlock(CLOCK_MONOTONIC, NULL), 0);
        crew_join(crew_start(try_both, 0));
        crew_join(crew_start(try_both, 1));
        kind->wrunlock();
        check_eq(kind->rdlock(CLOCK_MONOTONIC, NULL), 0);
        crew_join(crew_start(try_to_write, 0));
        kind->rdunlock();
        check_eq(kind->trywrlock(), 0, "%s: nothing is left of those who gave up", kind->name);
        kind->wrunlock();
    }
}

static void mix(int me)
{
    unsigned choice = (unsigned)me * 977u + 1;

    for (long i = 0; i < rounds; i++) {
        struct timespec brief = crew_in(CLOCK_MONOTONIC, 50e-6);

        choice = choice * 1103515245u + 12345u;
        const unsigned what = choice >> 16 & 31;

        if (what < 3) {
            if ((what == 0   ? kind->wrlock(CLOCK_MONOTONIC, NULL)
                 : what == 1 ? kind->wrlock(CLOCK_MONOTONIC, &brief)
                             : kind->trywrlock()) != 0)
                continue;
            copy = ++counter;
            ring3_fetch_add(&writes, 1, RING3_RELAXED);
            kind->wrunlock();
        } else {
            if ((what == 3   ? kind->tryrdlock()
                 : what == 4 ? kind->rdlock(CLOCK_MONOTONIC, &brief)
                             : kind->rdlock(CLOCK_MONOTONIC, NULL)) != 0)
                continue;
            check_eq(counter, copy, "%s", kind->name);
            if (choice >> 24 == 0)
                sched_yield();
            kind->rdunlock();
        }
    }
}

TEST(rwothers, exclude_with_more_threads_than_cpus, 120)
{
    for (int i = 0; i < KINDS; i++)
        for (int threads = 2; threads <= 8; threads += 3) {
            kind = &kinds[i];
            counter = copy = writes = 0;
            rounds = crew_count(8000);
            crew_run(threads, mix);
            check_eq(counter, writes, "%s", kind->name);
            check_eq(kind->trywrlock(), 0, "%s", kind->name);
            kind->wrunlock();
        }
}

/* --- Of the big-reader lock --------------------------------------------------------------------- */

TEST(biglock, reads_without_touching_the_lock_once_it_is_open)
{
    check_eq(ring3_biglock_rdlock(&big), 0);
    check_eq(big.below.word, 1u, "the first reader goes through the lock below");
    ring3_biglock_rdunlock(&big);
    check_eq(big.open, 1u);
    check_eq(ring3_biglock_rdlock(&big), 0);
    check_eq(big.below.word, 0u, "the second does not");
    check_eq(ring3_biglock_rdlock(&big), 0);
    check_eq(big.below.word, 1u, "a nested one has no slot");
    ring3_biglock_rdunlock(&big);
    ring3_biglock_rdunlock(&big);
    check_eq(ring3_biglock_trywrlock(&big), 0);
    check_eq(big.open, 0u);
    ring3_biglock_wrunlock(&big);
}

static void write_and_say(int me)
{
    (void)me;
    ring3_biglock_wrlock(&big);
    ring3_store(&passed, 1, RING3_RELEASE);
    ring3_biglock_wrunlock(&big);
}

TEST(biglock, has_its_writer_wait_for_readers_in_their_slots)
{
    ring3_biglock_rdlock(&big);
    ring3_biglock_rdunlock(&big);
    ring3_biglock_rdlock(&big);
    check_eq(big.below.word, 0u);
    pthread_t writer = crew_start(write_and_say, 0);

    crew_until(!ring3_load(&big.open, RING3_RELAXED));
    nanosleep(&(struct timespec){0, 5000000}, NULL);
    check_eq(ring3_load(&passed, RING3_ACQUIRE), 0);
    ring3_biglock_rdunlock(&big);
    crew_join(writer);
    check_gt(big.closed_until, UINT64_C(0));
}

static void give_up_writing(int me)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.005);

    (void)me;
    check_eq(ring3_biglock_trywrlock(&big), -EBUSY);
    check_eq(ring3_biglock_trywrlock(&big), -EBUSY, "after a first attempt");
    check_eq(ring3_biglock_clockwrlock(&big, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
    check_eq(ring3_biglock_clockwrlock(&big, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
    check_eq(ring3_biglock_trywrlock(&big), -EBUSY);
}

/* A writer that gave up must not make the next one overlook the readers it waited for. */
TEST(biglock, keeps_readers_in_sight_when_writers_give_up)
{
    ring3_biglock_rdlock(&big);
    ring3_biglock_rdunlock(&big);
    ring3_biglock_rdlock(&big);
    crew_join(crew_start(give_up_writing, 0));
    ring3_biglock_rdunlock(&big);
}

static void read_twice(int me)
{
    (void)me;
    for (int i = 0; i < 2; i++) {
        check_eq(ring3_biglock_rdlock(&big), 0);
        ring3_biglock_rdunlock(&big);
    }
}

/* Rows go back when their thread ends: more threads than there are rows, one after another. */
TEST(biglock, gives_rows_of_ended_threads_to_others)
{
    read_twice(0);
    for (long i = 0; i < crew_count(1500); i++)
        crew_join(crew_start(read_twice, 0));
    crew_run(1, read_twice);
    check_eq(ring3_biglock_trywrlock(&big), 0);
    ring3_biglock_wrunlock(&big);
}

static void hold_for_ever(int me)
{
    (void)me;
    read_twice(0);
    ring3_biglock_rdlock(&big);
    ring3_store(&passed, 1, RING3_RELEASE);
    crew_until_quietly(ring3_load(&passed, RING3_ACQUIRE) == 2);
    ring3_biglock_rdunlock(&big);
}

static void write_in_child(void)
{
    big = (ring3_biglock_t){.open = 1};
    check_eq(ring3_biglock_trywrlock(&big), 0, "no reader of the parent is here");
}

TEST(biglock, knows_no_readers_of_the_parent_in_a_child)
{
    pthread_t reader = crew_start(hold_for_ever, 0);

    crew_until(ring3_load(&passed, RING3_ACQUIRE));
    check_eq(big.below.word, 0u, "it reads by its slot");
    const pid_t child = crew_fork(write_in_child);

    check_child(child);
    ring3_store(&passed, 2, RING3_RELEASE);
    crew_join(reader);
}
