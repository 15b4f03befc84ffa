/* SPDX-License-Identifier: MIT */
/* What the threads do whose costs are timed (ring3.c) and counted (bench/instructions). */
#ifndef BENCH_SCHED_BODIES_H
#define BENCH_SCHED_BODIES_H

#include "ring3/atomic.h"
#include "ring3/chan.h"
#include "ring3/thread.h"

static uint32_t over;

static void *yield_until_over(void *unused)
{
    while (!ring3_load(&over, RING3_RELAXED))
        ring3_thread_yield();
    return unused;
}

static void *nothing(void *arg)
{
    return arg;
}

static ring3_chan_t there, back;

static void *echo(void *unused)
{
    long item;

    while (ring3_chan_receive(&there, &item, NULL) == 0)
        (void)ring3_chan_send(&back, &item, NULL);
    return unused;
}

#endif
