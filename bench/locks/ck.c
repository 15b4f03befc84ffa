/* SPDX-License-Identifier: MIT */
/* Peers: Concurrency Kit's spinlocks, inline from its headers. */
#include "lock_bench.h"

#include <ck_spinlock.h>

LOCK(ck_cas, ck_spinlock_cas_t, ck_spinlock_cas_init(lock), ck_spinlock_cas_lock(lock),
     ck_spinlock_cas_unlock(lock));
LOCK(ck_cas_eb, ck_spinlock_cas_t, ck_spinlock_cas_init(lock), ck_spinlock_cas_lock_eb(lock),
     ck_spinlock_cas_unlock(lock));
LOCK(ck_ticket, ck_spinlock_ticket_t, ck_spinlock_ticket_init(lock), ck_spinlock_ticket_lock(lock),
     ck_spinlock_ticket_unlock(lock));
LOCK(ck_mcs, ck_spinlock_mcs_t, ck_spinlock_mcs_init(lock), ck_spinlock_mcs_lock(lock, node),
     ck_spinlock_mcs_unlock(lock, node));
