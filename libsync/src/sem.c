/* SPDX-License-Identifier: MIT */
/* Semaphores; the state word is described in ring3/sem.h. */
#include "ring3/sem.h"

#include "misuse.h"
#include "queue.h"
#include "spin.h"

#include <assert.h>
#include <limits.h>

static_assert(sizeof(ring3_sem_t) == 16, "the size is part of the interface");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the value is in the lower futex word");

static uint32_t value_of(uint64_t state)
{
    return (uint32_t)state & RING3_SEM_MAX;
}

/* What sleepers of a shared semaphore wait on: value and closed. */
static const uint32_t *futex_word(const ring3_sem_t *sem)
{
    return (const uint32_t *)(const void *)&sem->state;
}

int ring3_sem_init(ring3_sem_t *sem, uint32_t value, uint32_t maximum, int shared)
{
    if (maximum > RING3_SEM_MAX || value > (maximum ? maximum : RING3_SEM_MAX))
        return -EINVAL;
    sem->maximum = maximum;
    sem->shared = shared == RING3_SHARED;
    ring3_store(&sem->state, value, RING3_RELAXED);
    return 0;
}

/* A waiter takes its permit and strikes itself off, in one step. */
static bool take_as_waiter(ring3_sem_t *sem)
{
    uint64_t seen = ring3_load(&sem->state, RING3_RELAXED);

    /* Pairs with the release in ring3_sem_post. */
    while (value_of(seen) && !(seen & RING3_SEM_CLOSED))
        if (ring3_cas_weak(&sem->state, &seen, seen - RING3_SEM_WAITER - 1, RING3_ACQUIRE))
            return true;
    return false;
}

static bool ready(ring3_waiter_t *waiter)
{
    return take_as_waiter((ring3_sem_t *)waiter->address);
}

/* Under the queue's lock: give what there is to those who wait, in order. */
static void settle(struct ring3_queue queue, ring3_sem_t *sem, struct ring3_taken *taken)
{
    ring3_waiter_t *waiter;

    while ((waiter = ring3_queue_first(queue, sem)) && take_as_waiter(sem))
        ring3_queue_take(queue, waiter, 0, taken);
}

/*
 * The post has made the value positive. Newcomers leave it alone because they see waiters, so it is
 * still there when we come to it; if the last waiter has given up meanwhile, it is anybody's.
 */
static void hand_over(ring3_sem_t *sem)
{
    struct ring3_taken taken = {NULL, NULL};

    if (ring3_queue_defer())
        return;
    const struct ring3_queue queue = ring3_queue_lock(sem);

    settle(queue, sem, &taken);
    ring3_queue_unlock(queue);
    ring3_queue_wake(&taken);
}

static int wait_private(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline,
                        bool interruptible)
{
    ring3_waiter_t waiter = {.address = sem, .ready = ready};
    const struct ring3_queue queue = ring3_queue_lock(sem);
    uint64_t seen;
    int result;

    do {
        result = ring3_sem_trywait(sem);
        if (result != -EAGAIN) {
            ring3_queue_unlock(queue);
            return result;
        }
        seen = ring3_load(&sem->state, RING3_RELAXED);
        /* Only a post that came in between can have changed it: waiters change under the lock. */
    } while ((seen < RING3_SEM_WAITER && value_of(seen)) ||
             !ring3_cas_try(&sem->state, &seen, seen + RING3_SEM_WAITER, RING3_RELAXED));
    result = ring3_queue_wait(queue, &waiter, clock, deadline, interruptible);
    if (result == -ETIMEDOUT || result == -EINTR) {
        (void)ring3_fetch_sub(&sem->state, RING3_SEM_WAITER, RING3_RELAXED);
        ring3_queue_unlock(queue);
    }
    return result;
}

static int wait_shared(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline,
                       bool interruptible)
{
    int result = 0;

    for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE); turn > 0; turn--) {
        if (ring3_sem_trywait(sem) == 0)
            return 0;
        ring3_cpu_relax();
    }
    (void)ring3_fetch_add(&sem->state, RING3_SEM_WAITER, RING3_RELAXED);
    for (;;) {
        if (take_as_waiter(sem))
            return 0;
        const uint32_t seen = ring3_load(futex_word(sem), RING3_RELAXED);

        if (seen & RING3_SEM_CLOSED)
            result = -ECANCELED;
        else if (result != -ETIMEDOUT && !(interruptible && result == -EINTR)) {
            /* A post after our entry as a waiter has seen it and wakes us. */
            if (seen == 0)
                result = ring3_futex_wait(futex_word(sem), 0, RING3_SHARED, clock, deadline);
            continue;
        }
        (void)ring3_fetch_sub(&sem->state, RING3_SEM_WAITER, RING3_RELAXED);
        return result;
    }
}

int ring3_sem_wait_slow(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline,
                        bool interruptible)
{
    ring3_may_sleep(sem);
    return sem->shared ? wait_shared(sem, clock, deadline, interruptible)
                       : wait_private(sem, clock, deadline, interruptible);
}

static int wait_until(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline,
                      bool interruptible)
{
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    return ring3_sem_trywait(sem) == 0 ? 0
                                       : ring3_sem_wait_slow(sem, clock, deadline, interruptible);
}

int ring3_sem_clockwait(ring3_sem_t *sem, clockid_t clock, const struct timespec *deadline)
{
    return wait_until(sem, clock, deadline, false);
}

int ring3_sem_clockwait_interruptible(ring3_sem_t *sem, clockid_t clock,
                                      const struct timespec *deadline)
{
    return wait_until(sem, clock, deadline, true);
}

int ring3_sem_post(ring3_sem_t *sem)
{
    const uint32_t maximum = sem->maximum ? sem->maximum : RING3_SEM_MAX;
    const bool shared = sem->shared;
    uint64_t seen = ring3_load(&sem->state, RING3_RELAXED);

    do {
        if (seen & RING3_SEM_CLOSED)
            return -ECANCELED;
        if (value_of(seen) >= maximum) {
            ring3_misuse("semaphore posted above its maximum", sem);
            return -EOVERFLOW;
        }
        /* Pairs with the acquires in ring3_sem_trywait and take_as_waiter. */
    } while (!ring3_cas_weak(&sem->state, &seen, seen + 1, RING3_RELEASE));
    /* From here on the semaphore may be gone; its address is all we use. */
    if (seen >= RING3_SEM_WAITER) {
        if (shared)
            (void)ring3_futex_wake(futex_word(sem), 1, RING3_SHARED);
        else
            hand_over(sem);
    }
    return 0;
}

void ring3_sem_close(ring3_sem_t *sem)
{
    struct ring3_taken taken = {NULL, NULL};

    (void)ring3_fetch_or(&sem->state, RING3_SEM_CLOSED, RING3_RELEASE);
    if (sem->shared) {
        (void)ring3_futex_wake(futex_word(sem), INT_MAX, RING3_SHARED);
        return;
    }
    const struct ring3_queue queue = ring3_queue_lock(sem);

    for (ring3_waiter_t *waiter; (waiter = ring3_queue_first(queue, sem));) {
        (void)ring3_fetch_sub(&sem->state, RING3_SEM_WAITER, RING3_RELAXED);
        ring3_queue_take(queue, waiter, -ECANCELED, &taken);
    }
    ring3_queue_unlock(queue);
    ring3_queue_wake(&taken);
}

uint32_t ring3_sem_value(const ring3_sem_t *sem)
{
    return value_of(ring3_load(&sem->state, RING3_RELAXED));
}

uint32_t ring3_sem_waiters(const ring3_sem_t *sem)
{
    return (uint32_t)(ring3_load(&sem->state, RING3_RELAXED) >> 32);
}
