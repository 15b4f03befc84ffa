// SPDX-License-Identifier: MIT
// Peer: oneTBB. `param` is the number of threads that work; submitting leaves them to the arena and
// has a thread of its own.
#include "work.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {

constexpr int batch = 256;

struct state {
    tbb::global_control limit;
    tbb::task_arena arena;
    vectors v{};

    explicit state(int workers)
        : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(workers)),
          arena(workers)
    {
    }
};

void *prepare(const ring3_bench *, int, int64_t param)
{
    return new state(static_cast<int>(param));
}

void *prepare_submit(const ring3_bench *, int, int64_t param)
{
    return new state(static_cast<int>(param) + 1);
}

void *prepare_vectors(const ring3_bench *, int, int64_t param)
{
    auto *const s = new state(static_cast<int>(param));

    make_vectors(&s->v);
    return s;
}

void clean_up(void *shared)
{
    auto *const s = static_cast<state *>(shared);

    free_vectors(&s->v);
    delete s;
}

template <typename Body> void within(ring3_bench_thread *t, Body body)
{
    auto *const s = static_cast<state *>(t->shared);

    s->arena.execute([&] { body(*s); });
}

long fib(int n)
{
    if (n < 2)
        return n;
    tbb::task_group group;
    long a = 0;

    group.run([&a, n] { a = fib(n - 1); });
    const long b = fib(n - 2);

    group.wait();
    return a + b;
}

void spawn(ring3_bench_thread *t)
{
    within(t, [&](state &) {
        while (ring3_bench_running(t)) {
            (void)fib(FIB);
            t->ops += FIB_SPAWNS;
        }
    });
}

void empty(ring3_bench_thread *t)
{
    within(t, [&](state &) {
        for (; ring3_bench_running(t); t->ops++)
            tbb::parallel_for(0, 2, [](int) { ring3_compiler_barrier(); });
    });
}

void run_saxpy(ring3_bench_thread *t)
{
    within(t, [&](state &s) {
        for (; ring3_bench_running(t); t->ops++)
            tbb::parallel_for(tbb::blocked_range<int64_t>(0, SAXPY_LENGTH),
                              [&](const tbb::blocked_range<int64_t> &range) {
                                  saxpy(&s.v, range.begin(), range.end());
                              });
    });
}

void mandelbrot(ring3_bench_thread *t)
{
    uint64_t turns = 0;

    within(t, [&](state &) {
        for (; ring3_bench_running(t); t->ops++)
            turns += tbb::parallel_reduce(
                tbb::blocked_range<int64_t>(0, MANDELBROT_SIZE), uint64_t{0},
                [](const tbb::blocked_range<int64_t> &range, uint64_t sum) {
                    for (int64_t row = range.begin(); row < range.end(); row++)
                        sum += mandelbrot_row(row);
                    return sum;
                },
                [](uint64_t a, uint64_t b) { return a + b; });
    });
    if (!turns)
        abort();
}

void submit(ring3_bench_thread *t)
{
    within(t, [&](state &) {
        tbb::task_group group;

        while (ring3_bench_running(t)) {
            for (int i = 0; i < batch; i++)
                group.run([] { ring3_compiler_barrier(); });
            group.wait();
            t->ops += batch;
        }
    });
}

// C++ has no designators out of order: name, body, setup, teardown, none, none, threads, params.
struct benches {
    ring3_bench all[5] = {
        {"spawn/tbb", spawn, prepare, clean_up, nullptr, nullptr, {}, {1, 2}, nullptr, 0, nullptr},
        {"loop/tbb", empty, prepare, clean_up, nullptr, nullptr, {}, {2}, nullptr, 0, nullptr},
        {"saxpy/tbb", run_saxpy, prepare_vectors, clean_up, nullptr, nullptr, {}, {1, 2}, nullptr, 0, nullptr},
        {"mandelbrot/tbb", mandelbrot, prepare, clean_up, nullptr, nullptr, {}, {1, 2}, nullptr, 0, nullptr},
        {"submit/tbb", submit, prepare_submit, clean_up, nullptr, nullptr, {}, {1, 2}, nullptr, 0, nullptr},
    };

    benches()
    {
        for (ring3_bench &bench : all)
            ring3_bench_register(&bench);
    }
} registered;

} // namespace
