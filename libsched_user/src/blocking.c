/* SPDX-License-Identifier: MIT */
/* Helpers: kernel threads that make calls for user threads, so that workers need not block. */
#include "ring3/io.h"

#include "runtime.h"

#include <errno.h>
#include <signal.h>

#define HELPERS_MOST 64

/* A helper that has had nothing to do for so long ends, ns. */
#define HELPER_REST (RING3_SECOND_NS / 2)

struct call {
    ring3_list_t link;
    intptr_t (*function)(void *arg);
    void *arg;
    intptr_t result;
    int error; /* errno */
    uint32_t done;
    struct thread *thread;
};

/* Helpers serve whoever calls, also after the runtime was started anew. */
static struct {
    struct kernel_lock lock;
    ring3_list_t calls;
    unsigned helpers, idle;
    uint32_t posted; /* counts calls; helpers sleep on it */
} all = {.calls = RING3_LIST_INIT(all.calls)};

static struct call *next_call(void)
{
    ring3_list_t *const link = ring3_list_pop(&all.calls);

    return link ? ring3_container_of(link, struct call, link) : NULL;
}

static void perform(struct call *call)
{
    struct thread *const thread = call->thread;

    errno = 0;
    call->result = call->function(call->arg);
    call->error = errno;
    /* Pairs with the acquire in ring3_blocking; then the call may be gone. */
    ring3_store(&call->done, 1, RING3_RELEASE);
    thread_wake(thread);
}

static void *help(void *unused)
{
    struct timespec limit;

    kernel_lock(&all.lock);
    for (bool waited_long = false;;) {
        struct call *const call = next_call();
        const uint32_t posted = ring3_load(&all.posted, RING3_RELAXED);

        if (call) {
            kernel_unlock(&all.lock);
            perform(call);
            kernel_lock(&all.lock);
            waited_long = false;
            continue;
        }
        if (waited_long)
            break;
        all.idle++;
        kernel_unlock(&all.lock);
        limit = ring3_deadline_in(CLOCK_MONOTONIC, HELPER_REST);
        waited_long = ring3_futex_wait(&all.posted, posted, RING3_PRIVATE, CLOCK_MONOTONIC,
                                       &limit) == -ETIMEDOUT;
        kernel_lock(&all.lock);
        all.idle--;
    }
    all.helpers--;
    kernel_unlock(&all.lock);
    return unused;
}

static bool start_helper(void)
{
    pthread_attr_t attr;
    pthread_t helper;
    sigset_t every, old;
    int err;

    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_BLOCK, &every, &old);
    err = pthread_create(&helper, &attr, help, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    return err == 0;
}

/* Queue the call; false if nobody will serve it. */
static bool post(struct call *call)
{
    bool more, served = true;

    kernel_lock(&all.lock);
    ring3_list_add_tail(&all.calls, &call->link);
    ring3_store(&all.posted, all.posted + 1, RING3_RELAXED);
    more = all.idle == 0 && all.helpers < HELPERS_MOST;
    all.helpers += more;
    kernel_unlock(&all.lock);
    if (!more) {
        (void)ring3_futex_wake(&all.posted, 1, RING3_PRIVATE);
        return true;
    }
    if (start_helper())
        return true;
    kernel_lock(&all.lock);
    served = --all.helpers > 0 || !ring3_list_linked(&call->link);
    if (!served)
        ring3_list_remove(&call->link);
    kernel_unlock(&all.lock);
    return served;
}

intptr_t ring3_blocking(intptr_t (*function)(void *arg), void *arg)
{
    struct call call = {.function = function, .arg = arg, .thread = thread_here()};
    struct thread *const self = call.thread;

    if (!self || self->worker->bound)
        return function(arg);
    ring3_preempt_disable(&self->self);
    const bool posted = post(&call);

    ring3_preempt_enable(&self->self);
    if (!posted)
        return function(arg);
    /* Pairs with the release in perform. */
    while (!ring3_load(&call.done, RING3_ACQUIRE))
        (void)thread_wait(self, 0);
    errno = call.error;
    return call.result;
}

static void start_over_after_fork(void)
{
    all.lock.word = 0;
    all.helpers = all.idle = 0;
    ring3_list_init(&all.calls);
}

__attribute__((constructor)) static void blocking_prepare(void)
{
    (void)pthread_atfork(NULL, NULL, start_over_after_fork);
}
