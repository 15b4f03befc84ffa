/* SPDX-License-Identifier: MIT */
/*
 * The rules of the lock with time slices (ring3/slice.h): who may take it, when a slice begins and
 * ends, and how long the next one is. They know of the queue only whether it is empty. All run
 * under the lock's guard; left() may be asked without it, by a waiter that looks again.
 */
#ifndef RING3_SLICE_RULES_H
#define RING3_SLICE_RULES_H

#include "ring3/slice.h"

#include <stdbool.h>

/* Fewer sections than this in a slice do not pay for the wait of the others. */
#define SLICE_USES_MIN 8
/* So many hand-overs without slices, then a short slice to see whether it is used. */
#define SLICE_PROBE 64

/* `until` counts in units of 1024 ns. */
#define SLICE_UNIT_LOG2 10

static inline uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * RING3_SECOND_NS + (uint64_t)time.tv_nsec;
}

static inline uint32_t units_now(void)
{
    return (uint32_t)(now() >> SLICE_UNIT_LOG2);
}

static inline uint32_t slice_length(const ring3_slice_t *lock)
{
    return lock->shrink < RING3_SLICE_NONE
               ? (uint32_t)RING3_SLICE_NS >> SLICE_UNIT_LOG2 >> lock->shrink
               : 0;
}

/* How much of the slice is left, in units. */
static inline uint32_t left(const ring3_slice_t *lock)
{
    const uint32_t ahead = ring3_load(&lock->until, RING3_RELAXED) - units_now();

    return ahead < RING3_SLICE_FAR ? ahead : 0;
}

static inline uint32_t name_of(const ring3_self_t *self)
{
    return (uint32_t)((uintptr_t)self >> 4);
}

/* The slice begins when the first waiter comes. */
static inline void begin_clock(ring3_slice_t *lock)
{
    /* A watching waiter reads it without the guard. */
    ring3_store(&lock->until, units_now() + slice_length(lock), RING3_RELAXED);
}

static inline void begin_slice(ring3_slice_t *lock, const ring3_self_t *owner)
{
    lock->held = 1;
    lock->owner = name_of(owner);
    lock->uses = 1;
    if (lock->last)
        begin_clock(lock);
}

static inline void judge_slice(ring3_slice_t *lock)
{
    if (lock->shrink >= RING3_SLICE_NONE) {
        if (++lock->shrink == RING3_SLICE_NONE + SLICE_PROBE)
            lock->shrink = RING3_SLICE_NONE - 1;
    } else if (lock->uses < SLICE_USES_MIN) {
        lock->shrink++;
    } else if (lock->shrink > 0) {
        lock->shrink--;
    }
}

static inline bool may_take(const ring3_slice_t *lock, const ring3_self_t *self)
{
    if (lock->held)
        return false;
    return !lock->last || (lock->owner == name_of(self) && left(lock) > 0);
}

static inline void take(ring3_slice_t *lock, const ring3_self_t *self)
{
    if (lock->owner == name_of(self)) {
        lock->held = 1;
        if (lock->uses < UINT16_MAX)
            lock->uses++;
    } else {
        begin_slice(lock, self);
    }
}

#endif
