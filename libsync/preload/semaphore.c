/* SPDX-License-Identifier: MIT */
/*
 * sem_t as a ring3_sem_t, strictly first come, first served. Named and process-shared semaphores
 * are libc's, and so are those whose first value is more than RING3_SEM_MAX.
 */
#include "thread.h"

#include "ring3/sem.h"

#include <assert.h>
#include <string.h>

#define MARK UINT64_C(0x723373656d61e5e5) /* behind what libc uses */

union sem {
    struct {
        ring3_sem_t sem;
        uint32_t stamp, record;
        uint64_t mark;
    };
    sem_t libc;
};

static_assert(sizeof(union sem) == sizeof(sem_t), "ours must fit into libc's");

static union sem *sem_of(const sem_t *sem)
{
    return (union sem *)(uintptr_t)sem;
}

static bool is_libcs(const union sem *sem)
{
    return sem->mark != MARK;
}

/* In a child of fork nobody waits for a semaphore from before. */
static void adopt(union sem *sem)
{
    const uint32_t stamp = locks_get()->stamp;

    if (ring3_likely(ring3_load(&sem->stamp, RING3_ACQUIRE) == stamp))
        return;
    locks_adopt_begin();
    if (sem->stamp != stamp) {
        (void)ring3_fetch_and(&sem->sem.state, RING3_SEM_WAITER - 1, RING3_RELAXED);
        ring3_store(&sem->stamp, stamp, RING3_RELEASE);
    }
    locks_adopt_end();
}

static int answer(int result)
{
    if (result == 0)
        return 0;
    errno = -result;
    return -1;
}

PUBLIC int sem_init(sem_t *object, int shared, unsigned value)
{
    union sem *const sem = sem_of(object);

    memset(sem, 0, sizeof *sem);
    if (shared || ring3_sem_init(&sem->sem, value, 0, RING3_PRIVATE) != 0)
        return real()->sem_init(object, shared, value);
    sem->stamp = locks_get()->stamp;
    sem->mark = MARK;
    return 0;
}

PUBLIC int sem_destroy(sem_t *object)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_destroy(object);
    sem->mark = 0;
    return 0;
}

PUBLIC int sem_getvalue(sem_t *object, int *value)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_getvalue(object, value);
    *value = (int)ring3_sem_value(&sem->sem);
    return 0;
}

PUBLIC int sem_post(sem_t *object)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_post(object);
    adopt(sem);
    return answer(ring3_sem_post(&sem->sem));
}

PUBLIC int sem_trywait(sem_t *object)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_trywait(object);
    adopt(sem);
    return answer(ring3_sem_trywait(&sem->sem));
}

/* A cancellation point also when there is a permit. */
static int wait_ours(union sem *sem, clockid_t clock, const struct timespec *deadline)
{
    struct cancellable wait;
    int result;

    pthread_testcancel();
    adopt(sem);
    if (ring3_sem_trywait(&sem->sem) == 0)
        return 0;
    cancel_begin(&wait, WAITS_SEM, &sem->sem);
    result = ring3_sem_clockwait_interruptible(&sem->sem, clock, deadline);
    cancel_end(&wait, result == -ECANCELED);
    return answer(result);
}

PUBLIC int sem_wait(sem_t *object)
{
    union sem *const sem = sem_of(object);

    return is_libcs(sem) ? real()->sem_wait(object) : wait_ours(sem, CLOCK_MONOTONIC, NULL);
}

PUBLIC int sem_timedwait(sem_t *object, const struct timespec *deadline)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_timedwait(object, deadline);
    return is_time(deadline) ? wait_ours(sem, CLOCK_REALTIME, deadline) : answer(-EINVAL);
}

PUBLIC int sem_clockwait(sem_t *object, clockid_t clock, const struct timespec *deadline)
{
    union sem *const sem = sem_of(object);

    if (is_libcs(sem))
        return real()->sem_clockwait(object, clock, deadline);
    return is_clock(clock) && is_time(deadline) ? wait_ours(sem, clock, deadline) : answer(-EINVAL);
}
