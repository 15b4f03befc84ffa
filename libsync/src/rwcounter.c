/* SPDX-License-Identifier: MIT */
/* Read-write lock by resource counter: see ring3/rwclassic.h. */
#include "ring3/rwclassic.h"

#include <assert.h>

static_assert(sizeof(ring3_rwcounter_t) == 40, "the size is part of the interface");

int ring3_rwcounter_clockrdlock(ring3_rwcounter_t *lock, clockid_t clock,
                                const struct timespec *deadline)
{
    int result = 0;

    ring3_mutex_lock(&lock->mutex);
    while (lock->resource == -1 && result == 0)
        result = ring3_cond_clockwait(&lock->read_phase, &lock->mutex, clock, deadline);
    if (lock->resource != -1) {
        lock->resource++;
        result = 0;
    }
    ring3_mutex_unlock(&lock->mutex);
    return result;
}

int ring3_rwcounter_clockwrlock(ring3_rwcounter_t *lock, clockid_t clock,
                                const struct timespec *deadline)
{
    int result = 0;

    ring3_mutex_lock(&lock->mutex);
    while (lock->resource != 0 && result == 0)
        result = ring3_cond_clockwait(&lock->write_phase, &lock->mutex, clock, deadline);
    if (lock->resource == 0) {
        lock->resource = -1;
        result = 0;
    }
    ring3_mutex_unlock(&lock->mutex);
    return result;
}

int ring3_rwcounter_tryrdlock(ring3_rwcounter_t *lock)
{
    int result = -EBUSY;

    ring3_mutex_lock(&lock->mutex);
    if (lock->resource != -1) {
        lock->resource++;
        result = 0;
    }
    ring3_mutex_unlock(&lock->mutex);
    return result;
}

int ring3_rwcounter_trywrlock(ring3_rwcounter_t *lock)
{
    int result = -EBUSY;

    ring3_mutex_lock(&lock->mutex);
    if (lock->resource == 0) {
        lock->resource = -1;
        result = 0;
    }
    ring3_mutex_unlock(&lock->mutex);
    return result;
}

void ring3_rwcounter_rdunlock(ring3_rwcounter_t *lock)
{
    ring3_mutex_lock(&lock->mutex);
    if (--lock->resource == 0)
        ring3_cond_signal(&lock->write_phase);
    ring3_mutex_unlock(&lock->mutex);
}

/* Readers are told first, to give them a chance; if none comes, the writer finds the way free. */
void ring3_rwcounter_wrunlock(ring3_rwcounter_t *lock)
{
    ring3_mutex_lock(&lock->mutex);
    lock->resource = 0;
    ring3_cond_broadcast(&lock->read_phase);
    ring3_cond_signal(&lock->write_phase);
    ring3_mutex_unlock(&lock->mutex);
}
