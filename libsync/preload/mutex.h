/* SPDX-License-Identifier: MIT */
/* Our use of a pthread_mutex_t, for the files that lock one on another's behalf. */
#ifndef RING3_PRELOAD_MUTEX_H
#define RING3_PRELOAD_MUTEX_H

#include "locks.h"

#include "ring3/spinlock.h"

/*
 * bytes   name         written by
 * 0-15    state        the algorithm
 * 16-19   kind         the initialiser; where libc has it, with libc's values
 * 20-23   stamp        adopt
 * 24-27   algorithm, wait: of the dispatching spinlock; by adopt
 * 28-31   record       the watchers (watch.h)
 * 32-35   owner        the owner: its my_id(), 0 when free; not kept by a plain ring3_mutex_t
 * 36-39   count        the owner of a recursive mutex: times it has locked it
 */
union mutex {
    struct {
        union {
            ring3_mutex_t adaptive;
            uint64_t state[2];
        };
        union {
            struct {
                uint32_t kind, stamp;
            };
            uint64_t kind_and_stamp;
        };
        uint16_t algorithm, wait;
        uint32_t record;
        uint32_t owner, count;
    };
    ring3_spinlock_t spinlock;
    pthread_mutex_t libc;
};

/* The bits of `kind` that make a mutex libc's: robust, priority-inheriting, priority-protected,
 * process-shared (see mutex.c). */
#define MUTEX_LIBC 0xf0u
#define MUTEX_TYPE 0x03u

static inline union mutex *mutex_of(pthread_mutex_t *mutex)
{
    return (union mutex *)(void *)mutex;
}

static inline bool mutex_is_libcs(const union mutex *mutex)
{
    return (mutex->kind & MUTEX_LIBC) != 0;
}

/* pthread_mutex_lock and pthread_mutex_unlock for any mutex; `site` is where the program asked. */
int mutex_lock_any(union mutex *mutex, const void *site);
int mutex_unlock_any(union mutex *mutex, const void *site);

/* Put `mutex` in order if this process has not yet. It must be ours. */
void mutex_adopt(union mutex *mutex);

/* True if the caller may unlock it: it holds the mutex, or its type does not ask. */
bool mutex_may_unlock(const union mutex *mutex);

#endif
