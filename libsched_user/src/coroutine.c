/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: a context, and who is to have its next value.
 *
 *     state      who changes it
 *     NEW        ring3_coroutine_create
 *     RUNNING    whoever resumes it, from NEW or SUSPENDED, by compare-and-swap
 *     SUSPENDED  itself, on yield, once its stack has been left
 *     FINISHED   itself, at its end, once its stack has been left
 *
 * The thread that made it RUNNING owns all other fields, until the coroutine says SUSPENDED or
 * FINISHED: from that moment another thread may resume or destroy it. So values come out through
 * `answer`, which is the resumer's.
 */
#include "ring3/coroutine.h"

#include "ring3/atomic.h"

#include <errno.h>

enum { NEW, RUNNING, SUSPENDED, FINISHED };

struct answer {
    void *value;
    bool finished;
};

struct ring3_coroutine {
    ring3_context_t context;
    ring3_context_t outside;   /* the resumer, if that is no coroutine */
    ring3_coroutine_t *caller; /* the resumer, or NULL */
    ring3_context_t *back;     /* its context */
    struct answer *answer;
    void *in;
    void *(*body)(void *arg, void *first);
    void *arg;
    ring3_stack_t *stack;
    uint32_t state;
    bool cancelled;
};

/*
 * The coroutine that runs in this kernel thread. Whoever switches sets it before, for the other
 * side: after a switch the kernel thread may be another one, and a compiler may still know where
 * the variable was in the old one. For the same reason it is accessed out of line.
 */
static __thread ring3_coroutine_t *current;

__attribute__((noinline)) ring3_coroutine_t *ring3_coroutine_self(void)
{
    ring3_compiler_barrier();
    return current;
}

__attribute__((noinline)) static void set_current(ring3_coroutine_t *coroutine)
{
    ring3_compiler_barrier();
    current = coroutine;
}

/* --- Inside ------------------------------------------------------------------------------------ */

static void say_suspended(void *coroutine)
{
    /* Pairs with the compare-and-swap in claim. */
    ring3_store(&((ring3_coroutine_t *)coroutine)->state, SUSPENDED, RING3_RELEASE);
}

static void say_finished(void *coroutine)
{
    /* Pairs with the loads in claim and ring3_coroutine_finished. */
    ring3_store(&((ring3_coroutine_t *)coroutine)->state, FINISHED, RING3_RELEASE);
}

static void run(void *coroutine)
{
    ring3_coroutine_t *const self = coroutine;
    void *const result = self->body(self->arg, self->in);

    *self->answer = (struct answer){result, true};
    set_current(self->caller);
    ring3_context_exit(&self->context, self->back, say_finished, self);
}

int ring3_coroutine_yield(void *out, void **in)
{
    ring3_coroutine_t *const self = ring3_coroutine_self();

    if (!self)
        return -EPERM;
    if (self->cancelled)
        return -ECANCELED;
    *self->answer = (struct answer){out, false};
    set_current(self->caller);
    ring3_context_switch(&self->context, self->back, say_suspended, self);
    if (self->cancelled)
        return -ECANCELED;
    if (in)
        *in = self->in;
    return 0;
}

/* --- Outside ----------------------------------------------------------------------------------- */

/* Make it RUNNING; returns the state before, RUNNING and FINISHED meaning that it stays so. */
static uint32_t claim(ring3_coroutine_t *coroutine)
{
    /* Pairs with say_finished. */
    uint32_t state = ring3_load(&coroutine->state, RING3_ACQUIRE);

    while (state == NEW || state == SUSPENDED)
        /* Pairs with say_suspended. */
        if (ring3_cas_try(&coroutine->state, &state, RUNNING, RING3_ACQUIRE))
            break;
    return state;
}

/* Run a coroutine that is the caller's by `claim`. */
static struct answer enter(ring3_coroutine_t *coroutine, void *in)
{
    ring3_coroutine_t *const caller = ring3_coroutine_self();
    ring3_context_t *const from = caller ? &caller->context : &coroutine->outside;
    struct answer answer;

    (void)ring3_stack_watch(); /* without it, overflows are not told */
    coroutine->in = in;
    coroutine->answer = &answer;
    coroutine->caller = caller;
    coroutine->back = from;
    set_current(coroutine);
    ring3_context_switch(from, &coroutine->context, NULL, NULL);
    return answer;
}

static int refusal(uint32_t state)
{
    return state == RUNNING ? -EBUSY : state == FINISHED ? -ESRCH : 0;
}

int ring3_coroutine_resume(ring3_coroutine_t *coroutine, void *in, void **out)
{
    const int err = refusal(claim(coroutine));
    struct answer answer;

    if (err)
        return err;
    answer = enter(coroutine, in);
    if (out)
        *out = answer.value;
    return 0;
}

int ring3_generator_next(ring3_coroutine_t *generator, void **value)
{
    const int err = refusal(claim(generator));
    struct answer answer;

    if (err)
        return err == -ESRCH ? 0 : err;
    answer = enter(generator, NULL);
    if (answer.finished)
        return 0;
    *value = answer.value;
    return 1;
}

bool ring3_coroutine_finished(const ring3_coroutine_t *coroutine)
{
    /* Pairs with say_finished. */
    return ring3_load(&coroutine->state, RING3_ACQUIRE) == FINISHED;
}

const ring3_stack_t *ring3_coroutine_stack(const ring3_coroutine_t *coroutine)
{
    return coroutine->stack;
}

int ring3_coroutine_create(ring3_coroutine_t **coroutine, void *(*body)(void *arg, void *first),
                           void *arg, const ring3_coroutine_options_t *options)
{
    const ring3_coroutine_options_t defaults = {.name = NULL};
    const ring3_coroutine_options_t *const chosen = options ? options : &defaults;
    ring3_coroutine_t *made;
    ring3_stack_t *stack;
    int err;

    if (!body)
        return -EINVAL;
    err = ring3_stack_get(chosen->stack_size ? chosen->stack_size : RING3_COROUTINE_STACK,
                          chosen->name ? chosen->name : "a coroutine", &stack);
    if (err)
        return err;
    ring3_stack_set_maker(stack, __builtin_return_address(0));
    /* At the top of its stack, whose page will be used anyway. The size is a multiple of pages. */
    made = (ring3_coroutine_t *)(void *)(stack->base + stack->size) - 1;
    err = ring3_context_init(&made->context, stack->base, stack->size - sizeof(ring3_coroutine_t),
                             run, made, chosen->context);
    if (err) {
        (void)ring3_stack_put(stack);
        return err;
    }
    made->outside = (ring3_context_t){.stopped = NULL};
    made->body = body;
    made->arg = arg;
    made->stack = stack;
    made->state = NEW;
    made->cancelled = false;
    *coroutine = made;
    return 0;
}

int ring3_coroutine_destroy(ring3_coroutine_t *coroutine)
{
    ring3_stack_t *const stack = coroutine->stack;
    const uint32_t state = claim(coroutine);

    if (state == RUNNING)
        return -EBUSY;
    if (state == SUSPENDED) {
        coroutine->cancelled = true;
        (void)enter(coroutine, NULL);
    }
    ring3_context_fini(&coroutine->context);
    return ring3_stack_put(stack);
}
