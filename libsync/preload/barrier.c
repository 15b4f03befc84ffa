/* SPDX-License-Identifier: MIT */
/* pthread_barrier_t as a ring3_barrier_t. Process-shared barriers, and those for more parties than
 * ours can count, are libc's. */
#include "locks.h"

#include "ring3/barrier.h"

#include <assert.h>
#include <string.h>

#define MARK UINT64_C(0x72336261727269e5) /* behind what libc uses */

union barrier {
    struct {
        ring3_barrier_t barrier;
        uint64_t unused[2], mark;
    };
    pthread_barrier_t libc;
};

static_assert(sizeof(union barrier) == sizeof(pthread_barrier_t), "ours must fit into libc's");

static union barrier *barrier_of(pthread_barrier_t *barrier)
{
    return (union barrier *)(void *)barrier;
}

PUBLIC int pthread_barrier_init(pthread_barrier_t *object, const pthread_barrierattr_t *attributes,
                                unsigned parties)
{
    union barrier *const barrier = barrier_of(object);
    int shared = PTHREAD_PROCESS_PRIVATE;

    memset(barrier, 0, sizeof *barrier);
    if (attributes)
        (void)pthread_barrierattr_getpshared(attributes, &shared);
    if (shared != PTHREAD_PROCESS_PRIVATE ||
        ring3_barrier_init(&barrier->barrier, parties, RING3_PRIVATE) != 0)
        return real()->pthread_barrier_init(object, attributes, parties);
    barrier->mark = MARK;
    return 0;
}

PUBLIC int pthread_barrier_destroy(pthread_barrier_t *object)
{
    union barrier *const barrier = barrier_of(object);

    if (barrier->mark != MARK)
        return real()->pthread_barrier_destroy(object);
    barrier->mark = 0;
    return 0;
}

PUBLIC int pthread_barrier_wait(pthread_barrier_t *object)
{
    union barrier *const barrier = barrier_of(object);

    if (barrier->mark != MARK)
        return real()->pthread_barrier_wait(object);
    return ring3_barrier_wait(&barrier->barrier) == RING3_BARRIER_LAST
               ? PTHREAD_BARRIER_SERIAL_THREAD
               : 0;
}
