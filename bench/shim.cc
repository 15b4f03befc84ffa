// SPDX-License-Identifier: MIT
//
// Runs the benchmarks of ring3_bench.h under Google Benchmark, which brings the command line
// (--benchmark_filter, --benchmark_format=json, …), the repetitions and the output formats.
//
// A run is measured before the harness's own loop, because the harness wants to know the number of
// iterations in advance and ours are known afterwards: the loop then reports one batch of `ops`
// iterations per thread and the wall time of the whole as its manual time. The harness averages the
// time over the threads (each reports the same) and adds up the iterations.
#include "ring3_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <thread>
#include <vector>

namespace
{

struct ring3_bench *registry;
double default_seconds = 0.15;

double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Peak resident memory in KiB. Not getrusage: that counts what the process had before exec, too.
double peak_rss_kb()
{
    char line[256];
    long peak = 0;
    FILE *status = std::fopen("/proc/self/status", "r");

    while (status && std::fgets(line, sizeof line, status))
        if (std::sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (status)
        std::fclose(status);
    return static_cast<double>(peak);
}

// One benchmark with one parameter on one number of threads.
struct Run {
    struct Result {
        double begin, end, cpu;
        uint64_t begin_clock, end_clock;
    };
    const struct ring3_bench *bench;
    int64_t param;
    int threads;
    pthread_barrier_t together; // of the threads
    pthread_barrier_t start;    // of the threads and the alarm
    std::vector<struct ring3_bench_thread> thread;
    std::vector<Result> result;
    std::thread alarm;
    void *shared = nullptr;
    bool ended = false;

    Run(const struct ring3_bench *b, int64_t p, int n)
        : bench(b), param(p), threads(n), thread(static_cast<size_t>(n)),
          result(static_cast<size_t>(n))
    {
        pthread_barrier_init(&together, nullptr, static_cast<unsigned>(n));
        pthread_barrier_init(&start, nullptr, static_cast<unsigned>(n) + 1);
    }
    Run(const Run &) = delete;
    ~Run()
    {
        pthread_barrier_destroy(&together);
        pthread_barrier_destroy(&start);
    }

    void wait_for_all() { pthread_barrier_wait(&together); }
    void prepare();
    void measure(struct ring3_bench_thread &t, Result &r);
    void report(benchmark::State &state, double wall) const;
    void operator()(benchmark::State &state);
};

// Threads that wake up together often start on one CPU and take a while to spread. Each begins on a
// CPU of its own, as far as there are any, and is then free to move.
cpu_set_t go_apart(int index)
{
    cpu_set_t allowed, mine;
    int nth = 0, wanted;

    sched_getaffinity(0, sizeof allowed, &allowed);
    wanted = index % CPU_COUNT(&allowed);
    CPU_ZERO(&mine);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && nth++ == wanted)
            CPU_SET(cpu, &mine);
    sched_setaffinity(0, sizeof mine, &mine);
    return allowed;
}

void Run::prepare()
{
    ring3_store(&ended, false, RING3_RELAXED);
    shared = bench->setup ? bench->setup(bench, threads, param) : nullptr;
}

void Run::measure(struct ring3_bench_thread &t, Result &r)
{
    const double cpu_before = seconds(CLOCK_THREAD_CPUTIME_ID);

    r.begin = seconds(CLOCK_MONOTONIC);
    r.begin_clock = ring3_bench_clock();
    bench->body(&t);
    r.end_clock = ring3_bench_clock();
    r.end = seconds(CLOCK_MONOTONIC);
    r.cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
}

void Run::report(benchmark::State &state, double wall) const
{
    double cpu = 0, sum = 0, squares = 0, longest = 0;

    for (size_t i = 0; i < thread.size(); i++) {
        const double ops = static_cast<double>(thread[i].ops);
        const double ticks = static_cast<double>(result[i].end_clock - result[i].begin_clock);
        cpu += result[i].cpu;
        sum += ops;
        squares += ops * ops;
        if (ticks > 0)
            longest = std::max(longest, static_cast<double>(thread[i].longest_wait) *
                                            (result[i].end - result[i].begin) / ticks);
    }
    state.counters["items_per_second"] = sum / wall;
    state.counters["cpu_s"] = cpu;
    state.counters["peak_rss_kb"] = peak_rss_kb();
    if (threads > 1 && sum > 0)
        state.counters["jain"] = sum * sum / (threads * squares);
    if (longest > 0)
        state.counters["longest_wait_us"] = longest * 1e6;
}

void Run::operator()(benchmark::State &state)
{
    const size_t me = static_cast<size_t>(state.thread_index());
    struct ring3_bench_thread &t = thread[me];

    if (me == 0)
        prepare();
    wait_for_all();
    t = {};
    t.index = state.thread_index();
    t.threads = threads;
    t.param = param;
    t.shared = shared;
    t.ended = &ended;
    t.local = bench->thread_setup ? bench->thread_setup(&t) : nullptr;
    if (me == 0) {
        const double limit = bench->seconds > 0 ? bench->seconds : default_seconds;
        alarm = std::thread([this, limit] {
            pthread_barrier_wait(&start);
            std::this_thread::sleep_for(std::chrono::duration<double>(limit));
            ring3_store(&ended, true, RING3_RELAXED);
        });
    }
    const cpu_set_t allowed = go_apart(t.index);
    pthread_barrier_wait(&start);
    sched_setaffinity(0, sizeof allowed, &allowed);
    measure(t, result[me]);
    wait_for_all();
    double begin = result[0].begin, end = result[0].end;
    for (const Result &r : result) {
        begin = std::min(begin, r.begin);
        end = std::max(end, r.end);
    }
    if (bench->thread_teardown)
        bench->thread_teardown(&t);
    wait_for_all();
    const int64_t batch = std::max<int64_t>(1, static_cast<int64_t>(t.ops));
    while (state.KeepRunningBatch(batch))
        state.SetIterationTime(end - begin);
    for (const struct ring3_bench_counter &c : t.counters)
        if (c.name)
            state.counters[c.name] = c.value;
    if (me == 0) {
        report(state, end - begin);
        alarm.join();
        if (bench->teardown)
            bench->teardown(shared);
    }
}

void add_runs(const struct ring3_bench *bench)
{
    std::vector<int64_t> params(bench->params, bench->params + RING3_BENCH_CHOICES);
    std::vector<int> threads(bench->threads, bench->threads + RING3_BENCH_CHOICES);

    params.erase(std::find(params.begin(), params.end(), 0), params.end());
    threads.erase(std::find(threads.begin(), threads.end(), 0), threads.end());
    const bool has_params = !params.empty();
    if (!has_params)
        params.push_back(0);
    if (threads.empty())
        threads.push_back(1);
    for (const int64_t param : params)
        for (const int n : threads) {
            const std::string name =
                has_params ? bench->name + ("/" + std::to_string(param)) : std::string(bench->name);
            Run *run = new Run(bench, param, n); // lives as long as the registration
            benchmark::RegisterBenchmark(name.c_str(), [run](benchmark::State &s) { (*run)(s); })
                ->Iterations(1)
                ->UseManualTime()
                ->Threads(n);
        }
}

} // namespace

void ring3_bench_register(struct ring3_bench *bench)
{
    struct ring3_bench **end = &registry;

    while (*end)
        end = &(*end)->next;
    *end = bench;
}

void ring3_bench_count(struct ring3_bench_thread *t, const char *name, double value)
{
    for (struct ring3_bench_counter &c : t->counters)
        if (!c.name || std::strcmp(c.name, name) == 0) {
            c.name = name;
            c.value += value;
            return;
        }
    std::fprintf(stderr, "ring3_bench_count: no room for %s\n", name);
    std::abort();
}

int main(int argc, char **argv)
{
    static const char option[] = "--ring3_seconds=";
    int kept = 1;

    for (int i = 1; i < argc; i++)
        if (std::strncmp(argv[i], option, sizeof option - 1) == 0)
            default_seconds = std::strtod(argv[i] + sizeof option - 1, nullptr);
        else
            argv[kept++] = argv[i];
    argv[kept] = nullptr;
    benchmark::Initialize(&kept, argv);
    if (benchmark::ReportUnrecognizedArguments(kept, argv) || !(default_seconds > 0))
        return 2;
    for (const struct ring3_bench *bench = registry; bench; bench = bench->next)
        add_runs(bench);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
