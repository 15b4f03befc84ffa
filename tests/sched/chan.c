/* SPDX-License-Identifier: MIT */
/* Channels and nurseries. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/chan.h"
#include "ring3/nursery.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static const ring3_runtime_options_t models[] = {
    {.workers = 1},
    {.workers = 3},
    {.model = RING3_RUNTIME_BOUND},
};

#define MODELS ((int)(sizeof models / sizeof *models))

static ring3_thread_t spawn(void *(*body)(void *), void *arg)
{
    ring3_thread_t thread = 0;

    check_eq(ring3_thread_create(&thread, NULL, body, arg), 0);
    return thread;
}

static long join(ring3_thread_t thread)
{
    void *result = NULL;

    check_eq(ring3_thread_join(thread, &result), 0);
    return (long)(intptr_t)result;
}

static ring3_chan_t chan, other;
static long total;

/* --- Order and hand-over ---------------------------------------------------------------------- */

static void *send_upwards(void *count)
{
    for (long i = 0; i < (long)(intptr_t)count; i++)
        check_eq(ring3_chan_send(&chan, &i, NULL), 0);
    check_eq(ring3_chan_close(&chan), 0);
    return NULL;
}

TEST(chan, items_arrive_in_order, 60)
{
    for (int model = 0; model < MODELS; model++)
        for (size_t capacity = 0; capacity <= 7; capacity += 7) {
            const long count = scaled(500, 100000);
            long buffer[7], item = -1, expected = 0;
            ring3_thread_t sender;

            check_eq(ring3_runtime_start(&models[model]), 0);
            check_eq(ring3_chan_init(&chan, sizeof item, capacity, capacity ? buffer : NULL), 0);
            sender = spawn(send_upwards, (void *)(intptr_t)count);
            while (ring3_chan_receive(&chan, &item, NULL) == 0)
                check_eq(item, expected++);
            check_eq(expected, count, "model %d", model);
            (void)join(sender);
            check_eq(ring3_runtime_stop(), 0);
        }
}

static void *produce(void *count)
{
    for (long i = 1; i <= (long)(intptr_t)count; i++)
        check_eq(ring3_chan_send(&chan, &i, NULL), 0);
    return NULL;
}

static void *consume(void *arg)
{
    long item;

    (void)arg;
    while (ring3_chan_receive(&chan, &item, NULL) == 0)
        ring3_fetch_add(&total, item, RING3_RELAXED);
    return NULL;
}

/* User threads and kernel threads on both sides. */
TEST(chan, nothing_is_lost_or_doubled_among_many, 60)
{
    const long count = scaled(300, 50000);

    for (int model = 0; model < MODELS; model++)
        for (size_t capacity = 0; capacity <= 2; capacity += 2) {
            ring3_thread_t producers[3], consumers[3];
            pthread_t producer, consumer;
            long buffer[2];

            total = 0;
            check_eq(ring3_runtime_start(&models[model]), 0);
            check_eq(ring3_chan_init(&chan, sizeof(long), capacity, capacity ? buffer : NULL), 0);
            check_eq(pthread_create(&producer, NULL, produce, (void *)(intptr_t)count), 0);
            check_eq(pthread_create(&consumer, NULL, consume, NULL), 0);
            for (int i = 0; i < 3; i++) {
                producers[i] = spawn(produce, (void *)(intptr_t)count);
                consumers[i] = spawn(consume, NULL);
            }
            for (int i = 0; i < 3; i++)
                (void)join(producers[i]);
            check_eq(pthread_join(producer, NULL), 0);
            check_eq(ring3_chan_close(&chan), 0);
            for (int i = 0; i < 3; i++)
                (void)join(consumers[i]);
            check_eq(pthread_join(consumer, NULL), 0);
            check_eq(total, 4 * count * (count + 1) / 2, "model %d, capacity %zu", model, capacity);
            check_eq(ring3_runtime_stop(), 0);
        }
}

/* --- Edges ------------------------------------------------------------------------------------ */

TEST(chan, forms_without_waiting_and_closed_channels_answer_at_once)
{
    const struct timespec past = {0, 0};
    int buffer[2], item = 1;

    check_eq(ring3_chan_init(&chan, 0, 0, NULL), -EINVAL);
    check_eq(ring3_chan_init(&chan, sizeof item, 2, NULL), -EINVAL);
    check_eq(ring3_chan_init(&chan, sizeof item, 2, buffer), 0);
    check_eq(ring3_chan_try_receive(&chan, &item), -EAGAIN);
    check_eq(ring3_chan_receive(&chan, &item, &past), -ETIMEDOUT, "in a plain kernel thread");
    check_eq(ring3_chan_try_send(&chan, &item), 0);
    check_eq(ring3_chan_try_send(&chan, &item), 0);
    check_eq((long)ring3_chan_count(&chan), 2);
    check_eq(ring3_chan_try_send(&chan, &item), -EAGAIN);
    check_eq(ring3_chan_send(&chan, &item, &past), -ETIMEDOUT);
    check_eq(ring3_chan_send(&chan, &item, &(struct timespec){0, -1}), -EINVAL);
    check_eq(ring3_chan_close(&chan), 0);
    check_eq(ring3_chan_close(&chan), -EPIPE);
    check_eq(ring3_chan_send(&chan, &item, NULL), -EPIPE);
    check_eq(ring3_chan_receive(&chan, &item, NULL), 0, "what it holds is given out");
    check_eq(ring3_chan_receive(&chan, &item, NULL), 0);
    check_eq(ring3_chan_receive(&chan, &item, NULL), -EPIPE);
    check_eq(ring3_chan_try_receive(&chan, &item), -EPIPE);
}

static void *receive_one(void *arg)
{
    long item;

    (void)arg;
    return (void *)(intptr_t)ring3_chan_receive(&chan, &item, NULL);
}

TEST(chan, close_and_cancel_end_waits)
{
    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t a, b;

        check_eq(ring3_runtime_start(&models[model]), 0);
        check_eq(ring3_chan_init(&chan, sizeof(long), 0, NULL), 0);
        a = spawn(receive_one, NULL);
        check_eq(ring3_thread_cancel(a), 0);
        check_eq(join(a), -ECANCELED);
        a = spawn(receive_one, NULL);
        b = spawn(receive_one, NULL);
        for (int i = 0; i < 10; i++)
            ring3_thread_yield();
        check_eq(ring3_chan_close(&chan), 0);
        check_eq(join(a), -EPIPE);
        check_eq(join(b), -EPIPE);
        check_eq(ring3_runtime_stop(), 0);
    }
}

/* --- Select ----------------------------------------------------------------------------------- */

static void *send_to_either(void *count)
{
    for (long i = 0; i < (long)(intptr_t)count; i++)
        check_eq(ring3_chan_send(i % 3 ? &chan : &other, &i, NULL), 0);
    check_eq(ring3_chan_close(&chan), 0);
    check_eq(ring3_chan_close(&other), 0);
    return NULL;
}

TEST(chan, select_takes_what_comes_from_either, 60)
{
    const long count = scaled(300, 50000);

    for (int model = 0; model < MODELS; model++) {
        long item = 0, sum = 0;
        ring3_chan_case_t cases[2];
        ring3_thread_t sender;

        check_eq(ring3_runtime_start(&models[model]), 0);
        check_eq(ring3_chan_init(&chan, sizeof item, 0, NULL), 0);
        check_eq(ring3_chan_init(&other, sizeof item, 0, NULL), 0);
        sender = spawn(send_to_either, (void *)(intptr_t)count);
        cases[0] = (ring3_chan_case_t){.chan = &chan, .receive = &item};
        cases[1] = (ring3_chan_case_t){.chan = &other, .receive = &item};
        while (cases[0].chan || cases[1].chan) {
            const int done = ring3_chan_select(cases, 2, NULL);

            check(done == 0 || done == 1);
            if (cases[done].result)
                cases[done].chan = NULL;
            else
                sum += item;
        }
        check_eq(sum, count * (count - 1) / 2, "model %d", model);
        (void)join(sender);
        check_eq(ring3_runtime_stop(), 0);
    }
}

/* Both sides select over both channels: each pair agrees on exactly one. */
static void *select_send(void *count)
{
    for (long i = 1; i <= (long)(intptr_t)count; i++) {
        ring3_chan_case_t cases[] = {{.chan = &chan, .send = &i}, {.chan = &other, .send = &i}};

        check_ge(ring3_chan_select(cases, 2, NULL), 0);
    }
    return NULL;
}

static void *select_receive(void *count)
{
    long sum = 0, item;

    for (long i = 1; i <= (long)(intptr_t)count; i++) {
        ring3_chan_case_t cases[] = {{.chan = &other, .receive = &item},
                                     {.chan = &chan, .receive = &item}};

        check_ge(ring3_chan_select(cases, 2, NULL), 0);
        sum += item;
    }
    ring3_fetch_add(&total, sum, RING3_RELAXED);
    return NULL;
}

TEST(chan, selects_meet_selects, 60)
{
    const long count = scaled(200, 50000);

    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t threads[6];

        total = 0;
        check_eq(ring3_runtime_start(&models[model]), 0);
        check_eq(ring3_chan_init(&chan, sizeof(long), 0, NULL), 0);
        check_eq(ring3_chan_init(&other, sizeof(long), 0, NULL), 0);
        for (int i = 0; i < 6; i++)
            threads[i] = spawn(i % 2 ? select_send : select_receive, (void *)(intptr_t)count);
        for (int i = 0; i < 6; i++)
            (void)join(threads[i]);
        check_eq(total, 3 * count * (count + 1) / 2, "model %d", model);
        check_eq(ring3_runtime_stop(), 0);
    }
}

TEST(chan, select_times_out_and_refuses_nonsense)
{
    long item;
    ring3_chan_case_t cases[] = {{.chan = &chan, .receive = &item},
                                 {.chan = &other, .receive = &item}};
    ring3_chan_case_t neither = {.chan = &chan};
    struct timespec deadline;
    double before;

    check_eq(ring3_runtime_start(&models[0]), 0);
    check_eq(ring3_chan_init(&chan, sizeof item, 0, NULL), 0);
    check_eq(ring3_chan_init(&other, sizeof item, 0, NULL), 0);
    before = seconds_now();
    deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
    check_eq(ring3_chan_select(cases, 2, &deadline), -ETIMEDOUT);
    check_ge(seconds_now() - before, 0.01);
    check_eq(ring3_chan_select(&neither, 1, NULL), -EINVAL);
    check_eq(ring3_chan_select(cases, RING3_CHAN_CASES + 1, NULL), -EINVAL);
    check_eq(ring3_chan_try_send(&chan, &item), -EAGAIN, "nobody is left in the queue");
    check_eq(ring3_runtime_stop(), 0);
}

/* --- Nurseries -------------------------------------------------------------------------------- */

static ring3_nursery_t nursery;

static void *spawn_down(void *depth)
{
    ring3_fetch_add(&total, 1, RING3_RELAXED);
    for (int i = 0; i < 2 && depth; i++)
        check_eq(ring3_nursery_spawn(&nursery, NULL, spawn_down, (void *)((intptr_t)depth - 1)), 0);
    return NULL;
}

static void *sleep_until_cancelled(void *arg)
{
    (void)arg;
    if (ring3_sleep_ns(60 * RING3_SECOND_NS) == -ECANCELED)
        ring3_fetch_add(&total, 1, RING3_RELAXED);
    return NULL;
}

TEST(nursery, waits_for_members_and_their_members, 60)
{
    for (int model = 0; model < 2; model++) {
        total = 0;
        check_eq(ring3_runtime_start(&models[model]), 0);
        ring3_nursery_init(&nursery);
        check_eq(ring3_nursery_wait(&nursery, NULL), 0, "nobody");
        check_eq(ring3_nursery_spawn(&nursery, NULL, spawn_down, (void *)(intptr_t)7), 0);
        check_eq(ring3_nursery_wait(&nursery, NULL), 0);
        check_eq(total, 255);
        check_eq(ring3_runtime_stop(), 0);
    }
}

TEST(nursery, close_cancels_and_joins)
{
    for (int model = 0; model < MODELS; model++) {
        const struct timespec past = {0, 1};

        total = 0;
        check_eq(ring3_runtime_start(&models[model]), 0);
        ring3_nursery_init(&nursery);
        for (int i = 0; i < 5; i++)
            check_eq(ring3_nursery_spawn(&nursery, NULL, sleep_until_cancelled, NULL), 0);
        check_eq(ring3_nursery_wait(&nursery, &past), -ETIMEDOUT);
        check_eq(ring3_nursery_close(&nursery), 0);
        check_eq(total, 5);
        check_eq(ring3_nursery_spawn(&nursery, NULL, spawn_down, NULL), 0, "it may be used again");
        check_eq(ring3_nursery_close(&nursery), 0);
        check_eq(ring3_runtime_stop(), 0);
    }
    check_eq(ring3_nursery_wait(&nursery, NULL), -EPERM, "in a kernel thread");
}
