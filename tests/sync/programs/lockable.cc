// SPDX-License-Identifier: MIT
// The standard's own tools on ring3's locks.
#include "ring3/lockable.hpp"

#include <condition_variable>
#include <shared_mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

template <class Lock> static bool counts(Lock &lock)
{
    std::vector<std::thread> threads;
    long count = 0;

    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] {
            for (int j = 0; j < 5000; j++) {
                std::lock_guard<Lock> guard(lock);
                count++;
            }
        });
    for (auto &thread : threads)
        thread.join();
    return count == 20000;
}

template <class Lock> static bool times_out(Lock &lock)
{
    std::unique_lock<Lock> held(lock);
    bool refused = false;

    std::thread([&] {
        refused = !lock.try_lock() && !lock.try_lock_for(5ms) &&
                  !lock.try_lock_until(std::chrono::system_clock::now() + 5ms);
    }).join();
    return refused;
}

template <class Condition, class Lock> static bool waits(Lock &lock)
{
    Condition changed;
    bool ready = false;
    std::thread setter([&] {
        std::lock_guard<Lock> guard(lock);
        ready = true;
        changed.notify_all();
    });
    std::unique_lock<Lock> held(lock);

    changed.wait(held, [&] { return ready; });
    setter.join();
    return !changed.wait_until(held, std::chrono::steady_clock::now() + 1ms, [] { return false; });
}

int main()
{
    ring3::mutex mutex;
    ring3::spinlock mcs(RING3_SPINLOCK_MCS);
    ring3::shared_mutex shared;

    static_assert(sizeof mutex == 4, "the C object and nothing else");
    if (!counts(mutex) || !counts(mcs) || !counts(shared))
        return 1;
    if (!times_out(mutex) || !times_out(mcs) || !times_out(shared))
        return 2;
    {
        std::shared_lock<ring3::shared_mutex> one(shared), two(shared, std::try_to_lock);
        if (!two.owns_lock() || shared.try_lock())
            return 3;
    }
    std::scoped_lock both(mutex, mcs);
    mutex.unlock();
    const bool good =
        waits<ring3::condition_variable>(mutex) && waits<std::condition_variable_any>(mutex);
    mutex.lock();
    return good ? 0 : 4;
}
