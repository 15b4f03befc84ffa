/* SPDX-License-Identifier: MIT */
/*
 * Tools that watch the program run, and want to be told about stacks: ASan, TSan, valgrind.
 * Where a tool is absent, its functions are empty.
 *
 * A switch calls watch_leave on the old stack and watch_arrive on the new one. TSan wants to be told
 * before, ASan before and after.
 */
#ifndef WATCHERS_H
#define WATCHERS_H

#include "ring3/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WATCH_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WATCH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WATCH_TSAN 1
#endif

/* The stack frame of a function that switches must stay where it is when ASan drops its fake one. */
#define WATCH_REAL_FRAME __attribute__((no_sanitize_address))

#if defined(WATCH_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(WATCH_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* True if every switch has to be told. */
static inline bool watch_switches(void)
{
#if defined(WATCH_ASAN) || defined(WATCH_TSAN)
    return true;
#else
    return false;
#endif
}

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define WATCH_VALGRIND 1

/* In context.c. Asking valgrind itself takes some nanoseconds each time. */
extern uint8_t watch_valgrind_known __attribute__((visibility("hidden")));
enum { WATCH_UNKNOWN, WATCH_NO, WATCH_YES };

static inline bool watch_valgrind(void)
{
    uint8_t known = __atomic_load_n(&watch_valgrind_known, __ATOMIC_RELAXED);

    if (__builtin_expect(known == WATCH_UNKNOWN, 0)) {
        known = RUNNING_ON_VALGRIND ? WATCH_YES : WATCH_NO;
        __atomic_store_n(&watch_valgrind_known, known, __ATOMIC_RELAXED);
    }
    return known == WATCH_YES;
}
#endif

static inline void watch_stack(ring3_context_t *context)
{
    (void)context;
#ifdef WATCH_VALGRIND
    if (watch_valgrind())
        context->watched =
            (uint32_t)VALGRIND_STACK_REGISTER(context->stack, context->stack + context->size - 1) +
            1;
#endif
}

static inline void watch_stack_end(ring3_context_t *context)
{
#ifdef WATCH_VALGRIND
    if (context->watched)
        VALGRIND_STACK_DEREGISTER(context->watched - 1);
#endif
    context->watched = 0;
}

/* Memory of a stack has a new owner: what frames that were abandoned there forbade is allowed. */
static inline void watch_new_owner(void *memory, size_t size)
{
    (void)memory, (void)size;
#ifdef WATCH_VALGRIND
    if (watch_valgrind())
        (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
#endif
#ifdef WATCH_ASAN
    __asan_unpoison_memory_region(memory, size);
#endif
}

/* Memory of an abandoned stack is to be read. */
static inline void watch_inspect(void *memory, size_t size)
{
    (void)memory, (void)size;
#ifdef WATCH_VALGRIND
    if (watch_valgrind())
        (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
#endif
#ifdef WATCH_ASAN
    __asan_unpoison_memory_region(memory, size);
#endif
}

/* A new context with a stack of its own. */
static inline void watch_begin(ring3_context_t *context)
{
    watch_stack(context);
    watch_new_owner(context->stack, context->size);
#if defined(WATCH_TSAN)
    context->fiber = __tsan_create_fiber(0);
#endif
}

static inline void watch_end(ring3_context_t *context)
{
    watch_stack_end(context);
#if defined(WATCH_TSAN)
    if (context->fiber)
        __tsan_destroy_fiber(context->fiber);
#endif
    context->fiber = NULL;
}

static inline void watch_leave(ring3_context_t *from, ring3_context_t *to, bool for_good)
{
    (void)from, (void)to, (void)for_good;
#if defined(WATCH_ASAN)
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fiber, to->stack, to->size);
#elif defined(WATCH_TSAN)
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* Here ASan tells the bounds of the stack that was left, which may be a kernel thread's. */
static inline void watch_arrive(ring3_context_t *from, ring3_context_t *to)
{
    (void)from, (void)to;
#if defined(WATCH_ASAN)
    const void *stack;

    __sanitizer_finish_switch_fiber(to->fiber, &stack, &from->size);
    from->stack = (char *)(uintptr_t)stack;
#endif
}

#endif
