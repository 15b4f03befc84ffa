/* SPDX-License-Identifier: MIT */
/* Mutexes that know their owner, and the priority-inheriting one. */
#include "crew.h"

#include "ring3/owned.h"
#include "ring3/pimutex.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static ring3_owned_t owned;
static ring3_pimutex_t *pi;
static long counter, rounds;

static struct timespec *soon_on(clockid_t clock)
{
    static __thread struct timespec when;

    when = crew_in(clock, 0.02);
    return &when;
}

/* --- Owned ------------------------------------------------------------------------------------- */

static void misuse(int me)
{
    (void)me;
    check_eq(ring3_owned_unlock(&owned), -EPERM, "a foreign unlock");
    check_eq(ring3_owned_trylock(&owned), -EBUSY);
    check_eq(ring3_owned_timedlock(&owned, soon_on(CLOCK_MONOTONIC)), -ETIMEDOUT);
    check_eq(ring3_owned_clocklock(&owned, CLOCK_REALTIME, soon_on(CLOCK_REALTIME)), -ETIMEDOUT);
}

TEST(owned, errorcheck_reports_misuse_and_changes_nothing)
{
    check_eq(ring3_owned_init(&owned, RING3_OWNED_ERRORCHECK), 0);
    check_eq(ring3_owned_unlock(&owned), -EPERM, "not locked");
    check_eq(ring3_owned_lock(&owned), 0);
    check_eq(ring3_owned_lock(&owned), -EDEADLK);
    check_eq(ring3_owned_timedlock(&owned, soon_on(CLOCK_MONOTONIC)), -EDEADLK);
    check_eq(ring3_owned_trylock(&owned), -EBUSY);
    crew_join(crew_start(misuse, 0));
    check_eq(ring3_owned_unlock(&owned), 0);
    check_eq(ring3_owned_unlock(&owned), -EPERM, "unlocked twice");
    check_eq(ring3_owned_trylock(&owned), 0);
    check_eq(ring3_owned_unlock(&owned), 0);
    check_eq(ring3_owned_init(&owned, (ring3_owned_kind_t)2), -EINVAL);
}

static void take_and_return(int me)
{
    (void)me;
    check_eq(ring3_owned_trylock(&owned), 0);
    check_eq(ring3_owned_unlock(&owned), 0);
}

TEST(owned, recursive_is_free_after_as_many_unlocks_as_locks)
{
    static ring3_owned_t recursive = RING3_OWNED_INIT(RING3_OWNED_RECURSIVE);

    owned = recursive;
    for (int i = 0; i < 3; i++)
        check_eq(ring3_owned_lock(&owned), 0);
    check_eq(ring3_owned_trylock(&owned), 0);
    for (int i = 0; i < 4; i++) {
        crew_join(crew_start(misuse, 0));
        check_eq(ring3_owned_unlock(&owned), 0);
    }
    crew_join(crew_start(take_and_return, 0));
    check_eq(ring3_owned_unlock(&owned), -EPERM);
    check_eq(ring3_owned_lock(&owned), 0);
    owned.depth = UINT32_MAX;
    check_eq(ring3_owned_lock(&owned), -EAGAIN);
}

static void count_owned(int me)
{
    for (long i = 0; i < rounds; i++) {
        check_eq(ring3_owned_lock(&owned), 0);
        if (me % 2 && owned.kind == RING3_OWNED_RECURSIVE)
            check_eq(ring3_owned_lock(&owned), 0);
        counter++;
        if (me % 2 && owned.kind == RING3_OWNED_RECURSIVE)
            check_eq(ring3_owned_unlock(&owned), 0);
        check_eq(ring3_owned_unlock(&owned), 0);
    }
}

TEST(owned, excludes, 60)
{
    for (int kind = 0; kind < 2; kind++) {
        check_eq(ring3_owned_init(&owned, (ring3_owned_kind_t)kind), 0);
        counter = 0;
        rounds = crew_count(5000);
        crew_run(6, count_owned);
        check_eq(counter, 6 * rounds);
    }
}

/* --- Priority-inheriting ------------------------------------------------------------------------ */

static void count_pi(int me)
{
    (void)me;
    for (long i = 0; i < rounds; i++) {
        check_eq(ring3_pimutex_lock(pi), 0);
        counter++;
        if (i % 64 == 0)
            sched_yield();
        check_eq(ring3_pimutex_unlock(pi), 0);
    }
}

TEST(pimutex, excludes, 60)
{
    static ring3_pimutex_t mutex = RING3_PIMUTEX_INIT;

    pi = &mutex;
    for (int shared = 0; shared < 2; shared++) {
        ring3_pimutex_init(pi, shared);
        counter = 0;
        rounds = crew_count(2000);
        crew_run(6, count_pi);
        check_eq(counter, 6 * rounds);
        check_eq(pi->word, 0u);
    }
}

static void misuse_pi(int me)
{
    (void)me;
    check_eq(ring3_pimutex_unlock(pi), -EPERM);
    check_eq(ring3_pimutex_trylock(pi), -EBUSY);
    check_eq(ring3_pimutex_clocklock(pi, CLOCK_MONOTONIC, soon_on(CLOCK_MONOTONIC)), -ETIMEDOUT);
    check_eq(ring3_pimutex_clocklock(pi, CLOCK_REALTIME, soon_on(CLOCK_REALTIME)), -ETIMEDOUT);
    check_eq(ring3_pimutex_clocklock(pi, CLOCK_BOOTTIME, NULL), -EINVAL);
}

TEST(pimutex, reports_misuse_and_times_out)
{
    static ring3_pimutex_t mutex;

    if (under_valgrind()) /* which knows no FUTEX_LOCK_PI2 */
        return;
    pi = &mutex;
    check_eq(ring3_pimutex_unlock(pi), -EPERM, "not locked");
    check_eq(ring3_pimutex_lock(pi), 0);
    check_eq(ring3_pimutex_lock(pi), -EDEADLK);
    check_eq(ring3_pimutex_trylock(pi), -EBUSY);
    crew_join(crew_start(misuse_pi, 0));
    check_eq(ring3_pimutex_unlock(pi), 0);
    check_eq(ring3_pimutex_trylock(pi), 0);
    check_eq(ring3_pimutex_unlock(pi), 0);
}

static struct {
    ring3_pimutex_t mutex;
    long counter;
} * between;

static void count_between(void)
{
    for (int i = 0; i < 1000; i++) {
        check_eq(ring3_pimutex_lock(&between->mutex), 0);
        between->counter++;
        check_eq(ring3_pimutex_unlock(&between->mutex), 0);
    }
}

TEST(pimutex, works_between_processes_when_shared)
{
    between = crew_shared(sizeof *between);
    ring3_pimutex_init(&between->mutex, RING3_SHARED);
    const pid_t child = crew_fork(count_between);

    count_between();
    check_child(child);
    check_eq(between->counter, 2000L);
}
