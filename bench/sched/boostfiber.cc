// SPDX-License-Identifier: MIT
// Peers: Boost.Context's bare switch, and Boost.Fiber.
#include "ring3_bench.h"

#include <boost/context/detail/fcontext.hpp>
#include <boost/fiber/all.hpp>
#include <vector>

namespace
{

constexpr int batch = 64;

void bounce(boost::context::detail::transfer_t from)
{
    for (;;)
        from = boost::context::detail::jump_fcontext(from.fctx, nullptr);
}

void bare_switch(struct ring3_bench_thread *t)
{
    static char stack[64 << 10];
    boost::context::detail::fcontext_t other =
        boost::context::detail::make_fcontext(stack + sizeof stack, sizeof stack, bounce);

    while (ring3_bench_running(t))
        for (int i = 0; i < batch; i++, t->ops += 2)
            other = boost::context::detail::jump_fcontext(other, nullptr).fctx;
}

void yields(struct ring3_bench_thread *t)
{
    bool over = false;
    std::vector<boost::fibers::fiber> others;

    for (int64_t i = 1; i < t->param; i++)
        others.emplace_back([&over] {
            while (!over)
                boost::this_fiber::yield();
        });
    while (ring3_bench_running(t))
        for (int i = 0; i < batch; i++, t->ops += static_cast<uint64_t>(t->param))
            boost::this_fiber::yield();
    over = true;
    for (auto &fiber : others)
        fiber.join();
}

void create_join(struct ring3_bench_thread *t)
{
    while (ring3_bench_running(t))
        for (int i = 0; i < batch; i++, t->ops++)
            boost::fibers::fiber([] {}).join();
}

void round_trip(struct ring3_bench_thread *t)
{
    boost::fibers::unbuffered_channel<long> there, back;
    boost::fibers::fiber echo([&] {
        long item;

        while (there.pop(item) == boost::fibers::channel_op_status::success)
            back.push(item);
    });
    long item = 0;

    while (ring3_bench_running(t))
        for (int i = 0; i < batch; i++, t->ops++) {
            there.push(item);
            back.pop(item);
        }
    there.close();
    echo.join();
}

struct ring3_bench benches[4];

__attribute__((constructor)) void add()
{
    const struct {
        const char *name;
        void (*body)(struct ring3_bench_thread *t);
    } all[] = {{"switch/boost_fcontext", bare_switch},
               {"yield/boost_fiber", yields},
               {"create-join/boost_fiber", create_join},
               {"round-trip/boost_fiber", round_trip}};

    for (int i = 0; i < 4; i++) {
        benches[i].name = all[i].name;
        benches[i].body = all[i].body;
        if (all[i].body == yields) {
            benches[i].params[0] = 2;
            benches[i].params[1] = 1000;
        }
        ring3_bench_register(&benches[i]);
    }
}

} // namespace
