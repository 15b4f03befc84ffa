/* SPDX-License-Identifier: MIT */
/*
 * The execution context: who is running, and how it blocks.
 *
 * ring3_self() is one thread-local pointer. In a kernel thread it points to that thread's own
 * record; a user-level scheduler swaps it at each switch (ring3_self_switch), so that the same
 * locks block a user thread instead of the kernel thread below it.
 */
#ifndef RING3_SELF_H
#define RING3_SELF_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_self ring3_self_t;

/**
 * How a kind of context blocks and is made to run again. Kernel threads use futexes; a scheduler
 * brings its own.
 *
 * A waker runs `claim` under a lock that keeps the waiter from returning, changes the waiter's
 * word, and runs `unpark` after the lock was released, when the waiter may long be gone. So `claim`
 * returns whatever must survive that.
 */
typedef struct ring3_parker {
    /* Block while *word == expected, until woken or the deadline. May return early. 0, -EINTR or
     * -ETIMEDOUT. */
    int (*park)(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                const struct timespec *deadline);
    /* What `unpark` needs to wake this waiter. Must not block, nor hold anything that wants giving
     * back: the waker may find that nobody sleeps and leave `unpark` out. */
    void *(*claim)(ring3_self_t *self, uint32_t *word);
    void (*unpark)(void *claimed);
    /* Let others run; used by waiting policies before they park. */
    void (*yield)(ring3_self_t *self);
} ring3_parker_t;

struct ring3_self {
    const ring3_parker_t *parker;
    uint32_t id;         /* kernel thread id, or the scheduler's own number */
    uint32_t no_preempt; /* spinlocks held: a user-level scheduler does not preempt while this is
                            not 0 */
    uint32_t permit;     /* ring3_park and ring3_unpark */
    uint32_t nodes_held; /* length of `nodes` */
    void *nodes;         /* spare queue-lock nodes of this context */
    struct ring3_mcs_node *left; /* its nodes that still stand in queues where it gave up */
    uint32_t in_table;           /* inside the parking table: a handler now may not enter it */
    uint32_t deferred;           /* such a handler has left somebody to wake */
    uint32_t waker;              /* 1 + the CPU of who ended our last wait; 0 unknown */
    uint32_t vain;               /* waits in a row that spinning did not end */
    void *readers;               /* slots of the big-reader lock */
    void *reader;                /* its record in ring3/reader.h */
};

extern __thread ring3_self_t *ring3_self_pointer __attribute__((tls_model("initial-exec")));

ring3_self_t *ring3_self_enter(void);

/*
 * The pointer of the kernel thread that runs this, whichever it was a moment ago. Compilers remember
 * where thread-local variables are, also across calls that switch to another kernel thread (aarch64,
 * and x86-64 under sanitizers): so this must not look like one to them.
 */
#ifdef RING3_HAVE_THREAD_POINTERS
static inline ring3_self_t *ring3_self_known(void)
{
    return (ring3_self_t *)ring3_thread_pointer(RING3_THREAD_OFFSET(ring3_self_pointer));
}

static inline void ring3_self_set(ring3_self_t *self)
{
    ring3_thread_pointer_set(RING3_THREAD_OFFSET(ring3_self_pointer), self);
}
#else
ring3_self_t *ring3_self_known(void);
void ring3_self_set(ring3_self_t *self);
#endif

/**
 * The running context. Never NULL; a kernel thread's record comes into being at its first use.
 * O(1), no allocation.
 *
 * A context may wake up in another kernel thread, but it is the same context: code that blocks
 * asks once, before, and keeps the answer.
 */
static inline ring3_self_t *ring3_self(void)
{
    ring3_self_t *const self = ring3_self_known();

    return __builtin_expect(self != NULL, 1) ? self : ring3_self_enter();
}

/**
 * Make `self` the running context of this kernel thread and return the one before. For schedulers:
 * `self` must have its parker and id set, the rest all-zero at birth, and must outlive its last use
 * as the running context.
 */
ring3_self_t *ring3_self_switch(ring3_self_t *self);

/**
 * Raise and lower the no-preempt depth around a short section whose delay would hold up others. The
 * reader is a scheduler's signal handler in the same thread, so that the compiler is all there is
 * to hold back.
 */
static inline void ring3_preempt_disable(ring3_self_t *self)
{
    self->no_preempt++;
    ring3_compiler_barrier();
}

static inline void ring3_preempt_enable(ring3_self_t *self)
{
    ring3_compiler_barrier();
    self->no_preempt--;
}

/** Give back what `self` keeps inside libsync; from now on it keeps nothing. For schedulers, when
 * one of their contexts ends; kernel threads do it alone. */
void ring3_self_retire(ring3_self_t *self);

/**
 * Block until ring3_unpark has been called for this context. One permit is remembered, so an unpark
 * that comes first is not lost; further ones are.
 *
 * @param deadline  absolute time on `clock` (CLOCK_MONOTONIC or CLOCK_REALTIME), or NULL to wait
 * for ever
 * @return 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. May not return early.
 *
 * Order: what came before the matching ring3_unpark happens before the return. Signal handlers do
 * not end it.
 */
int ring3_park_until(clockid_t clock, const struct timespec *deadline);

static inline void ring3_park(void)
{
    (void)ring3_park_until(CLOCK_MONOTONIC, NULL);
}

/** Give `self` its permit and wake it if it is blocked in ring3_park. The context must still exist.
 * Async-signal-safe. */
void ring3_unpark(ring3_self_t *self);

RING3_API_END

#endif
