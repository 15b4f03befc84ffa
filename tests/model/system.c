/* SPDX-License-Identifier: MIT */
/* What the shipped sources ask of the system: contexts, futexes, and a clock. */
#include "explore.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>

#include "nodes.h"

long model_syscall(long number, ...);
int model_clock(clockid_t clock, struct timespec *time);

/* --- Contexts ---------------------------------------------------------------------------------- */

__thread ring3_self_t *ring3_self_pointer;

static int block(const uint32_t *word, uint32_t expected, const struct timespec *deadline)
{
    struct thread *const thread = &model->thread[model->running];

    model_step();
    if (*word != expected) /* the kernel looks at the newest value */
        return -EAGAIN;
    thread->futex = word;
    thread->deadline = deadline ? (int64_t)deadline->tv_sec * 1000000000 + deadline->tv_nsec : 0;
    thread->timed_out = false;
    thread->state = BLOCKED;
    model_leave();
    return thread->timed_out ? -ETIMEDOUT : 0;
}

static int unblock(const void *word, int count)
{
    int woken = 0;

    model_step();
    for (int i = 0; i < model->threads && woken < count; i++) {
        struct thread *const thread = &model->thread[i];

        if (thread->state == BLOCKED && thread->futex == word) {
            thread->state = RUNNABLE;
            woken++;
        }
    }
    return woken;
}

static int park(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                const struct timespec *deadline)
{
    const int result = block(word, expected, deadline);

    (void)self;
    (void)clock;
    return result == -EAGAIN ? 0 : result;
}

static void *claim(ring3_self_t *self, uint32_t *word)
{
    (void)self;
    return word;
}

static void unpark(void *claimed)
{
    (void)unblock(claimed, 1);
}

static void yield(ring3_self_t *self)
{
    (void)self;
    model_relax();
}

static const ring3_parker_t parker = {park, claim, unpark, yield};

void model_enter(int thread)
{
    ring3_self_pointer = thread < 0 ? &model->outside.self : &model->thread[thread].self;
    ring3_self_pointer->parker = &parker;
}

ring3_self_t *ring3_self_known(void)
{
    return ring3_self_pointer;
}

ring3_self_t *ring3_self_enter(void)
{
    return ring3_self_pointer;
}

void ring3_self_keeps(ring3_self_t *self)
{
    (void)self;
}

/* --- System calls ------------------------------------------------------------------------------ */

long model_syscall(long number, ...)
{
    va_list arguments;
    long result = 0;

    va_start(arguments, number);
    if (number == SYS_futex) {
        const uint32_t *const word = va_arg(arguments, const uint32_t *);
        const int operation = va_arg(arguments, int) & FUTEX_CMD_MASK;

        if (operation == FUTEX_WAIT_BITSET) {
            const uint32_t expected = va_arg(arguments, uint32_t);

            result = block(word, expected, va_arg(arguments, const struct timespec *));
        } else if (operation == FUTEX_WAKE) {
            result = unblock(word, va_arg(arguments, int));
        } else {
            model_violation("a futex operation that is not modelled");
        }
    }
    va_end(arguments);
    if (result < 0) {
        errno = (int)-result;
        result = -1;
    }
    return result;
}

/* Time passes while we look, or not: that counts as reading something unexpected. */
int model_clock(clockid_t clock, struct timespec *time)
{
    (void)clock;
    model->now += 5000000 * model_stale(2);
    *time = (struct timespec){model->now / 1000000000, model->now % 1000000000};
    return 0;
}
