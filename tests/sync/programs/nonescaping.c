/* SPDX-License-Identifier: MIT */
/*
 * A static variable that never leaves this file, under a lock. Compilers know that no other file can
 * touch it, and may keep it in a register across calls that they see to the ground: with link-time
 * optimisation, the lock's own. Prints the locks under which increments were lost.
 */
#include "ring3/biglock.h"
#include "ring3/cond.h"
#include "ring3/mutex.h"
#include "ring3/owned.h"
#include "ring3/pimutex.h"
#include "ring3/robust.h"
#include "ring3/rwlock.h"
#include "ring3/sem.h"
#include "ring3/shmutex.h"
#include "ring3/slice.h"
#include "ring3/spinlock.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 5000 };

static long count;

#define LOCKS                                                                                      \
    LOCK(mutex, ring3_mutex_t, ring3_mutex_lock(&lock), ring3_mutex_unlock(&lock))                 \
    LOCK(slice, ring3_slice_t, ring3_slice_lock(&lock, 0), ring3_slice_unlock(&lock))              \
    LOCK(tas, ring3_tas_t, ring3_tas_lock(&lock, 0), ring3_tas_unlock(&lock))                      \
    LOCK(ttas, ring3_ttas_t, ring3_ttas_lock(&lock, 0), ring3_ttas_unlock(&lock))                  \
    LOCK(ticket, ring3_ticket_t, ring3_ticket_lock(&lock, 0), ring3_ticket_unlock(&lock))          \
    LOCK(mcs, ring3_mcs_t, ring3_mcs_lock(&lock, 0), ring3_mcs_unlock(&lock))                      \
    LOCK(clh, ring3_clh_t, ring3_clh_lock(&lock, 0), ring3_clh_unlock(&lock))                      \
    LOCK(queued, ring3_qlock_t, ring3_qlock_lock(&lock, 0), ring3_qlock_unlock(&lock))             \
    LOCK(biased, ring3_biased_t, ring3_biased_lock(&lock, 0), ring3_biased_unlock(&lock))          \
    LOCK(guarded, ring3_guarded_t, ring3_guarded_lock(&lock, 0), ring3_guarded_unlock(&lock))      \
    LOCK(spinlock, ring3_spinlock_t, ring3_spinlock_lock(&lock), ring3_spinlock_unlock(&lock))     \
    LOCK(pimutex, ring3_pimutex_t, ring3_pimutex_lock(&lock), ring3_pimutex_unlock(&lock))         \
    LOCK(robust, ring3_robust_t, ring3_robust_lock(&lock), ring3_robust_unlock(&lock))             \
    LOCK(shmutex, ring3_shmutex_t, ring3_shmutex_lock(&lock), ring3_shmutex_unlock(&lock))         \
    LOCK(rwlock, ring3_rwlock_t, ring3_rwlock_wrlock(&lock), ring3_rwlock_wrunlock(&lock))         \
    LOCK(biglock, ring3_biglock_t, ring3_biglock_wrlock(&lock), ring3_biglock_wrunlock(&lock))

#define LOCK(name, type, take, give)                                                               \
    static void *use_##name(void *unused)                                                          \
    {                                                                                              \
        static type lock;                                                                          \
                                                                                                   \
        for (int i = 0; i < ROUNDS; i++) {                                                         \
            (void)take;                                                                            \
            count++;                                                                               \
            (void)give;                                                                            \
        }                                                                                          \
        return unused;                                                                             \
    }
LOCKS
#undef LOCK

static int lost(const char *name, void *use(void *))
{
    pthread_t thread[THREADS];

    count = 0;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, use, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(thread[i], NULL);
    if (count == (long)THREADS * ROUNDS)
        return 0;
    printf("%s: %ld increments of %ld\n", name, count, (long)THREADS * ROUNDS);
    return 1;
}

int main(void)
{
    int bad = 0;

#define LOCK(name, type, take, give) bad += lost(#name, use_##name);
    LOCKS
    return bad != 0;
}
