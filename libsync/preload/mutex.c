/* SPDX-License-Identifier: MIT */
/* pthread_mutex_t on the algorithm of RING3_LOCKS. Layout: mutex.h. */
#include "mutex.h"

#include "watch.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static_assert(sizeof(union mutex) == sizeof(pthread_mutex_t), "ours must fit into libc's");
static_assert(offsetof(union mutex, kind) == offsetof(pthread_mutex_t, __data.__kind),
              "static initialisers set the kind");
static_assert(offsetof(union mutex, algorithm) == offsetof(ring3_spinlock_t, algorithm),
              "the spinlock finds its algorithm");
static_assert(offsetof(union mutex, record) == offsetof(ring3_spinlock_t, unused),
              "the spinlock leaves the record alone");
static_assert(PTHREAD_MUTEX_NORMAL == 0 && PTHREAD_MUTEX_RECURSIVE == 1 &&
                  PTHREAD_MUTEX_ERRORCHECK == 2 && PTHREAD_MUTEX_ADAPTIVE_NP == 3,
              "MUTEX_TYPE");

/* Debug builds of libsync ask: src/misuse.h. */
extern const char ring3_spinlocks_are_mutexes;
const char ring3_spinlocks_are_mutexes = 1;

/* --- The algorithm --------------------------------------------------------------------------- */

static bool is_adaptive(void)
{
    return locks.algorithm < 0;
}

/* 0 or -EBUSY */
static int try_to_take(union mutex *mutex)
{
    return is_adaptive() ? ring3_mutex_trylock(&mutex->adaptive)
                         : ring3_spinlock_trylock(&mutex->spinlock);
}

static int take_spinlock(union mutex *mutex, clockid_t clock, const struct timespec *deadline)
{
    for (;;) {
        const struct timespec until = monotonic(clock, deadline);
        const int result = ring3_spinlock_timedlock(&mutex->spinlock, &until);

        if (result != -ETIMEDOUT || ring3_deadline_passed(clock, deadline))
            return result;
    }
}

/* 0, -ETIMEDOUT or -EINVAL */
static int take(union mutex *mutex, clockid_t clock, const struct timespec *deadline)
{
    if (is_adaptive())
        return ring3_mutex_clocklock(&mutex->adaptive, clock, deadline);
    if (deadline)
        return take_spinlock(mutex, clock, deadline);
    ring3_spinlock_lock(&mutex->spinlock);
    return 0;
}

static void give(union mutex *mutex)
{
    if (is_adaptive())
        ring3_mutex_unlock(&mutex->adaptive);
    else
        ring3_spinlock_unlock(&mutex->spinlock);
}

/* --- Adoption -------------------------------------------------------------------------------- */

/* What a child of fork makes of a mutex from before: it is held if somebody held it, and nobody
 * waits. */
static void forget_waiters(union mutex *mutex)
{
    const uint32_t held_by = mutex->owner;

    if (is_adaptive()) {
        mutex->adaptive.word &= RING3_MUTEX_OWNER;
        return;
    }
    memset(mutex->state, 0, sizeof mutex->state);
    if (held_by)
        (void)ring3_spinlock_trylock(&mutex->spinlock);
}

void mutex_adopt(union mutex *mutex)
{
    const struct locks *const settings = locks_get();

    /* Pairs with the release below: whoever sees the stamp sees the algorithm. */
    if (ring3_likely(ring3_load(&mutex->stamp, RING3_ACQUIRE) == settings->stamp))
        return;
    locks_adopt_begin();
    if (mutex->stamp != settings->stamp) {
        if (!is_adaptive()) {
            ring3_store(&mutex->algorithm, (uint16_t)settings->algorithm, RING3_RELAXED);
            ring3_store(&mutex->wait, (uint16_t)settings->wait, RING3_RELAXED);
        }
        if (mutex->stamp != 0)
            forget_waiters(mutex);
        ring3_store(&mutex->stamp, settings->stamp, RING3_RELEASE);
    }
    locks_adopt_end();
}

/* --- Any mutex ------------------------------------------------------------------------------- */

static bool is_mine(const union mutex *mutex)
{
    /* Relaxed: it is our own id only if we wrote it. */
    return ring3_load(&mutex->owner, RING3_RELAXED) == my_id();
}

static void now_mine(union mutex *mutex)
{
    ring3_store(&mutex->owner, my_id(), RING3_RELAXED);
    mutex->count = 1;
}

/* Lock it once more: 0, -EAGAIN, -EDEADLK (both final), or 1 if that is not the case at hand. */
static int lock_again(union mutex *mutex)
{
    const uint32_t type = mutex->kind & MUTEX_TYPE;

    if ((type != PTHREAD_MUTEX_RECURSIVE && type != PTHREAD_MUTEX_ERRORCHECK) || !is_mine(mutex))
        return 1;
    if (type == PTHREAD_MUTEX_ERRORCHECK)
        return -EDEADLK;
    if (mutex->count == UINT32_MAX)
        return -EAGAIN;
    mutex->count++;
    return 0;
}

static inline void watch_mutex(struct watch *watch, union mutex *mutex, bool may_give_up,
                               const void *site)
{
    watch_begin(watch, mutex, &mutex->record, LOCKSTAT_MUTEX, WATCH_WRITE, may_give_up, site);
}

static int lock(union mutex *mutex, clockid_t clock, const struct timespec *deadline,
                const void *site)
{
    struct watch watch;
    int result;

    mutex_adopt(mutex);
    result = lock_again(mutex);
    if (result <= 0)
        return result;
    if (locks.watched) {
        watch_mutex(&watch, mutex, deadline != NULL, site);
        watch_before(&watch);
    }
    result = try_to_take(mutex);
    if (result && deadline && !is_time(deadline))
        return -EINVAL;
    if (result) {
        if (locks.watched)
            watch_wait(&watch);
        result = take(mutex, clock, deadline);
        if (locks.watched)
            watch_waited(&watch);
    }
    if (result == 0) {
        now_mine(mutex);
        if (locks.watched)
            watch_held(&watch);
    }
    return result;
}

bool mutex_may_unlock(const union mutex *mutex)
{
    const uint32_t type = mutex->kind & MUTEX_TYPE;

    return (type != PTHREAD_MUTEX_RECURSIVE && type != PTHREAD_MUTEX_ERRORCHECK) || is_mine(mutex);
}

int mutex_lock_any(union mutex *mutex, const void *site)
{
    if (ring3_unlikely(mutex_is_libcs(mutex)))
        return real()->pthread_mutex_lock(&mutex->libc);
    return -lock(mutex, CLOCK_MONOTONIC, NULL, site);
}

int mutex_unlock_any(union mutex *mutex, const void *site)
{
    if (ring3_unlikely(mutex_is_libcs(mutex)))
        return real()->pthread_mutex_unlock(&mutex->libc);
    mutex_adopt(mutex);
    if (!mutex_may_unlock(mutex))
        return EPERM;
    if ((mutex->kind & MUTEX_TYPE) == PTHREAD_MUTEX_RECURSIVE && --mutex->count > 0)
        return 0;
    if (locks.watched)
        watch_released(mutex, &mutex->record, site);
    ring3_store(&mutex->owner, 0, RING3_RELAXED);
    give(mutex);
    return 0;
}

/* --- libc's names ---------------------------------------------------------------------------- */

/* True if the mutex, which is ours, needs no more than the adaptive algorithm. One load tells. */
static inline bool is_plain(const union mutex *mutex)
{
    return ring3_likely(ring3_load(&mutex->kind_and_stamp, RING3_ACQUIRE) == locks.plain);
}

PUBLIC int pthread_mutex_lock(pthread_mutex_t *object)
{
    union mutex *const mutex = mutex_of(object);

    if (is_plain(mutex)) {
        ring3_mutex_lock(&mutex->adaptive);
        return 0;
    }
    return mutex_lock_any(mutex, CALLER);
}

PUBLIC int pthread_mutex_unlock(pthread_mutex_t *object)
{
    union mutex *const mutex = mutex_of(object);

    if (is_plain(mutex)) {
        ring3_mutex_unlock(&mutex->adaptive);
        return 0;
    }
    return mutex_unlock_any(mutex, CALLER);
}

PUBLIC int pthread_mutex_trylock(pthread_mutex_t *object)
{
    union mutex *const mutex = mutex_of(object);
    int result;

    if (mutex_is_libcs(mutex))
        return real()->pthread_mutex_trylock(object);
    mutex_adopt(mutex);
    result = lock_again(mutex);
    if (result == -EDEADLK)
        return EBUSY;
    if (result <= 0)
        return -result;
    result = try_to_take(mutex);
    if (result)
        return -result;
    now_mine(mutex);
    if (locks.watched) {
        struct watch watch;

        watch_mutex(&watch, mutex, true, CALLER);
        watch_before(&watch);
        watch_held(&watch);
    }
    return 0;
}

PUBLIC int pthread_mutex_timedlock(pthread_mutex_t *object, const struct timespec *deadline)
{
    union mutex *const mutex = mutex_of(object);

    if (mutex_is_libcs(mutex))
        return real()->pthread_mutex_timedlock(object, deadline);
    return -lock(mutex, CLOCK_REALTIME, deadline, CALLER);
}

PUBLIC int pthread_mutex_clocklock(pthread_mutex_t *object, clockid_t clock,
                                   const struct timespec *deadline)
{
    union mutex *const mutex = mutex_of(object);

    if (mutex_is_libcs(mutex))
        return real()->pthread_mutex_clocklock(object, clock, deadline);
    return is_clock(clock) ? -lock(mutex, clock, deadline, CALLER) : EINVAL;
}

/* The type that the attributes ask for, or -1 if only libc's own mutex can have them all. */
static int type_asked(const pthread_mutexattr_t *attributes)
{
    int type = PTHREAD_MUTEX_DEFAULT, shared = PTHREAD_PROCESS_PRIVATE,
        robust = PTHREAD_MUTEX_STALLED, protocol = PTHREAD_PRIO_NONE;

    if (attributes && (pthread_mutexattr_gettype(attributes, &type) ||
                       pthread_mutexattr_getpshared(attributes, &shared) ||
                       pthread_mutexattr_getrobust(attributes, &robust) ||
                       pthread_mutexattr_getprotocol(attributes, &protocol) ||
                       shared != PTHREAD_PROCESS_PRIVATE || robust != PTHREAD_MUTEX_STALLED ||
                       protocol != PTHREAD_PRIO_NONE))
        return -1;
    return type;
}

PUBLIC int pthread_mutex_init(pthread_mutex_t *object, const pthread_mutexattr_t *attributes)
{
    const int type = type_asked(attributes);
    union mutex *const mutex = mutex_of(object);

    if (type < 0)
        return real()->pthread_mutex_init(object, attributes);
    memset(mutex, 0, sizeof *mutex);
    mutex->kind = (uint32_t)type & MUTEX_TYPE;
    mutex_adopt(mutex);
    if (locks.watched)
        watch_made(mutex, &mutex->record, LOCKSTAT_MUTEX, CALLER);
    return 0;
}

static bool is_held(const union mutex *mutex)
{
    return is_adaptive() ? (ring3_load(&mutex->adaptive.word, RING3_RELAXED) & RING3_MUTEX_OWNER)
                         : ring3_load(&mutex->owner, RING3_RELAXED);
}

PUBLIC int pthread_mutex_destroy(pthread_mutex_t *object)
{
    union mutex *const mutex = mutex_of(object);

    if (mutex_is_libcs(mutex))
        return real()->pthread_mutex_destroy(object);
    if (is_held(mutex))
        return EBUSY;
    if (locks.watched)
        watch_unmade(mutex, &mutex->record);
    /* As libc does it: whoever uses it now gets EINVAL, because it looks like a kind that libc does
     * not know. */
    mutex->kind = UINT32_MAX;
    return 0;
}

/* Names of glibc that older programs and libraries use. */
int __pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *)
    ALIAS_OF(pthread_mutex_init);
int __pthread_mutex_destroy(pthread_mutex_t *) ALIAS_OF(pthread_mutex_destroy);
int __pthread_mutex_lock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_lock);
int __pthread_mutex_trylock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_trylock);
int __pthread_mutex_unlock(pthread_mutex_t *) ALIAS_OF(pthread_mutex_unlock);
