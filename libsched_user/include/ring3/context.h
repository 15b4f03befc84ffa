/* SPDX-License-Identifier: MIT */
/*
 * Contexts: several flows of control in one kernel thread, each on a stack of its own.
 *
 *     static ring3_context_t home, other;
 *     static void body(void *word)
 *     {
 *         puts(word);
 *         ring3_context_exit(&other, &home, NULL, NULL);
 *     }
 *     ring3_context_init(&other, memory, sizeof memory, body, "hello", 0);
 *     ring3_context_switch(&home, &other, NULL, NULL);   returns when somebody switches to home
 *
 * This is the mechanism under coroutines and user-level threads, which most programs should use
 * instead. Nothing here allocates memory.
 *
 * Two back ends do the same: assembly (x86-64, aarch64), which saves the registers that a function
 * must preserve, and ucontext, the portable reference, where there is no assembly or on request
 * (RING3_CONTEXT_PORTABLE). Contexts of both kinds may switch to each other.
 *
 * The signal mask belongs to the kernel thread: no switch changes it. Nor does one change errno or
 * other thread-local variables; a context that moves to another kernel thread must not rely on
 * addresses of thread-local variables that it had before. Floating-point control words belong to
 * the kernel thread too, but for contexts with RING3_CONTEXT_FP, which have their own. (On machines
 * without assembly ucontext decides about them.)
 *
 * A context may be entered by one kernel thread at a time: whoever hands it from one to another
 * does so from the callback `after` (below), with release and acquire. Not async-signal-safe, except
 * that a signal handler may switch away if nothing it interrupted minds. After fork the child has
 * its copy of all contexts. Not for programs that run with hardware shadow stacks.
 */
#ifndef RING3_CONTEXT_H
#define RING3_CONTEXT_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

/**
 * A context. An all-zero one can be switched away from, and then holds the flow of control that
 * did so; one that is to run a function on a stack is made by ring3_context_init.
 * The fields are private.
 */
typedef struct ring3_context {
    void *stopped;    /* where it left off: its saved registers, or its ucontext_t */
    uint32_t flags;   /* RING3_CONTEXT_*, and what context.c adds */
    uint32_t watched; /* valgrind's number of its stack, plus 1 */
    char *stack;      /* lowest byte; of a kernel thread's own stack known only to ASan */
    size_t size;
    uint64_t fp;       /* its own control words, while it does not run */
    uint64_t fp_outer; /* those of the contexts that have none, while it runs */
    void *arrival;     /* what to do first when ucontext brings it back */
    void *fiber;       /* TSan's record, or ASan's fake stack */
} ring3_context_t;

/** Options of a context. */
#define RING3_CONTEXT_FP       1U /* control words of its own: rounding, exceptions, precision */
#define RING3_CONTEXT_PORTABLE 2U /* use ucontext */

/* The smallest stack. With RING3_CONTEXT_PORTABLE two ucontext_t come on top. */
#define RING3_CONTEXT_STACK_MIN ((size_t)4096)

/**
 * Make a context that will call entry(arg) on the given stack when it is first switched to.
 *
 * @param stack    lowest byte of its stack, any alignment; must stay until ring3_context_fini
 * @param size     bytes, at least RING3_CONTEXT_STACK_MIN and what the body needs
 * @param entry    must not return: it ends with ring3_context_exit. A return ends the process.
 * @param options  RING3_CONTEXT_FP | RING3_CONTEXT_PORTABLE, or 0. Control words of its own are at
 *                 first those of the caller.
 * @return 0; -EINVAL for a small or missing stack, a missing entry or an unknown option
 */
int ring3_context_init(ring3_context_t *context, void *stack, size_t size, void (*entry)(void *arg),
                       void *arg, uint32_t options);

/**
 * Stop here, keep the place in `from`, and go on where `to` stopped. Returns when somebody switches
 * to `from`.
 *
 * @param from   another than `to`; what it held before is forgotten
 * @param to     made by ring3_context_init or filled by a switch, and stopped
 * @param after  NULL, or called with `arg` on the stack of `to`, before anything else there. By then
 *               the old stack is out of use: this is the place to say "I am blocked", to unlock,
 *               to queue `from`, since from then on another kernel thread may switch to it. It must
 *               return and must not switch.
 */
void ring3_context_switch(ring3_context_t *from, ring3_context_t *to, void (*after)(void *arg),
                          void *arg);

/** The same for a context that will never run again: its stack may be reused from `after` on, once
 * ring3_context_fini has been called. */
__attribute__((noreturn)) void ring3_context_exit(ring3_context_t *from, ring3_context_t *to,
                                                  void (*after)(void *arg), void *arg);

/**
 * Give back what analysis tools keep for a context that ended, or that is stopped and will not run
 * again. Its stack is the caller's again; nothing on it is undone. All-zero contexts need no fini.
 */
void ring3_context_fini(ring3_context_t *context);

/** The back end of contexts made without RING3_CONTEXT_PORTABLE: "x86-64", "aarch64" or "ucontext".
 */
const char *ring3_context_backend(void);

RING3_API_END

#endif
