/* SPDX-License-Identifier: MIT */
/* Threads wait while signals rain on them. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/mutex.h"
#include "ring3/self.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

static ring3_mutex_t mutex;
static ring3_spinlock_t spinlock;
static long handled;

static void count(int signal)
{
    (void)signal;
    ring3_fetch_add(&handled, 1, RING3_RELAXED);
}

/* SIGALRM to the process every 300 us, which wakes whichever thread the kernel likes. */
static void start_storm(void)
{
    const struct sigaction action = {.sa_handler = count};
    const struct itimerval often = {{0, 300}, {0, 300}};

    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void stop_storm(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};

    check_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    check_gt(ring3_load(&handled, RING3_RELAXED), 0L, "no signal came");
}

/* Signals for one thread: whatever it sleeps in is interrupted again and again. */
static void pelt(pthread_t thread, int milliseconds)
{
    for (int i = 0; i < 5 * milliseconds; i++) {
        const struct timespec pause = {0, 200000};

        check_eq(pthread_kill(thread, SIGALRM), 0);
        nanosleep(&pause, NULL);
    }
}

static void acquire_mutex(int tid)
{
    (void)tid;
    ring3_mutex_lock(&mutex);
}
static void release_mutex(int tid)
{
    (void)tid;
    ring3_mutex_unlock(&mutex);
}
static void acquire_spinlock(int tid)
{
    (void)tid;
    ring3_spinlock_lock(&spinlock);
}
static void release_spinlock(int tid)
{
    (void)tid;
    ring3_spinlock_unlock(&spinlock);
}

TEST(signals, a_storm_loses_no_wake_up_and_lets_nobody_in_early, 60)
{
    start_storm();
    check_eq(run_exclusion(acquire_mutex, release_mutex, 8, rounds(50000)).violations, 0);
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++)
        for (int i = 0; i < 2; i++) {
            const ring3_wait_t how = i ? RING3_WAIT_PARK : RING3_WAIT_ADAPTIVE;

            check_eq(crew_spinlock(&spinlock, a, how), 0);
            check_eq(run_exclusion(acquire_spinlock, release_spinlock, 8, rounds(1000)).violations,
                     0, "%s %s", ring3_spinlock_name(a), ring3_wait_name(how));
        }
    stop_storm();
}

TEST(signals, timed_waits_do_not_end_early)
{
    start_storm();
    check_eq(ring3_spinlock_init(&spinlock, RING3_SPINLOCK_MCS, RING3_WAIT_PARK), 0);
    ring3_mutex_lock(&mutex);
    ring3_spinlock_lock(&spinlock);
    for (int i = 0; i < 5; i++) {
        struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);

        check_eq(ring3_mutex_timedlock(&mutex, &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "mutex");
        deadline = ring3_deadline_in(CLOCK_REALTIME, 10000000);
        check_eq(ring3_mutex_clocklock(&mutex, CLOCK_REALTIME, &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(CLOCK_REALTIME, &deadline), "mutex, CLOCK_REALTIME");
        deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
        check_eq(ring3_spinlock_timedlock(&spinlock, &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "MCS");
        deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
        check_eq(ring3_park_until(CLOCK_MONOTONIC, &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "park");
    }
    stop_storm();
}

static struct {
    ring3_self_t *self;
    bool go;
} sleeper;

static void *park_once(void *unused)
{
    ring3_store(&sleeper.self, ring3_self(), RING3_RELEASE);
    ring3_park();
    check(ring3_load(&sleeper.go, RING3_ACQUIRE), "park returned without a permit");
    return unused;
}

static void *change_once(void *word)
{
    ring3_store(&sleeper.self, ring3_self(), RING3_RELEASE);
    check_eq(ring3_wait_change(word, 0, RING3_WAIT_PARK, NULL), 0);
    check(ring3_load(&sleeper.go, RING3_ACQUIRE), "the wait ended before the word changed");
    return NULL;
}

static pthread_t start_sleeper(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    sleeper.self = NULL;
    sleeper.go = false;
    check_eq(pthread_create(&thread, NULL, body, argument), 0);
    while (!ring3_load(&sleeper.self, RING3_ACQUIRE))
        sched_yield();
    return thread;
}

TEST(signals, untimed_waits_go_on)
{
    const struct sigaction action = {.sa_handler = count};
    uint32_t word = 0;
    pthread_t thread;

    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    thread = start_sleeper(park_once, NULL);
    pelt(thread, 30);
    ring3_store(&sleeper.go, true, RING3_RELEASE);
    ring3_unpark(sleeper.self);
    check_eq(pthread_join(thread, NULL), 0);

    thread = start_sleeper(change_once, &word);
    pelt(thread, 30);
    ring3_store(&sleeper.go, true, RING3_RELEASE);
    ring3_store(&word, 1, RING3_RELEASE);
    ring3_wait_wake(&word);
    check_eq(pthread_join(thread, NULL), 0);
}

/* ring3_unpark is async-signal-safe: the handler gives the permit its own thread sleeps for. */
static void unpark_from_handler(int signal)
{
    (void)signal;
    ring3_unpark(sleeper.self);
}

TEST(signals, a_handler_may_unpark)
{
    const struct sigaction action = {.sa_handler = unpark_from_handler};
    const struct itimerval often = {{0, 1000}, {0, 1000}};

    sleeper.self = ring3_self();
    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < 50; i++)
        ring3_park();
}
