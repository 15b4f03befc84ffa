/* SPDX-License-Identifier: MIT */
/* Peer: State Threads. */
#include "ring3_bench.h"

#include <st.h>
#include <stdlib.h>

#define BATCH 64

static bool over;

static void *yield_until_over(void *unused)
{
    while (!over)
        (void)st_sleep(0);
    return unused;
}

/* It has no yield; to sleep for no time is one. */
static void yields(struct ring3_bench_thread *t)
{
    st_thread_t thread;

    if (st_init() || !(thread = st_thread_create(yield_until_over, NULL, 1, 0)))
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops += 2)
            (void)st_sleep(0);
    over = true;
    (void)st_thread_join(thread, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(struct ring3_bench_thread *t)
{
    if (st_init())
        abort();
    while (ring3_bench_running(t))
        for (int i = 0; i < BATCH; i++, t->ops++)
            if (st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL))
                abort();
}

RING3_BENCH(st_yield, .name = "yield/st", .body = yields, .params = {2});
RING3_BENCH(st_create_join, .name = "create-join/st", .body = create_join);
