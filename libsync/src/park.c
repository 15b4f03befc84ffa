/* SPDX-License-Identifier: MIT */
/*
 * The parking table of ring3/park.h.
 *
 * Under a bucket's lock: its queue, every field of the waiters in it, and `callable`. Read without
 * it: `callable` (by releases) and a waiter's `asleep` (by the waiter itself).
 *
 * Invariant: callable = number of sleeping waiters that a release must wake = sleeping turn waiters
 * + sleeping contest waiters that are the first of their address.
 */
#include "ring3/park.h"

#include "ring3/wait.h"

#include "bucket.h"
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

/* The one table of the process: waiters and releases must meet without knowing each other. */
ring3_park_bucket_t ring3_park_table[1 << RING3_PARK_BUCKETS_LOG2];

/* --- Sleeping --------------------------------------------------------------------------------- */

/*
 * When the kernel refuses membarrier after having agreed to it, a release may overlook us. We then
 * look ourselves, this often; such processes have entered a sandbox and are few.
 */
#define NAP_NS 1000000

/*
 * Park until the waiter is called or the deadline passes. `sure` is false after a refused heavy
 * fence: then it also returns after each nap.
 */
static int sleep_until_called(ring3_waiter_t *waiter, bool sure, clockid_t clock,
                              const struct timespec *deadline)
{
    struct timespec nap;

    /* Pairs with the release in wake. */
    while (ring3_load(&waiter->asleep, RING3_ACQUIRE)) {
        int result;

        if (!sure) {
            nap = ring3_deadline_in(CLOCK_MONOTONIC, NAP_NS);
            (void)waiter->self->parker->park(waiter->self, &waiter->asleep, 1, CLOCK_MONOTONIC,
                                             &nap);
            return ring3_deadline_passed(clock, deadline) ? -ETIMEDOUT : 0;
        }
        result = waiter->self->parker->park(waiter->self, &waiter->asleep, 1, clock, deadline);
        if (result == -ETIMEDOUT)
            return result;
    }
    return 0;
}

int ring3_park_turn(const void *address, uint32_t key, const uint32_t *word, uint32_t old,
                    const struct timespec *deadline)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(address, key);
    ring3_waiter_t waiter = {
        .self = ring3_self(), .address = address, .key = key, .asleep = 1, .contest = false};
    int result = 0;

    bucket_lock(bucket, waiter.self);
    append(bucket, &waiter);
    callable_add(bucket, 1);
    bucket_unlock(bucket, waiter.self);

    const bool sure = ring3_fence_heavy();

    /* Pairs with the release that changed the word; the caller's own acquire may rely on it. */
    if (ring3_load(word, RING3_ACQUIRE) == old)
        result = sleep_until_called(&waiter, sure, CLOCK_MONOTONIC, deadline);
    if (ring3_load(&waiter.asleep, RING3_ACQUIRE) == 0)
        return 0; /* announced, and taken out by the announcer */
    bucket_lock(bucket, waiter.self);
    if (waiter.queued) {
        take_out(bucket, &waiter);
        callable_add(bucket, (uint32_t)-1);
    } else {
        result = 0; /* announced at the last moment: who gave up would swallow the turn */
    }
    bucket_unlock(bucket, waiter.self);
    return result;
}

void ring3_park_announce_slow(const void *address, uint32_t key)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(address, key);
    ring3_self_t *const self = ring3_self();
    struct call call = {NULL, NULL};

    bucket_lock(bucket, self);
    ring3_waiter_t *const waiter = find(bucket, false, address, key);

    if (waiter) {
        take_out(bucket, waiter);
        callable_add(bucket, (uint32_t)-1);
        call = wake(waiter);
    }
    bucket_unlock(bucket, self);
    finish(call);
}

bool ring3_park_enter(ring3_waiter_t *waiter, const void *address)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(address, 0);

    *waiter = (ring3_waiter_t){.self = ring3_self(), .address = address, .contest = true};
    bucket_lock(bucket, waiter->self);
    const bool first = !find(bucket, true, address, 0);

    append(bucket, waiter);
    bucket_unlock(bucket, waiter->self);
    return first;
}

int ring3_park_sleep(ring3_waiter_t *waiter, bool (*blocked)(const void *address), clockid_t clock,
                     const struct timespec *deadline)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(waiter->address, 0);
    bool sure = true;
    int result = 0;

    bucket_lock(bucket, waiter->self);
    const bool first = find(bucket, true, waiter->address, 0) == waiter;

    ring3_store(&waiter->asleep, 1, RING3_RELAXED);
    if (first)
        callable_add(bucket, 1);
    bucket_unlock(bucket, waiter->self);

    /* Only releases that see us call us. Who is not first becomes so by ring3_park_leave of the one
     * before. */
    if (first)
        sure = ring3_fence_heavy();
    if (!first || blocked(waiter->address))
        result = sleep_until_called(waiter, sure, clock, deadline);
    if (ring3_load(&waiter->asleep, RING3_ACQUIRE) == 0)
        return 0;
    bucket_lock(bucket, waiter->self);
    if (is_asleep(waiter)) {
        ring3_store(&waiter->asleep, 0, RING3_RELAXED);
        if (find(bucket, true, waiter->address, 0) == waiter)
            callable_add(bucket, (uint32_t)-1);
    } else {
        result = 0;
    }
    bucket_unlock(bucket, waiter->self);
    return result;
}

void ring3_park_leave(ring3_waiter_t *waiter, bool won)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(waiter->address, 0);
    struct call call = {NULL, NULL};

    bucket_lock(bucket, waiter->self);
    const bool was_first = find(bucket, true, waiter->address, 0) == waiter;

    take_out(bucket, waiter);
    if (was_first) {
        ring3_waiter_t *const next = find(bucket, true, waiter->address, 0);

        if (next && is_asleep(next)) {
            if (won)
                callable_add(bucket, 1); /* our own release will see this: same thread */
            else
                call = wake(next);
        }
    }
    bucket_unlock(bucket, waiter->self);
    finish(call);
}

void ring3_park_release_slow(const void *address)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(address, 0);
    ring3_self_t *const self = ring3_self();
    struct call call = {NULL, NULL};

    bucket_lock(bucket, self);
    ring3_waiter_t *const waiter = find(bucket, true, address, 0);

    if (waiter && is_asleep(waiter)) {
        callable_add(bucket, (uint32_t)-1);
        call = wake(waiter);
    }
    bucket_unlock(bucket, self);
    finish(call);
}

/* --- From the queue of another object --------------------------------------------------------- */

void ring3_park_adopt(struct ring3_taken *taken, const void *address,
                      bool (*blocked)(const void *address), uint32_t cpu)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(address, 0);
    ring3_self_t *const self = ring3_self();
    ring3_waiter_t *const head = taken->first;
    bool asleep = head->cpu == cpu && ring3_load(&head->asleep, RING3_RELAXED) == PARKED;
    struct call call = {NULL, NULL};

    bucket_lock(bucket, self);
    const bool first = !find(bucket, true, address, 0);

    for (ring3_waiter_t *waiter = head, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->address = address;
        waiter->key = 0;
        waiter->contest = true;
        append(bucket, waiter);
    }
    /* As in ring3_park_sleep, on behalf of the sleeper. It cannot leave, and so the lock exists,
     * until we let go of its queue. */
    if (first && asleep) {
        callable_add(bucket, 1);
        asleep = ring3_fence_heavy() && blocked(address);
        if (!asleep)
            callable_add(bucket, (uint32_t)-1);
    }
    if (first && !asleep)
        call = wake(head);
    bucket_unlock(bucket, self);
    finish(call);
    *taken = (struct ring3_taken){NULL, NULL};
}

/* The child has one thread, and it waits for nothing: whoever stands in the table exists only in
 * the parent. Clean buckets are left alone, or each fork would copy the table's pages. */
static void empty_after_fork(void)
{
    for (size_t i = 0; i < sizeof ring3_park_table / sizeof *ring3_park_table; i++) {
        ring3_park_bucket_t *const bucket = &ring3_park_table[i];

        if (bucket->first || bucket->callable || bucket->lock)
            *bucket = (ring3_park_bucket_t){0};
    }
    ring3_self()->in_table = 0;
    ring3_self()->deferred = 0;
}

__attribute__((constructor(RING3_START_FIRST))) static void park_start(void)
{
    (void)pthread_atfork(NULL, NULL, empty_after_fork);
}
