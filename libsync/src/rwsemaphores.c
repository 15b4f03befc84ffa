/* SPDX-License-Identifier: MIT */
/* Read-write lock from two semaphores: see ring3/rwclassic.h. */
#include "ring3/rwclassic.h"

#include <assert.h>

static_assert(sizeof(ring3_rwsemaphores_t) == 40, "the size is part of the interface");

int ring3_rwsemaphores_clockrdlock(ring3_rwsemaphores_t *lock, clockid_t clock,
                                   const struct timespec *deadline)
{
    int result = ring3_sem_clockwait(&lock->guard, clock, deadline);

    if (result)
        return result;
    if (lock->readers == 0)
        result = ring3_sem_clockwait(&lock->resource, clock, deadline);
    if (result == 0)
        lock->readers++;
    (void)ring3_sem_post(&lock->guard);
    return result;
}

int ring3_rwsemaphores_clockwrlock(ring3_rwsemaphores_t *lock, clockid_t clock,
                                   const struct timespec *deadline)
{
    return ring3_sem_clockwait(&lock->resource, clock, deadline);
}

/* Also busy while another reader is between the two semaphores. */
int ring3_rwsemaphores_tryrdlock(ring3_rwsemaphores_t *lock)
{
    int result = 0;

    if (ring3_sem_trywait(&lock->guard) != 0)
        return -EBUSY;
    if (lock->readers == 0)
        result = ring3_sem_trywait(&lock->resource);
    if (result == 0)
        lock->readers++;
    (void)ring3_sem_post(&lock->guard);
    return result ? -EBUSY : 0;
}

int ring3_rwsemaphores_trywrlock(ring3_rwsemaphores_t *lock)
{
    return ring3_sem_trywait(&lock->resource) == 0 ? 0 : -EBUSY;
}

void ring3_rwsemaphores_rdunlock(ring3_rwsemaphores_t *lock)
{
    (void)ring3_sem_wait(&lock->guard);
    if (--lock->readers == 0)
        (void)ring3_sem_post(&lock->resource);
    (void)ring3_sem_post(&lock->guard);
}

void ring3_rwsemaphores_wrunlock(ring3_rwsemaphores_t *lock)
{
    (void)ring3_sem_post(&lock->resource);
}
