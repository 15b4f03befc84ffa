/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "ring3/sem.h"

#include <errno.h>

static ring3_sem_t sem;
static int inside, most_inside, arrived;
static int order[300]; /* 1 + who went on, in order */
static long rounds, posted, taken;

TEST(sem, starts_with_its_value_and_counts)
{
    check_eq(ring3_sem_init(&sem, 2, 0, RING3_PRIVATE), 0);
    check_eq(ring3_sem_trywait(&sem), 0);
    check_eq(ring3_sem_wait(&sem), 0);
    check_eq(ring3_sem_trywait(&sem), -EAGAIN);
    check_eq(ring3_sem_post(&sem), 0);
    check_eq(ring3_sem_value(&sem), 1u);
    check_eq(ring3_sem_waiters(&sem), 0u);
    check_eq(ring3_sem_trywait(&sem), 0);
}

TEST(sem, all_zero_memory_is_a_semaphore_without_permits)
{
    static ring3_sem_t zero;

    check_eq(ring3_sem_trywait(&zero), -EAGAIN);
    check_eq(ring3_sem_post(&zero), 0);
    check_eq(ring3_sem_trywait(&zero), 0);
}

TEST(sem, refuses_values_and_maxima_out_of_range)
{
    check_eq(ring3_sem_init(&sem, RING3_SEM_MAX + 1, 0, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_sem_init(&sem, 0, RING3_SEM_MAX + 1, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_sem_init(&sem, 3, 2, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_sem_init(&sem, RING3_SEM_MAX, 0, RING3_PRIVATE), 0);
    check_eq(ring3_sem_init(&sem, 2, 2, RING3_PRIVATE), 0);
}

#ifndef RING3_DEBUG
TEST(sem, refuses_a_post_above_its_maximum_and_changes_nothing)
{
    ring3_sem_init(&sem, 1, 1, RING3_PRIVATE);
    check_eq(ring3_sem_post(&sem), -EOVERFLOW);
    check_eq(ring3_sem_value(&sem), 1u);
    check_eq(ring3_sem_trywait(&sem), 0);
    check_eq(ring3_sem_post(&sem), 0);
    ring3_sem_init(&sem, RING3_SEM_MAX, 0, RING3_PRIVATE);
    check_eq(ring3_sem_post(&sem), -EOVERFLOW);
}
#endif

TEST(sem, times_out_on_either_clock_and_not_before)
{
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    struct timespec deadline, now;

    for (int shared = 0; shared < 2; shared++)
        for (int i = 0; i < 2; i++) {
            ring3_sem_init(&sem, 0, 0, shared);
            deadline = crew_in(clocks[i], 0.02);
            check_eq(ring3_sem_clockwait(&sem, clocks[i], &deadline), -ETIMEDOUT);
            clock_gettime(clocks[i], &now);
            check(now.tv_sec > deadline.tv_sec ||
                  (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec));
            check_eq(ring3_sem_waiters(&sem), 0u);
            deadline = crew_in(clocks[i], -5);
            check_eq(ring3_sem_clockwait(&sem, clocks[i], &deadline), -ETIMEDOUT);
            ring3_sem_post(&sem);
            check_eq(ring3_sem_clockwait(&sem, clocks[i], &deadline), 0, "it was there to have");
        }
}

TEST(sem, refuses_other_clocks_and_malformed_times)
{
    struct timespec bad = {1, 1000000000};

    ring3_sem_init(&sem, 1, 0, RING3_PRIVATE);
    check_eq(ring3_sem_clockwait(&sem, CLOCK_MONOTONIC, &bad), -EINVAL);
    check_eq(ring3_sem_clockwait(&sem, CLOCK_PROCESS_CPUTIME_ID, NULL), -EINVAL);
    check_eq(ring3_sem_value(&sem), 1u);
}

static void pass_through(int me)
{
    (void)me;
    for (long i = 0; i < rounds; i++) {
        check_eq(ring3_sem_wait(&sem), 0);
        const int now = ring3_fetch_add(&inside, 1, RING3_RELAXED) + 1;

        for (int most = ring3_load(&most_inside, RING3_RELAXED);
             now > most && !ring3_cas_weak(&most_inside, &most, now, RING3_RELAXED);)
            ;
        if (i % 64 == 0)
            sched_yield();
        ring3_fetch_sub(&inside, 1, RING3_RELAXED);
        check_eq(ring3_sem_post(&sem), 0);
    }
}

TEST(sem, lets_no_more_than_its_value_inside, 60)
{
    for (int shared = 0; shared < 2; shared++)
        for (int permits = 1; permits <= 3; permits++) {
            ring3_sem_init(&sem, (uint32_t)permits, (uint32_t)permits, shared);
            most_inside = 0;
            rounds = crew_count(1000);
            crew_run(8, pass_through);
            check_le(most_inside, permits);
            check_eq(ring3_sem_value(&sem), (uint32_t)permits);
            check_eq(ring3_sem_waiters(&sem), 0u);
        }
}

static void wait_in_line(int me)
{
    check_eq(ring3_sem_wait(&sem), 0);
    ring3_store(&order[ring3_fetch_add(&arrived, 1, RING3_RELAXED)], me + 1, RING3_RELAXED);
}

TEST(sem, hands_over_in_order_of_arrival)
{
    pthread_t threads[5];

    ring3_sem_init(&sem, 0, 0, RING3_PRIVATE);
    for (int i = 0; i < 5; i++) {
        threads[i] = crew_start(wait_in_line, i);
        crew_until(ring3_sem_waiters(&sem) == (uint32_t)i + 1);
    }
    for (int i = 0; i < 5; i++) {
        check_eq(ring3_sem_post(&sem), 0);
        crew_until(ring3_load(&order[i], RING3_RELAXED));
        check_eq(ring3_load(&order[i], RING3_RELAXED), i + 1, "permit %d", i);
    }
    for (int i = 0; i < 5; i++)
        crew_join(threads[i]);
}

/* A permit that is on its way to a waiter is not for newcomers: the value stays zero throughout. */
TEST(sem, keeps_a_permit_for_the_waiter_it_was_given_to)
{
    pthread_t thread;

    for (int i = 0; i < 200; i++) {
        ring3_sem_init(&sem, 0, 0, RING3_PRIVATE);
        arrived = 0;
        thread = crew_start(wait_in_line, 0);
        crew_until(ring3_sem_waiters(&sem) == 1);
        check_eq(ring3_sem_post(&sem), 0);
        check_eq(ring3_sem_trywait(&sem), -EAGAIN, "a newcomer took it in round %d", i);
        crew_join(thread);
    }
}

static void wait_until_closed(int me)
{
    (void)me;
    check_eq(ring3_sem_wait(&sem), -ECANCELED);
    ring3_fetch_add(&arrived, 1, RING3_RELAXED);
}

TEST(sem, ends_every_wait_when_it_is_closed)
{
    pthread_t threads[3];

    for (int shared = 0; shared < 2; shared++) {
        ring3_sem_init(&sem, 0, 0, shared);
        for (int i = 0; i < 3; i++)
            threads[i] = crew_start(wait_until_closed, i);
        crew_until(ring3_sem_waiters(&sem) == 3);
        ring3_sem_close(&sem);
        for (int i = 0; i < 3; i++)
            crew_join(threads[i]);
        check_eq(ring3_sem_waiters(&sem), 0u);
        check_eq(ring3_sem_trywait(&sem), -ECANCELED);
        check_eq(ring3_sem_wait(&sem), -ECANCELED);
        check_eq(ring3_sem_post(&sem), -ECANCELED);
    }
}

/* --- Timeouts against posts ------------------------------------------------------------------- */

static void take_impatiently(int me)
{
    struct timespec soon;

    (void)me;
    while (ring3_load(&taken, RING3_RELAXED) < rounds) {
        soon = crew_in(CLOCK_MONOTONIC, 20e-6);
        const int result = ring3_sem_timedwait(&sem, &soon);

        if (result == 0)
            ring3_fetch_add(&taken, 1, RING3_RELAXED);
        else
            check_eq(result, -ETIMEDOUT);
    }
}

static void post_all(int me)
{
    (void)me;
    for (; posted < rounds; posted++) {
        check_eq(ring3_sem_post(&sem), 0);
        if (posted % 16 == 0)
            sched_yield();
    }
}

static void take_or_post(int me)
{
    if (me == 0)
        post_all(me);
    else
        take_impatiently(me);
}

/* Each permit is taken exactly once, also when it meets a waiter that gives up. */
TEST(sem, loses_no_permit_to_a_waiter_that_gives_up, 60)
{
    for (int shared = 0; shared < 2; shared++) {
        ring3_sem_init(&sem, 0, 0, shared);
        rounds = crew_count(5000);
        posted = taken = 0;
        crew_run(4, take_or_post);
        check_eq(taken, rounds);
        check_eq(ring3_sem_value(&sem), 0u);
        check_eq(ring3_sem_waiters(&sem), 0u);
    }
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void do_nothing(int signal)
{
    (void)signal;
}

static int wait_result;

static void wait_interruptibly(int me)
{
    wait_result =
        me ? ring3_sem_clockwait_interruptible(&sem, CLOCK_MONOTONIC, NULL) : ring3_sem_wait(&sem);
    ring3_store(&arrived, 1, RING3_RELEASE);
}

TEST(sem, ends_with_eintr_only_in_the_interruptible_form)
{
    const struct sigaction action = {.sa_handler = do_nothing};

    sigaction(SIGUSR1, &action, NULL);
    for (int shared = 0; shared < 2; shared++) {
        ring3_sem_init(&sem, 0, 0, shared);
        arrived = 0;
        pthread_t thread = crew_start(wait_interruptibly, 1);

        crew_until(ring3_sem_waiters(&sem) == 1);
        while (!ring3_load(&arrived, RING3_ACQUIRE)) {
            pthread_kill(thread, SIGUSR1);
            sched_yield();
        }
        crew_join(thread);
        check_eq(wait_result, -EINTR);
        check_eq(ring3_sem_waiters(&sem), 0u);

        arrived = 0;
        thread = crew_start(wait_interruptibly, 0);
        crew_until(ring3_sem_waiters(&sem) == 1);
        for (int i = 0; i < 20; i++) {
            pthread_kill(thread, SIGUSR1);
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        check_eq(ring3_load(&arrived, RING3_ACQUIRE), 0);
        ring3_sem_post(&sem);
        crew_join(thread);
        check_eq(wait_result, 0);
    }
}

static ring3_sem_t from_handler;
static long handled;
static int finished;

static void post_in_handler(int signal)
{
    (void)signal;
    handled++;
    (void)ring3_sem_post(&from_handler);
}

static void wait_for_handlers(int me)
{
    (void)me;
    while (ring3_sem_wait(&from_handler) == 0)
        taken++;
}

/* The storm hits a thread that is in the parking table most of the time. */
static void play_ping_pong(int me)
{
    (void)me;
    while (!ring3_load(&finished, RING3_RELAXED)) {
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 1e-6);

        ring3_sem_timedwait(&sem, &soon);
    }
}

TEST(sem, may_be_posted_by_a_handler_that_interrupts_anything, 60)
{
    const struct sigaction action = {.sa_handler = post_in_handler, .sa_flags = SA_RESTART};
    const long storms = crew_count(20000);

    sigaction(SIGUSR2, &action, NULL);
    pthread_t waiter = crew_start(wait_for_handlers, 0), player = crew_start(play_ping_pong, 0);

    for (long i = 0; i < storms; i++) {
        pthread_kill(player, SIGUSR2);
        if (i % 4 == 0)
            sched_yield();
    }
    ring3_store(&finished, 1, RING3_RELAXED);
    crew_join(player);
    crew_until(ring3_sem_value(&from_handler) == 0);
    ring3_sem_close(&from_handler);
    crew_join(waiter);
    check_gt(handled, 0L);
    check_eq(taken, handled);
}

/* --- Processes -------------------------------------------------------------------------------- */

static struct {
    ring3_sem_t ping, pong;
    int count;
} * between;

static void answer_pings(void)
{
    for (int i = 0; i < 500; i++) {
        check_eq(ring3_sem_wait(&between->ping), 0);
        between->count++;
        check_eq(ring3_sem_post(&between->pong), 0);
    }
}

TEST(sem, works_between_processes_when_shared)
{
    between = crew_shared(sizeof *between);
    check_eq(ring3_sem_init(&between->ping, 0, 0, RING3_SHARED), 0);
    check_eq(ring3_sem_init(&between->pong, 0, 0, RING3_SHARED), 0);
    const pid_t child = crew_fork(answer_pings);

    for (int i = 0; i < 500; i++) {
        check_eq(ring3_sem_post(&between->ping), 0);
        check_eq(ring3_sem_wait(&between->pong), 0);
        check_eq(between->count, i + 1);
    }
    check_child(child);
}

/* --- Worked examples of the literature ---------------------------------------------------------
 */

static ring3_sem_t first_done, second_done;
static int said[3], words;

static void say(int which)
{
    if (which == 1)
        check_eq(ring3_sem_wait(&first_done), 0);
    if (which == 2)
        check_eq(ring3_sem_wait(&second_done), 0);
    said[ring3_fetch_add(&words, 1, RING3_RELAXED)] = which;
    if (which == 0)
        check_eq(ring3_sem_post(&first_done), 0);
    if (which == 1)
        check_eq(ring3_sem_post(&second_done), 0);
}

TEST(sem, orders_three_events_with_two_semaphores_at_zero)
{
    for (int i = 0; i < 50; i++) {
        ring3_sem_init(&first_done, 0, 0, RING3_PRIVATE);
        ring3_sem_init(&second_done, 0, 0, RING3_PRIVATE);
        words = 0;
        pthread_t third = crew_start(say, 2), second = crew_start(say, 1);

        say(0);
        crew_join(second);
        crew_join(third);
        for (int j = 0; j < 3; j++)
            check_eq(said[j], j);
    }
}

/* The negative case: at 1 the second event does not wait for the first. */
TEST(sem, orders_nothing_when_it_starts_at_one)
{
    ring3_sem_init(&first_done, 1, 0, RING3_PRIVATE);
    ring3_sem_init(&second_done, 0, 0, RING3_PRIVATE);
    say(1);
    say(0);
    check_eq(said[0], 1);
}

/* A stray post breaks a semaphore used as a lock for good; a maximum of 1 prevents it. */
TEST(sem, admits_two_for_ever_after_one_stray_post)
{
    ring3_sem_init(&sem, 1, 0, RING3_PRIVATE);
    ring3_sem_post(&sem);
    for (int i = 0; i < 3; i++) {
        check_eq(ring3_sem_trywait(&sem), 0);
        check_eq(ring3_sem_trywait(&sem), 0, "the second entrant");
        ring3_sem_post(&sem);
        ring3_sem_post(&sem);
    }
}
