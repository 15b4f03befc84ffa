/* SPDX-License-Identifier: MIT */
/* Peers: what the C library brings. */
#include "lock_bench.h"

#include <pthread.h>

LOCK(pthread_mutex, pthread_mutex_t, pthread_mutex_init(lock, NULL), pthread_mutex_lock(lock),
     pthread_mutex_unlock(lock));
LOCK(pthread_spin, pthread_spinlock_t, pthread_spin_init(lock, 0), pthread_spin_lock(lock),
     pthread_spin_unlock(lock));
