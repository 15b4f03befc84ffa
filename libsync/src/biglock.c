/* SPDX-License-Identifier: MIT */
/* The rows of slots, and the writer's side, of ring3/biglock.h. */
#include "ring3/biglock.h"

#include "readers.h"

#include "ring3/bitmap.h"
#include "ring3/wait.h"

#include "nodes.h"
#include "reader.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

static_assert(sizeof(ring3_biglock_t) == 24, "the size is part of the interface");

/* --- Rows ------------------------------------------------------------------------------------- */

#define ROWS 1024 /* 64 KiB, of which only rows in use are ever touched */

/* One set per process: a writer must find the readers without knowing them. `taken` says which
 * rows have an owner; rows beyond `highest` never had one. */
static ring3_biglock_row_t rows[ROWS];
static uint64_t taken[RING3_BITMAP_WORDS(ROWS)];
static uint32_t highest;

static void get_row(ring3_self_t *self)
{
    for (size_t i = 0; (i = ring3_bitmap_find_clear(taken, ROWS, i)) < ROWS; i++) {
        uint32_t seen = ring3_load(&highest, RING3_RELAXED);

        /* The acquire pairs with the release of the row's last owner. */
        if (ring3_fetch_or(&taken[i / 64], UINT64_C(1) << i % 64, RING3_ACQ_REL) >> i % 64 & 1)
            continue;
        /*
         * A writer that does not count this row yet has closed its lock before we look at it: the
         * fence pair orders this store, too, before the writer's look.
         */
        while (seen < i + 1 && !ring3_cas_weak(&highest, &seen, (uint32_t)i + 1, RING3_RELAXED))
            ;
        self->readers = &rows[i];
        ring3_self_keeps(self);
        return;
    }
}

void ring3_readers_give_back(ring3_self_t *self)
{
    if (!self->readers)
        return;
    const size_t i = (size_t)((ring3_biglock_row_t *)self->readers - rows);

    self->readers = NULL;
    (void)ring3_fetch_and(&taken[i / 64], ~(UINT64_C(1) << i % 64), RING3_RELEASE);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * RING3_SECOND_NS + (uint64_t)time.tv_nsec;
}

/* The caller reads by way of `below`, so that no writer is there. */
static void open_again(ring3_biglock_t *lock)
{
    ring3_self_t *const self = ring3_self();

    if (!self->readers)
        get_row(self);
    if (!ring3_load(&lock->open, RING3_RELAXED) &&
        now() >= ring3_load(&lock->closed_until, RING3_RELAXED))
        /* Pairs with the acquire in ring3_biglock_pass. */
        ring3_store(&lock->open, 1, RING3_RELEASE);
}

int ring3_biglock_rdlock_slow(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline)
{
    const int result = ring3_rwlock_clockrdlock(&lock->below, clock, deadline);

    if (result == 0)
        open_again(lock);
    return result;
}

int ring3_biglock_clockrdlock(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline)
{
    return ring3_biglock_pass(lock) ? 0 : ring3_biglock_rdlock_slow(lock, clock, deadline);
}

int ring3_biglock_tryrdlock(ring3_biglock_t *lock)
{
    if (ring3_biglock_pass(lock))
        return 0;
    const int result = ring3_rwlock_tryrdlock(&lock->below);

    if (result == 0)
        open_again(lock);
    return result;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* 1 + the first row from `i` on whose context reads by way of its slot; 0 if there is none. */
static uint32_t find_reader(const ring3_biglock_t *lock, uint32_t i)
{
    const size_t slot = (size_t)(ring3_biglock_slot(&(ring3_self_t){.readers = rows}, lock) -
                                 (const ring3_biglock_t **)rows[0].slot);

    /* The acquires pair with the release in ring3_biglock_rdunlock. */
    for (; i < ring3_load(&highest, RING3_ACQUIRE); i++)
        if (ring3_load(&rows[i].slot[slot], RING3_ACQUIRE) == lock)
            return i + 1;
    return 0;
}

static void close_way(ring3_biglock_t *lock)
{
    ring3_store(&lock->open, 0, RING3_RELAXED);
    ring3_fence_patient();
}

/* With readers still in their slots the lock must be open: a writer that finds it closed does not
 * look for them. */
static void give_way(ring3_biglock_t *lock)
{
    /* Pairs with the acquire in ring3_biglock_pass. */
    ring3_store(&lock->open, 1, RING3_RELEASE);
}

/* The caller holds `below` as writer. */
static int close_and_wait(ring3_biglock_t *lock, clockid_t clock, const struct timespec *deadline)
{
    const uint64_t start = now();
    ring3_pause_t pause = {0};
    uint32_t reader = 1;
    int result = 0;

    close_way(lock);
    while (result == 0 && (reader = find_reader(lock, reader - 1)) != 0) {
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, clock == CLOCK_MONOTONIC ? deadline : NULL);
        if (ring3_deadline_passed(clock, deadline))
            result = -ETIMEDOUT;
    }
    const uint64_t end = now();

    if (result)
        give_way(lock);
    else
        ring3_store(&lock->closed_until, end + 9 * (end - start), RING3_RELAXED);
    return result;
}

int ring3_biglock_clockwrlock(ring3_biglock_t *lock, clockid_t clock,
                              const struct timespec *deadline)
{
    int result = ring3_rwlock_clockwrlock(&lock->below, clock, deadline);

    if (result == 0 && ring3_load(&lock->open, RING3_RELAXED)) {
        result = close_and_wait(lock, clock, deadline);
        if (result)
            ring3_rwlock_wrunlock(&lock->below);
    }
    return result;
}

int ring3_biglock_trywrlock(ring3_biglock_t *lock)
{
    if (ring3_rwlock_trywrlock(&lock->below) != 0)
        return -EBUSY;
    if (ring3_load(&lock->open, RING3_RELAXED)) {
        close_way(lock);
        if (find_reader(lock, 0)) {
            give_way(lock);
            ring3_rwlock_wrunlock(&lock->below);
            return -EBUSY;
        }
    }
    return 0;
}

/* Only the forking context lives on; what the slots of others say is no longer true. */
static void clear_after_fork(void)
{
    const ring3_self_t *const self = ring3_self();

    for (uint32_t i = 0; i < highest; i++)
        if (&rows[i] != self->readers) {
            memset(&rows[i], 0, sizeof rows[i]);
            taken[i / 64] &= ~(UINT64_C(1) << i % 64);
        }
}

__attribute__((constructor(RING3_START_FIRST))) static void biglock_start(void)
{
    (void)pthread_atfork(NULL, NULL, clear_after_fork);
}
