/* SPDX-License-Identifier: MIT */
/* ring3's locks: the mutex, the spinlocks behind the one interface, and the same without dispatch.
 */
#include "lock_bench.h"

#include "ring3/backoff.h"
#include "ring3/mutex.h"
#include "ring3/slice.h"
#include "ring3/spinlock.h"

#include <stdio.h>

LOCK(ring3_mutex, ring3_mutex_t, ring3_mutex_init(lock), ring3_mutex_lock(lock),
     ring3_mutex_unlock(lock));
LOCK(ring3_slice, ring3_slice_t, (void)0, ring3_slice_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_slice_unlock(lock));
LOCK(ring3_queued, ring3_qlock_t, (void)0, ring3_qlock_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_qlock_unlock(lock));
LOCK(ring3_biased, ring3_biased_t, (void)0, ring3_biased_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_biased_unlock(lock));

LOCK(ring3_tas, ring3_tas_t, (void)0, ring3_tas_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_tas_unlock(lock));
LOCK(ring3_ttas, ring3_ttas_t, (void)0, ring3_ttas_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_ttas_unlock(lock));
LOCK(ring3_backoff, ring3_backoff_t, (void)0, ring3_backoff_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_backoff_unlock(lock));
LOCK(ring3_ticket, ring3_ticket_t, (void)0, ring3_ticket_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_ticket_unlock(lock));
LOCK(ring3_mcs, ring3_mcs_t, (void)0, ring3_mcs_lock(lock, RING3_WAIT_ADAPTIVE),
     ring3_mcs_unlock(lock));
LOCK(ring3_mcs_node, ring3_mcs_t, (void)0, ring3_mcs_lock_node(lock, node, RING3_WAIT_ADAPTIVE),
     ring3_mcs_unlock_node(lock, node));

/* Every algorithm of the table behind ring3_spinlock_t, by name: a new one needs no line here. */
static ring3_array_slot_t slots[16]; /* of the one array lock that is measured at a time */

static void *spinlock_new(const struct ring3_bench *bench, int threads, int64_t param)
{
    const ring3_spinlock_algorithm_t *const algorithm = bench->context;
    struct lock_place *place = lock_place_new(sizeof(ring3_spinlock_t));

    (void)threads, (void)param;
    const int bad =
        *algorithm == RING3_SPINLOCK_ARRAY
            ? ring3_spinlock_init_array((void *)place->lock, slots, 16, RING3_WAIT_ADAPTIVE)
            : ring3_spinlock_init((void *)place->lock, *algorithm, RING3_WAIT_ADAPTIVE);

    if (bad)
        abort();
    return place;
}

static void spinlock_lock(void *lock, void *node)
{
    (void)node;
    ring3_spinlock_lock(lock);
}

static void spinlock_unlock(void *lock, void *node)
{
    (void)node;
    ring3_spinlock_unlock(lock);
}

static void spinlock_uncontended(struct ring3_bench_thread *t)
{
    lock_uncontended(t, spinlock_lock, spinlock_unlock);
}

static void spinlock_contended(struct ring3_bench_thread *t)
{
    lock_contended(t, spinlock_lock, spinlock_unlock);
}

__attribute__((constructor)) static void register_spinlocks(void)
{
    static struct {
        ring3_spinlock_algorithm_t algorithm;
        char uncontended_name[64], contended_name[64];
        struct ring3_bench uncontended, contended;
    } entry[RING3_SPINLOCK_ALGORITHMS];

    for (int i = 0; i < RING3_SPINLOCK_ALGORITHMS; i++) {
        const char *const name = ring3_spinlock_name((ring3_spinlock_algorithm_t)i);
        entry[i].algorithm = (ring3_spinlock_algorithm_t)i;
        snprintf(entry[i].uncontended_name, 64, "uncontended/ring3_spinlock_%s", name);
        snprintf(entry[i].contended_name, 64, "contended/ring3_spinlock_%s", name);
        entry[i].uncontended = (struct ring3_bench){.name = entry[i].uncontended_name,
                                                    .body = spinlock_uncontended,
                                                    .setup = spinlock_new,
                                                    .teardown = free,
                                                    .context = &entry[i].algorithm};
        entry[i].contended = (struct ring3_bench){.name = entry[i].contended_name,
                                                  .body = spinlock_contended,
                                                  .setup = spinlock_new,
                                                  .teardown = free,
                                                  .thread_teardown = lock_check,
                                                  .context = &entry[i].algorithm,
                                                  .threads = {1, 2, 4, 8}};
        ring3_bench_register(&entry[i].uncontended);
        ring3_bench_register(&entry[i].contended);
    }
}
