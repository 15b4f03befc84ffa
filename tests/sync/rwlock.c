/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "ring3/rwlock.h"

#include <errno.h>
#include <string.h>

static ring3_rwlock_t lock;
static long counter, copy, upgrades, rounds;
static int order[8], passed, inside, gate;

static const struct timespec *soon(void)
{
    static __thread struct timespec when;

    when = crew_in(CLOCK_MONOTONIC, 0.02);
    return &when;
}

/* Long enough for a waiter to have claimed the lock for good (1 ms). */
static void let_them_wait(void)
{
    nanosleep(&(struct timespec){0, 30000000}, NULL);
}

TEST(rwlock, admits_many_readers_or_one_writer)
{
    for (ring3_rwlock_policy_t policy = 0; policy < RING3_RWLOCK_POLICIES; policy++) {
        check_eq(ring3_rwlock_init(&lock, policy), 0);
        check_eq(ring3_rwlock_rdlock(&lock), 0);
        check_eq(ring3_rwlock_tryrdlock(&lock), 0);
        check_eq(ring3_rwlock_trywrlock(&lock), -EBUSY);
        ring3_rwlock_rdunlock(&lock);
        check_eq(ring3_rwlock_trywrlock(&lock), -EBUSY);
        ring3_rwlock_rdunlock(&lock);
        check_eq(ring3_rwlock_trywrlock(&lock), 0);
        check_eq(ring3_rwlock_tryrdlock(&lock), -EBUSY);
        check_eq(ring3_rwlock_trywrlock(&lock), -EBUSY);
        ring3_rwlock_wrunlock(&lock);
        ring3_rwlock_wrlock(&lock);
        ring3_rwlock_wrunlock(&lock);
        check_eq(lock.word, 0u);
    }
    check_eq(ring3_rwlock_init(&lock, RING3_RWLOCK_POLICIES), -EINVAL);
}

TEST(rwlock, finds_policies_by_name)
{
    for (int i = 0; i < RING3_RWLOCK_POLICIES; i++)
        check_eq(ring3_rwlock_find(ring3_rwlock_name((ring3_rwlock_policy_t)i)), i);
    check_eq(ring3_rwlock_find("task-fair"), -ENOENT);
    check(ring3_rwlock_name(RING3_RWLOCK_POLICIES) == NULL);
}

TEST(rwlock, times_out_on_either_clock)
{
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

    for (int i = 0; i < 2; i++) {
        struct timespec when = crew_in(clocks[i], 0.01);

        ring3_rwlock_init(&lock, RING3_RWLOCK_PHASE_FAIR);
        ring3_rwlock_wrlock(&lock);
        check_eq(ring3_rwlock_clockrdlock(&lock, clocks[i], &when), -ETIMEDOUT);
        when = crew_in(clocks[i], 0.01);
        check_eq(ring3_rwlock_clockwrlock(&lock, clocks[i], &when), -ETIMEDOUT);
        check_eq(ring3_rwlock_clockrdlock(&lock, CLOCK_BOOTTIME, NULL), -EINVAL);
        ring3_rwlock_downgrade(&lock);
        check_eq(lock.word, 1u, "nothing is left of those who gave up");
        check_eq(ring3_rwlock_clockwrlock(&lock, clocks[i], &when), -ETIMEDOUT);
        check_eq(ring3_rwlock_tryrdlock(&lock), 0);
        ring3_rwlock_rdunlock(&lock);
        ring3_rwlock_rdunlock(&lock);
        check_eq(lock.word, 0u);
    }
}

/* --- Exclusion, with every operation ------------------------------------------------------------ */

/* Plain variables: TSan sees whether the lock orders them. */
static void write_once(void)
{
    counter++;
    copy = counter;
}

static void read_once(void)
{
    check_eq(counter, copy);
}

static void mix(int me)
{
    unsigned choice = (unsigned)me * 977u + 1;

    for (long i = 0; i < rounds; i++) {
        struct timespec brief = crew_in(CLOCK_MONOTONIC, 50e-6);

        choice = choice * 1103515245u + 12345u;
        switch (choice >> 16 & 15) {
        case 0:
            ring3_rwlock_wrlock(&lock);
            write_once();
            ring3_fetch_add(&upgrades, 1, RING3_RELAXED);
            ring3_rwlock_wrunlock(&lock);
            break;
        case 1:
            if (ring3_rwlock_timedwrlock(&lock, &brief) != 0)
                break;
            write_once();
            ring3_fetch_add(&upgrades, 1, RING3_RELAXED);
            ring3_rwlock_downgrade(&lock);
            read_once();
            ring3_rwlock_rdunlock(&lock);
            break;
        case 2:
            if (ring3_rwlock_trywrlock(&lock) != 0)
                break;
            write_once();
            ring3_fetch_add(&upgrades, 1, RING3_RELAXED);
            ring3_rwlock_wrunlock(&lock);
            break;
        case 3: {
            ring3_rwlock_rdlock(&lock);
            const long before = counter;

            if (ring3_rwlock_clockupgrade(&lock, CLOCK_MONOTONIC,
                                          choice >> 20 & 1 ? &brief : NULL) != 0) {
                check_eq(counter, before);
                ring3_rwlock_rdunlock(&lock);
                break;
            }
            check_eq(counter, before, "another writer came in between");
            write_once();
            ring3_fetch_add(&upgrades, 1, RING3_RELAXED);
            ring3_rwlock_wrunlock(&lock);
            break;
        }
        case 4:
            if (ring3_rwlock_timedrdlock(&lock, &brief) != 0)
                break;
            read_once();
            ring3_rwlock_rdunlock(&lock);
            break;
        default:
            ring3_rwlock_rdlock(&lock);
            read_once();
            if (choice >> 24 == 0)
                sched_yield();
            ring3_rwlock_rdunlock(&lock);
        }
    }
}

TEST(rwlock, excludes_under_every_policy_and_operation, 120)
{
    for (ring3_rwlock_policy_t policy = 0; policy < RING3_RWLOCK_POLICIES; policy++)
        for (int threads = 2; threads <= 8; threads += 3) {
            ring3_rwlock_init(&lock, policy);
            counter = copy = upgrades = 0;
            rounds = crew_count(10000);
            crew_run(threads, mix);
            check_eq(counter, upgrades);
            check_eq(lock.word, 0u);
        }
}

/* --- Who goes first ----------------------------------------------------------------------------- */

static void go(int me)
{
    if (me >= 100) {
        ring3_rwlock_wrlock(&lock);
        order[ring3_fetch_add(&passed, 1, RING3_RELAXED)] = me;
        ring3_rwlock_wrunlock(&lock);
    } else {
        ring3_rwlock_rdlock(&lock);
        order[ring3_fetch_add(&passed, 1, RING3_RELAXED)] = me;
        ring3_fetch_add(&inside, 1, RING3_RELAXED);
        crew_until_quietly(ring3_load(&gate, RING3_RELAXED));
        ring3_rwlock_rdunlock(&lock);
    }
}

TEST(rwlock, lets_new_readers_pass_a_waiting_writer_only_if_it_prefers_readers)
{
    for (ring3_rwlock_policy_t policy = 0; policy < RING3_RWLOCK_POLICIES; policy++) {
        ring3_rwlock_init(&lock, policy);
        passed = 0;
        ring3_rwlock_rdlock(&lock);
        pthread_t writer = crew_start(go, 100);

        let_them_wait();
        if (policy == RING3_RWLOCK_PREFER_READERS) {
            check_eq(ring3_rwlock_tryrdlock(&lock), 0);
            ring3_rwlock_rdunlock(&lock);
        } else {
            check_eq(ring3_rwlock_tryrdlock(&lock), -EBUSY);
            check_eq(ring3_rwlock_timedrdlock(&lock, soon()), -ETIMEDOUT);
        }
        check_eq(ring3_load(&passed, RING3_RELAXED), 0);
        ring3_rwlock_rdunlock(&lock);
        crew_join(writer);
    }
}

/* A writer leaves while two readers and two writers wait, the writers for longer. */
TEST(rwlock, lets_readers_or_a_writer_follow_a_writer)
{
    for (ring3_rwlock_policy_t policy = 0; policy < RING3_RWLOCK_POLICIES; policy++) {
        const bool readers_first = policy != RING3_RWLOCK_PREFER_WRITERS;
        const int who[4] = {100, 101, 1, 2};
        pthread_t threads[4];

        ring3_rwlock_init(&lock, policy);
        passed = inside = gate = 0;
        ring3_rwlock_wrlock(&lock);
        for (int i = 0; i < 4; i++) {
            threads[i] = crew_start(go, who[i]);
            let_them_wait();
        }
        ring3_rwlock_wrunlock(&lock);
        if (readers_first) {
            crew_until_quietly(ring3_load(&inside, RING3_RELAXED) == 2);
            check_eq(ring3_load(&passed, RING3_RELAXED), 2, "both readers, no writer");
        }
        ring3_store(&gate, 1, RING3_RELAXED);
        for (int i = 0; i < 4; i++)
            crew_join(threads[i]);
        for (int i = 0; i < 4; i++)
            check_eq(order[i] < 100, readers_first == (i < 2), "place %d went to %d", i, order[i]);
        check_lt(order[readers_first ? 2 : 0], order[readers_first ? 3 : 1],
                 "writers in order of arrival");
    }
}

/* --- Starvation --------------------------------------------------------------------------------- */

static int finished;

/* Each reader leaves only after another has come, so that the lock is never free of readers. */
TEST(rwlock, starves_a_writer_while_readers_overlap_if_it_prefers_them)
{
    ring3_rwlock_init(&lock, RING3_RWLOCK_PREFER_READERS);
    ring3_rwlock_rdlock(&lock);
    pthread_t writer = crew_start(go, 100);

    let_them_wait();
    for (int i = 0; i < 1000; i++) {
        check_eq(ring3_rwlock_rdlock(&lock), 0);
        ring3_rwlock_rdunlock(&lock);
        sched_yield();
    }
    check_eq(ring3_load(&passed, RING3_RELAXED), 0);
    ring3_rwlock_rdunlock(&lock);
    crew_join(writer);
}

static void read_for_ever(int me)
{
    (void)me;
    while (!ring3_load(&finished, RING3_RELAXED)) {
        ring3_rwlock_rdlock(&lock);
        sched_yield();
        ring3_rwlock_rdunlock(&lock);
    }
}

TEST(rwlock, lets_a_writer_through_a_stream_of_readers_otherwise)
{
    const ring3_rwlock_policy_t policies[] = {RING3_RWLOCK_PHASE_FAIR, RING3_RWLOCK_PREFER_WRITERS};

    for (int i = 0; i < 2; i++) {
        pthread_t readers[4];

        ring3_rwlock_init(&lock, policies[i]);
        finished = 0;
        for (int j = 0; j < 4; j++)
            readers[j] = crew_start(read_for_ever, j);
        for (int j = 0; j < 20; j++) {
            ring3_rwlock_wrlock(&lock);
            ring3_rwlock_wrunlock(&lock);
        }
        ring3_store(&finished, 1, RING3_RELAXED);
        for (int j = 0; j < 4; j++)
            crew_join(readers[j]);
    }
}

/* --- Upgrade and downgrade ----------------------------------------------------------------------- */

static int upgrade_result;

static void read_and_upgrade(int me)
{
    (void)me;
    ring3_rwlock_rdlock(&lock);
    ring3_store(&inside, 1, RING3_RELEASE);
    upgrade_result = ring3_rwlock_upgrade(&lock);
    ring3_store(&passed, 1, RING3_RELEASE);
    if (upgrade_result == 0)
        ring3_rwlock_wrunlock(&lock);
}

TEST(rwlock, upgrades_one_reader_when_the_others_have_left)
{
    ring3_rwlock_init(&lock, RING3_RWLOCK_PHASE_FAIR);
    ring3_rwlock_rdlock(&lock);
    check_eq(ring3_rwlock_tryupgrade(&lock), 0, "the only reader");
    ring3_rwlock_downgrade(&lock);

    pthread_t thread = crew_start(read_and_upgrade, 0);

    crew_until(ring3_load(&lock.word, RING3_RELAXED) & RING3_RWLOCK_UPGRADER);
    let_them_wait();
    check_eq(ring3_load(&passed, RING3_ACQUIRE), 0, "we still read");
    check_eq(ring3_rwlock_tryupgrade(&lock), -EBUSY);
    check_eq(ring3_rwlock_upgrade(&lock), -EBUSY, "two that wait for each other");
    check_eq(ring3_rwlock_tryrdlock(&lock), -EBUSY, "no new readers meanwhile");
    ring3_rwlock_rdunlock(&lock);
    crew_join(thread);
    check_eq(upgrade_result, 0);
    check_eq(lock.word, 0u);
}

static void read_when_told(int me)
{
    (void)me;
    ring3_rwlock_rdlock(&lock);
    ring3_rwlock_rdunlock(&lock);
    ring3_store(&passed, 1, RING3_RELEASE);
}

TEST(rwlock, downgrades_so_that_readers_join_and_writers_do_not)
{
    ring3_rwlock_init(&lock, RING3_RWLOCK_PHASE_FAIR);
    ring3_rwlock_wrlock(&lock);
    pthread_t thread = crew_start(read_when_told, 0);

    let_them_wait();
    check_eq(ring3_load(&passed, RING3_ACQUIRE), 0);
    ring3_rwlock_downgrade(&lock);
    crew_join(thread);
    check_eq(ring3_rwlock_trywrlock(&lock), -EBUSY);
    ring3_rwlock_rdunlock(&lock);
    check_eq(ring3_rwlock_trywrlock(&lock), 0);
    ring3_rwlock_wrunlock(&lock);
}

/* A reader that waited only because of an upgrader goes on when that gives up. */
TEST(rwlock, lets_readers_in_when_an_upgrader_or_writer_gives_up)
{
    ring3_rwlock_init(&lock, RING3_RWLOCK_PHASE_FAIR);
    for (int i = 0; i < 2; i++) {
        passed = 0;
        ring3_rwlock_rdlock(&lock);
        ring3_rwlock_rdlock(&lock);
        const struct timespec when = crew_in(CLOCK_MONOTONIC, 0.1);
        pthread_t thread;

        if (i == 0) {
            check_eq(ring3_rwlock_clockupgrade(&lock, CLOCK_MONOTONIC, soon()), -ETIMEDOUT);
            thread = crew_start(read_when_told, 0);
        } else {
            thread = crew_start(read_when_told, 0);
            check_eq(ring3_rwlock_timedwrlock(&lock, &when), -ETIMEDOUT);
        }
        crew_join(thread);
        check_eq(lock.word, 2u);
        ring3_rwlock_rdunlock(&lock);
        ring3_rwlock_rdunlock(&lock);
    }
}
