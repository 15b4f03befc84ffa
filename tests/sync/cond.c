/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "ring3/cond.h"
#include "ring3/sem.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <string.h>

static ring3_mutex_t mutex;
static ring3_cond_t cond;
static ring3_spinlock_t spinlock;
static bool condition;
static int passed, order[16], locking, most_locking, with_other_lock;

/* Another lock, which counts how many try to get it at once. */
static void lock_other(void *lock)
{
    const int now = ring3_fetch_add(&locking, 1, RING3_RELAXED) + 1;

    for (int most = ring3_load(&most_locking, RING3_RELAXED);
         now > most && !ring3_cas_weak(&most_locking, &most, now, RING3_RELAXED);)
        ;
    ring3_spinlock_lock(lock);
    ring3_fetch_sub(&locking, 1, RING3_RELAXED);
}

/* Whoever is not yet in the queue when it unlocks is late here. */
static void unlock_other(void *lock)
{
    ring3_spinlock_unlock(lock);
    sched_yield();
}

static const ring3_lock_ops_t other = {lock_other, unlock_other};

/* The tests run with either kind of lock. */
static void lock(void)
{
    if (with_other_lock)
        ring3_spinlock_lock(&spinlock);
    else
        ring3_mutex_lock(&mutex);
}

static void unlock(void)
{
    if (with_other_lock)
        ring3_spinlock_unlock(&spinlock);
    else
        ring3_mutex_unlock(&mutex);
}

static int wait_on(ring3_cond_t *which, clockid_t clock, const struct timespec *deadline)
{
    return with_other_lock ? ring3_cond_clockwait_with(which, &other, &spinlock, clock, deadline)
                           : ring3_cond_clockwait(which, &mutex, clock, deadline);
}

static void start_afresh(int other_lock)
{
    with_other_lock = other_lock;
    ring3_mutex_init(&mutex);
    ring3_cond_init(&cond, RING3_PRIVATE);
    ring3_spinlock_init(&spinlock, RING3_SPINLOCK_TICKET, RING3_WAIT_ADAPTIVE);
    condition = false;
    passed = locking = most_locking = 0;
    memset(order, 0, sizeof order);
}

static uint32_t waiters(void)
{
    return ring3_load(&cond.waiters, RING3_RELAXED);
}

static void wait_for_condition(int me)
{
    lock();
    while (!condition)
        check_eq(wait_on(&cond, CLOCK_MONOTONIC, NULL), 0);
    order[passed++] = me;
    unlock();
}

TEST(cond, lets_one_go_on_with_each_signal)
{
    pthread_t threads[4];

    for (int kind = 0; kind < 2; kind++) {
        start_afresh(kind);
        for (int i = 0; i < 4; i++) {
            threads[i] = crew_start(wait_for_condition, i);
            crew_until(waiters() == (uint32_t)i + 1);
        }
        lock();
        condition = true;
        unlock();
        for (int i = 0; i < 4; i++) {
            ring3_cond_signal(&cond);
            crew_join(threads[i]);
            lock();
            check_eq(passed, i + 1);
            check_eq(order[i], i, "first come, first served");
            unlock();
        }
    }
}

TEST(cond, lets_all_go_on_with_one_broadcast, 60)
{
    pthread_t threads[8];

    for (int round = 0; round < (int)crew_count(40); round++) {
        const bool inside = round & 1;

        start_afresh(round >> 1 & 1);
        for (int i = 0; i < 8; i++)
            threads[i] = crew_start(wait_for_condition, i);
        crew_until(waiters() == 8);
        lock();
        condition = true;
        if (!inside)
            unlock();
        ring3_cond_broadcast(&cond);
        if (inside)
            unlock();
        for (int i = 0; i < 8; i++)
            crew_join(threads[i]);
        check_eq(passed, 8);
        check_eq(waiters(), 0u);
    }
}

#ifndef __SANITIZE_THREAD__ /* it looks at the queue without its lock, while nothing moves */
static int queued_for_mutex(void)
{
    ring3_park_bucket_t *const bucket = ring3_park_bucket(&mutex, 0);
    int count = 0;

    for (const ring3_waiter_t *waiter = bucket->first; waiter; waiter = waiter->next)
        count += waiter->address == &mutex && waiter->contest;
    return count;
}

/* No herd: all but the first stand in the mutex's queue, and are woken by unlocks, one by one. */
TEST(cond, moves_waiters_to_the_mutex_instead_of_waking_them_into_it)
{
    pthread_t threads[6];

    start_afresh(0);
    for (int i = 0; i < 6; i++) {
        threads[i] = crew_start(wait_for_condition, i);
        crew_until(waiters() == (uint32_t)i + 1);
    }
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    lock();
    condition = true;
    ring3_cond_broadcast(&cond);
    check_eq(queued_for_mutex(), 6);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    check_eq(queued_for_mutex(), 6, "nobody goes on while we hold the mutex");
    unlock();
    for (int i = 0; i < 6; i++)
        crew_join(threads[i]);
    for (int i = 0; i < 6; i++)
        check_eq(order[i], i, "the mutex's queue keeps the order");
}
#endif

TEST(cond, wakes_a_broadcast_one_after_another_with_any_lock)
{
    pthread_t threads[6];

    start_afresh(1);
    for (int i = 0; i < 6; i++) {
        threads[i] = crew_start(wait_for_condition, i);
        crew_until(waiters() == (uint32_t)i + 1);
    }
    lock();
    condition = true;
    ring3_cond_broadcast(&cond);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    check_eq(ring3_load(&locking, RING3_RELAXED), 1, "only the first waits for the lock");
    unlock();
    for (int i = 0; i < 6; i++)
        crew_join(threads[i]);
    check_eq(passed, 6);
    check_le(most_locking, 2, "one wakes the next while it holds the lock");
}

TEST(cond, forgets_a_signal_that_finds_nobody)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.02);

    for (int kind = 0; kind < 2; kind++) {
        start_afresh(kind);
        ring3_cond_signal(&cond);
        ring3_cond_broadcast(&cond);
        lock();
        check_eq(wait_on(&cond, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
        unlock();
    }
}

TEST(cond, holds_the_lock_again_after_a_timeout_on_either_clock)
{
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < 2; i++) {
            const struct timespec soon = crew_in(clocks[i], 0.01), past = crew_in(clocks[i], -1);

            start_afresh(kind);
            lock();
            check_eq(wait_on(&cond, clocks[i], &soon), -ETIMEDOUT);
            check_eq(wait_on(&cond, clocks[i], &past), -ETIMEDOUT);
            check_eq(waiters(), 0u);
            check_eq(kind ? ring3_spinlock_trylock(&spinlock) : ring3_mutex_trylock(&mutex),
                     -EBUSY);
            check_eq(wait_on(&cond, CLOCK_PROCESS_CPUTIME_ID, NULL), -EINVAL);
            unlock();
        }
}

/* --- Lost wake-ups: items through a small buffer, with every way to signal ---------------------- */

static ring3_cond_t not_full, not_empty;
static int items;
static long produced, consumed, target;

#define SLOTS 2

/* Signal inside or after the unlock, one or all, as the number says. */
static void tell(ring3_cond_t *which, unsigned choice)
{
    void (*const notify)(ring3_cond_t *) = choice & 2 ? ring3_cond_broadcast : ring3_cond_signal;

    if (choice & 1)
        notify(which);
    unlock();
    if (!(choice & 1))
        notify(which);
}

/* One wait in five is timed, so that timeouts and signals meet; the others hang if a signal is
 * lost. */
static void wait_somehow(ring3_cond_t *which, unsigned choice)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 30e-6);
    const bool timed = choice % 5 == 0;

    if (wait_on(which, CLOCK_MONOTONIC, timed ? &soon : NULL) == -ETIMEDOUT)
        check(timed);
}

static void produce_or_consume(int me)
{
    unsigned choice = (unsigned)me * 7919u + 1;

    for (;;) {
        choice = choice * 1103515245u + 12345u;
        lock();
        if (me % 2) {
            while (items == SLOTS && produced < target)
                wait_somehow(&not_full, choice >> 16);
            if (produced == target) {
                unlock();
                break;
            }
            items++;
            if (++produced == target) {
                /* Nobody will consume for those who still wait for a free slot. */
                ring3_cond_broadcast(&not_full);
            }
            tell(&not_empty, choice >> 20);
        } else {
            while (items == 0 && consumed < target)
                wait_somehow(&not_empty, choice >> 16);
            if (consumed == target) {
                unlock();
                break;
            }
            items--;
            if (++consumed == target)
                ring3_cond_broadcast(&not_empty);
            tell(&not_full, choice >> 20);
        }
    }
}

TEST(cond, loses_no_wake_up, 60)
{
    for (int kind = 0; kind < 2; kind++)
        for (int threads = 2; threads <= 8; threads += 3) {
            start_afresh(kind);
            ring3_cond_init(&not_full, RING3_PRIVATE);
            ring3_cond_init(&not_empty, RING3_PRIVATE);
            produced = consumed = items = 0;
            target = crew_count(20000);
            crew_run(threads, produce_or_consume);
            check_eq(produced, target);
            check_eq(consumed, target);
            check_eq(items, 0);
            check_eq(not_full.waiters, 0u);
            check_eq(not_empty.waiters, 0u);
        }
}

/* --- `while`, not `if` -------------------------------------------------------------------------- */

static int underflows;

static void take_with_if(int me)
{
    (void)me;
    lock();
    if (items == 0)
        wait_on(&cond, CLOCK_MONOTONIC, NULL);
    if (items == 0)
        underflows++; /* an `if` believes the signal */
    else
        items--;
    unlock();
}

/* One item, two who were told of it: the one that comes second must test again. */
TEST(cond, needs_a_loop_because_the_condition_may_be_gone_again)
{
    for (int kind = 0; kind < 2; kind++) {
        start_afresh(kind);
        items = underflows = 0;
        pthread_t first = crew_start(take_with_if, 0), second = crew_start(take_with_if, 1);

        crew_until(waiters() == 2);
        lock();
        items = 1;
        ring3_cond_broadcast(&cond);
        unlock();
        crew_join(first);
        crew_join(second);
        check_eq(underflows, 1);
    }
}

/* --- Freed at once ------------------------------------------------------------------------------ */

struct job {
    ring3_mutex_t mutex;
    ring3_cond_t done_cond;
    bool done;
};
static struct job *job;

static void finish_job(int me)
{
    struct job *const mine = job;

    (void)me;
    ring3_mutex_lock(&mine->mutex);
    mine->done = true;
    ring3_cond_signal(&mine->done_cond);
    ring3_mutex_unlock(&mine->mutex);
}

/* The waiter owns the object and frees it as soon as it is told. */
TEST(cond, may_be_freed_by_the_one_who_was_told)
{
    for (long i = 0; i < crew_count(2000); i++) {
        struct job mine = {.done = false};

        job = &mine;
        pthread_t thread = crew_start(finish_job, 0);

        ring3_mutex_lock(&mine.mutex);
        while (!mine.done)
            ring3_cond_wait(&mine.done_cond, &mine.mutex);
        ring3_mutex_unlock(&mine.mutex);
        memset(&mine, 0xff, sizeof mine);
        crew_join(thread);
        for (size_t byte = 0; byte < sizeof mine; byte++)
            check_eq(((unsigned char *)&mine)[byte], 0xff);
    }
}

/* --- Processes ---------------------------------------------------------------------------------- */

static struct {
    ring3_sem_t lock;
    ring3_cond_t turn;
    int whose, rounds, gone_on;
} * between;

static void lock_shared(void *lock)
{
    (void)ring3_sem_wait(lock);
}

static void unlock_shared(void *lock)
{
    (void)ring3_sem_post(lock);
}

static const ring3_lock_ops_t semaphore_ops = {lock_shared, unlock_shared};

static void take_turns(int me)
{
    for (int i = 0; i < 500; i++) {
        lock_shared(&between->lock);
        while (between->whose != me)
            ring3_cond_clockwait_with(&between->turn, &semaphore_ops, &between->lock,
                                      CLOCK_MONOTONIC, NULL);
        between->rounds++;
        between->whose = !me;
        ring3_cond_signal(&between->turn);
        unlock_shared(&between->lock);
    }
}

static void take_second_turns(void)
{
    take_turns(1);
}

static void go_on_when_told(void)
{
    lock_shared(&between->lock);
    while (between->whose != 2)
        ring3_cond_clockwait_with(&between->turn, &semaphore_ops, &between->lock, CLOCK_REALTIME,
                                  NULL);
    between->gone_on++;
    unlock_shared(&between->lock);
}

TEST(cond, works_between_processes_when_shared)
{
    pid_t children[4];
    struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

    between = crew_shared(sizeof *between);
    ring3_sem_init(&between->lock, 1, 1, RING3_SHARED);
    ring3_cond_init(&between->turn, RING3_SHARED);
    children[0] = crew_fork(take_second_turns);
    take_turns(0);
    check_child(children[0]);
    check_eq(between->rounds, 1000);

    for (int i = 0; i < 4; i++)
        children[i] = crew_fork(go_on_when_told);
    crew_until_quietly(ring3_load(&between->turn.waiters, RING3_RELAXED) == 4);
    lock_shared(&between->lock);
    between->whose = 2;
    ring3_cond_broadcast(&between->turn);
    unlock_shared(&between->lock);
    for (int i = 0; i < 4; i++)
        check_child(children[i]);
    check_eq(between->gone_on, 4);
    check_eq(between->turn.waiters, 0u);

    lock_shared(&between->lock);
    check_eq(ring3_cond_clockwait_with(&between->turn, &semaphore_ops, &between->lock,
                                       CLOCK_MONOTONIC, &soon),
             -ETIMEDOUT);
    check_eq(ring3_sem_trywait(&between->lock), -EAGAIN, "the lock is held again");
}
