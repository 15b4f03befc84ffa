/* SPDX-License-Identifier: MIT */
/* Waiting for one of several words: see ring3/waitany.h. */
#include "ring3/waitany.h"

#include "ring3/env.h"
#include "ring3/wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* As in linux/futex.h since 5.16. */
struct waiter {
    uint64_t expected, address;
    uint32_t flags, reserved;
};
#define SIZE_32 2

static int changed(const ring3_waitany_t *words, int count)
{
    for (int i = 0; i < count; i++)
        /* Pairs with the release that changed it. */
        if (ring3_load(words[i].word, RING3_ACQUIRE) != words[i].expected)
            return i;
    return -EAGAIN;
}

/* The kernel lacks it, or somebody forbids it. */
static uint32_t no_waitv;

static int wait_in_kernel(const ring3_waitany_t *words, int count, clockid_t clock,
                          const struct timespec *deadline)
{
    struct waiter waiters[RING3_WAITANY_MAX];
    const int saved = errno;
    long result;

    for (int i = 0; i < count; i++)
        waiters[i] = (struct waiter){words[i].expected, (uintptr_t)words[i].word, SIZE_32, 0};
    result = syscall(SYS_futex_waitv, waiters, count, 0, deadline, clock);
    if (result < 0)
        result = -errno;
    errno = saved;
    return (int)result;
}

static int look_again_and_again(const ring3_waitany_t *words, int count, clockid_t clock,
                                const struct timespec *deadline)
{
    ring3_pause_t pause = {0};
    int which;

    while ((which = changed(words, count)) < 0) {
        if (ring3_deadline_passed(clock, deadline))
            return -ETIMEDOUT;
        (void)ring3_pause(&pause, RING3_WAIT_PARK, clock == CLOCK_MONOTONIC ? deadline : NULL);
    }
    return which;
}

int ring3_waitany(const ring3_waitany_t *words, int count, clockid_t clock,
                  const struct timespec *deadline)
{
    if (count < 1 || count > RING3_WAITANY_MAX || ring3_deadline_check(clock, deadline))
        return -EINVAL;
    if (ring3_env_disabled("futex_waitv"))
        ring3_store(&no_waitv, 1, RING3_RELAXED);
    for (;;) {
        int result = changed(words, count);

        if (result >= 0)
            return result;
        /* The kernel refuses times before the epoch; they have passed. */
        if (deadline && deadline->tv_sec < 0)
            return -ETIMEDOUT;
        if (ring3_load(&no_waitv, RING3_RELAXED))
            return look_again_and_again(words, count, clock, deadline);
        result = wait_in_kernel(words, count, clock, deadline);
        if (result >= 0 || result == -ETIMEDOUT)
            return result;
        if (result == -ENOSYS || result == -EPERM)
            ring3_store(&no_waitv, 1, RING3_RELAXED);
        else if (result != -EAGAIN && result != -EINTR)
            return result;
    }
}

/* --- Objects ------------------------------------------------------------------------------------------ */

int ring3_waitany_event(ring3_event_t *const *events, int count, clockid_t clock,
                        const struct timespec *deadline)
{
    ring3_waitany_t words[RING3_WAITANY_MAX];
    int result = 0;

    if (count < 1 || count > RING3_WAITANY_MAX)
        return -EINVAL;
    while (result >= 0) {
        for (int i = 0; i < count; i++) {
            /* Pairs with the release in ring3_event_set. The mark asks for its wake-up. */
            const uint32_t seen =
                ring3_fetch_or(&events[i]->word, RING3_EVENT_WAITERS, RING3_ACQUIRE);

            if (seen & RING3_EVENT_SET)
                return i;
            words[i] = (ring3_waitany_t){&events[i]->word, seen | RING3_EVENT_WAITERS};
        }
        result = ring3_waitany(words, count, clock, deadline);
        /* Set, even if it was reset since: the upper bits count that. */
        if (result >= 0 && (ring3_load(words[result].word, RING3_ACQUIRE) ^
                            words[result].expected) >= RING3_EVENT_COUNT)
            return result;
    }
    return result;
}

/* The lower half of a semaphore's state is the futex of its sleepers; 0 while there is no permit. */
static const uint32_t *futex_word(const ring3_sem_t *sem)
{
    return (const uint32_t *)(const void *)&sem->state;
}

/* Posts wake only where the count says that somebody waits. */
static void count_waiter(ring3_sem_t *const *sems, int count, uint64_t change)
{
    for (int i = 0; i < count; i++)
        (void)ring3_fetch_add(&sems[i]->state, change, RING3_RELAXED);
}

/* We may have been woken for a permit that we leave to others. */
static void pass_on(ring3_sem_t *const *sems, int count, int but)
{
    for (int i = 0; i < count; i++)
        if (i != but && ring3_load(futex_word(sems[i]), RING3_RELAXED) != 0)
            (void)ring3_futex_wake(futex_word(sems[i]), 1, RING3_SHARED);
}

int ring3_waitany_sem(ring3_sem_t *const *sems, int count, clockid_t clock,
                      const struct timespec *deadline)
{
    ring3_waitany_t words[RING3_WAITANY_MAX];
    int result = 0;

    if (count < 1 || count > RING3_WAITANY_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        const int tried = ring3_sem_trywait(sems[i]);

        if (tried != -EAGAIN)
            return tried == 0 ? i : tried;
        words[i] = (ring3_waitany_t){futex_word(sems[i]), 0};
    }
    while (result >= 0) {
        count_waiter(sems, count, RING3_SEM_WAITER);
        result = ring3_waitany(words, count, clock, deadline);
        count_waiter(sems, count, -(uint64_t)RING3_SEM_WAITER);
        for (int i = 0; i < count; i++) {
            const int tried = ring3_sem_trywait(sems[i]);

            if (tried != -EAGAIN) {
                pass_on(sems, count, i);
                return tried == 0 ? i : tried;
            }
        }
    }
    return result;
}
