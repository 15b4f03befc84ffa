/* SPDX-License-Identifier: MIT */
/* Waiting by the object's own rules (queue.h), and its plainest form, waiting on a word. */
#include "queue.h"

#include "bucket.h"
#include "spin.h"

#include <errno.h>
#include <stddef.h>

struct ring3_queue ring3_queue_lock(const void *address)
{
    const struct ring3_queue queue = {ring3_park_bucket(address, 0), ring3_self()};

    bucket_lock(queue.bucket, queue.self);
    return queue;
}

void ring3_queue_unlock(struct ring3_queue queue)
{
    bucket_unlock(queue.bucket, queue.self);
}

static ring3_waiter_t *seek(ring3_waiter_t *waiter, const void *address)
{
    while (waiter && (waiter->address != address || waiter->contest))
        waiter = waiter->next;
    return waiter;
}

ring3_waiter_t *ring3_queue_first(struct ring3_queue queue, const void *address)
{
    return seek(queue.bucket->first, address);
}

bool ring3_queue_contested(struct ring3_queue queue, const void *address)
{
    return find(queue.bucket, true, address, 0) != NULL;
}

ring3_waiter_t *ring3_queue_after(const ring3_waiter_t *waiter)
{
    return seek(waiter->next, waiter->address);
}

static void take(ring3_park_bucket_t *bucket, ring3_waiter_t *waiter, int result,
                 struct ring3_taken *taken)
{
    take_out(bucket, waiter);
    waiter->taken = true;
    waiter->result = result;
    waiter->next = NULL;
    if (taken->last)
        taken->last->next = waiter;
    else
        taken->first = waiter;
    taken->last = waiter;
}

void ring3_queue_take(struct ring3_queue queue, ring3_waiter_t *waiter, int result,
                      struct ring3_taken *taken)
{
    take(queue.bucket, waiter, result, taken);
}

void ring3_queue_wake(struct ring3_taken *taken)
{
    ring3_waiter_t *waiter = taken->first;

    while (waiter) {
        ring3_waiter_t *const next = waiter->next; /* it may vanish once it is awake */

        finish(wake(waiter));
        waiter = next;
    }
    *taken = (struct ring3_taken){NULL, NULL};
}

void ring3_queue_wake_next(struct ring3_taken *taken)
{
    ring3_waiter_t *const waiter = taken->first;

    if (!waiter)
        return;
    taken->first = waiter->next;
    finish(wake(waiter));
}

/*
 * How long to spin before parking. Being woken from sleep takes 5 to 20 microseconds, and a partner
 * that is waiting for our answer meanwhile must not fall asleep too, or each of the following
 * exchanges would cost two such wake-ups: so this is longer than a lock's waiters spin. Pays only
 * while the partner runs on another CPU than we; the one who woke us last is taken for it.
 */
#define LONG_SPIN    600
#define VAIN_MAX     4  /* after this many vain attempts in a row … */
#define VAIN_PERSIST 16 /* … only one in so many waits spins */

static uint32_t spins_for(const ring3_self_t *self)
{
    if (ring3_arch.cpus == 1 || self->waker == (uint32_t)ring3_cpu() + 1)
        return 0;
    return self->vain < VAIN_MAX || self->vain % VAIN_PERSIST == 0 ? LONG_SPIN : 0;
}

void ring3_queue_stand(struct ring3_queue queue, ring3_waiter_t *waiter)
{
    waiter->self = queue.self;
    waiter->cpu = (uint32_t)ring3_cpu() + 1;
    ring3_store(&waiter->asleep, spins_for(queue.self) ? SPINNING : PARKED, RING3_RELAXED);
    append(queue.bucket, waiter);
    bucket_unlock(queue.bucket, queue.self);
}

/* Spin for a while, then say that the next one who wakes us must make a call. */
static void stop_spinning(ring3_waiter_t *waiter)
{
    uint32_t state = SPINNING;

    if (ring3_load(&waiter->asleep, RING3_RELAXED) == PARKED) {
        waiter->self->vain++;
        return;
    }
    for (uint32_t turn = 0; turn < LONG_SPIN; turn++) {
        if (ring3_load(&waiter->asleep, RING3_RELAXED) == AWAKE) {
            waiter->self->vain = 0;
            return;
        }
        ring3_cpu_relax();
    }
    waiter->self->vain++;
    /* Relaxed: what is ordered is AWAKE. */
    (void)ring3_cas_try(&waiter->asleep, &state, PARKED, RING3_RELAXED);
}

static int woken(ring3_waiter_t *waiter)
{
    waiter->self->waker = waiter->cpu;
    return waiter->result;
}

int ring3_queue_sleep(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                      const struct timespec *deadline, bool interruptible)
{
    ring3_self_t *const self = queue.self;
    int result = 0;

    stop_spinning(waiter);
    /* The acquires pair with the release in wake. */
    while (result == 0 && ring3_load(&waiter->asleep, RING3_ACQUIRE) != AWAKE) {
        result = self->parker->park(self, &waiter->asleep, PARKED, clock, deadline);
        if (result == -EINTR && !interruptible)
            result = 0;
    }
    if (ring3_load(&waiter->asleep, RING3_ACQUIRE) == AWAKE)
        return woken(waiter);
    bucket_lock(queue.bucket, self);
    if (!waiter->taken) {
        take_out(queue.bucket, waiter);
        return result;
    }
    bucket_unlock(queue.bucket, self);
    /* The one who took us wakes us, perhaps by way of a lock's queue. */
    while (ring3_load(&waiter->asleep, RING3_ACQUIRE) != AWAKE)
        (void)self->parker->park(self, &waiter->asleep, PARKED, CLOCK_MONOTONIC, NULL);
    return woken(waiter);
}

int ring3_queue_wait(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                     const struct timespec *deadline, bool interruptible)
{
    ring3_queue_stand(queue, waiter);
    return ring3_queue_sleep(queue, waiter, clock, deadline, interruptible);
}

void ring3_queue_join(struct ring3_queue queue, ring3_waiter_t *waiter)
{
    waiter->self = queue.self;
    waiter->cpu = (uint32_t)ring3_cpu() + 1;
    append(queue.bucket, waiter);
}

void ring3_queue_quit(struct ring3_queue queue, ring3_waiter_t *waiter)
{
    take_out(queue.bucket, waiter);
}

void ring3_queue_rest(ring3_waiter_t *waiter, bool spinning)
{
    /* One that has been taken already stays as it is: awake, or about to be woken. */
    if (!waiter->taken)
        ring3_store(&waiter->asleep, spinning ? SPINNING : PARKED, RING3_RELAXED);
}

/* Lock the queue again after waiting, unless the waiter was taken. */
static int come_back(struct ring3_queue queue, ring3_waiter_t *waiter, int result)
{
    bucket_lock(queue.bucket, queue.self);
    if (!waiter->taken) {
        ring3_store(&waiter->asleep, AWAKE, RING3_RELAXED);
        return result;
    }
    bucket_unlock(queue.bucket, queue.self);
    while (ring3_load(&waiter->asleep, RING3_ACQUIRE) != AWAKE)
        (void)queue.self->parker->park(queue.self, &waiter->asleep, PARKED, CLOCK_MONOTONIC, NULL);
    return RING3_TAKEN;
}

int ring3_queue_spin(struct ring3_queue queue, ring3_waiter_t *waiter)
{
    for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE);
         turn > 0 && ring3_load(&waiter->asleep, RING3_RELAXED) != AWAKE; turn--)
        ring3_cpu_relax();
    return come_back(queue, waiter, 0);
}

int ring3_queue_doze(struct ring3_queue queue, ring3_waiter_t *waiter, clockid_t clock,
                     const struct timespec *deadline)
{
    int result = 0;

    while (result != -ETIMEDOUT && ring3_load(&waiter->asleep, RING3_RELAXED) != AWAKE)
        result = queue.self->parker->park(queue.self, &waiter->asleep, PARKED, clock, deadline);
    return come_back(queue, waiter, result == -ETIMEDOUT ? result : 0);
}

struct ring3_nudge ring3_queue_nudge(ring3_waiter_t *waiter)
{
    const struct call call = wake(waiter);

    return (struct ring3_nudge){call.parker, call.claimed};
}

void ring3_queue_finish_nudge(struct ring3_nudge nudge)
{
    finish((struct call){nudge.parker, nudge.claimed});
}

bool ring3_queue_defer(void)
{
    ring3_self_t *const self = ring3_self();

    if (!ring3_read_once(&self->in_table))
        return false;
    ring3_write_once(&self->deferred, 1);
    return true;
}

/* Wake whoever is ready, in the whole table: this is too rare to keep a list for. */
void ring3_queue_catch_up(ring3_self_t *self)
{
    ring3_write_once(&self->deferred, 0);
    for (int i = 0; i < 1 << RING3_PARK_BUCKETS_LOG2; i++) {
        ring3_park_bucket_t *const bucket = &ring3_park_table[i];
        struct ring3_taken taken = {NULL, NULL};

        ring3_write_once(&self->in_table, 1);
        ring3_compiler_barrier();
        lock_only(bucket);
        for (ring3_waiter_t *waiter = bucket->first, *next; waiter; waiter = next) {
            next = waiter->next;
            if (waiter->ready && waiter->ready(waiter))
                take(bucket, waiter, 0, &taken);
        }
        unlock_only(bucket);
        ring3_compiler_barrier();
        ring3_write_once(&self->in_table, 0);
        ring3_queue_wake(&taken);
    }
}

/* --- Words ----------------------------------------------------------------------------------- */

static bool changed(ring3_waiter_t *waiter)
{
    return ring3_load((const uint32_t *)waiter->address, RING3_RELAXED) != waiter->key;
}

int ring3_word_wait(const uint32_t *word, uint32_t expected, int shared, clockid_t clock,
                    const struct timespec *deadline)
{
    ring3_waiter_t waiter = {.address = word, .key = expected, .ready = changed};
    int result;

    if (shared) {
        for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE); turn > 0; turn--) {
            if (changed(&waiter))
                return 0;
            ring3_cpu_relax();
        }
        result = ring3_futex_wait(word, expected, RING3_SHARED, clock, deadline);
        return result == -ETIMEDOUT ? result : 0;
    }
    const struct ring3_queue queue = ring3_queue_lock(word);

    /* Either this load sees the change, or the one who made it comes to the lock after us. */
    if (changed(&waiter)) {
        ring3_queue_unlock(queue);
        return 0;
    }
    result = ring3_queue_wait(queue, &waiter, clock, deadline, false);
    if (result == -ETIMEDOUT)
        ring3_queue_unlock(queue);
    return result;
}

void ring3_word_wake(const uint32_t *word, int count, int shared)
{
    struct ring3_taken taken = {NULL, NULL};

    if (shared) {
        (void)ring3_futex_wake(word, count, RING3_SHARED);
        return;
    }
    if (ring3_queue_defer())
        return;

    const struct ring3_queue queue = ring3_queue_lock(word);

    for (ring3_waiter_t *waiter; count > 0 && (waiter = ring3_queue_first(queue, word)); count--)
        ring3_queue_take(queue, waiter, 0, &taken);
    ring3_queue_unlock(queue);
    ring3_queue_wake(&taken);
}
