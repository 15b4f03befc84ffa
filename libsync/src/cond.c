/* SPDX-License-Identifier: MIT */
/* Condition variables: see ring3/cond.h. */
#include "ring3/cond.h"

#include "ring3/container.h"

#include "cond_dismiss.h"
#include "misuse.h"
#include "mutex_queue.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(sizeof(ring3_cond_t) == 16, "the size is part of the interface");

struct cond_waiter {
    ring3_waiter_t waiter;
    ring3_mutex_t *mutex; /* NULL: another lock */
};

/* --- Private ---------------------------------------------------------------------------------- */

/*
 * Stand in the queue before the lock is released: whoever takes the lock next, changes what we wait
 * for and signals will see `waiters`, by the order of the lock itself.
 */
static struct ring3_queue stand(ring3_cond_t *cond, struct cond_waiter *me)
{
    const struct ring3_queue queue = ring3_queue_lock(cond);

    ring3_store(&cond->waiters, cond->waiters + 1, RING3_RELAXED);
    ring3_queue_stand(queue, &me->waiter);
    return queue;
}

static int sleep_in(struct ring3_queue queue, ring3_cond_t *cond, struct cond_waiter *me,
                    clockid_t clock, const struct timespec *deadline)
{
    const int result = ring3_queue_sleep(queue, &me->waiter, clock, deadline, false);

    if (result == -ETIMEDOUT) {
        ring3_store(&cond->waiters, cond->waiters - 1, RING3_RELAXED);
        ring3_queue_unlock(queue);
    }
    return result;
}

/* The waiter is in the queue, and its lock is released. Either we see here that we are dismissed, or
 * the one who dismisses us comes to the queue after us and finds us there. */
static void look_for_dismissal(ring3_cond_t *cond, const uint32_t *dismissed)
{
    if (dismissed && ring3_load(dismissed, RING3_RELAXED))
        (void)ring3_cond_dismiss(cond, ring3_self());
}

int ring3_cond_wait_dismissable(ring3_cond_t *cond, ring3_mutex_t *mutex, clockid_t clock,
                                const struct timespec *deadline, const uint32_t *dismissed)
{
    struct cond_waiter me = {.waiter = {.address = cond}, .mutex = mutex};
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    ring3_may_sleep(cond);
    const struct ring3_queue queue = stand(cond, &me);

    ring3_mutex_unlock(mutex);
    look_for_dismissal(cond, dismissed);
    result = sleep_in(queue, cond, &me, clock, deadline);
    if (me.waiter.contest)
        ring3_mutex_lock_from_queue(mutex, &me.waiter);
    else
        ring3_mutex_lock(mutex);
    return result;
}

int ring3_cond_clockwait(ring3_cond_t *cond, ring3_mutex_t *mutex, clockid_t clock,
                         const struct timespec *deadline)
{
    return ring3_cond_wait_dismissable(cond, mutex, clock, deadline, NULL);
}

bool ring3_cond_dismiss(ring3_cond_t *cond, const ring3_self_t *self)
{
    struct ring3_taken taken = {NULL, NULL};
    const struct ring3_queue queue = ring3_queue_lock(cond);
    ring3_waiter_t *waiter = ring3_queue_first(queue, cond);

    while (waiter && waiter->self != self)
        waiter = ring3_queue_after(waiter);
    if (waiter) {
        ring3_store(&cond->waiters, cond->waiters - 1, RING3_RELAXED);
        ring3_queue_take(queue, waiter, -ECANCELED, &taken);
    }
    ring3_queue_unlock(queue);
    ring3_queue_wake(&taken);
    return waiter != NULL;
}

static void call(ring3_cond_t *cond, uint32_t count)
{
    struct ring3_taken taken = {NULL, NULL};
    const struct ring3_queue queue = ring3_queue_lock(cond);

    for (ring3_waiter_t *waiter; count > 0 && (waiter = ring3_queue_first(queue, cond)); count--) {
        ring3_store(&cond->waiters, cond->waiters - 1, RING3_RELAXED);
        ring3_queue_take(queue, waiter, 0, &taken);
    }
    ring3_queue_unlock(queue);
    if (!taken.first)
        return;
    ring3_mutex_t *const mutex = ring3_container_of(taken.first, struct cond_waiter, waiter)->mutex;

    if (mutex)
        ring3_mutex_adopt(mutex, &taken);
    else
        ring3_queue_wake_next(&taken);
}

/* --- Shared ----------------------------------------------------------------------------------- */

/* Wake one sleeper on `from` and let the others sleep on `to`. */
static void wake_and_move(uint32_t *from, uint32_t *to)
{
    const int saved = errno;

    (void)syscall(SYS_futex, from, FUTEX_REQUEUE, 1, (void *)(uintptr_t)INT_MAX, to, 0);
    errno = saved;
}

static int wait_shared(ring3_cond_t *cond, const ring3_lock_ops_t *ops, void *lock, clockid_t clock,
                       const struct timespec *deadline)
{
    /* Read under the lock: a signal that we need to hear comes later and changes it. */
    const uint32_t calls = ring3_load(&cond->calls, RING3_RELAXED);
    int result;

    ring3_fetch_add(&cond->waiters, 1, RING3_RELAXED);
    ops->unlock(lock);
    result = ring3_futex_wait(&cond->calls, calls, RING3_SHARED, clock, deadline);
    ops->lock(lock);
    ring3_fetch_sub(&cond->waiters, 1, RING3_RELAXED);
    /* Whoever was called wakes the next in the chain, if there is one. */
    if (ring3_load(&cond->calls, RING3_RELAXED) != calls) {
        if (ring3_load(&cond->waiters, RING3_RELAXED))
            (void)ring3_futex_wake(&cond->chain, 1, RING3_SHARED);
        return 0;
    }
    return result == -ETIMEDOUT ? result : 0;
}

static void call_shared(ring3_cond_t *cond, bool all)
{
    ring3_fetch_add(&cond->calls, 1, RING3_RELAXED);
    (void)ring3_futex_wake(&cond->chain, 1, RING3_SHARED);
    if (all)
        wake_and_move(&cond->calls, &cond->chain);
    else
        (void)ring3_futex_wake(&cond->calls, 1, RING3_SHARED);
}

/* --- Either ----------------------------------------------------------------------------------- */

int ring3_cond_wait_dismissable_with(ring3_cond_t *cond, const ring3_lock_ops_t *ops, void *lock,
                                     clockid_t clock, const struct timespec *deadline,
                                     const uint32_t *dismissed)
{
    struct cond_waiter me = {.waiter = {.address = cond}};
    struct ring3_taken rest = {NULL, NULL};
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    if (cond->shared)
        return wait_shared(cond, ops, lock, clock, deadline);
    const struct ring3_queue queue = stand(cond, &me);

    ops->unlock(lock);
    look_for_dismissal(cond, dismissed);
    result = sleep_in(queue, cond, &me, clock, deadline);
    ops->lock(lock);
    if (me.waiter.taken) {
        rest.first = me.waiter.next;
        ring3_queue_wake_next(&rest);
    }
    return result;
}

int ring3_cond_clockwait_with(ring3_cond_t *cond, const ring3_lock_ops_t *ops, void *lock,
                              clockid_t clock, const struct timespec *deadline)
{
    return ring3_cond_wait_dismissable_with(cond, ops, lock, clock, deadline, NULL);
}

void ring3_cond_signal(ring3_cond_t *cond)
{
    if (ring3_load(&cond->waiters, RING3_RELAXED) == 0)
        return;
    if (cond->shared)
        call_shared(cond, false);
    else
        call(cond, 1);
}

void ring3_cond_broadcast(ring3_cond_t *cond)
{
    if (ring3_load(&cond->waiters, RING3_RELAXED) == 0)
        return;
    if (cond->shared)
        call_shared(cond, true);
    else
        call(cond, UINT32_MAX);
}
