/* SPDX-License-Identifier: MIT */
/* What is explored: each shipped mechanism with as few threads as can show a mistake. */
#include "model.h"

#include "reader.h"
#include "ring3/biased.h"
#include "ring3/clh.h"
#include "ring3/cond.h"
#include "ring3/deque.h"
#include "ring3/guarded.h"
#include "ring3/hazard.h"
#include "ring3/mcs.h"
#include "ring3/mutex.h"
#include "ring3/qlock.h"
#include "ring3/rcu.h"
#include "ring3/sem.h"
#include "ring3/seqlock.h"
#include "ring3/slice.h"
#include "ring3/tas.h"
#include "ring3/ticket.h"
#include "ring3/ttas.h"

static uint64_t data, data2;

/* --- Exclusion: plain data under each lock ------------------------------------------------------ */

static void add_one(void)
{
    model_write(&data, model_read(&data) + 1);
}

static void nothing_lost(void)
{
    model_check(data == 2 || data == 4, "an increment is lost");
}

static ring3_mutex_t mutex;
static ring3_ticket_t ticket;
static ring3_mcs_t mcs;
static ring3_clh_t clh;
static ring3_tas_t tas;
static ring3_ttas_t ttas;
static ring3_guarded_t guarded;
static ring3_qlock_t queued;
static ring3_slice_t slice;
static ring3_biased_t biased;
static ring3_sem_t sem;

#define EXCLUSION(id, rounds, lock, unlock, word)                                                  \
    static void id##_thread(int me)                                                                \
    {                                                                                              \
        (void)me;                                                                                  \
        for (int i = 0; i < rounds; i++) {                                                         \
            lock;                                                                                  \
            add_one();                                                                             \
            unlock;                                                                                \
        }                                                                                          \
    }                                                                                              \
    MODEL(id, .threads = 2, .thread = id##_thread, .end = nothing_lost, .interruptions = 3,        \
          .stale = 2, .watched = word)

EXCLUSION(mutex, 1, ring3_mutex_lock(&mutex), ring3_mutex_unlock(&mutex), "mutex")
EXCLUSION(ticket, 1, ring3_ticket_lock(&ticket, RING3_WAIT_PARK), ring3_ticket_unlock(&ticket),
          "ticket")
EXCLUSION(mcs, 2, ring3_mcs_lock(&mcs, RING3_WAIT_PARK), ring3_mcs_unlock(&mcs), "mcs")
EXCLUSION(clh, 2, ring3_clh_lock(&clh, RING3_WAIT_PARK), ring3_clh_unlock(&clh), "clh")
EXCLUSION(tas, 1, ring3_tas_lock(&tas, RING3_WAIT_PARK), ring3_tas_unlock(&tas), "tas")
EXCLUSION(ttas, 1, ring3_ttas_lock(&ttas, RING3_WAIT_PARK), ring3_ttas_unlock(&ttas), "ttas")
EXCLUSION(guarded, 1, ring3_guarded_lock(&guarded, RING3_WAIT_PARK), ring3_guarded_unlock(&guarded),
          "guarded")

EXCLUSION(queued, 1, ring3_qlock_lock(&queued, RING3_WAIT_PARK), ring3_qlock_unlock(&queued),
          "qlock")
EXCLUSION(mutex_fair, 1, ring3_mutex_lock(&mutex), ring3_mutex_unlock_fair(&mutex), "mutex")
EXCLUSION(slice, 1, ring3_slice_lock(&slice, RING3_WAIT_PARK), ring3_slice_unlock(&slice), "slice")

static void biased_thread(int me)
{
    (void)me;
    for (int i = 0; i < 2; i++) {
        ring3_biased_lock(&biased, RING3_WAIT_ADAPTIVE);
        add_one();
        ring3_biased_unlock(&biased);
    }
}
MODEL(biased, .threads = 2, .thread = biased_thread, .end = nothing_lost, .interruptions = 2,
      .stale = 2, .watched = "biased")

static void one_permit(void)
{
    (void)ring3_sem_init(&sem, 1, 0, RING3_PRIVATE);
}

static void sem_thread(int me)
{
    (void)me;
    (void)ring3_sem_wait(&sem);
    add_one();
    (void)ring3_sem_post(&sem);
}
MODEL(semaphore, .threads = 2, .start = one_permit, .thread = sem_thread, .end = nothing_lost,
      .interruptions = 3, .stale = 2, .watched = "sem.")

/* Three threads, so that one waits behind another. */
static void three(int me)
{
    (void)me;
    ring3_mutex_lock(&mutex);
    ring3_mutex_unlock(&mutex);
}
MODEL(mutex_with_a_queue, .threads = 3, .thread = three, .interruptions = 2, .stale = 1,
      .watched = "park")

static void three_queued(int me)
{
    (void)me;
    ring3_qlock_lock(&queued, RING3_WAIT_PARK);
    ring3_qlock_unlock(&queued);
}
MODEL(queued_with_a_queue, .threads = 4, .thread = three_queued, .interruptions = 2, .stale = 1)

static void three_mcs(int me)
{
    (void)me;
    ring3_mcs_lock(&mcs, RING3_WAIT_PARK);
    ring3_mcs_unlock(&mcs);
}
MODEL(mcs_with_a_queue, .threads = 3, .thread = three_mcs, .interruptions = 2, .stale = 1)

/* --- Conditions --------------------------------------------------------------------------------- */

static ring3_cond_t cond;

static void wait_or_signal(int me)
{
    ring3_mutex_lock(&mutex);
    if (me == 0) {
        while (model_read(&data) == 0)
            ring3_cond_wait(&cond, &mutex);
        ring3_mutex_unlock(&mutex);
    } else {
        model_write(&data, 1);
        ring3_mutex_unlock(&mutex);
        ring3_cond_signal(&cond);
    }
}
MODEL(cond_signal_after_unlock, .threads = 2, .thread = wait_or_signal, .interruptions = 3,
      .stale = 1, .watched = "cond")

static void wait_or_broadcast(int me)
{
    ring3_mutex_lock(&mutex);
    if (me < 2) {
        while (model_read(&data) == 0)
            ring3_cond_wait(&cond, &mutex);
    } else {
        model_write(&data, 1);
        ring3_cond_broadcast(&cond);
    }
    ring3_mutex_unlock(&mutex);
}
MODEL(cond_broadcast_to_two, .threads = 3, .thread = wait_or_broadcast, .interruptions = 1,
      .stale = 1)

/* --- RCU ----------------------------------------------------------------------------------------- */

struct version {
    uint64_t value;
};
static struct version versions[2], *current;

/* Few records, so that a period is short. */
static void publish_first(void)
{
    ring3_reader_runs->count = 4;
    current = &versions[0];
    versions[0].value = 1;
}

static void read_or_replace(int me)
{
    if (me == 0) {
        for (int i = 0; i < 2; i++) {
            ring3_rcu_read_lock();
            const struct version *const version = ring3_rcu_dereference(&current);

            model_check(model_read(&version->value) != 0, "a reader sees what was freed");
            ring3_rcu_read_unlock();
        }
    } else {
        model_write(&versions[1].value, 2);
        ring3_rcu_assign(&current, &versions[1]);
        (void)ring3_rcu_synchronize();
        model_write(&versions[0].value, 0);
    }
}
MODEL(rcu, .threads = 2, .start = publish_first, .thread = read_or_replace, .interruptions = 3,
      .stale = 2, .watched = "rcu.h")

static void two_writers(int me)
{
    if (me == 0) {
        ring3_rcu_read_lock();
        const struct version *const version = ring3_rcu_dereference(&current);

        model_check(model_read(&version->value) != 0, "a reader sees what was freed");
        ring3_rcu_read_unlock();
    } else if (me == 1) {
        model_write(&versions[1].value, 2);
        ring3_rcu_assign(&current, &versions[1]);
        (void)ring3_rcu_synchronize();
        model_write(&versions[0].value, 0);
    } else {
        (void)ring3_rcu_synchronize();
    }
}
MODEL(rcu_shared_period, .threads = 3, .start = publish_first, .thread = two_writers,
      .interruptions = 2, .stale = 1, .watched = "rcu.c")

/* --- Hazard pointers ------------------------------------------------------------------------------ */

static ring3_retired_t retired;

static void wipe(void *version)
{
    model_write(&((struct version *)version)->value, 0);
}

static void protect_or_retire(int me)
{
    if (me == 0) {
        for (int i = 0; i < 2; i++) {
            struct version *const version = ring3_hazard_protect(0, &current);

            model_check(model_read(&version->value) != 0, "a reader sees what was freed");
            ring3_hazard_clear(0);
        }
    } else {
        model_write(&versions[1].value, 2);
        ring3_store(&current, &versions[1], RING3_RELEASE);
        ring3_hazard_retire(&retired, &versions[0], wipe);
        (void)ring3_hazard_flush();
    }
}
MODEL(hazard, .threads = 2, .start = publish_first, .thread = protect_or_retire, .interruptions = 3,
      .stale = 2, .watched = "hazard")

/* --- Sequence counter ----------------------------------------------------------------------------- */

static ring3_seqcount_t count;
static uint64_t left, right;

static void copy_or_write(int me)
{
    if (me == 0) {
        for (uint64_t i = 1; i <= 2; i++) {
            ring3_seqcount_write(&count);
            ring3_store(&left, i, RING3_RELAXED);
            ring3_store(&right, i, RING3_RELAXED);
            ring3_seqcount_end(&count);
        }
    } else {
        uint64_t a, b;
        uint32_t seen;

        do {
            while (!ring3_seqcount_try(&count, &seen))
                model_relax();
            a = ring3_load(&left, RING3_RELAXED);
            b = ring3_load(&right, RING3_RELAXED);
        } while (ring3_seqcount_retry(&count, seen));
        model_check(a == b, "a reader sees half a write");
    }
}
MODEL(seqcount, .threads = 2, .thread = copy_or_write, .interruptions = 3, .stale = 3,
      .watched = "seqlock")

/* --- The work-stealing deque of libthreadpool ------------------------------------------------------ */

static ring3_deque_t deque;
static uint64_t jobs[3];
static int taken[3];
static uint32_t finished[3];

static void begin_deque(void)
{
    ring3_deque_init(&deque);
}

static void run_job(void *item)
{
    if (!item)
        return;
    model_check(model_read(item) == 7, "a job is run before it was written");
    taken[(uint64_t *)item - jobs]++;
}

static void steal_job(void)
{
    uint64_t *const job = ring3_deque_steal(&deque, NULL);

    run_job(job);
    if (job)
        ring3_store(&finished[job - jobs], 1, RING3_RELEASE);
}

static void push_job(int number)
{
    bool offer;

    model_write(&jobs[number], 7);
    if (ring3_deque_push(&deque, &jobs[number], &offer) && offer)
        ring3_deque_offer(&deque);
}

/* The youngest job, which is this one: run here, or else by a thief. */
static void sync_job(int number)
{
    void *const item =
        ring3_deque_pop_this(&deque, &jobs[number]) ? &jobs[number] : ring3_deque_pop(&deque);

    model_check(!item || item == &jobs[number], "the owner pops another job");
    if (item) {
        run_job(item);
        return;
    }
    while (!ring3_load(&finished[number], RING3_ACQUIRE))
        ring3_cpu_relax();
    ring3_deque_drop(&deque);
}

static void own_or_steal(int me)
{
    if (me == 0) {
        push_job(0);
        push_job(1);
        sync_job(1);
        push_job(2);
        sync_job(2);
        sync_job(0);
    } else {
        steal_job();
        steal_job();
    }
}

static void each_once(void)
{
    for (int i = 0; i < 3; i++)
        model_check(taken[i] == 1, "a job is run twice or never");
}
MODEL(deque, .start = begin_deque, .threads = 2, .thread = own_or_steal, .end = each_once,
      .interruptions = 3, .stale = 3, .watched = "deque")
MODEL(deque_with_two_thieves, .start = begin_deque, .threads = 3, .thread = own_or_steal,
      .end = each_once, .interruptions = 2, .stale = 2)

/* A thief that may take parts of job 0 only, which is over when `job_over` says so. */
static uint32_t job_over;

static void begin_anew(int me)
{
    if (me == 0) {
        push_job(0);
        sync_job(0);
        ring3_store(&job_over, 1, RING3_RELEASE);
        ring3_deque_renew(&deque);
        push_job(1);
        sync_job(1);
    } else {
        uint64_t *const job = ring3_deque_steal(&deque, &job_over);

        model_check(!job || job == &jobs[0], "a wait takes an unrelated job");
        run_job(job);
        if (job)
            ring3_store(&finished[0], 1, RING3_RELEASE);
    }
}
MODEL(deque_leapfrogging, .start = begin_deque, .threads = 2, .thread = begin_anew,
      .interruptions = 3, .stale = 3, .watched = "deque")

/* --- Algorithms with a mistake: the explorer must find it -------------------------------------------- */

/* The notes' sleeping lock: a switch between the failed attempt and the sleep loses the wake-up. */
static uint32_t naive_lock, naive_turn;

static void naive(int me)
{
    (void)me;
    while (ring3_cas(&naive_lock, 0, 1, RING3_ACQUIRE) != 0)
        (void)ring3_futex_wait(&naive_turn, ring3_load(&naive_turn, RING3_RELAXED), RING3_PRIVATE,
                               CLOCK_MONOTONIC, NULL);
    add_one();
    ring3_store(&naive_lock, 0, RING3_RELEASE);
    (void)ring3_futex_wake(&naive_turn, 1, RING3_PRIVATE);
}
MODEL(naive_sleeping_lock_loses_a_wake_up, .threads = 2, .thread = naive, .interruptions = 2,
      .stale = 0, .broken = true)

/* x++ by two threads. */
static void increment(int me)
{
    (void)me;
    ring3_store(&data2, ring3_load(&data2, RING3_RELAXED) + 1, RING3_RELAXED);
}

static void both_counted(void)
{
    model_check(data2 == 2, "an increment is lost");
}
MODEL(increments_without_a_lock, .threads = 2, .thread = increment, .end = both_counted,
      .interruptions = 1, .stale = 0, .broken = true)

/* Dekker's core with releases and acquires only: both may enter. */
static uint32_t wants[2];

static void dekker(int me)
{
    ring3_store(&wants[me], 1, RING3_RELEASE);
    if (ring3_load(&wants[1 - me], RING3_ACQUIRE) == 0)
        add_one();
}
MODEL(dekker_without_a_fence, .threads = 2, .thread = dekker, .interruptions = 2, .stale = 1,
      .broken = true)

/* A waiter that tests with `if`. */
static void impatient(int me)
{
    ring3_mutex_lock(&mutex);
    if (me < 2) {
        if (model_read(&data) == 0)
            ring3_cond_wait(&cond, &mutex);
        model_check(model_read(&data) > 0, "a waiter goes on although nothing is there");
        model_write(&data, model_read(&data) - 1);
    } else {
        model_write(&data, model_read(&data) + 1);
        ring3_cond_broadcast(&cond);
    }
    ring3_mutex_unlock(&mutex);
}
MODEL(cond_wait_with_if, .threads = 3, .thread = impatient, .interruptions = 2, .stale = 0,
      .broken = true)

/* Freeing after the pointer was changed, without waiting for readers. */
static void no_grace(int me)
{
    if (me == 0) {
        read_or_replace(0);
    } else {
        ring3_rcu_assign(&current, &versions[1]);
        model_write(&versions[0].value, 0);
    }
}
MODEL(rcu_without_a_grace_period, .threads = 2, .start = publish_first, .thread = no_grace,
      .interruptions = 2, .stale = 1, .broken = true)
