/* SPDX-License-Identifier: MIT */
/* Read-write locks and semaphores at the gate. */
#include "gate.h"

static int try_read(void *lock)
{
    return real()->pthread_rwlock_tryrdlock(lock);
}

static int try_write(void *lock)
{
    return real()->pthread_rwlock_trywrlock(lock);
}

/* Shared between processes, or the caller has it for writing: libc knows, and in the second case
 * answers EDEADLK at once. */
static bool is_libcs(const pthread_rwlock_t *lock, const struct gated *me)
{
    return lock->__data.__shared || lock->__data.__cur_writer == me->kernel_id;
}

PUBLIC int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    struct gated *const me = gate_call();
    int result;

    if (me && !is_libcs(lock, me))
        return gate_acquire(me, lock, FOR_READ, try_read, FOR_EVER);
    gate_leave(me);
    result = real()->pthread_rwlock_rdlock(lock);
    gate_enter(me);
    return result;
}

PUBLIC int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct gated *const me = gate_call();
    int result;

    if (me && !is_libcs(lock, me))
        return gate_acquire(me, lock, FOR_WRITE, try_write, FOR_EVER);
    gate_leave(me);
    result = real()->pthread_rwlock_wrlock(lock);
    gate_enter(me);
    return result;
}

PUBLIC int pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                      const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    struct timespec moved;
    int64_t until;
    int result;

    if (!me || !is_time(deadline) || !is_clock(clock))
        return real()->pthread_rwlock_clockrdlock(lock, clock, deadline);
    until = gate_until(clock, deadline);
    if (!is_libcs(lock, me))
        return gate_acquire(me, lock, FOR_READ, try_read, until);
    deadline = gate_outside(clock, deadline, &moved);
    gate_leave(me);
    result = real()->pthread_rwlock_clockrdlock(lock, clock, deadline);
    gate_enter(me);
    if (result == ETIMEDOUT)
        gate_timed_out(me, until);
    return result;
}

PUBLIC int pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                      const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    struct timespec moved;
    int64_t until;
    int result;

    if (!me || !is_time(deadline) || !is_clock(clock))
        return real()->pthread_rwlock_clockwrlock(lock, clock, deadline);
    until = gate_until(clock, deadline);
    if (!is_libcs(lock, me))
        return gate_acquire(me, lock, FOR_WRITE, try_write, until);
    deadline = gate_outside(clock, deadline, &moved);
    gate_leave(me);
    result = real()->pthread_rwlock_clockwrlock(lock, clock, deadline);
    gate_enter(me);
    if (result == ETIMEDOUT)
        gate_timed_out(me, until);
    return result;
}

PUBLIC int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *deadline)
{
    return pthread_rwlock_clockrdlock(lock, CLOCK_REALTIME, deadline);
}

PUBLIC int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *deadline)
{
    return pthread_rwlock_clockwrlock(lock, CLOCK_REALTIME, deadline);
}

PUBLIC int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    (void)gate_call();
    return real()->pthread_rwlock_tryrdlock(lock);
}

PUBLIC int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    (void)gate_call();
    return real()->pthread_rwlock_trywrlock(lock);
}

PUBLIC int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct gated *const me = gate_call();
    const int result = real()->pthread_rwlock_unlock(lock);

    /* Who of readers and writers comes first is for the policy to say. */
    if (result == 0)
        gate_release(me, lock, true);
    return result;
}

int __pthread_rwlock_rdlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_rdlock);
int __pthread_rwlock_wrlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_wrlock);
int __pthread_rwlock_tryrdlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_tryrdlock);
int __pthread_rwlock_trywrlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_trywrlock);
int __pthread_rwlock_unlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_unlock);

/* --- Semaphores ------------------------------------------------------------------------------- */

/* glibc's layout on 64-bit machines: value and waiters, then whether it is shared. */
static bool is_shared_sem(const sem_t *sem)
{
    int shared;

    memcpy(&shared, (const char *)sem + 8, sizeof shared);
    return shared != 0;
}

static int try_sem(void *sem)
{
    if (real()->sem_trywait(sem) == 0)
        return 0;
    return errno == EAGAIN ? EBUSY : errno;
}

static void come_back(void *me)
{
    gate_enter(me);
}

static int wait_outside(struct gated *me, sem_t *sem, clockid_t clock,
                        const struct timespec *deadline)
{
    const int64_t until = gate_until(clock, deadline);
    struct timespec moved;
    int result;

    deadline = gate_outside(clock, deadline, &moved);
    gate_leave(me);
    pthread_cleanup_push(come_back, me);
    result = deadline ? real()->sem_clockwait(sem, clock, deadline) : real()->sem_wait(sem);
    pthread_cleanup_pop(1);
    if (result != 0 && errno == ETIMEDOUT)
        gate_timed_out(me, until);
    return result;
}

static int wait_until(sem_t *sem, clockid_t clock, const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    const int before = errno;
    int result;

    if (!me || (deadline && !(is_time(deadline) && is_clock(clock))))
        return deadline ? real()->sem_clockwait(sem, clock, deadline) : real()->sem_wait(sem);
    if (is_shared_sem(sem))
        return wait_outside(me, sem, clock, deadline);
    pthread_testcancel();
    do {
        if (me->cancelled) {
            me->cancelled = false;
            pthread_testcancel();
        }
        result = gate_acquire(me, sem, FOR_SEMAPHORE, try_sem, gate_until(clock, deadline));
    } while (result == EBUSY); /* it was cancelled, perhaps in vain */
    if (result == 0) {
        errno = before;
        return 0;
    }
    errno = result;
    return -1;
}

PUBLIC int sem_wait(sem_t *sem)
{
    return wait_until(sem, CLOCK_REALTIME, NULL);
}

PUBLIC int sem_timedwait(sem_t *sem, const struct timespec *deadline)
{
    return wait_until(sem, CLOCK_REALTIME, deadline);
}

PUBLIC int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *deadline)
{
    return wait_until(sem, clock, deadline);
}

PUBLIC int sem_trywait(sem_t *sem)
{
    (void)gate_call();
    return real()->sem_trywait(sem);
}

/* May be called by a handler of signals. */
PUBLIC int sem_post(sem_t *sem)
{
    struct gated *const me = gated_self && gated_self->inside ? NULL : gate_call();
    const int result = real()->sem_post(sem);

    if (result != 0)
        return result;
    if (gated_self && gated_self->inside)
        ring3_store(&gated_self->posted, 1, RING3_RELAXED);
    else
        gate_release(me, sem, false);
    return result;
}
