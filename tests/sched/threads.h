/* SPDX-License-Identifier: MIT */
/* What suites of user-level threads share: the models, and short forms. */
#ifndef THREADS_H
#define THREADS_H

#include "ring3_test.h"

#include "ring3/thread.h"

static const ring3_runtime_options_t models[] = {
    {.workers = 1},
    {.workers = 4},
    {.workers = 4, .global_queue = true},
    {.model = RING3_RUNTIME_BOUND},
};

#define MODELS ((int)(sizeof models / sizeof *models))

static inline void start(const ring3_runtime_options_t *options)
{
    check_eq(ring3_runtime_start(options), 0);
}

static inline void stop(void)
{
    check_eq(ring3_runtime_stop(), 0);
}

static inline ring3_thread_t spawn(void *(*body)(void *), void *arg)
{
    ring3_thread_t thread = 0;

    check_eq(ring3_thread_create(&thread, NULL, body, arg), 0);
    check_ne(thread, UINT64_C(0));
    return thread;
}

static inline void *join(ring3_thread_t thread)
{
    void *result = NULL;

    check_eq(ring3_thread_join(thread, &result), 0);
    return result;
}

static inline void *number(long value)
{
    return (void *)(intptr_t)value;
}

static inline long value_of(void *number)
{
    return (long)(intptr_t)number;
}

#endif
