/* SPDX-License-Identifier: MIT */
/*
 * The mutexes and conditions of <threads.h>. glibc's are its pthread objects by another name, so
 * ours are too.
 */
#include "locks.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t),
              "one is the other by another name");

static pthread_mutex_t *mutex_of(mtx_t *mutex)
{
    return (pthread_mutex_t *)(void *)mutex;
}

static pthread_cond_t *cond_of(cnd_t *cond)
{
    return (pthread_cond_t *)(void *)cond;
}

static int answer(int result)
{
    switch (result) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

PUBLIC int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    int result;

    if (type & ~(mtx_timed | mtx_recursive))
        return thrd_error;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE
                                                                      : PTHREAD_MUTEX_NORMAL);
    result = pthread_mutex_init(mutex_of(mutex), &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return answer(result);
}

PUBLIC void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy(mutex_of(mutex));
}

PUBLIC int mtx_lock(mtx_t *mutex)
{
    return answer(pthread_mutex_lock(mutex_of(mutex)));
}

PUBLIC int mtx_trylock(mtx_t *mutex)
{
    return answer(pthread_mutex_trylock(mutex_of(mutex)));
}

PUBLIC int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict deadline)
{
    return answer(pthread_mutex_timedlock(mutex_of(mutex), deadline));
}

PUBLIC int mtx_unlock(mtx_t *mutex)
{
    return answer(pthread_mutex_unlock(mutex_of(mutex)));
}

PUBLIC int cnd_init(cnd_t *cond)
{
    return answer(pthread_cond_init(cond_of(cond), NULL));
}

PUBLIC void cnd_destroy(cnd_t *cond)
{
    (void)pthread_cond_destroy(cond_of(cond));
}

PUBLIC int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return answer(pthread_cond_wait(cond_of(cond), mutex_of(mutex)));
}

PUBLIC int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                         const struct timespec *restrict deadline)
{
    return answer(pthread_cond_timedwait(cond_of(cond), mutex_of(mutex), deadline));
}

PUBLIC int cnd_signal(cnd_t *cond)
{
    return answer(pthread_cond_signal(cond_of(cond)));
}

PUBLIC int cnd_broadcast(cnd_t *cond)
{
    return answer(pthread_cond_broadcast(cond_of(cond)));
}
