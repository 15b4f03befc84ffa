/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, spin locks and pthread_once at the gate.
 *
 * The lock is libc's; only waiting for it is ours. Mutexes that are robust, inherit or cap
 * priorities, or are shared between processes, have waiting rules of their own: those are waited for
 * outside.
 */
#include "gate.h"

/* glibc's kind: the type in the lowest two bits; above them robust, protocols and sharing; elision,
 * which does not matter here. */
#define KIND_TYPE      3
#define KIND_ELSEWHERE (16 | 32 | 64 | 128)

static bool waits_elsewhere(const pthread_mutex_t *mutex)
{
    return (mutex->__data.__kind & KIND_ELSEWHERE) || gate_waits_outside(mutex);
}

/* libc answers at once: EDEADLK. */
static bool asks_for_trouble(const pthread_mutex_t *mutex, const struct gated *me)
{
    return (mutex->__data.__kind & KIND_TYPE) == PTHREAD_MUTEX_ERRORCHECK &&
           mutex->__data.__owner == me->kernel_id;
}

static int try_mutex(void *mutex)
{
    return real()->pthread_mutex_trylock(mutex);
}

PUBLIC int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct gated *const me = gate_call();
    int result;

    if (!me || asks_for_trouble(mutex, me))
        return real()->pthread_mutex_lock(mutex);
    result = waits_elsewhere(mutex) ? try_mutex(mutex)
                                    : gate_acquire(me, mutex, FOR_MUTEX, try_mutex, FOR_EVER);
    if (result != EBUSY)
        return result;
    gate_leave(me);
    result = real()->pthread_mutex_lock(mutex);
    gate_enter(me);
    return result;
}

PUBLIC int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    (void)gate_call();
    return real()->pthread_mutex_trylock(mutex);
}

PUBLIC int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    struct timespec moved;
    int result;

    if (!me || asks_for_trouble(mutex, me) || !is_time(deadline) || !is_clock(clock))
        return real()->pthread_mutex_clocklock(mutex, clock, deadline);

    const int64_t until = gate_until(clock, deadline);

    result = waits_elsewhere(mutex) ? try_mutex(mutex)
                                    : gate_acquire(me, mutex, FOR_MUTEX, try_mutex, until);
    if (result != EBUSY)
        return result;
    deadline = gate_outside(clock, deadline, &moved);
    gate_leave(me);
    result = real()->pthread_mutex_clocklock(mutex, clock, deadline);
    gate_enter(me);
    if (result == ETIMEDOUT)
        gate_timed_out(me, until);
    return result;
}

PUBLIC int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline)
{
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, deadline);
}

PUBLIC int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct gated *const me = gate_call();
    const int result = real()->pthread_mutex_unlock(mutex);

    /* The mutex may be gone, but its address is all that is looked at. */
    if (result == 0)
        gate_release(me, mutex, false);
    return result;
}

/* --- Spin locks ------------------------------------------------------------------------------- */

static int try_spin(void *lock)
{
    return real()->pthread_spin_trylock(lock);
}

PUBLIC int pthread_spin_lock(pthread_spinlock_t *lock)
{
    struct gated *const me = gate_call();

    /* Whoever holds it may have no place: spinning would use ours up. */
    while (!me) {
        if (try_spin((void *)(uintptr_t)lock) == 0)
            return 0;
        (void)real()->sched_yield();
    }
    return gate_acquire(me, (void *)(uintptr_t)lock, FOR_MUTEX_UNOWNED, try_spin, FOR_EVER);
}

PUBLIC int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    (void)gate_call();
    return real()->pthread_spin_trylock(lock);
}

PUBLIC int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    struct gated *const me = gate_call();
    const int result = real()->pthread_spin_unlock(lock);

    gate_release(me, (const void *)(uintptr_t)lock, false);
    return result;
}

/* --- Once ------------------------------------------------------------------------------------- */

/* glibc's word: the lowest bits are 1 while the function runs, 2 when it has. */
#define ONCE_RUNS 1
#define ONCE_DONE 2

static int once_word(const pthread_once_t *once)
{
    return ring3_load((const uint32_t *)(const void *)once, RING3_ACQUIRE) & 3;
}

static int try_once(void *once)
{
    return once_word(once) & ONCE_RUNS ? EBUSY : 0;
}

struct once_call {
    struct gated *me;
    const pthread_once_t *once;
};

/* Also when the function is cancelled. */
static void once_ends(void *argument)
{
    const struct once_call *const call = argument;

    gate_release(call->me, call->once, true);
}

PUBLIC int pthread_once(pthread_once_t *once, void (*function)(void))
{
    struct gated *const me = once_word(once) & ONCE_DONE ? NULL : gate_call();
    struct once_call call = {me, once};
    int result;

    if (!me)
        return real()->pthread_once(once, function);
    (void)gate_acquire(me, once, FOR_ONCE, try_once, FOR_EVER);
    pthread_cleanup_push(once_ends, &call);
    result = real()->pthread_once(once, function);
    pthread_cleanup_pop(1);
    return result;
}

/* --- Older names ------------------------------------------------------------------------------ */

int __pthread_mutex_lock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_lock);
int __pthread_mutex_trylock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_trylock);
int __pthread_mutex_unlock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_unlock);
