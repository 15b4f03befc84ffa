/* SPDX-License-Identifier: MIT */
/* The condition variable for priority-inheriting mutexes: see ring3/picond.h. */
#include "ring3/picond.h"

#include "thread_id.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wait_and_lock(ring3_picond_t *cond, uint32_t calls, ring3_pimutex_t *mutex,
                         clockid_t clock, const struct timespec *deadline)
{
    const int operation = FUTEX_WAIT_REQUEUE_PI | (mutex->shared ? 0 : FUTEX_PRIVATE_FLAG) |
                          (clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
    const int saved = errno;
    int result = 0;

    if (deadline && deadline->tv_sec < 0)
        return -ETIMEDOUT;
    if (syscall(SYS_futex, &cond->calls, operation, calls, deadline, &mutex->word, 0) < 0) {
        result = -errno;
        errno = saved;
    }
    return result;
}

int ring3_picond_clockwait(ring3_picond_t *cond, ring3_pimutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline)
{
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    /* The mutex orders these two against a signal by whoever holds it after us. */
    (void)ring3_fetch_add(&cond->waiters, 1, RING3_RELAXED);
    const uint32_t calls = ring3_load(&cond->calls, RING3_RELAXED);

    result = ring3_pimutex_unlock(mutex);
    if (result == 0) {
        result = wait_and_lock(cond, calls, mutex, clock, deadline);
        /* Not requeued, and so without the mutex: called before we slept, interrupted, or late. */
        if (result != 0)
            (void)ring3_pimutex_lock(mutex);
        else
            /* The kernel has locked it for us; pairs with the release in ring3_pimutex_unlock. */
            (void)ring3_load(&mutex->word, RING3_ACQUIRE);
    }
    (void)ring3_fetch_sub(&cond->waiters, 1, RING3_RELAXED);
    return result == -EAGAIN || result == -EINTR ? 0 : result;
}

/* The kernel wakes one if it can have the mutex, and puts the rest into the mutex's queue. */
static void call(ring3_picond_t *cond, ring3_pimutex_t *mutex, int others)
{
    const int operation = FUTEX_CMP_REQUEUE_PI | (mutex->shared ? 0 : FUTEX_PRIVATE_FLAG);
    const int saved = errno;
    uint32_t calls;
    long result;

    if (ring3_load(&cond->waiters, RING3_RELAXED) == 0)
        return;
    (void)ring3_fetch_add(&cond->calls, 1, RING3_RELAXED);
    do {
        calls = ring3_load(&cond->calls, RING3_RELAXED);
        result = syscall(SYS_futex, &cond->calls, operation, 1, (void *)(intptr_t)others,
                         &mutex->word, calls);
    } while (result < 0 && errno == EAGAIN); /* another call came in between */
    errno = saved;
}

void ring3_picond_signal(ring3_picond_t *cond, ring3_pimutex_t *mutex)
{
    call(cond, mutex, 0);
}

void ring3_picond_broadcast(ring3_picond_t *cond, ring3_pimutex_t *mutex)
{
    call(cond, mutex, INT_MAX);
}
