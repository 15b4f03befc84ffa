/* SPDX-License-Identifier: MIT */
/*
 * The reclaimer: a thread that looks a few times a second at what nobody is using, and gives it
 * back to the system: the caches of threads that sleep, pages of slabs that hold only free blocks,
 * free spans. Without it memory would stay until its owner came back.
 *
 * It starts when a second thread allocates and the heap has grown beyond 32 MiB, so small programs
 * and those of one thread never have it. It sleeps while there is nothing to do, until some thread
 * comes the slow way again; the next 200 ms it lets pass. In a child of fork it is not there until
 * the child needs it.
 */
#ifndef RING3_RECLAIM_H
#define RING3_RECLAIM_H

#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stdint.h>

/* 1 while the reclaimer sleeps until it is called. */
extern uint32_t ring3_reclaim_asleep;

/* 1 once the reclaimer was started, or could not be. */
extern uint32_t ring3_reclaim_started;

void ring3_reclaim_wake(void);
void ring3_reclaim_start_if_worth(void);
void ring3_reclaim_after_fork(void);

/* Set at once if the user wants none. */
extern bool ring3_reclaim_off;

/* On the slow paths: something changed. Relaxed: when the reclaimer lies down it looks once more
 * after 200 ms, so what is missed here is seen then. */
static inline void ring3_reclaim_notice(void)
{
    if (ring3_unlikely(ring3_load(&ring3_reclaim_asleep, RING3_RELAXED)))
        ring3_reclaim_wake();
}

/* The same, where a thread may be started: not under a lock of libc's or of ours, so in allocation
 * only. (libc frees under the lock that pthread_create takes.) */
static inline void ring3_reclaim_consider(void)
{
    ring3_reclaim_notice();
    if (ring3_unlikely(!ring3_load(&ring3_reclaim_started, RING3_RELAXED)))
        ring3_reclaim_start_if_worth();
}

#endif
