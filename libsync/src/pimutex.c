/* SPDX-License-Identifier: MIT */
/* The priority-inheriting mutex: see ring3/pimutex.h. */
#include "ring3/pimutex.h"

#include "thread_id.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static_assert(sizeof(ring3_pimutex_t) == 8, "the size is part of the interface");

static int ask_kernel(ring3_pimutex_t *mutex, int operation, int shared,
                      const struct timespec *deadline)
{
    const int saved = errno;
    long result = syscall(SYS_futex, &mutex->word, operation | (shared ? 0 : FUTEX_PRIVATE_FLAG), 0,
                          deadline, NULL, 0);

    if (result < 0) {
        result = -errno;
        errno = saved;
    }
    return (int)result;
}

void ring3_pimutex_init(ring3_pimutex_t *mutex, int shared)
{
    mutex->shared = shared == RING3_SHARED;
    ring3_store(&mutex->word, 0, RING3_RELAXED);
}

int ring3_pimutex_trylock(ring3_pimutex_t *mutex)
{
    uint32_t seen = 0;

    /* Pairs with the release in unlock. */
    return ring3_cas_try(&mutex->word, &seen, ring3_thread_id(), RING3_ACQUIRE) ? 0 : -EBUSY;
}

int ring3_pimutex_clocklock(ring3_pimutex_t *mutex, clockid_t clock,
                            const struct timespec *deadline)
{
    const int operation = deadline && clock == CLOCK_MONOTONIC ? FUTEX_LOCK_PI2 : FUTEX_LOCK_PI;
    int result = ring3_deadline_check(clock, deadline);

    if (ring3_pimutex_trylock(mutex) == 0)
        return 0;
    if (result)
        return result;
    /* The kernel refuses times before the epoch; they have passed. */
    if (deadline && deadline->tv_sec < 0)
        return -ETIMEDOUT;
    do
        result = ask_kernel(mutex, operation, (int)mutex->shared, deadline);
    while (result == -EINTR || result == -EAGAIN);
    /* The kernel has written the word; this pairs with the release before it did, in unlock. */
    (void)ring3_load(&mutex->word, RING3_ACQUIRE);
    return result;
}

int ring3_pimutex_unlock(ring3_pimutex_t *mutex)
{
    const int shared = (int)mutex->shared;
    uint32_t seen = ring3_thread_id();

    /* Pairs with the acquires in trylock and clocklock. */
    if (ring3_cas_try(&mutex->word, &seen, 0, RING3_RELEASE))
        return 0;
    if ((seen & FUTEX_TID_MASK) != ring3_thread_id())
        return -EPERM;
    /* The kernel will write the word; this release is what the next owner's acquire pairs with. */
    (void)ring3_fetch_add(&mutex->word, 0, RING3_RELEASE);
    return ask_kernel(mutex, FUTEX_UNLOCK_PI, shared, NULL);
}
