/* SPDX-License-Identifier: MIT */
/* User-level threads that wait: for libsync's objects, for kernel threads, for time. */
#include "threads.h"

#include "ring3/atomic.h"
#include "ring3/event.h"
#include "ring3/mutex.h"
#include "ring3/sem.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

static long adds;
static char order[64];

static void *twice(void *arg)
{
    ring3_thread_yield();
    return number(2 * value_of(arg));
}

static void *add_and_yield(void *turns)
{
    for (long i = 0; i < value_of(turns); i++) {
        ring3_fetch_add(&adds, 1, RING3_RELAXED);
        ring3_thread_yield();
    }
    return NULL;
}

/* --- Locks of libsync ------------------------------------------------------------------------- */

static ring3_mutex_t mutex;
static long guarded;

static void *add_guarded(void *turns)
{
    for (long i = 0; i < value_of(turns); i++) {
        long seen;

        ring3_mutex_lock(&mutex);
        seen = guarded;
        if (i % 8 == 0)
            ring3_thread_yield();
        guarded = seen + 1;
        ring3_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(thread_sync, a_mutex_excludes_user_threads_and_kernel_threads_alike, 60)
{
    enum { COUNT = 8 };
    const long turns = scaled(400, 100000);

    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t threads[COUNT];
        pthread_t kernel[2];

        guarded = 0;
        start(&models[model]);
        for (int i = 0; i < COUNT; i++)
            threads[i] = spawn(add_guarded, number(turns));
        for (int i = 0; i < 2; i++)
            check_eq(pthread_create(&kernel[i], NULL, add_guarded, number(turns)), 0);
        for (int i = 0; i < COUNT; i++)
            (void)join(threads[i]);
        for (int i = 0; i < 2; i++)
            check_eq(pthread_join(kernel[i], NULL), 0);
        check_eq(guarded, (COUNT + 2) * turns, "model %d", model);
        stop();
    }
}

static ring3_sem_t ping, pong;

static void *answer(void *turns)
{
    for (long i = 0; i < value_of(turns); i++) {
        check_eq(ring3_sem_wait(&ping), 0);
        check_eq(ring3_sem_post(&pong), 0);
    }
    return NULL;
}

TEST(thread_sync, semaphores_hand_over_between_user_threads, 60)
{
    const long turns = scaled(2000, 200000);

    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t thread;

        ring3_sem_init(&ping, 0, 0, RING3_PRIVATE);
        ring3_sem_init(&pong, 0, 0, RING3_PRIVATE);
        start(&models[model]);
        thread = spawn(answer, number(turns));
        for (long i = 0; i < turns; i++) {
            check_eq(ring3_sem_post(&ping), 0);
            check_eq(ring3_sem_wait(&pong), 0);
        }
        (void)join(thread);
        stop();
    }
}

static ring3_event_t event;

static void *wait_for_event(void *arg)
{
    ring3_event_wait(&event);
    return arg;
}

static void *set_event(void *arg)
{
    ring3_event_set(&event);
    return arg;
}

TEST(thread_sync, a_kernel_thread_wakes_user_threads)
{
    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t threads[10];
        pthread_t kernel;

        ring3_event_init(&event, RING3_PRIVATE);
        start(&models[model]);
        for (int i = 0; i < 10; i++)
            threads[i] = spawn(wait_for_event, NULL);
        for (int i = 0; i < 10; i++)
            ring3_thread_yield();
        check_eq(pthread_create(&kernel, NULL, set_event, NULL), 0);
        for (int i = 0; i < 10; i++)
            (void)join(threads[i]);
        check_eq(pthread_join(kernel, NULL), 0);
        stop();
    }
}

static void *join_and_create(void *thread)
{
    ring3_thread_t made;
    void *result;

    check_eq(ring3_thread_join(*(ring3_thread_t *)thread, &result), 0);
    check_eq(value_of(result), 10);
    check_eq(ring3_thread_create(&made, NULL, twice, number(21)), 0);
    check_eq(ring3_thread_join(made, &result), 0);
    ring3_event_set(&event);
    return result;
}

TEST(thread_sync, kernel_threads_may_make_and_join_user_threads)
{
    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t thread;
        pthread_t kernel;
        void *result;

        ring3_event_init(&event, RING3_PRIVATE);
        start(&models[model]);
        thread = spawn(twice, number(5));
        check_eq(pthread_create(&kernel, NULL, join_and_create, &thread), 0);
        ring3_event_wait(&event); /* and lets the others run */
        check_eq(pthread_join(kernel, &result), 0);
        check_eq(value_of(result), 42);
        while (ring3_runtime_stop() == -EBUSY)
            ring3_thread_yield();
    }
}

TEST(thread_sync, a_timed_wait_ends_on_time_and_lets_others_run)
{
    ring3_thread_t thread;
    const double before = seconds_now();
    struct timespec deadline;

    start(&models[0]);
    adds = 0;
    ring3_sem_init(&ping, 0, 0, RING3_PRIVATE);
    thread = spawn(add_and_yield, number(10));
    deadline = ring3_deadline_in(CLOCK_MONOTONIC, 20000000);
    check_eq(ring3_sem_timedwait(&ping, &deadline), -ETIMEDOUT);
    check_ge(seconds_now() - before, 0.02);
    check_eq(adds, 10);
    (void)join(thread);
    stop();
}

/* --- Time ------------------------------------------------------------------------------------- */

static void *sleep_and_write(void *ms)
{
    check_eq(ring3_sleep_ns(value_of(ms) * 1000000), 0);
    order[strlen(order)] = (char)('0' + value_of(ms) / 10);
    return NULL;
}

TEST(thread_sync, sleepers_wake_in_the_order_of_their_times)
{
    static const long times[] = {30, 10, 20, 50, 40};
    ring3_thread_t threads[5];

    start(&(ring3_runtime_options_t){.workers = 1, .virtual_clock = true});
    for (int i = 0; i < 5; i++)
        threads[i] = spawn(sleep_and_write, number(times[i]));
    for (int i = 0; i < 5; i++)
        (void)join(threads[i]);
    check_str_eq(order, "12345");
    check_eq(ring3_runtime_now(), 50000000, "virtual time passes only while all sleep");
    stop();
}

TEST(thread_sync, idle_workers_use_no_cpu)
{
    struct rusage before, after;
    long used;

    start(&models[1]);
    check_eq(getrusage(RUSAGE_SELF, &before), 0);
    check_eq(ring3_sleep_ns(200000000), 0);
    check_eq(getrusage(RUSAGE_SELF, &after), 0);
    used = (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
           (after.ru_stime.tv_usec - before.ru_stime.tv_usec) +
           1000000 * (after.ru_utime.tv_sec - before.ru_utime.tv_sec +
                      (after.ru_stime.tv_sec - before.ru_stime.tv_sec));
    /* A worker that polled would use all of the 200 ms. */
    if (!slow_machine())
        check_lt(used, 100000, "%ld us of 200000", used);
    stop();
}
