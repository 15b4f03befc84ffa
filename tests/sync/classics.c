/* SPDX-License-Identifier: MIT */
/* The problems of the literature, with each remedy; sets of locks; sequence locks. */
#include "crew.h"

#include "ring3/lockset.h"
#include "ring3/monitor.h"
#include "ring3/sem.h"
#include "ring3/seqlock.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <string.h>

static long rounds, counter;

/* --- Bounded buffer with three semaphores ------------------------------------------------------- */

#define SLOTS     4
#define ITEMS_MAX 20000
static ring3_sem_t empty_slots, full_slots, buffer_mutex;
static int buffer[SLOTS], in, out;
static unsigned char seen_item[ITEMS_MAX];
static long next_item, to_consume;

static void produce(void)
{
    for (long item; (item = ring3_fetch_add(&next_item, 1, RING3_RELAXED)) < rounds;) {
        check_eq(ring3_sem_wait(&empty_slots), 0); /* only into free slots */
        check_eq(ring3_sem_wait(&buffer_mutex), 0);
        buffer[in++ % SLOTS] = (int)item;
        check_le(in - out, SLOTS);
        check_eq(ring3_sem_post(&buffer_mutex), 0);
        check_eq(ring3_sem_post(&full_slots), 0);
    }
}

static void consume(void)
{
    while (ring3_fetch_sub(&to_consume, 1, RING3_RELAXED) > 0) {
        check_eq(ring3_sem_wait(&full_slots), 0); /* only filled slots */
        check_eq(ring3_sem_wait(&buffer_mutex), 0);
        check_gt(in - out, 0);
        const int item = buffer[out++ % SLOTS];

        seen_item[item]++;
        check_eq(ring3_sem_post(&buffer_mutex), 0);
        check_eq(ring3_sem_post(&empty_slots), 0);
    }
}

static void produce_or_consume(int me)
{
    if (me % 2)
        produce();
    else
        consume();
}

TEST(buffer, passes_each_item_on_once, 60)
{
    ring3_sem_init(&empty_slots, SLOTS, SLOTS, RING3_PRIVATE);
    ring3_sem_init(&full_slots, 0, SLOTS, RING3_PRIVATE);
    ring3_sem_init(&buffer_mutex, 1, 1, RING3_PRIVATE);
    rounds = to_consume = crew_count(ITEMS_MAX);
    crew_run(6, produce_or_consume);
    for (long i = 0; i < rounds; i++)
        check_eq(seen_item[i], 1, "item %ld", i);
    check_eq(ring3_sem_value(&empty_slots), (uint32_t)SLOTS);
}

/* The negative case: the mutex taken first is held while waiting for a slot that needs it. */
TEST(buffer, deadlocks_when_the_mutex_is_taken_first)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.02);

    ring3_sem_init(&empty_slots, 0, SLOTS, RING3_PRIVATE); /* the buffer is full */
    ring3_sem_init(&full_slots, SLOTS, SLOTS, RING3_PRIVATE);
    ring3_sem_init(&buffer_mutex, 1, 1, RING3_PRIVATE);
    check_eq(ring3_sem_wait(&buffer_mutex), 0);
    check_eq(ring3_sem_timedwait(&empty_slots, &soon), -ETIMEDOUT, "the producer waits");
    check_eq(ring3_sem_wait(&full_slots), 0);
    check_eq(ring3_sem_timedwait(&buffer_mutex, &soon), -ETIMEDOUT, "and so does the consumer");
}

/* --- Dining philosophers ------------------------------------------------------------------------ */

#define PHILOSOPHERS 5
static ring3_mutex_t chopstick[PHILOSOPHERS];
static ring3_sem_t seats;
static ring3_monitor_t table;
static bool eating[PHILOSOPHERS];
static int holding_left;

static ring3_mutex_t *left(int me)
{
    return &chopstick[me];
}
static ring3_mutex_t *right(int me)
{
    return &chopstick[(me + 1) % PHILOSOPHERS];
}

/* With both chopsticks in hand: no neighbour eats. */
static void eat(int me)
{
    eating[me] = true;
    check(!eating[(me + 1) % PHILOSOPHERS] && !eating[(me + PHILOSOPHERS - 1) % PHILOSOPHERS]);
    if (ring3_fetch_add(&counter, 1, RING3_RELAXED) % 16 == 0)
        sched_yield();
    eating[me] = false;
}

static void dine_in_order(int me)
{
    for (long i = 0; i < rounds; i++) {
        void *both[] = {left(me), right(me)};

        ring3_lockset_lock(&ring3_lockset_mutex, both, 2);
        eat(me);
        ring3_lockset_unlock(&ring3_lockset_mutex, both, 2);
    }
}

static void dine_backing_off(int me)
{
    for (long i = 0; i < rounds; i++) {
        void *both[] = {left(me), right(me)};

        check_eq(ring3_lockset_lock_backoff(&ring3_lockset_mutex, both, 2, NULL), 0);
        eat(me);
        ring3_lockset_unlock(&ring3_lockset_mutex, both, 2);
    }
}

static void dine_with_four_seats(int me)
{
    for (long i = 0; i < rounds; i++) {
        check_eq(ring3_sem_wait(&seats), 0);
        ring3_mutex_lock(left(me));
        ring3_mutex_lock(right(me));
        eat(me);
        ring3_mutex_unlock(right(me));
        ring3_mutex_unlock(left(me));
        check_eq(ring3_sem_post(&seats), 0);
    }
}

static bool neighbours_rest(const void *context)
{
    const int me = *(const int *)context;

    return !eating[(me + 1) % PHILOSOPHERS] && !eating[(me + PHILOSOPHERS - 1) % PHILOSOPHERS];
}

static void dine_in_a_monitor(int me)
{
    for (long i = 0; i < rounds; i++) {
        RING3_MONITOR(&table)
        {
            ring3_monitor_await(&table, neighbours_rest, &me);
            eating[me] = true;
        }
        ring3_fetch_add(&counter, 1, RING3_RELAXED);
        RING3_MONITOR(&table)
        eating[me] = false;
    }
}

static void dine_with_timed_locks(int me)
{
    for (long i = 0; i < rounds;) {
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.0002 * (me + 1));

        ring3_mutex_lock(left(me));
        if (ring3_mutex_timedlock(right(me), &soon) == 0) {
            eat(me);
            ring3_mutex_unlock(right(me));
            i++;
        }
        ring3_mutex_unlock(left(me));
    }
}

/* Each remedy breaks one of the four conditions; every philosopher eats every meal. */
TEST(philosophers, dine_with_each_remedy, 60)
{
    static const struct {
        const char *breaks;
        void (*dine)(int me);
    } remedies[] = {
        {"circular wait, by order", dine_in_order},
        {"hold and wait, by backing off", dine_backing_off},
        {"circular wait, by four seats", dine_with_four_seats},
        {"hold and wait, by a monitor", dine_in_a_monitor},
        {"no preemption, by timed locks", dine_with_timed_locks},
    };

    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        ring3_sem_init(&seats, PHILOSOPHERS - 1, 0, RING3_PRIVATE);
        rounds = crew_count(1000);
        counter = 0;
        crew_run(PHILOSOPHERS, remedies[i].dine);
        check_eq(counter, PHILOSOPHERS * rounds, "%s", remedies[i].breaks);
    }
}

static void take_left_then_right(int me)
{
    const struct timespec watchdog = crew_in(CLOCK_MONOTONIC, 0.1);

    ring3_mutex_lock(left(me));
    ring3_fetch_add(&holding_left, 1, RING3_RELAXED);
    crew_until(ring3_load(&holding_left, RING3_RELAXED) == PHILOSOPHERS);
    if (ring3_mutex_timedlock(right(me), &watchdog) == -ETIMEDOUT)
        ring3_fetch_add(&counter, 1, RING3_RELAXED);
    else
        ring3_mutex_unlock(right(me));
    crew_until_quietly(ring3_deadline_passed(CLOCK_MONOTONIC, &watchdog));
    ring3_mutex_unlock(left(me));
}

/* The naive version: everybody holds the left one and waits for the right one. */
TEST(philosophers, starve_when_all_have_taken_the_left_one)
{
    crew_run(PHILOSOPHERS, take_left_then_right);
    check_ge(counter, 1L, "the watchdog had to end it");
}

/* --- Sets of locks ------------------------------------------------------------------------------ */

static ring3_spinlock_t locks[4];
static long balance[4];

static void transfer(int me)
{
    unsigned choice = (unsigned)me + 1;

    for (long i = 0; i < rounds; i++) {
        choice = choice * 1103515245u + 12345u;
        const unsigned a = choice >> 16 & 3, b = choice >> 18 & 3;
        void *both[] = {&locks[a], &locks[b]};

        if (choice >> 20 & 1)
            ring3_lockset_lock(&ring3_lockset_spinlock, both, 2);
        else
            check_eq(ring3_lockset_lock_backoff(&ring3_lockset_spinlock, both, 2, NULL), 0);
        balance[a]--;
        balance[b]++;
        ring3_lockset_unlock(&ring3_lockset_spinlock, both, 2);
    }
}

/* From any account to any other, and to itself, in both directions at once. */
TEST(lockset, moves_between_accounts_in_both_directions, 60)
{
    rounds = crew_count(5000);
    crew_run(6, transfer);
    check_eq(balance[0] + balance[1] + balance[2] + balance[3], 0L);
    for (int i = 0; i < 4; i++)
        check_eq(ring3_spinlock_trylock(&locks[i]), 0, "lock %d is free", i);
}

TEST(lockset, locks_all_or_none)
{
    void *all[] = {&locks[3], &locks[0], &locks[1], &locks[0]};
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.02);

    ring3_spinlock_lock(&locks[1]);
    check_eq(ring3_lockset_trylock(&ring3_lockset_spinlock, all, 4), -EBUSY);
    check(all[0] == &locks[0] && all[1] == &locks[0] && all[3] == &locks[3], "sorted");
    check_eq(ring3_spinlock_trylock(&locks[0]), 0);
    ring3_spinlock_unlock(&locks[0]);
    check_eq(ring3_spinlock_trylock(&locks[3]), 0);
    ring3_spinlock_unlock(&locks[3]);
    void *free_first[] = {&locks[0], &locks[1]};

    ring3_spinlock_unlock(&locks[1]);
    check_eq(ring3_lockset_lock_backoff(&ring3_lockset_spinlock, free_first, 2, &soon), 0);
    ring3_lockset_unlock(&ring3_lockset_spinlock, free_first, 2);
    check_eq(ring3_lockset_trylock(&ring3_lockset_spinlock, all, 4), 0);
    ring3_lockset_unlock(&ring3_lockset_spinlock, all, 4);
    for (int i = 0; i < 4; i++)
        check_eq(ring3_spinlock_trylock(&locks[i]), 0);
}

static int dropped;

static void pull(int me)
{
    for (long i = 0; i < rounds; i++) {
        ring3_spinlock_lock(&locks[me]);
        if (ring3_lockset_add(&ring3_lockset_spinlock, &locks[me], &locks[!me]))
            ring3_fetch_add(&dropped, 1, RING3_RELAXED);
        balance[0]++;
        balance[1]--;
        ring3_spinlock_unlock(&locks[!me]);
        ring3_spinlock_unlock(&locks[me]);
    }
}

static void hold_lowest(int me)
{
    (void)me;
    ring3_spinlock_lock(&locks[0]);
    ring3_store(&holding_left, 1, RING3_RELEASE);
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    ring3_spinlock_unlock(&locks[0]);
}

TEST(lockset, adds_a_lock_and_says_when_the_first_was_dropped)
{
    rounds = crew_count(5000);
    crew_run(2, pull);
    check_eq(balance[0], 2 * rounds);

    pthread_t thread = crew_start(hold_lowest, 0);

    crew_until(ring3_load(&holding_left, RING3_ACQUIRE));
    ring3_spinlock_lock(&locks[1]);
    check(ring3_lockset_add(&ring3_lockset_spinlock, &locks[1], &locks[0]), "out of order");
    ring3_spinlock_unlock(&locks[0]);
    check(!ring3_lockset_add(&ring3_lockset_spinlock, &locks[1], &locks[2]), "in order");
    crew_join(thread);
}

/* --- Sequence locks ------------------------------------------------------------------------------ */

static ring3_seqlock_t sequence;
static uint64_t words[4];
static int writing;
static long retries;

static void read_or_write(int me)
{
    if (me < 2) {
        for (long i = 0; i < rounds; i++) {
            ring3_seqlock_lock(&sequence);
            for (int j = 0; j < 4; j++) {
                ring3_store(&words[j], words[j] + 1, RING3_RELAXED);
                if (i % 64 == 0)
                    sched_yield(); /* readers come here */
            }
            ring3_seqlock_unlock(&sequence);
        }
        ring3_fetch_sub(&writing, 1, RING3_RELAXED);
        return;
    }
    while (ring3_load(&writing, RING3_RELAXED)) {
        uint64_t copy[4];
        uint32_t seen;
        long attempts = -1;

        do {
            seen = ring3_seqcount_begin(&sequence.count);
            for (int j = 0; j < 4; j++)
                copy[j] = ring3_load(&words[j], RING3_RELAXED);
            attempts++;
        } while (ring3_seqcount_retry(&sequence.count, seen));
        ring3_fetch_add(&retries, attempts, RING3_RELAXED);
        for (int j = 1; j < 4; j++)
            check_eq(copy[j], copy[0], "a torn copy at sequence %u", seen);
    }
}

TEST(seqlock, never_shows_half_a_write, 60)
{
    rounds = crew_count(10000);
    writing = 2;
    crew_run(5, read_or_write);
    for (int j = 0; j < 4; j++)
        check_eq(words[j], (uint64_t)(2 * rounds));
    check_eq(sequence.count.sequence, (uint32_t)(4 * rounds));
}

TEST(seqlock, tells_a_reader_that_a_writer_was_there)
{
    ring3_seqcount_t count = {0};
    uint32_t seen;

    check(ring3_seqcount_try(&count, &seen));
    check(!ring3_seqcount_retry(&count, seen));
    ring3_seqcount_write(&count);
    check(ring3_seqcount_retry(&count, seen));
    check(!ring3_seqcount_try(&count, &seen), "a writer is at work");
    ring3_seqcount_end(&count);
    check(ring3_seqcount_try(&count, &seen));
    check_eq(seen, 2u);
}
