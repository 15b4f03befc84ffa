/* SPDX-License-Identifier: MIT */
/*
 * Coroutines and generators.
 *
 *     static void *squares(void *limit, void *first)
 *     {
 *         for (long i = 1; i <= *(long *)limit; i++) {
 *             long square = i * i;
 *             if (ring3_coroutine_yield(&square, NULL) != 0)
 *                 break;                      it is being destroyed
 *         }
 *         return NULL;
 *     }
 *     ring3_coroutine_create(&generator, squares, &limit, NULL);
 *     ring3_generator_for_each (value, generator)
 *         printf("%ld\n", *(long *)value);
 *     ring3_coroutine_destroy(generator);
 *
 * A coroutine runs while somebody resumes it, and stands still in between: on resume a value goes
 * in, on yield one comes out. Coroutines may resume others, to any depth. Any kernel thread may
 * resume a suspended one, one at a time; what was done in it before happens before what is done
 * after.
 *
 * To locks a coroutine is part of the kernel thread that resumed it: waiting in it blocks that
 * thread. It must not yield while it holds a lock that its resumer may want, and after a yield must
 * not use addresses of thread-local variables (errno is one) from before, unless the same thread
 * resumes it.
 *
 * Each has a guarded stack (ring3/stack.h) and is part of it, so nothing is taken from malloc. A
 * kernel thread that resumes coroutines tells their overflows: see ring3_stack_watch.
 *
 * Thread-safe as said above. Not async-signal-safe. A forked child has copies of all coroutines;
 * those that other threads ran at that moment cannot be used in it. C++ exceptions must not leave a
 * coroutine's body.
 */
#ifndef RING3_COROUTINE_H
#define RING3_COROUTINE_H

#include "ring3/api.h"
#include "ring3/context.h"
#include "ring3/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_coroutine ring3_coroutine_t;

typedef struct ring3_coroutine_options {
    const char *name;  /* for messages; must live as long as the coroutine. NULL: "a coroutine" */
    size_t stack_size; /* bytes, as for ring3_stack_get. 0: RING3_COROUTINE_STACK */
    uint32_t context;  /* RING3_CONTEXT_*, or 0 */
} ring3_coroutine_options_t;

#define RING3_COROUTINE_STACK ((size_t)64 << 10)

/**
 * Make a coroutine, which will run body(arg, first) when it is first resumed; `first` is the value
 * of that resume, and what the body returns is the last value to come out.
 *
 * @param options  NULL for the defaults
 * @return 0; -EINVAL for a missing body, unknown options, or a stack that is too large or, with
 *         RING3_CONTEXT_PORTABLE, too small; -EAGAIN if address space ran out
 */
int ring3_coroutine_create(ring3_coroutine_t **coroutine, void *(*body)(void *arg, void *first),
                           void *arg, const ring3_coroutine_options_t *options);

/**
 * Run the coroutine until it yields or finishes.
 *
 * @param in   what its yield gives to it
 * @param out  NULL, or receives what it yielded or returned
 * @return 0; -EBUSY if it is running, waits for a coroutine that it resumed, or is being resumed by
 *         another thread; -ESRCH if it has finished
 */
int ring3_coroutine_resume(ring3_coroutine_t *coroutine, void *in, void **out);

/**
 * Stop the running coroutine, hand `out` to who resumed it, and wait to be resumed.
 *
 * @param in  NULL, or receives the value of that resume
 * @return 0; -EPERM outside of coroutines; -ECANCELED if the coroutine is being destroyed: its body
 *         must release what it holds and return. From then on every yield says so at once.
 */
int ring3_coroutine_yield(void *out, void **in);

/**
 * End the coroutine and give its stack back. One that has begun and not finished is resumed a last
 * time, and its yield returns -ECANCELED; this function returns when its body does. One that never
 * began is just given back. The coroutine must not be used afterwards.
 *
 * @return 0; -EBUSY, and nothing happened, if it is running, as for ring3_coroutine_resume;
 *         -EOVERFLOW as for ring3_stack_put, when all is done
 */
int ring3_coroutine_destroy(ring3_coroutine_t *coroutine);

/** True if its body has returned. */
bool ring3_coroutine_finished(const ring3_coroutine_t *coroutine);

/** The coroutine that runs in this kernel thread, or NULL. */
ring3_coroutine_t *ring3_coroutine_self(void);

/** Its stack, for ring3_stack_high_water. */
const ring3_stack_t *ring3_coroutine_stack(const ring3_coroutine_t *coroutine);

/**
 * A generator is a coroutine that is resumed without values and returns nothing of interest.
 *
 * @param value  receives the next value it yields
 * @return 1; 0, and *value untouched, if it has finished; -EBUSY as for ring3_coroutine_resume
 */
int ring3_generator_next(ring3_coroutine_t *generator, void **value);

/** Visit what the generator yields; `value` is a variable of type void *. */
#define ring3_generator_for_each(value, generator)                                                 \
    while (ring3_generator_next((generator), &(value)) > 0)

RING3_API_END

#endif
