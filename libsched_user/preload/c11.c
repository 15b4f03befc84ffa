/* SPDX-License-Identifier: MIT */
/*
 * <threads.h> at the gate. glibc's objects and threads are its pthread ones by another name, but it
 * calls those by names that cannot be interposed.
 */
#include "gate.h"

#include <assert.h>

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
    case EAGAIN:
        return thrd_nomem;
    default:
        return thrd_error;
    }
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

/* The function's result is an int; thrd_exit leaves it where pthread_exit does. */
struct start {
    thrd_start_t body;
    void *arg;
};

static void *begin(void *argument)
{
    const struct start start = *(struct start *)argument;

    free(argument);
    return (void *)(intptr_t)start.body(start.arg);
}

PUBLIC int thrd_create(thrd_t *thread, thrd_start_t body, void *arg)
{
    struct start *const start = malloc(sizeof *start);
    int result;

    if (!start)
        return thrd_nomem;
    *start = (struct start){body, arg};
    result = pthread_create(thread, NULL, begin, start);
    if (result != 0)
        free(start);
    return answer(result);
}

PUBLIC int thrd_join(thrd_t thread, int *value)
{
    void *result = NULL;
    const int err = pthread_join(thread, &result);

    if (err == 0 && value)
        *value = (int)(intptr_t)result;
    return answer(err);
}

PUBLIC int thrd_detach(thrd_t thread)
{
    return answer(pthread_detach(thread));
}

PUBLIC int thrd_sleep(const struct timespec *time, struct timespec *left)
{
    const int result = clock_nanosleep(CLOCK_REALTIME, 0, time, left);

    return result == 0 ? 0 : result == EINTR ? -1 : -2;
}

PUBLIC void thrd_yield(void)
{
    (void)sched_yield();
}

PUBLIC void call_once(once_flag *flag, void (*function)(void))
{
    (void)pthread_once((pthread_once_t *)(void *)flag, function);
}
