/* SPDX-License-Identifier: MIT */
/* Peer: GNU Pth. Its threads exist once per process, and each run has a process of its own. */
#include "ring3_bench.h"

#include <pth.h>
#include <stdlib.h>

static bool over;

static void *yield_until_over(void *unused)
{
    while (!over)
        (void)pth_yield(NULL);
    return unused;
}

static void yields(struct ring3_bench_thread *t)
{
    pth_t thread;

    if (!pth_init() || !(thread = pth_spawn(PTH_ATTR_DEFAULT, yield_until_over, NULL)))
        abort();
    while (ring3_bench_running(t)) {
        (void)pth_yield(NULL);
        t->ops += 2;
    }
    over = true;
    (void)pth_join(thread, NULL);
    (void)pth_kill();
}

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(struct ring3_bench_thread *t)
{
    if (!pth_init())
        abort();
    for (; ring3_bench_running(t); t->ops++)
        if (!pth_join(pth_spawn(PTH_ATTR_DEFAULT, nothing, NULL), NULL))
            abort();
    (void)pth_kill();
}

RING3_BENCH(pth_yield, .name = "yield/pth", .body = yields, .params = {2});
RING3_BENCH(pth_create_join, .name = "create-join/pth", .body = create_join);
