/* SPDX-License-Identifier: MIT */
/*
 * The contended side of ring3/rwlock.h. Under the queue's lock one function decides, from what the
 * caller releases and who waits, who goes on; everything else only asks it.
 */
#include "ring3/rwlock.h"

#include "queue.h"

#include "ring3/container.h"
#include "ring3/wait.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(ring3_rwlock_t) == 8, "the size is part of the interface");

#define READERS      RING3_RWLOCK_READERS
#define WRITER       RING3_RWLOCK_WRITER
#define UPGRADER     RING3_RWLOCK_UPGRADER
#define READERS_WAIT RING3_RWLOCK_READERS_WAIT
#define WRITERS_WAIT RING3_RWLOCK_WRITERS_WAIT
#define SLEEPERS     RING3_RWLOCK_SLEEPERS

/* What a waiter wants to be: the key of its record. */
enum { WANTS_READ, WANTS_WRITE, WANTS_UPGRADE, WANTS };

enum standing { CLAIMS, SLEEPS, ASKED }; /* asked to look again, and on its way */

struct rw_waiter {
    ring3_waiter_t waiter;
    enum standing standing; /* under the queue's lock */
};

/* How long a waiter may be passed over; see contest.c. */
#define SLICE_NS 1000000

static const char *const names[RING3_RWLOCK_POLICIES] = {"phase-fair", "prefer-readers",
                                                         "prefer-writers"};

int ring3_rwlock_init(ring3_rwlock_t *lock, ring3_rwlock_policy_t policy)
{
    if ((unsigned)policy >= RING3_RWLOCK_POLICIES)
        return -EINVAL;
    lock->policy = (uint32_t)policy;
    ring3_store(&lock->word, 0, RING3_RELAXED);
    return 0;
}

const char *ring3_rwlock_name(ring3_rwlock_policy_t policy)
{
    return (unsigned)policy < RING3_RWLOCK_POLICIES ? names[policy] : NULL;
}

int ring3_rwlock_find(const char *name)
{
    for (int i = 0; i < RING3_RWLOCK_POLICIES; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -ENOENT;
}

/* --- Who goes on ------------------------------------------------------------------------------ */

static struct rw_waiter *from(ring3_waiter_t *waiter)
{
    return ring3_container_of(waiter, struct rw_waiter, waiter);
}

/* Those who stand in the queue. */
struct census {
    uint32_t claims[WANTS];    /* with a claim, by what they want */
    struct rw_waiter *sleeper; /* the longest without, or NULL */
    bool asked;                /* one is on its way */
};

static struct census count(struct ring3_queue queue, const ring3_rwlock_t *lock)
{
    struct census census = {{0}, NULL, false};

    for (ring3_waiter_t *waiter = ring3_queue_first(queue, lock); waiter;
         waiter = ring3_queue_after(waiter)) {
        struct rw_waiter *const one = from(waiter);

        if (one->standing == CLAIMS)
            census.claims[waiter->key]++;
        else if (one->standing == ASKED)
            census.asked = true;
        else if (!census.sleeper)
            census.sleeper = one;
    }
    return census;
}

/* Take up to `most` who claim the same, in order of arrival. */
static void take(struct ring3_queue queue, const ring3_rwlock_t *lock, uint32_t wanted,
                 uint32_t most, struct ring3_taken *taken)
{
    ring3_waiter_t *waiter = ring3_queue_first(queue, lock), *next;

    for (; waiter && most > 0; waiter = next) {
        next = ring3_queue_after(waiter);
        if (waiter->key == wanted && from(waiter)->standing == CLAIMS) {
            ring3_queue_take(queue, waiter, 0, taken);
            most--;
        }
    }
}

/* How many of each are let in when the word is `held`; `wrote`: a writer has just left. */
static void choose(const ring3_rwlock_t *lock, uint32_t held, bool wrote,
                   const uint32_t waiting[WANTS], uint32_t chosen[WANTS])
{
    const bool readers_first =
        lock->policy == RING3_RWLOCK_PREFER_READERS ||
        (wrote && lock->policy == RING3_RWLOCK_PHASE_FAIR && waiting[WANTS_READ] > 0);

    memset(chosen, 0, WANTS * sizeof *chosen);
    if (held & WRITER)
        return;
    if (waiting[WANTS_UPGRADE] && (held & READERS) == 1)
        chosen[WANTS_UPGRADE] = 1;
    else if (waiting[WANTS_READ] &&
             (readers_first || (!waiting[WANTS_WRITE] && !waiting[WANTS_UPGRADE])))
        chosen[WANTS_READ] = waiting[WANTS_READ];
    else if (waiting[WANTS_WRITE] && (held & READERS) == 0)
        chosen[WANTS_WRITE] = 1;
}

/* Those who have been let in or asked to look again, to be woken without the queue's lock. */
struct calls {
    struct ring3_taken taken;
    struct ring3_nudge nudge;
};

static const struct calls no_calls;

static void unlock_and_wake(struct ring3_queue queue, struct calls *calls)
{
    ring3_queue_unlock(queue);
    ring3_queue_wake(&calls->taken);
    ring3_queue_finish_nudge(calls->nudge);
}

/* Under the queue's lock: subtract from the word what the caller gives up, and let others in. */
static void settle(struct ring3_queue queue, ring3_rwlock_t *lock, uint32_t subtract,
                   struct calls *calls)
{
    const struct census census = count(queue, lock);
    const uint32_t *const claims = census.claims;
    uint32_t chosen[WANTS], seen = ring3_load(&lock->word, RING3_RELAXED), next;
    bool ask;

    do {
        next = (seen - subtract) & (READERS | WRITER);
        choose(lock, next, (seen & WRITER) && !(next & WRITER), claims, chosen);
        next += chosen[WANTS_READ];
        if (chosen[WANTS_WRITE] || chosen[WANTS_UPGRADE])
            next = WRITER;
        ask = next == 0 && census.sleeper && !census.asked;
        if (claims[WANTS_UPGRADE] > chosen[WANTS_UPGRADE])
            next |= UPGRADER;
        if (claims[WANTS_READ] > chosen[WANTS_READ])
            next |= READERS_WAIT;
        if (claims[WANTS_WRITE] > chosen[WANTS_WRITE])
            next |= WRITERS_WAIT;
        if (census.sleeper && !census.asked && !ask)
            next |= SLEEPERS;
        /*
         * The release pairs with the acquires of later holders; the acquire is for those we let in,
         * who get what it brings by the release that wakes them.
         */
    } while (!ring3_cas_weak(&lock->word, &seen, next, RING3_ACQ_REL));
    for (uint32_t wanted = 0; wanted < WANTS; wanted++)
        take(queue, lock, wanted, chosen[wanted], &calls->taken);
    if (ask) {
        census.sleeper->standing = ASKED;
        calls->nudge = ring3_queue_nudge(&census.sleeper->waiter);
    }
}

void ring3_rwlock_hand_over(ring3_rwlock_t *lock, uint32_t released)
{
    struct calls calls = no_calls;
    const struct ring3_queue queue = ring3_queue_lock(lock);

    settle(queue, lock, released, &calls);
    unlock_and_wake(queue, &calls);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/*
 * Stand in the queue, which is locked, until let in. First we claim the lock and spin. Then, unless
 * we have waited for a slice, we let others pass and sleep; asked to look again, we begin anew.
 */
static int wait_in(struct ring3_queue queue, ring3_rwlock_t *lock, uint32_t wanted, clockid_t clock,
                   const struct timespec *deadline)
{
    struct rw_waiter me = {{.address = lock, .key = wanted}, CLAIMS};
    const struct timespec patience = ring3_deadline_in(clock, SLICE_NS);
    const struct timespec *const soon =
        deadline && earlier(deadline, &patience) ? deadline : &patience;
    bool spun = false, overdue = wanted == WANTS_UPGRADE;
    int result = 0;

    ring3_queue_join(queue, &me.waiter);
    for (;;) {
        struct calls calls = no_calls;

        me.standing = CLAIMS;
        settle(queue, lock, 0, &calls);
        if (!me.waiter.taken && result == -ETIMEDOUT && ring3_deadline_passed(clock, deadline)) {
            ring3_queue_quit(queue, &me.waiter);
            settle(queue, lock, 0, &calls); /* others may have waited only because we did */
            unlock_and_wake(queue, &calls);
            return -ETIMEDOUT;
        }
        overdue = overdue || ring3_deadline_passed(clock, &patience);
        if (!me.waiter.taken && spun && !overdue) {
            me.standing = SLEEPS;
            settle(queue, lock, 0, &calls);
        }
        ring3_queue_rest(&me.waiter, !spun);
        unlock_and_wake(queue, &calls);
        result = spun ? ring3_queue_doze(queue, &me.waiter, clock, overdue ? deadline : soon)
                      : ring3_queue_spin(queue, &me.waiter);
        if (result == RING3_TAKEN)
            return 0;
        spun = overdue || !spun;
    }
}

static int lock_or_wait(ring3_rwlock_t *lock, int (*attempt)(ring3_rwlock_t *lock), uint32_t wanted,
                        clockid_t clock, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline), result = attempt(lock);

    if (result != -EBUSY)
        return result;
    return bad ? bad : wait_in(ring3_queue_lock(lock), lock, wanted, clock, deadline);
}

int ring3_rwlock_clockrdlock(ring3_rwlock_t *lock, clockid_t clock, const struct timespec *deadline)
{
    return lock_or_wait(lock, ring3_rwlock_tryrdlock, WANTS_READ, clock, deadline);
}

int ring3_rwlock_clockwrlock(ring3_rwlock_t *lock, clockid_t clock, const struct timespec *deadline)
{
    return lock_or_wait(lock, ring3_rwlock_trywrlock, WANTS_WRITE, clock, deadline);
}

int ring3_rwlock_tryupgrade(ring3_rwlock_t *lock)
{
    uint32_t seen = ring3_load(&lock->word, RING3_RELAXED);

    /* Who waits goes on waiting. The acquire pairs with the releases of the other readers. */
    while ((seen & READERS) == 1 && !(seen & UPGRADER))
        if (ring3_cas_weak(&lock->word, &seen, seen - 1 + WRITER, RING3_ACQUIRE))
            return 0;
    return -EBUSY;
}

int ring3_rwlock_clockupgrade(ring3_rwlock_t *lock, clockid_t clock,
                              const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline);

    if (ring3_rwlock_tryupgrade(lock) == 0)
        return 0;
    if (bad)
        return bad;
    const struct ring3_queue queue = ring3_queue_lock(lock);

    if (ring3_load(&lock->word, RING3_RELAXED) & UPGRADER) {
        ring3_queue_unlock(queue);
        return -EBUSY;
    }
    return wait_in(queue, lock, WANTS_UPGRADE, clock, deadline);
}

void ring3_rwlock_downgrade(ring3_rwlock_t *lock)
{
    uint32_t seen = WRITER;

    /* Pairs with the acquires of the readers that join us. */
    if (!ring3_cas_try(&lock->word, &seen, 1, RING3_RELEASE))
        ring3_rwlock_hand_over(lock, WRITER - 1);
}
