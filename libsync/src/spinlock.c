/* SPDX-License-Identifier: MIT */
/* The dispatching spinlock: one row per algorithm. */
#include "ring3/spinlock.h"

#include "ring3/backoff.h"
#include "ring3/delay.h"
#include "ring3/self.h"

#include "misuse.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(ring3_spinlock_t) == 32, "the size is part of the interface");

struct algorithm {
    const char *name;
    int (*lock)(void *state, ring3_wait_t how, const struct timespec *deadline);
    int (*trylock)(void *state);
    void (*unlock)(void *state);
};

static int tas_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_tas_timedlock(state, how, deadline);
}
static int tas_trylock(void *state)
{
    return ring3_tas_trylock(state);
}
static void tas_unlock(void *state)
{
    ring3_tas_unlock(state);
}

static int ttas_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_ttas_timedlock(state, how, deadline);
}
static int ttas_trylock(void *state)
{
    return ring3_ttas_trylock(state);
}
static void ttas_unlock(void *state)
{
    ring3_ttas_unlock(state);
}

static int backoff_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_backoff_timedlock(state, how, deadline);
}

static int ticket_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_ticket_timedlock(state, how, deadline);
}
static int ticket_trylock(void *state)
{
    return ring3_ticket_trylock(state);
}
static void ticket_unlock(void *state)
{
    ring3_ticket_unlock(state);
}

static int mcs_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_mcs_timedlock(state, how, deadline);
}
static int mcs_trylock(void *state)
{
    return ring3_mcs_trylock(state);
}
static void mcs_unlock(void *state)
{
    ring3_mcs_unlock(state);
}

static int cas_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_caslock_timedlock(state, how, deadline);
}
static int cas_trylock(void *state)
{
    return ring3_caslock_trylock(state);
}
static void cas_unlock(void *state)
{
    ring3_caslock_unlock(state);
}

static int delay_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_delay_timedlock(state, how, deadline);
}

static int ticket_backoff_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_ticket_timedlock_backoff(state, how, deadline);
}

static int clh_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_clh_timedlock(state, how, deadline);
}
static int clh_trylock(void *state)
{
    return ring3_clh_trylock(state);
}
static void clh_unlock(void *state)
{
    ring3_clh_unlock(state);
}

static int qlock_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_qlock_timedlock(state, how, deadline);
}
static int qlock_trylock(void *state)
{
    return ring3_qlock_trylock(state);
}
static void qlock_unlock(void *state)
{
    ring3_qlock_unlock(state);
}

static int biased_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_biased_timedlock(state, how, deadline);
}
static int biased_trylock(void *state)
{
    return ring3_biased_trylock(state);
}
static void biased_unlock(void *state)
{
    ring3_biased_unlock(state);
}

static int slice_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_slice_timedlock(state, how, deadline);
}
static int slice_trylock(void *state)
{
    return ring3_slice_trylock(state);
}
static void slice_unlock(void *state)
{
    ring3_slice_unlock(state);
}

static int adaptive_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_mutex_timedlock_as(state, how, deadline);
}
static int adaptive_trylock(void *state)
{
    return ring3_mutex_trylock(state);
}
static void adaptive_unlock(void *state)
{
    ring3_mutex_unlock(state);
}

static int array_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_array_timedlock(state, how, deadline);
}
static int array_trylock(void *state)
{
    return ring3_array_trylock(state);
}
static void array_unlock(void *state)
{
    ring3_array_unlock(state);
}

static int guarded_lock(void *state, ring3_wait_t how, const struct timespec *deadline)
{
    return ring3_guarded_timedlock(state, how, deadline);
}
static int guarded_trylock(void *state)
{
    return ring3_guarded_trylock(state);
}
static void guarded_unlock(void *state)
{
    ring3_guarded_unlock(state);
}

static const struct algorithm algorithms[RING3_SPINLOCK_ALGORITHMS] = {
    [RING3_SPINLOCK_TTAS] = {"ttas", ttas_lock, ttas_trylock, ttas_unlock},
    [RING3_SPINLOCK_TAS] = {"tas", tas_lock, tas_trylock, tas_unlock},
    [RING3_SPINLOCK_BACKOFF] = {"backoff", backoff_lock, ttas_trylock, ttas_unlock},
    [RING3_SPINLOCK_TICKET] = {"ticket", ticket_lock, ticket_trylock, ticket_unlock},
    [RING3_SPINLOCK_MCS] = {"mcs", mcs_lock, mcs_trylock, mcs_unlock},
    [RING3_SPINLOCK_CAS] = {"cas", cas_lock, cas_trylock, cas_unlock},
    [RING3_SPINLOCK_DELAY] = {"delay", delay_lock, ttas_trylock, ttas_unlock},
    [RING3_SPINLOCK_TICKET_BACKOFF] = {"ticket-backoff", ticket_backoff_lock, ticket_trylock,
                                       ticket_unlock},
    [RING3_SPINLOCK_CLH] = {"clh", clh_lock, clh_trylock, clh_unlock},
    [RING3_SPINLOCK_GUARDED] = {"guarded", guarded_lock, guarded_trylock, guarded_unlock},
    [RING3_SPINLOCK_QUEUED] = {"queued", qlock_lock, qlock_trylock, qlock_unlock},
    [RING3_SPINLOCK_BIASED] = {"biased", biased_lock, biased_trylock, biased_unlock},
    [RING3_SPINLOCK_SLICE] = {"slice", slice_lock, slice_trylock, slice_unlock},
    [RING3_SPINLOCK_ADAPTIVE] = {"adaptive", adaptive_lock, adaptive_trylock, adaptive_unlock},
    [RING3_SPINLOCK_ARRAY] = {"array", array_lock, array_trylock, array_unlock},
};

const char *ring3_spinlock_name(ring3_spinlock_algorithm_t algorithm)
{
    return (unsigned)algorithm < RING3_SPINLOCK_ALGORITHMS ? algorithms[algorithm].name : NULL;
}

int ring3_spinlock_find(const char *name)
{
    for (int i = 0; i < RING3_SPINLOCK_ALGORITHMS; i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return i;
    return -ENOENT;
}

int ring3_spinlock_init(ring3_spinlock_t *lock, ring3_spinlock_algorithm_t algorithm,
                        ring3_wait_t how)
{
    if ((unsigned)algorithm >= RING3_SPINLOCK_ALGORITHMS || (unsigned)how >= RING3_WAIT_POLICIES ||
        algorithm == RING3_SPINLOCK_ARRAY)
        return -EINVAL;
    *lock = (ring3_spinlock_t){.algorithm = (uint16_t)algorithm, .wait = (uint16_t)how};
    return 0;
}

int ring3_spinlock_init_array(ring3_spinlock_t *lock, ring3_array_slot_t *slots, uint32_t count,
                              ring3_wait_t how)
{
    ring3_array_t array;

    if ((unsigned)how >= RING3_WAIT_POLICIES || ring3_array_init(&array, slots, count) != 0)
        return -EINVAL;
    *lock = (ring3_spinlock_t){
        .state.array = array, .algorithm = RING3_SPINLOCK_ARRAY, .wait = (uint16_t)how};
    return 0;
}

/* Debug builds know the holder: as many bits of a hash of its address, which unlike its id is the same in
 * a forked child, as fit beside the waiting policy. */
#define WAIT_BITS 3u

static uint16_t mark_of(const ring3_self_t *self)
{
    const uint64_t hash = (uint64_t)(uintptr_t)self * UINT64_C(0x9e3779b97f4a7c15);

    return (uint16_t)((hash >> 48 & ~(uint64_t)WAIT_BITS) | 1u << 15);
}

static void note_holder(ring3_spinlock_t *lock, const ring3_self_t *self)
{
    if (RING3_DEBUGGING)
        ring3_store(&lock->wait, (uint16_t)((lock->wait & WAIT_BITS) | mark_of(self)),
                    RING3_RELAXED);
}

static void check_holder(ring3_spinlock_t *lock, const ring3_self_t *self)
{
    if (!RING3_DEBUGGING)
        return;
    if ((lock->wait & ~WAIT_BITS) != mark_of(self))
        ring3_misuse("spinlock unlocked by a context that does not hold it", lock);
    ring3_store(&lock->wait, (uint16_t)(lock->wait & WAIT_BITS), RING3_RELAXED);
}

static int acquire(ring3_spinlock_t *lock, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    int result;

    /* Raised before the attempt: a holder must not be preempted between taking the lock and saying
     * so. */
    ring3_preempt_disable(self);
    result = algorithms[lock->algorithm].lock(
        &lock->state, (ring3_wait_t)(ring3_load(&lock->wait, RING3_RELAXED) & WAIT_BITS), deadline);
    if (result != 0)
        ring3_preempt_enable(self);
    else
        note_holder(lock, self);
    return result;
}

void ring3_spinlock_lock(ring3_spinlock_t *lock)
{
    (void)acquire(lock, NULL);
}

int ring3_spinlock_timedlock(ring3_spinlock_t *lock, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    return bad ? bad : acquire(lock, deadline);
}

int ring3_spinlock_trylock(ring3_spinlock_t *lock)
{
    ring3_self_t *const self = ring3_self();
    int result;

    ring3_preempt_disable(self);
    result = algorithms[lock->algorithm].trylock(&lock->state);
    if (result != 0)
        ring3_preempt_enable(self);
    else
        note_holder(lock, self);
    return result;
}

void ring3_spinlock_unlock(ring3_spinlock_t *lock)
{
    ring3_self_t *const self = ring3_self();

    check_holder(lock, self);
    algorithms[lock->algorithm].unlock(&lock->state);
    ring3_preempt_enable(self);
}

/* pthread_sigmask leaves errno alone. */
void ring3_spinlock_lock_sigsave(ring3_spinlock_t *lock, sigset_t *saved)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, saved);
    ring3_spinlock_lock(lock);
}

void ring3_spinlock_unlock_sigrestore(ring3_spinlock_t *lock, const sigset_t *saved)
{
    ring3_spinlock_unlock(lock);
    (void)pthread_sigmask(SIG_SETMASK, saved, NULL);
}
