/* SPDX-License-Identifier: MIT */
/*
 * Locks that fork handlers hold: the thread that forks may allocate meanwhile, because other code
 * has fork handlers too, so it passes the locks that it holds itself.
 */
#ifndef RING3_GUARD_H
#define RING3_GUARD_H

#include "ring3/atomic.h"
#include "ring3/mutex.h"

#include <stdbool.h>
#include <stddef.h>

/* The thread between the fork handlers, by its TLS address, or NULL. */
extern const void *ring3_guard_forking;

/* The calling thread takes (or no longer takes) every guarded lock for its own. It must hold them
 * all. */
void guard_passes(bool on);

const void *ring3_guard_thread(void);

/* Lock. The result goes to guard_leave. */
static inline bool guard_enter(ring3_mutex_t *lock)
{
    if (ring3_mutex_trylock(lock) == 0)
        return true;
    /* Relaxed: a thread only looks for itself here, and always sees its own writes. */
    if (ring3_load(&ring3_guard_forking, RING3_RELAXED) == ring3_guard_thread())
        return false;
    ring3_mutex_lock(lock);
    return true;
}

static inline void guard_leave(ring3_mutex_t *lock, bool locked)
{
    if (locked)
        ring3_mutex_unlock(lock);
}

#endif
