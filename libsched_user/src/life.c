/* SPDX-License-Identifier: MIT */
/* A thread's beginning, at its first run, and its end. */
#include "schedule.h"

static void begin(void *at);

/*
 * The tops of stacks lie at the same offset in each page and would meet in the same few cache sets:
 * so each thread begins some lines lower than the one before it.
 */
#define COLOURS     16
#define COLOUR_STEP ((size_t)64)

static size_t colour(const struct thread *thread)
{
    return thread->index * 5 % COLOURS * COLOUR_STEP;
}

/* Stacks that a worker keeps for its next threads. */
#define STACKS_KEPT 64

/* The locks behind it must not park a user thread. */
bool bind_stack(struct worker *worker, struct thread *thread)
{
    ring3_self_t *const self = ring3_self_known();
    ring3_stack_t *stack = NULL;

    if (thread->stack_size == RING3_THREAD_STACK && (stack = worker->stacks)) {
        worker->stacks = stack->next;
        worker->stack_count--;
        stack->name = thread->name;
    } else {
        ring3_self_set(worker->carrier->kernel_self);
        (void)ring3_stack_get(thread->stack_size, thread->name, &stack);
        ring3_self_set(self);
        if (!stack)
            return false;
    }
    ring3_stack_set_maker(stack, thread->maker);
    thread->stack = stack;
    return ring3_context_init(&thread->context, stack->base, stack->size - colour(thread), begin,
                              thread, thread->context_options) == 0;
}

static void unbind_stack(struct worker *worker, struct thread *thread)
{
    ring3_self_t *const self = ring3_self_known();
    ring3_stack_t *const stack = thread->stack;

    thread->stack = NULL;
    ring3_context_fini(&thread->context);
    if (thread->stack_size == RING3_THREAD_STACK && worker->stack_count < STACKS_KEPT &&
        stack->guard != RING3_STACK_CANARY) {
        stack->next = worker->stacks;
        worker->stacks = stack;
        worker->stack_count++;
        return;
    }
    ring3_self_set(worker->carrier->kernel_self);
    (void)ring3_stack_put(stack);
    ring3_self_set(self);
}

static void begin(void *at)
{
    struct thread *const self = at;

    leave(self);
    errno_put(0);
    self->arg = self->body(self->arg);
    thread_leave(self);
}

static bool is_thread(const struct thread *joiner)
{
    return (uintptr_t)joiner > (uintptr_t)JOINER_KERNEL;
}

/* On another stack: the thread's own is free. */
static void ended(void *at)
{
    struct thread *const thread = at;
    struct worker *const worker = thread->worker;
    const bool told = thread->told;
    struct thread *joiner;

    unbind_stack(worker, thread);
    worker->done = worker->bound;
    /* Who has joined all threads may end the runtime, so they are counted before. Pairs with the load
     * in ring3_thread_exit of the main thread. */
    if (ring3_fetch_sub(&runtime.alive, 1, RING3_SEQ_CST) == 2) {
        struct thread *const last = ring3_load(&runtime.last, RING3_SEQ_CST);

        if (last)
            thread_wake(last);
    }
    if (thread->at_end)
        thread->at_end(thread);
    set_state(thread, RING3_THREAD_ENDED);
    /* Pairs with the compare-and-swap in ring3_thread_join: it sees the result. From here on the
     * entry may be another's, unless we give it back. */
    joiner = ring3_exchange(&thread->joiner, JOINER_ENDED, RING3_ACQ_REL);
    if (joiner == JOINER_DETACHED) {
        table_give(worker->bound ? NULL : worker, thread);
    } else if (joiner == JOINER_KERNEL) {
        ring3_store(&thread->ended, 1, RING3_RELEASE);
        ring3_word_wake(&thread->ended, 1, RING3_PRIVATE);
    } else if (joiner && !told) {
        thread_wake(joiner);
    }
}

void thread_leave(struct thread *self)
{
    struct worker *const worker = self->worker;
    ring3_context_t *to;
    struct thread *joiner;
    int64_t now;

    keys_destroy(self);
    mutexes_leave(self);
    ring3_self_retire(&self->self);
    worker_hold(worker);
    now = time_if_kept();
    stop_running(worker, self, now);
    if (runtime.timed)
        ring3_store(&self->rare->finished, now, RING3_RELAXED);
    /* A joiner that stays on this worker cannot go on before the stack has been left: it may as well be
     * chosen. Pairs with the compare-and-swap in ring3_thread_join. */
    joiner = ring3_load(&self->joiner, RING3_ACQUIRE);
    self->told = is_thread(joiner) && !joiner->migrates &&
                 ring3_load(&joiner->worker, RING3_RELAXED) == worker;
    if (self->told)
        thread_wake(joiner);
    to = leave_quickly(worker, self);
    if (!to)
        to = go_where(worker, choose(worker, now), now);
    ring3_context_exit(&self->context, to, ended, self);
}
