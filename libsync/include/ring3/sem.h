/* SPDX-License-Identifier: MIT */
/*
 * Counting semaphore: a number of permits that contexts take and give back.
 *
 *     static ring3_sem_t slots = RING3_SEM_INIT(4);     (all-zero has no permit and no maximum)
 *     ring3_sem_wait(&slots);
 *     …
 *     ring3_sem_post(&slots);
 *
 * A binary semaphore is one with maximum 1.
 *
 * state
 *     bits   name     set by                                  cleared by
 *     0-29   value    post adds 1                             wait, or the hand-over to a waiter
 *     30     closed   ring3_sem_close                         ring3_sem_init
 *     31     zero
 *     32-63  waiters  a waiter, before it sleeps              whoever takes it out of the queue
 *
 * Invariant: value = initial value + posts - waits that succeeded.
 *
 * Private semaphores are strictly first come, first served: while anybody waits, a permit goes to
 * the one who has waited longest, and newcomers stand behind. Waiters queue in the parking table,
 * kernel and user threads alike. The price of the order is a context switch per hand-over when
 * threads outnumber CPUs; as a lock for one, prefer ring3/mutex.h.
 *
 * RING3_SHARED semaphores may lie in memory that several processes map. Their waiters queue in the
 * kernel, and a running thread may take a permit before one that is just being woken. If a process
 * is killed while it waits, `waiters` stays too high, which costs later posts a system call each.
 *
 * A semaphore may be freed by the one whose wait succeeded, even while the post is still returning.
 * ring3_sem_post is async-signal-safe; the others are not. None is a cancellation point. In a child
 * of fork a private semaphore must be initialised again if anybody waited on it.
 *
 * Order: what came before a post happens before the return of the wait that took its permit.
 * Sources: Dijkstra 1965; down() and up() of Linux (kernel/locking/semaphore.c); glibc's nptl for
 * the shared form.
 */
#ifndef RING3_SEM_H
#define RING3_SEM_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_sem {
    uint64_t state;
    uint32_t maximum; /* largest value; 0 stands for RING3_SEM_MAX */
    uint32_t shared;  /* RING3_PRIVATE or RING3_SHARED */
} ring3_sem_t;

#define RING3_SEM_MAX    0x3fffffffu
#define RING3_SEM_CLOSED 0x40000000u
#define RING3_SEM_WAITER (UINT64_C(1) << 32)

#define RING3_SEM_INIT(value)                                                                      \
    {                                                                                              \
        value, 0, 0                                                                                \
    }

/**
 * Give `sem` its first value.
 *
 * @param maximum  the value that posts may not exceed; 0 for RING3_SEM_MAX
 * @param shared   RING3_PRIVATE or RING3_SHARED
 * @return 0; -EINVAL if value or maximum is too large
 */
int ring3_sem_init(ring3_sem_t *sem, uint32_t value, uint32_t maximum, int shared);

int ring3_sem_wait_slow(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline,
                        bool interruptible);

/** Take a permit if that needs no waiting. 0; -EAGAIN; -ECANCELED. */
static inline int ring3_sem_trywait(ring3_sem_t *sem)
{
    uint64_t seen = ring3_load(&sem->state, RING3_RELAXED);

    for (;;) {
        if (seen & RING3_SEM_CLOSED)
            return -ECANCELED;
        if ((seen & RING3_SEM_MAX) == 0 || (seen >= RING3_SEM_WAITER && !sem->shared))
            return -EAGAIN;
        /* Pairs with the release in ring3_sem_post. */
        if (ring3_cas_weak(&sem->state, &seen, seen - 1, RING3_ACQUIRE))
            return 0;
    }
}

/**
 * Wait until there is a permit for the caller, and take it.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -ETIMEDOUT; -ECANCELED when the semaphore is or gets closed; -EINVAL for another clock
 * or a malformed time
 *
 * A signal handler does not end the wait.
 */
int ring3_sem_clockwait(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline);

/** The same, and -EINTR when a signal handler ran while the caller slept. */
int ring3_sem_clockwait_interruptible(ring3_sem_t *sem, clockid_t clock,
                                      const struct timespec *deadline);

/** The same on CLOCK_MONOTONIC, without -EINTR. */
static inline int ring3_sem_timedwait(ring3_sem_t *sem, const struct timespec *deadline)
{
    return ring3_sem_clockwait(sem, CLOCK_MONOTONIC, deadline);
}

/** The same without a deadline. 0 or -ECANCELED. */
static inline int ring3_sem_wait(ring3_sem_t *sem)
{
    return ring3_likely(ring3_sem_trywait(sem) == 0)
               ? 0
               : ring3_sem_wait_slow(sem, CLOCK_MONOTONIC, NULL, false);
}

/**
 * Add a permit, or hand it to the one who has waited longest.
 *
 * @return 0; -EOVERFLOW, and nothing is changed, if the value is at its maximum (one post too many:
 * aborts in debug builds); -ECANCELED if the semaphore is closed
 */
int ring3_sem_post(ring3_sem_t *sem);

/** End all waits, present and future, with -ECANCELED. A closed semaphore keeps its value. */
void ring3_sem_close(ring3_sem_t *sem);

/** Permits at hand, and contexts that sleep for one: true when they were read, for display. */
uint32_t ring3_sem_value(const ring3_sem_t *sem);
uint32_t ring3_sem_waiters(const ring3_sem_t *sem);

RING3_API_END

#endif
