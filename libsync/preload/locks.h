/* SPDX-License-Identifier: MIT */
/*
 * What the files of libring3-locks.so share: the process's settings, and libc's own functions.
 *
 * Which objects are ours? Every object that libc's and our functions may both meet tells by a word
 * that libc's layout has at the same place: process-shared, robust, priority-inheriting and
 * priority-protected mutexes, and process-shared conditions and read-write locks, are libc's, and
 * are passed on to it. Barriers, semaphores and spinlocks are ours if our initialiser marked them.
 *
 * `stamp` in an object says that it is fit for use in this process: it is 0 in a static
 * initialiser, and that of the parent in a child of fork, where waiters it knows of do not exist.
 * The first function that meets another stamp than the process's puts the object in order (adopt).
 */
#ifndef RING3_PRELOAD_LOCKS_H
#define RING3_PRELOAD_LOCKS_H

#include "ring3/arch.h"
#include "ring3/mutex.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

#define PUBLIC __attribute__((visibility("default")))

/* Another name of a function; gcc wants to hear that its attributes are the same. */
#if __has_attribute(copy)
#define ALIAS_OF(name) __attribute__((visibility("default"), copy(name), alias(#name)))
#else
#define ALIAS_OF(name) __attribute__((visibility("default"), alias(#name)))
#endif

/* Where the program called us: the site that reports name. */
#define CALLER          __builtin_return_address(0)

#define RWLOCK_AS_ASKED (-1)

struct locks {
    /* `kind` and `stamp` of a mutex that needs nothing but its algorithm; no mutex has it while
     * something else has to be done at every operation. */
    uint64_t plain;
    uint32_t stamp;    /* 1 + forks before this process; 0 before the settings have been read */
    int32_t algorithm; /* ring3_spinlock_algorithm_t, or -1: ring3_mutex_t */
    int32_t policy;    /* ring3_rwlock_policy_t, or RWLOCK_AS_ASKED: as the lock's attributes say */
    ring3_wait_t wait;
    bool lockdep, stat;
    bool watched;     /* one of them */
    size_t signal;    /* that asks for a dump of who waits for what; 0: none */
    size_t stall;     /* seconds after which waiting threads are reported; 0: never */
    char report[256]; /* the file of the report; "": stderr */
};

/* The settings of the process: read once, and constant but for what fork changes. */
extern struct locks locks;

/* The settings, read now if they have not been yet. */
const struct locks *locks_start(void);

static inline const struct locks *locks_get(void)
{
    return ring3_likely(ring3_load(&locks.stamp, RING3_ACQUIRE)) ? &locks : locks_start();
}

/* Guards the adoption of objects, which is rare. */
void locks_adopt_begin(void);
void locks_adopt_end(void);

/*
 * The running thread, for objects that must know their owner. Never 0, never given to two threads,
 * and in a child of fork still that of the thread that forked: it may unlock what it has locked.
 */
extern __thread uint32_t locks_my_id __attribute__((tls_model("initial-exec")));
uint32_t locks_new_id(void);

static inline uint32_t my_id(void)
{
    return ring3_likely(locks_my_id) ? locks_my_id : locks_new_id();
}

/* --- libc's own ------------------------------------------------------------------------------ */

#define REAL_FUNCTIONS(X)                                                                          \
    X(pthread_mutex_init)                                                                          \
    X(pthread_mutex_destroy)                                                                       \
    X(pthread_mutex_lock)                                                                          \
    X(pthread_mutex_trylock)                                                                       \
    X(pthread_mutex_timedlock)                                                                     \
    X(pthread_mutex_clocklock)                                                                     \
    X(pthread_mutex_unlock)                                                                        \
    X(pthread_cond_init)                                                                           \
    X(pthread_cond_destroy)                                                                        \
    X(pthread_cond_wait)                                                                           \
    X(pthread_cond_timedwait)                                                                      \
    X(pthread_cond_clockwait)                                                                      \
    X(pthread_cond_signal)                                                                         \
    X(pthread_cond_broadcast)                                                                      \
    X(pthread_rwlock_init)                                                                         \
    X(pthread_rwlock_destroy)                                                                      \
    X(pthread_rwlock_rdlock)                                                                       \
    X(pthread_rwlock_tryrdlock)                                                                    \
    X(pthread_rwlock_timedrdlock)                                                                  \
    X(pthread_rwlock_clockrdlock)                                                                  \
    X(pthread_rwlock_wrlock)                                                                       \
    X(pthread_rwlock_trywrlock)                                                                    \
    X(pthread_rwlock_timedwrlock)                                                                  \
    X(pthread_rwlock_clockwrlock)                                                                  \
    X(pthread_rwlock_unlock)                                                                       \
    X(pthread_spin_init)                                                                           \
    X(pthread_spin_lock)                                                                           \
    X(pthread_spin_trylock)                                                                        \
    X(pthread_spin_unlock)                                                                         \
    X(pthread_barrier_init)                                                                        \
    X(pthread_barrier_destroy)                                                                     \
    X(pthread_barrier_wait)                                                                        \
    X(pthread_cancel)                                                                              \
    X(pthread_create)                                                                              \
    X(pthread_join)                                                                                \
    X(sigaction)                                                                                   \
    X(signal)                                                                                      \
    X(sem_init)                                                                                    \
    X(sem_destroy)                                                                                 \
    X(sem_wait)                                                                                    \
    X(sem_trywait)                                                                                 \
    X(sem_timedwait)                                                                               \
    X(sem_clockwait)                                                                               \
    X(sem_post)                                                                                    \
    X(sem_getvalue)

struct real {
#define X(name) __typeof__(name) *name;
    REAL_FUNCTIONS(X)
#undef X
};

/* libc's functions, under their newest versions. */
const struct real *real(void);

/* --- Deadlines ------------------------------------------------------------------------------- */

static inline bool is_clock(clockid_t clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME;
}

static inline bool is_time(const struct timespec *time)
{
    return time->tv_nsec >= 0 && time->tv_nsec < RING3_SECOND_NS;
}

/*
 * The same time on CLOCK_MONOTONIC, for algorithms that know no other clock. If the clock is set
 * meanwhile, the caller finds on return that its own time has not come, and waits again.
 */
struct timespec monotonic(clockid_t clock, const struct timespec *deadline);

#endif
