/* SPDX-License-Identifier: MIT */
/*
 * pthread_rwlock_t as a ring3_rwlock_t. POSIX lets a thread read again while it reads, and programs
 * do; so a thread that holds any read lock passes writers that wait, under every policy.
 */
#include "watch.h"

#include "ring3/rwlock.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/*
 * bytes   name     written by
 * 0-7     rwlock   ring3_rwlock_t; its policy by adopt
 * 8-11    stamp    adopt
 * 12-15   record   the watchers
 * 24-27   writer   the writer: its my_id(), 0 when there is none
 * 28-31   shared   the initialiser: where libc has it
 * 48-51   flags    the initialiser: where libc has them
 */
union rwlock {
    struct {
        ring3_rwlock_t rwlock;
        uint32_t stamp, record;
        uint64_t unused;
        uint32_t writer, shared;
        uint64_t more[2];
        uint32_t flags, last;
    };
    pthread_rwlock_t libc;
};

static_assert(sizeof(union rwlock) == sizeof(pthread_rwlock_t), "ours must fit into libc's");
static_assert(offsetof(union rwlock, shared) == offsetof(pthread_rwlock_t, __data.__shared) &&
                  offsetof(union rwlock, flags) == offsetof(pthread_rwlock_t, __data.__flags),
              "libc's locks and static initialisers must be known as such");

static union rwlock *rwlock_of(pthread_rwlock_t *lock)
{
    return (union rwlock *)(void *)lock;
}

static bool is_libcs(const union rwlock *lock)
{
    return lock->shared != 0;
}

static ring3_rwlock_policy_t policy_of(const union rwlock *lock)
{
    if (locks.policy != RWLOCK_AS_ASKED)
        return (ring3_rwlock_policy_t)locks.policy;
    return lock->flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
               ? RING3_RWLOCK_PREFER_WRITERS
               : RING3_RWLOCK_PREFER_READERS;
}

static void adopt(union rwlock *lock)
{
    const uint32_t stamp = locks_get()->stamp;

    if (ring3_likely(ring3_load(&lock->stamp, RING3_ACQUIRE) == stamp))
        return;
    locks_adopt_begin();
    if (lock->stamp != stamp) {
        lock->rwlock.policy = (uint32_t)policy_of(lock);
        /* In a child of fork: held by whoever held it, and nobody waits. */
        (void)ring3_fetch_and(&lock->rwlock.word, RING3_RWLOCK_READERS | RING3_RWLOCK_WRITER,
                              RING3_RELAXED);
        ring3_store(&lock->stamp, stamp, RING3_RELEASE);
    }
    locks_adopt_end();
}

/* --- Reading --------------------------------------------------------------------------------- */

/* Join the readers there are, or may be, whoever waits. 0; -EBUSY; -EAGAIN */
static int pass_waiters(union rwlock *lock)
{
    uint32_t seen = ring3_load(&lock->rwlock.word, RING3_RELAXED);

    do {
        if (seen & RING3_RWLOCK_WRITER)
            return -EBUSY;
        if ((seen & RING3_RWLOCK_READERS) == RING3_RWLOCK_READERS)
            return -EAGAIN;
        /* Pairs with the release of the writer before. */
    } while (!ring3_cas_weak(&lock->rwlock.word, &seen, seen + 1, RING3_ACQUIRE));
    return 0;
}

static int try_to_read(union rwlock *lock, const struct thread *me)
{
    return me->reads > 0 ? pass_waiters(lock) : ring3_rwlock_tryrdlock(&lock->rwlock);
}

static bool i_write(const union rwlock *lock)
{
    return ring3_load(&lock->writer, RING3_RELAXED) == my_id();
}

static inline void watch_rwlock(struct watch *watch, union rwlock *lock, enum watch_mode mode,
                                bool may_give_up, const void *site)
{
    watch_begin(watch, lock, &lock->record, LOCKSTAT_RWLOCK, mode, may_give_up, site);
}

static enum watch_mode reading(const union rwlock *lock, const struct thread *me)
{
    return me->reads > 0 || lock->rwlock.policy == RING3_RWLOCK_PREFER_READERS ? WATCH_READ_AGAIN
                                                                               : WATCH_READ;
}

static int lock_read(union rwlock *lock, clockid_t clock, const struct timespec *deadline,
                     const void *site)
{
    struct thread *const me = thread_self();
    struct watch watch;
    int result;

    adopt(lock);
    if (i_write(lock))
        return EDEADLK;
    if (locks.watched) {
        watch_rwlock(&watch, lock, reading(lock, me), deadline != NULL, site);
        watch_before(&watch);
    }
    result = try_to_read(lock, me);
    if (result == -EBUSY) {
        if (locks.watched)
            watch_wait(&watch);
        result = ring3_rwlock_clockrdlock(&lock->rwlock, clock, deadline);
        if (locks.watched)
            watch_waited(&watch);
    }
    if (result == 0) {
        me->reads++;
        if (locks.watched)
            watch_held(&watch);
    }
    return -result;
}

/* --- Writing --------------------------------------------------------------------------------- */

static void now_writing(union rwlock *lock)
{
    ring3_store(&lock->writer, my_id(), RING3_RELAXED);
}

static int lock_write(union rwlock *lock, clockid_t clock, const struct timespec *deadline,
                      const void *site)
{
    struct watch watch;
    int result;

    adopt(lock);
    if (i_write(lock))
        return EDEADLK;
    if (locks.watched) {
        watch_rwlock(&watch, lock, WATCH_WRITE, deadline != NULL, site);
        watch_before(&watch);
    }
    result = ring3_rwlock_trywrlock(&lock->rwlock);
    if (result) {
        if (locks.watched)
            watch_wait(&watch);
        result = ring3_rwlock_clockwrlock(&lock->rwlock, clock, deadline);
        if (locks.watched)
            watch_waited(&watch);
    }
    if (result == 0) {
        now_writing(lock);
        if (locks.watched)
            watch_held(&watch);
    }
    return -result;
}

/* A try that has succeeded. */
static void tried(union rwlock *lock, enum watch_mode mode, const void *site)
{
    struct watch watch;

    watch_rwlock(&watch, lock, mode, true, site);

    watch_before(&watch);
    watch_held(&watch);
}

/* --- libc's names ---------------------------------------------------------------------------- */

PUBLIC int pthread_rwlock_init(pthread_rwlock_t *object, const pthread_rwlockattr_t *attributes)
{
    int shared = PTHREAD_PROCESS_PRIVATE, kind = PTHREAD_RWLOCK_DEFAULT_NP;
    union rwlock *const lock = rwlock_of(object);

    if (attributes &&
        (pthread_rwlockattr_getpshared(attributes, &shared) ||
         pthread_rwlockattr_getkind_np(attributes, &kind) || shared != PTHREAD_PROCESS_PRIVATE))
        return real()->pthread_rwlock_init(object, attributes);
    memset(lock, 0, sizeof *lock);
    lock->flags = (uint32_t)kind;
    adopt(lock);
    if (locks.watched)
        watch_made(lock, &lock->record, LOCKSTAT_RWLOCK, CALLER);
    return 0;
}

PUBLIC int pthread_rwlock_destroy(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_destroy(object);
    if (locks.watched)
        watch_unmade(lock, &lock->record);
    return 0;
}

PUBLIC int pthread_rwlock_rdlock(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);

    return is_libcs(lock) ? real()->pthread_rwlock_rdlock(object)
                          : lock_read(lock, CLOCK_MONOTONIC, NULL, CALLER);
}

PUBLIC int pthread_rwlock_tryrdlock(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);
    struct thread *me;
    int result;

    if (is_libcs(lock))
        return real()->pthread_rwlock_tryrdlock(object);
    adopt(lock);
    me = thread_self();
    result = try_to_read(lock, me);
    if (result == 0) {
        if (locks.watched)
            tried(lock, reading(lock, me), CALLER);
        me->reads++;
    }
    return -result;
}

PUBLIC int pthread_rwlock_timedrdlock(pthread_rwlock_t *object, const struct timespec *deadline)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_timedrdlock(object, deadline);
    return is_time(deadline) ? lock_read(lock, CLOCK_REALTIME, deadline, CALLER) : EINVAL;
}

PUBLIC int pthread_rwlock_clockrdlock(pthread_rwlock_t *object, clockid_t clock,
                                      const struct timespec *deadline)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_clockrdlock(object, clock, deadline);
    return is_clock(clock) && is_time(deadline) ? lock_read(lock, clock, deadline, CALLER) : EINVAL;
}

PUBLIC int pthread_rwlock_wrlock(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);

    return is_libcs(lock) ? real()->pthread_rwlock_wrlock(object)
                          : lock_write(lock, CLOCK_MONOTONIC, NULL, CALLER);
}

PUBLIC int pthread_rwlock_trywrlock(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);
    int result;

    if (is_libcs(lock))
        return real()->pthread_rwlock_trywrlock(object);
    adopt(lock);
    result = ring3_rwlock_trywrlock(&lock->rwlock);
    if (result == 0) {
        now_writing(lock);
        if (locks.watched)
            tried(lock, WATCH_WRITE, CALLER);
    }
    return -result;
}

PUBLIC int pthread_rwlock_timedwrlock(pthread_rwlock_t *object, const struct timespec *deadline)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_timedwrlock(object, deadline);
    return is_time(deadline) ? lock_write(lock, CLOCK_REALTIME, deadline, CALLER) : EINVAL;
}

PUBLIC int pthread_rwlock_clockwrlock(pthread_rwlock_t *object, clockid_t clock,
                                      const struct timespec *deadline)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_clockwrlock(object, clock, deadline);
    return is_clock(clock) && is_time(deadline) ? lock_write(lock, clock, deadline, CALLER)
                                                : EINVAL;
}

PUBLIC int pthread_rwlock_unlock(pthread_rwlock_t *object)
{
    union rwlock *const lock = rwlock_of(object);

    if (is_libcs(lock))
        return real()->pthread_rwlock_unlock(object);
    adopt(lock);
    if (locks.watched)
        watch_released(lock, &lock->record, CALLER);
    if (ring3_load(&lock->writer, RING3_RELAXED)) {
        ring3_store(&lock->writer, 0, RING3_RELAXED);
        ring3_rwlock_wrunlock(&lock->rwlock);
    } else {
        struct thread *const me = thread_self();

        if (me->reads > 0)
            me->reads--;
        ring3_rwlock_rdunlock(&lock->rwlock);
    }
    return 0;
}

int __pthread_rwlock_init(pthread_rwlock_t *, const pthread_rwlockattr_t *)
    ALIAS_OF(pthread_rwlock_init);
int __pthread_rwlock_destroy(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_destroy);
int __pthread_rwlock_rdlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_rdlock);
int __pthread_rwlock_tryrdlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_tryrdlock);
int __pthread_rwlock_wrlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_wrlock);
int __pthread_rwlock_trywrlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_trywrlock);
int __pthread_rwlock_unlock(pthread_rwlock_t *) ALIAS_OF(pthread_rwlock_unlock);
