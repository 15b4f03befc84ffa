/* SPDX-License-Identifier: MIT */
/* A crew of threads for tests: all start together, each knows its number, all are joined. */
#ifndef RING3_CREW_H
#define RING3_CREW_H

#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/spinlock.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

/* Runs body(0) to body(count - 1) in threads of their own and waits for them. */
void crew_run(int count, void (*body)(int me));

/* One thread that the test joins itself. */
pthread_t crew_start(void (*body)(int me), int me);
void crew_join(pthread_t thread);

/* An absolute time on `clock`, this far from now. */
struct timespec crew_in(clockid_t clock, double seconds);

/* Shared zeroed memory that outlives fork; `crew_fork(body)` is a child that leaves with 0. */
void *crew_shared(size_t size);
pid_t crew_fork(void (*body)(void));

/* ring3_spinlock_init for every algorithm; the array lock gets slots that belong to `crew`, for one
 * such lock at a time. */
int crew_spinlock(ring3_spinlock_t *lock, ring3_spinlock_algorithm_t algorithm, ring3_wait_t how);

/* Shorter counts where everything is slow. */
long crew_count(long count);

/* Let others run until the claim holds; a claim that never does ends in the test's time limit. */
#define crew_until(claim)                                                                          \
    do {                                                                                           \
        while (!(claim))                                                                           \
            sched_yield();                                                                         \
    } while (0)

/* The same, for waits of unknown length: without burning the CPU. */
#define crew_until_quietly(claim)                                                                  \
    do {                                                                                           \
        while (!(claim))                                                                           \
            nanosleep(&(struct timespec){0, 200000}, NULL);                                        \
    } while (0)

#endif
