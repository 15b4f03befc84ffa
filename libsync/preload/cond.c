/* SPDX-License-Identifier: MIT */
/*
 * pthread_cond_t as a ring3_cond_t, with whatever mutex the program brings.
 *
 * A process-shared condition is libc's. With a mutex of libc's it is simply passed on; with one of
 * ours, libc's function gets a mutex of libc's in its place (stand_in), which the waiter holds from
 * before it unlocks its own until libc counts it as a waiter, and which our signals take: so a
 * signal by whoever locks the program's mutex next finds the waiter. A mutex of ours belongs to
 * this process, and so do all who can change what the waiter waits for.
 */
#include "lockdep.h"
#include "mutex.h"

#include "cond_dismiss.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/*
 * bytes   name     written by
 * 0-15    cond     ring3_cond_t
 * 16-19   stamp    adopt
 * 20-23   record   the watchers
 * 36-39   flags    the initialiser: where libc has them, and with libc's values
 */
union cond {
    struct {
        ring3_cond_t cond;
        uint32_t stamp, record;
        uint32_t unused[3];
        uint32_t flags;
        uint64_t rest;
    };
    pthread_cond_t libc;
};

#define COND_SHARED    1u
#define COND_MONOTONIC 2u

static_assert(sizeof(union cond) == sizeof(pthread_cond_t), "ours must fit into libc's");
static_assert(offsetof(union cond, flags) == offsetof(pthread_cond_t, __data.__wrefs),
              "libc's conditions must be known as such");

static union cond *cond_of(pthread_cond_t *cond)
{
    return (union cond *)(void *)cond;
}

static bool is_libcs(const union cond *cond)
{
    return (ring3_load(&cond->flags, RING3_RELAXED) & COND_SHARED) != 0;
}

/* In a child of fork nobody waits for a condition from before. */
static void adopt(union cond *cond)
{
    const uint32_t stamp = locks_get()->stamp;

    if (ring3_likely(ring3_load(&cond->stamp, RING3_ACQUIRE) == stamp))
        return;
    locks_adopt_begin();
    if (cond->stamp != stamp) {
        if (cond->stamp != 0)
            ring3_cond_init(&cond->cond, RING3_PRIVATE);
        ring3_store(&cond->stamp, stamp, RING3_RELEASE);
    }
    locks_adopt_end();
}

/* --- Waiting on ours ------------------------------------------------------------------------- */

struct any_mutex {
    union mutex *mutex;
    union cond *cond;
    const void *site;
    int result; /* of locking it again: a robust mutex has something to say */
};

static void lock_any(void *lock)
{
    struct any_mutex *const any = lock;

    if (locks.watched)
        ring3_store(&thread_self()->waits_for, NULL, RING3_RELEASE);
    any->result = mutex_lock_any(any->mutex, any->site);
}

static void unlock_any(void *lock)
{
    struct any_mutex *const any = lock;

    (void)mutex_unlock_any(any->mutex, any->site);
    if (locks.lockdep)
        lockdep_cond_wait(any->cond, &any->cond->record,
                          mutex_is_libcs(any->mutex) ? 0 : any->mutex->record, any->site);
    if (locks.watched) {
        struct thread *const me = thread_self();

        ring3_store(&me->waits_at, any->site, RING3_RELAXED);
        ring3_store(&me->waits_since, (uint64_t)time(NULL), RING3_RELAXED);
        ring3_store(&me->waits_for, any->cond, RING3_RELEASE);
    }
}

static const ring3_lock_ops_t any_ops = {lock_any, unlock_any};

/* A plain mutex is the one that signals hand waiters over to. */
static bool is_plain(const union mutex *mutex)
{
    return mutex->kind_and_stamp == ring3_load(&locks.plain, RING3_RELAXED);
}

static int wait_ours(union cond *cond, union mutex *mutex, clockid_t clock,
                     const struct timespec *deadline, const void *site)
{
    struct any_mutex any = {mutex, cond, site, 0};
    struct cancellable wait;
    int result;

    if (!mutex_is_libcs(mutex)) {
        mutex_adopt(mutex);
        if (!mutex_may_unlock(mutex))
            return EPERM;
    }
    adopt(cond);
    cancel_begin(&wait, WAITS_COND, &cond->cond);
    if (is_plain(mutex))
        result = ring3_cond_wait_dismissable(&cond->cond, &mutex->adaptive, clock, deadline,
                                             &wait.thread->cancelled);
    else
        result = ring3_cond_wait_dismissable_with(&cond->cond, &any_ops, &any, clock, deadline,
                                                  &wait.thread->cancelled);
    cancel_end(&wait, result == -ECANCELED);
    if (any.result)
        return any.result;
    return result == -ECANCELED ? 0 : -result;
}

/* --- Waiting on libc's ----------------------------------------------------------------------- */

/* Stand-ins for the mutexes of ours; two conditions that share one only get in each other's way. */
#define STAND_INS 16
static pthread_mutex_t stand_ins[STAND_INS];

static pthread_mutex_t *stand_in(const union cond *cond)
{
    return &stand_ins[(uintptr_t)cond / sizeof *cond % STAND_INS];
}

struct in_place {
    union mutex *mutex;
    pthread_mutex_t *stand_in;
    const void *site;
};

static void take_own_again(void *context)
{
    const struct in_place *const place = context;

    (void)real()->pthread_mutex_unlock(place->stand_in);
    (void)mutex_lock_any(place->mutex, place->site);
}

static int wait_libcs_on(union cond *cond, pthread_mutex_t *mutex, const clockid_t *clock,
                         const struct timespec *deadline)
{
    if (clock)
        return real()->pthread_cond_clockwait(&cond->libc, mutex, *clock, deadline);
    return deadline ? real()->pthread_cond_timedwait(&cond->libc, mutex, deadline)
                    : real()->pthread_cond_wait(&cond->libc, mutex);
}

static int wait_libcs(union cond *cond, union mutex *mutex, const clockid_t *clock,
                      const struct timespec *deadline, const void *site)
{
    struct in_place place = {mutex, stand_in(cond), site};
    int result;

    if (mutex_is_libcs(mutex))
        return wait_libcs_on(cond, &mutex->libc, clock, deadline);
    (void)real()->pthread_mutex_lock(place.stand_in);
    (void)mutex_unlock_any(mutex, site);
    pthread_cleanup_push(take_own_again, &place);
    result = wait_libcs_on(cond, place.stand_in, clock, deadline);
    pthread_cleanup_pop(1);
    return result;
}

/* --- libc's names ---------------------------------------------------------------------------- */

PUBLIC int pthread_cond_init(pthread_cond_t *object, const pthread_condattr_t *attributes)
{
    int shared = PTHREAD_PROCESS_PRIVATE;
    clockid_t clock = CLOCK_REALTIME;
    union cond *const cond = cond_of(object);

    if (attributes && (pthread_condattr_getpshared(attributes, &shared) ||
                       pthread_condattr_getclock(attributes, &clock)))
        return EINVAL;
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return real()->pthread_cond_init(object, attributes);
    memset(cond, 0, sizeof *cond);
    cond->flags = clock == CLOCK_MONOTONIC ? COND_MONOTONIC : 0;
    adopt(cond);
    if (locks.lockdep)
        watch_made(cond, &cond->record, LOCKSTAT_COND, CALLER);
    return 0;
}

/* Ours may go as soon as its waiters have been told to. */
PUBLIC int pthread_cond_destroy(pthread_cond_t *object)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return real()->pthread_cond_destroy(object);
    if (locks.lockdep)
        watch_unmade(cond, &cond->record);
    return 0;
}

PUBLIC int pthread_cond_wait(pthread_cond_t *object, pthread_mutex_t *mutex)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return wait_libcs(cond, mutex_of(mutex), NULL, NULL, CALLER);
    return wait_ours(cond, mutex_of(mutex), CLOCK_MONOTONIC, NULL, CALLER);
}

PUBLIC int pthread_cond_timedwait(pthread_cond_t *object, pthread_mutex_t *mutex,
                                  const struct timespec *deadline)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return wait_libcs(cond, mutex_of(mutex), NULL, deadline, CALLER);
    return wait_ours(cond, mutex_of(mutex),
                     cond->flags & COND_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, deadline,
                     CALLER);
}

PUBLIC int pthread_cond_clockwait(pthread_cond_t *object, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *deadline)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return wait_libcs(cond, mutex_of(mutex), &clock, deadline, CALLER);
    return wait_ours(cond, mutex_of(mutex), clock, deadline, CALLER);
}

/* libc's are told under the stand-in, in case somebody is on his way into the wait with it. */
static int tell_libcs(union cond *cond, int (*tell)(pthread_cond_t *))
{
    int result;

    (void)real()->pthread_mutex_lock(stand_in(cond));
    result = tell(&cond->libc);
    (void)real()->pthread_mutex_unlock(stand_in(cond));
    return result;
}

PUBLIC int pthread_cond_signal(pthread_cond_t *object)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return tell_libcs(cond, real()->pthread_cond_signal);
    adopt(cond);
    if (locks.lockdep)
        lockdep_cond_signal(cond, &cond->record, CALLER);
    ring3_cond_signal(&cond->cond);
    return 0;
}

PUBLIC int pthread_cond_broadcast(pthread_cond_t *object)
{
    union cond *const cond = cond_of(object);

    if (is_libcs(cond))
        return tell_libcs(cond, real()->pthread_cond_broadcast);
    adopt(cond);
    if (locks.lockdep)
        lockdep_cond_signal(cond, &cond->record, CALLER);
    ring3_cond_broadcast(&cond->cond);
    return 0;
}
