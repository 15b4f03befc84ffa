// SPDX-License-Identifier: MIT
//
// ring3's locks as C++ Lockables, for std::lock_guard, std::unique_lock, std::scoped_lock,
// std::shared_lock and std::condition_variable_any:
//
//     ring3::mutex mutex;
//     std::lock_guard guard(mutex);
//
//     ring3::spinlock fair(RING3_SPINLOCK_MCS);
//     ring3::shared_mutex table;                 std::shared_lock reading(table);
//     ring3::condition_variable changed;         changed.wait(lock, [&] { return ready; });
//
// Each is the C object and nothing else: the same size, no allocation, native_handle() leads to it.
// As with the standard's, errors that only misuse can cause are not reported.
#ifndef RING3_LOCKABLE_HPP
#define RING3_LOCKABLE_HPP

#include "ring3/cond.h"
#include "ring3/mutex.h"
#include "ring3/rwlock.h"
#include "ring3/spinlock.h"

#include <chrono>
#include <mutex>

namespace ring3
{

namespace detail
{
template <class Duration>
timespec deadline(const std::chrono::time_point<std::chrono::steady_clock, Duration> &when)
{
    using namespace std::chrono;
    const auto since = duration_cast<nanoseconds>(when.time_since_epoch()).count();

    return {static_cast<time_t>(since / RING3_SECOND_NS),
            static_cast<long>(since % RING3_SECOND_NS)};
}

// Another clock: as far from now as it says.
template <class Clock, class Duration>
timespec deadline(const std::chrono::time_point<Clock, Duration> &when)
{
    return deadline(std::chrono::steady_clock::now() + (when - Clock::now()));
}

// try_lock_for and try_lock_until in terms of a `bool timed(const timespec &)` of the derived class.
template <class Derived> struct timed {
    template <class Rep, class Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period> &time)
    {
        return try_lock_until(std::chrono::steady_clock::now() + time);
    }
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &when)
    {
        return static_cast<Derived *>(this)->timedlock(deadline(when));
    }
};
} // namespace detail

class mutex : public detail::timed<mutex>
{
  public:
    constexpr mutex() = default;
    mutex(const mutex &) = delete;
    mutex &operator=(const mutex &) = delete;

    void lock() { ring3_mutex_lock(&mutex_); }
    bool try_lock() { return ring3_mutex_trylock(&mutex_) == 0; }
    void unlock() { ring3_mutex_unlock(&mutex_); }
    bool timedlock(const timespec &when) { return ring3_mutex_timedlock(&mutex_, &when) == 0; }
    ring3_mutex_t *native_handle() { return &mutex_; }

  private:
    ring3_mutex_t mutex_ = RING3_MUTEX_INIT;
};

class spinlock : public detail::timed<spinlock>
{
  public:
    explicit spinlock(ring3_spinlock_algorithm_t algorithm = RING3_SPINLOCK_TTAS,
                      ring3_wait_t how = RING3_WAIT_ADAPTIVE)
    {
        (void)ring3_spinlock_init(&lock_, algorithm, how);
    }
    spinlock(const spinlock &) = delete;
    spinlock &operator=(const spinlock &) = delete;

    void lock() { ring3_spinlock_lock(&lock_); }
    bool try_lock() { return ring3_spinlock_trylock(&lock_) == 0; }
    void unlock() { ring3_spinlock_unlock(&lock_); }
    bool timedlock(const timespec &when) { return ring3_spinlock_timedlock(&lock_, &when) == 0; }
    ring3_spinlock_t *native_handle() { return &lock_; }

  private:
    ring3_spinlock_t lock_;
};

class shared_mutex : public detail::timed<shared_mutex>
{
  public:
    shared_mutex() = default;
    shared_mutex(const shared_mutex &) = delete;
    shared_mutex &operator=(const shared_mutex &) = delete;

    void lock() { ring3_rwlock_wrlock(&lock_); }
    bool try_lock() { return ring3_rwlock_trywrlock(&lock_) == 0; }
    void unlock() { ring3_rwlock_wrunlock(&lock_); }
    bool timedlock(const timespec &when)
    {
        return ring3_rwlock_clockwrlock(&lock_, CLOCK_MONOTONIC, &when) == 0;
    }

    void lock_shared() { (void)ring3_rwlock_rdlock(&lock_); }
    bool try_lock_shared() { return ring3_rwlock_tryrdlock(&lock_) == 0; }
    void unlock_shared() { ring3_rwlock_rdunlock(&lock_); }
    ring3_rwlock_t *native_handle() { return &lock_; }

  private:
    ring3_rwlock_t lock_ = {};
};

// For std::unique_lock<ring3::mutex>; wait morphing as in ring3/cond.h.
class condition_variable
{
  public:
    constexpr condition_variable() = default;
    condition_variable(const condition_variable &) = delete;
    condition_variable &operator=(const condition_variable &) = delete;

    void notify_one() { ring3_cond_signal(&cond_); }
    void notify_all() { ring3_cond_broadcast(&cond_); }
    void wait(std::unique_lock<mutex> &lock)
    {
        ring3_cond_wait(&cond_, lock.mutex()->native_handle());
    }
    template <class Predicate> void wait(std::unique_lock<mutex> &lock, Predicate ready)
    {
        while (!ready())
            wait(lock);
    }
    // False if the time came first and the predicate is still false.
    template <class Clock, class Duration, class Predicate>
    bool wait_until(std::unique_lock<mutex> &lock,
                    const std::chrono::time_point<Clock, Duration> &when, Predicate ready)
    {
        const timespec end = detail::deadline(when);

        while (!ready())
            if (ring3_cond_timedwait(&cond_, lock.mutex()->native_handle(), &end) != 0)
                return ready();
        return true;
    }

  private:
    ring3_cond_t cond_ = RING3_COND_INIT;
};

} // namespace ring3

#endif
