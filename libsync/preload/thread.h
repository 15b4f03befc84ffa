/* SPDX-License-Identifier: MIT */
/*
 * What we know of a thread: where it can be cancelled, and how many read locks it holds. Made when
 * the thread first needs it, from memory of our own, and given back when the thread ends.
 */
#ifndef RING3_PRELOAD_THREAD_H
#define RING3_PRELOAD_THREAD_H

#include "locks.h"

#include "ring3/list.h"
#include "ring3/self.h"

enum wait_kind { WAITS_NOT, WAITS_COND, WAITS_SEM };

/* A lock that is held and watched. */
struct held {
    void *object;
    const void *site; /* where it was locked */
    uint64_t key;     /* of the chain with this lock at its end; lockdep.c */
    uint32_t row;     /* watch.h */
    uint32_t mode;
};

#define THREAD_HELD 32 /* locks held at a time that are watched; those beyond are not */

struct thread {
    ring3_list_t link; /* in the list of all, or of the spare ones */
    pthread_t handle;
    ring3_self_t *self;
    uint32_t reads;     /* read locks held, of whatever lock */
    uint32_t cancelled; /* pthread_cancel has come since the wait began */
    /* Where it waits and can be cancelled. */
    ring3_mutex_t guard;
    enum wait_kind kind;
    void *object;
    /* Of a watched process. Other threads read the waits and what is held, and may be late. */
    const void *waits_at;
    uint64_t waits_since;   /* time(2) */
    void *waits_for;        /* a lock or condition; NULL: does not wait */
    bool reporting;         /* inside the graph or a report: what it locks now is not looked at */
    int handling;           /* the signal whose handler runs, or 0 */
    const void *handler;    /* the frame it runs below; one that was left by longjmp is above us */
    uint32_t depth, unseen; /* locks in `held`, and those that found no room there */
    struct held held[THREAD_HELD];
};

extern __thread struct thread *thread_pointer __attribute__((tls_model("initial-exec")));

struct thread *thread_enter(void);

/* The running thread's own. Never NULL. */
static inline struct thread *thread_self(void)
{
    struct thread *const self = thread_pointer;

    return ring3_likely(self != NULL) ? self : thread_enter();
}

/* The registry of all threads that have a record. */
void threads_lock(void);
void threads_unlock(void);
extern ring3_list_t threads_all; /* under the lock */

/*
 * Around a wait at which the thread can be cancelled:
 *
 *     if (cancel_begin(&wait, kind, object)) …     acts on a cancellation that came before
 *     result = wait …
 *     cancel_end(&wait, result == -ECANCELED);     acts on one that has ended the wait
 *
 * In between, cancellation is disabled, and pthread_cancel takes the thread out of the queue of what
 * it waits for. Both may unwind the stack.
 */
struct cancellable {
    struct thread *thread;
    int before; /* the cancellation state of the program */
};

void cancel_begin(struct cancellable *wait, enum wait_kind kind, void *object);
void cancel_end(struct cancellable *wait, bool cancelled);

#endif
