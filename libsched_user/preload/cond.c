/* SPDX-License-Identifier: MIT */
/*
 * Conditions and barriers at the gate. libc's condition stays untouched: its address is what waiters
 * are entered under. Those shared between processes are libc's own.
 */
#include "gate.h"

/* glibc's wrefs: shared between processes; timed waits go by CLOCK_MONOTONIC. */
#define COND_SHARED    1
#define COND_MONOTONIC 2

static bool is_shared(const pthread_cond_t *cond)
{
    return cond->__data.__wrefs & COND_SHARED;
}

static void come_back(void *me)
{
    gate_enter(me);
}

/* Outside; who is cancelled comes back first, for his handlers. */
static int wait_outside(struct gated *me, pthread_cond_t *cond, pthread_mutex_t *mutex,
                        clockid_t clock, const struct timespec *deadline)
{
    const int64_t until = gate_until(clock, deadline);
    struct timespec moved;
    int result;

    gate_wait_outside_for(me, mutex);
    deadline = gate_outside(clock, deadline, &moved);
    gate_leave(me);
    pthread_cleanup_push(come_back, me);
    result = deadline ? real()->pthread_cond_clockwait(cond, mutex, clock, deadline)
                      : real()->pthread_cond_wait(cond, mutex);
    pthread_cleanup_pop(1);
    if (result == ETIMEDOUT)
        gate_timed_out(me, until);
    return result;
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                      const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    int result;

    if (!me)
        return deadline ? real()->pthread_cond_clockwait(cond, mutex, clock, deadline)
                        : real()->pthread_cond_wait(cond, mutex);
    if (deadline && !(is_time(deadline) && is_clock(clock)))
        return EINVAL;
    if (is_shared(cond))
        return wait_outside(me, cond, mutex, clock, deadline);
    pthread_testcancel();

    const int64_t until = gate_until(clock, deadline);

    gate_lock(me);
    /* Whoever signals looks for us from now on, and finds us once the lock is free. */
    gate_announce(cond);
    result = real()->pthread_mutex_unlock(mutex);
    if (result != 0) {
        gate_withdraw(cond);
        gate_unlock(me);
        return result;
    }
    gate_wake_first(me, mutex);
    result = gate_wait(me, cond, FOR_COND, until);
    (void)pthread_mutex_lock(mutex);
    if (me->cancelled) {
        me->cancelled = false;
        pthread_testcancel();
    }
    return result;
}

PUBLIC int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_until(cond, mutex, CLOCK_REALTIME, NULL);
}

PUBLIC int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *deadline)
{
    return wait_until(cond, mutex, clock, deadline);
}

PUBLIC int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *deadline)
{
    return wait_until(cond, mutex,
                      cond->__data.__wrefs & COND_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME,
                      deadline);
}

PUBLIC int pthread_cond_signal(pthread_cond_t *cond)
{
    struct gated *const me = gate_call();

    gate_release(me, cond, false);
    return real()->pthread_cond_signal(cond);
}

PUBLIC int pthread_cond_broadcast(pthread_cond_t *cond)
{
    struct gated *const me = gate_call();

    gate_release(me, cond, true);
    return real()->pthread_cond_broadcast(cond);
}

/* --- Barriers --------------------------------------------------------------------------------- */

/* What glibc keeps in a barrier; pthread_barrier_init is its own. Of private ones we use `arrived`
 * and `round`, under the gate's lock. */
struct barrier {
    uint32_t arrived, round, count;
    int shared;
};

static struct barrier *words_of(pthread_barrier_t *barrier)
{
    return (struct barrier *)(void *)barrier;
}

PUBLIC int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    struct barrier *const words = words_of(barrier);
    struct gated *const me = gate_call();
    uint32_t round;
    int result;

    if (!me || words->shared) {
        gate_leave(me);
        result = real()->pthread_barrier_wait(barrier);
        gate_enter(me);
        return result;
    }
    gate_lock(me);
    if (++words->arrived < words->count) {
        round = words->round;
        do {
            gate_announce(barrier);
            (void)gate_wait(me, barrier, FOR_BARRIER, FOR_EVER);
            gate_lock(me);
        } while (words->round == round);
        gate_unlock(me);
        return 0;
    }
    words->arrived = 0;
    words->round++;
    gate_unlock(me);
    gate_release(me, barrier, true);
    return PTHREAD_BARRIER_SERIAL_THREAD;
}

/* libc would wait for everybody to have left, by counts that we do not keep. */
PUBLIC int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    if (words_of(barrier)->shared || !ring3_load(&gate.active, RING3_RELAXED))
        return real()->pthread_barrier_destroy(barrier);
    return 0;
}
