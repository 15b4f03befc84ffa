/* SPDX-License-Identifier: MIT */
/*
 * The matrix of libsync/README.md: each cell of it is tried here, and the table there must say what
 * this one does.
 */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * exclusion, progress, signal-safe (by lock_sigsave), sleeps (with RING3_WAIT_PARK) and surviving
 * oversubscription (adaptive) hold for all of them. What differs is order.
 */
static const bool fifo[RING3_SPINLOCK_ALGORITHMS] = {
    [RING3_SPINLOCK_TICKET] = true,  [RING3_SPINLOCK_TICKET_BACKOFF] = true,
    [RING3_SPINLOCK_MCS] = true,     [RING3_SPINLOCK_CLH] = true,
    [RING3_SPINLOCK_GUARDED] = true, [RING3_SPINLOCK_QUEUED] = true,
    [RING3_SPINLOCK_ARRAY] = true,
};

/* Not by order of arrival alone, but within a stated time: a slice, or the mutex's reservation. */
static bool is_bounded(int a)
{
    return fifo[a] || a == RING3_SPINLOCK_SLICE || a == RING3_SPINLOCK_ADAPTIVE;
}

static ring3_spinlock_t lock;

static void acquire(int tid)
{
    (void)tid;
    ring3_spinlock_lock(&lock);
}

static void release(int tid)
{
    (void)tid;
    ring3_spinlock_unlock(&lock);
}

static const char *fresh(int algorithm, ring3_wait_t how)
{
    check_eq(crew_spinlock(&lock, (ring3_spinlock_algorithm_t)algorithm, how), 0);
    return ring3_spinlock_name((ring3_spinlock_algorithm_t)algorithm);
}

#define EACH(a) (int a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++)

TEST(matrix, exclusion, 60)
{
    for
        EACH(a)
        {
            const char *const name = fresh(a, RING3_WAIT_ADAPTIVE);

            check_eq(run_exclusion(acquire, release, 2, rounds(2000)).violations, 0, "%s", name);
        }
}

/* A free lock is to be had, whatever came before. */
TEST(matrix, progress)
{
    for
        EACH(a)
        {
            const char *const name = fresh(a, RING3_WAIT_ADAPTIVE);

            for (int i = 0; i < 100; i++) {
                check_eq(ring3_spinlock_trylock(&lock), 0, "%s", name);
                check_eq(ring3_spinlock_trylock(&lock), -EBUSY, "%s", name);
                release(0);
                acquire(0);
                release(0);
            }
        }
}

static long turns[2];
static int enough;

static void come_again(int me)
{
    while (!ring3_load(&enough, RING3_RELAXED)) {
        acquire(me);
        ring3_store(&turns[me], turns[me] + 1, RING3_RELAXED);
        release(me);
        if (me == 1 && turns[1] >= 50)
            ring3_store(&enough, 1, RING3_RELAXED);
    }
}

/* Where waits are bounded, a thread beside a greedy one gets its turns. */
TEST(matrix, bounded_wait, 60)
{
    for
        EACH(a)
        {
            if (!is_bounded(a))
                continue;
            const char *const name = fresh(a, RING3_WAIT_ADAPTIVE);

            turns[0] = turns[1] = enough = 0;
            crew_run(2, come_again);
            check_ge(turns[1], 50L, "%s", name);
        }
}

static void raise_inside(int signal)
{
    sigset_t saved;

    (void)signal;
    ring3_spinlock_lock_sigsave(&lock, &saved);
    turns[0]++;
    ring3_spinlock_unlock_sigrestore(&lock, &saved);
}

TEST(matrix, signal_safe)
{
    const struct sigaction action = {.sa_handler = raise_inside};
    sigset_t saved;

    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    for
        EACH(a)
        {
            const char *const name = fresh(a, RING3_WAIT_ADAPTIVE);

            turns[0] = 0;
            for (int i = 0; i < 100; i++) {
                ring3_spinlock_lock_sigsave(&lock, &saved);
                check_eq(raise(SIGUSR1), 0); /* comes when the mask is restored */
                check_eq(turns[0], i, "%s: the handler ran while the lock was held", name);
                ring3_spinlock_unlock_sigrestore(&lock, &saved);
            }
            check_eq(turns[0], 100, "%s", name);
        }
}

static double cpu_used;
static uint32_t asked;

static void wait_and_measure(int me)
{
    struct timespec time;

    ring3_store(&asked, 1, RING3_RELEASE);
    acquire(me);
    release(me);
    check_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
    cpu_used = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* A waiter that spun for the whole time would have used all of it, if it had a CPU: so this is a
 * claim about waiting, not about speed. */
TEST(matrix, sleeps, 60)
{
    if (under_valgrind())
        return;
    for
        EACH(a)
        {
            const char *const name = fresh(a, RING3_WAIT_PARK);

            asked = 0;
            acquire(0);
            const pthread_t waiter = crew_start(wait_and_measure, 0);

            crew_until_quietly(ring3_load(&asked, RING3_ACQUIRE));
            sleep_ms(150);
            release(0);
            crew_join(waiter);
            check_lt(cpu_used * 1e3, 75.0, "%s", name);
        }
}

TEST(matrix, survives_oversubscription, 120)
{
    for
        EACH(a)
        {
            const char *const name = fresh(a, RING3_WAIT_ADAPTIVE);

            check_eq(run_exclusion(acquire, release, 4 * cpus() + 4, rounds(200)).violations, 0,
                     "%s", name);
        }
}

TEST(matrix, is_published)
{
    static char text[32768];
    FILE *const readme = fopen("libsync/README.md", "re");
    char line[160];

    if (!readme)
        return; /* run from elsewhere */
    text[fread(text, 1, sizeof text - 1, readme)] = '\0';
    fclose(readme);
    for
        EACH(a)
        {
            const char *const bounded = is_bounded(a) ? "yes" : "no", *const order =
                                                                          fifo[a] ? "yes" : "no";

            snprintf(line, sizeof line, "| %s | yes | yes | %s | %s | yes | yes | yes |",
                     ring3_spinlock_name((ring3_spinlock_algorithm_t)a), bounded, order);
            check(strstr(text, line) != NULL, "the README lacks: %s", line);
        }
}
