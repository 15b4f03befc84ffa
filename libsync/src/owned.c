/* SPDX-License-Identifier: MIT */
/* Mutexes that know their owner: see ring3/owned.h. */
#include "ring3/owned.h"

#include <assert.h>

static_assert(sizeof(ring3_owned_t) == 24, "the size is part of the interface");

int ring3_owned_init(ring3_owned_t *mutex, ring3_owned_kind_t kind)
{
    if (kind != RING3_OWNED_ERRORCHECK && kind != RING3_OWNED_RECURSIVE)
        return -EINVAL;
    ring3_mutex_init(&mutex->mutex);
    mutex->kind = (uint32_t)kind;
    mutex->depth = 0;
    ring3_store(&mutex->owner, (ring3_self_t *)NULL, RING3_RELAXED);
    return 0;
}

/* The owner comes again. */
static int enter_again(ring3_owned_t *mutex, int refusal)
{
    if (mutex->kind != RING3_OWNED_RECURSIVE)
        return refusal;
    if (mutex->depth == UINT32_MAX)
        return -EAGAIN;
    mutex->depth++;
    return 0;
}

int ring3_owned_clocklock(ring3_owned_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    int result;

    if (ring3_load(&mutex->owner, RING3_RELAXED) == self)
        return enter_again(mutex, -EDEADLK);
    result = ring3_mutex_clocklock(&mutex->mutex, clock, deadline);
    if (result == 0)
        ring3_store(&mutex->owner, self, RING3_RELAXED);
    return result;
}

int ring3_owned_trylock(ring3_owned_t *mutex)
{
    ring3_self_t *const self = ring3_self();
    int result;

    if (ring3_load(&mutex->owner, RING3_RELAXED) == self)
        return enter_again(mutex, -EBUSY);
    result = ring3_mutex_trylock(&mutex->mutex);
    if (result == 0)
        ring3_store(&mutex->owner, self, RING3_RELAXED);
    return result;
}

int ring3_owned_unlock(ring3_owned_t *mutex)
{
    if (ring3_load(&mutex->owner, RING3_RELAXED) != ring3_self())
        return -EPERM;
    if (mutex->depth > 0) {
        mutex->depth--;
        return 0;
    }
    ring3_store(&mutex->owner, (ring3_self_t *)NULL, RING3_RELAXED);
    ring3_mutex_unlock(&mutex->mutex);
    return 0;
}
