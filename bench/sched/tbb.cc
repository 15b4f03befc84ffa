// SPDX-License-Identifier: MIT
// Peer: oneTBB's task groups, which run tasks to their end on one kernel thread here.
#include "ring3_bench.h"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace
{

void grow(long leaves, long first, long *sum)
{
    if (leaves == 1) {
        *sum = first;
        return;
    }
    long sums[10];
    tbb::task_group group;

    for (int i = 0; i < 10; i++)
        group.run([=, &sums] { grow(leaves / 10, first + i * (leaves / 10), &sums[i]); });
    group.wait();
    *sum = 0;
    for (const long part : sums)
        *sum += part;
}

void skynet(struct ring3_bench_thread *t)
{
    const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
    tbb::task_arena arena(1);
    long sum = 0;

    arena.execute([&] { grow(t->param, 0, &sum); });
    if (sum != t->param * (t->param - 1) / 2)
        __builtin_trap();
    t->ops = static_cast<uint64_t>(t->param);
}

struct ring3_bench bench;

__attribute__((constructor)) void add()
{
    bench.name = "skynet/tbb_task_group";
    bench.body = skynet;
    bench.params[0] = 100000;
    bench.params[1] = 1000000;
    ring3_bench_register(&bench);
}

} // namespace
