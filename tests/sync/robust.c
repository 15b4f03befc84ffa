/* SPDX-License-Identifier: MIT */
/* Locks that survive their owners: processes are killed at random instants while they use them. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/picond.h"
#include "ring3/robust.h"
#include "ring3/robust_rwlock.h"
#include "ring3/shmutex.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 4 };

static struct shared {
    ring3_robust_t mutex;
    struct {
        ring3_robust_rwlock_t lock;
        ring3_robust_slot_t slots[SLOTS];
    } rw;
    ring3_shmutex_t plain;
    ring3_cond_t cond;
    uint32_t stage;
    long left, right; /* equal whenever nobody writes */
    long rounds, torn;
} * shared;

static void start(void)
{
    shared = crew_shared(sizeof *shared);
    ring3_robust_rwlock_init(&shared->rw.lock, SLOTS);
}

/* --- The mutex ------------------------------------------------------------------------------------ */

TEST(robust, misuse_is_refused)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    ring3_robust_t mutex = RING3_ROBUST_INIT;

    check_eq(ring3_robust_unlock(&mutex), -EPERM);
    check_eq(ring3_robust_lock(&mutex), 0);
    check_eq(ring3_robust_lock(&mutex), -EDEADLK);
    check_eq(ring3_robust_trylock(&mutex), -EBUSY);
    check_eq(ring3_robust_consistent(&mutex), -EINVAL);
    check_eq(ring3_robust_unlock(&mutex), 0);
    check_eq(ring3_robust_clocklock(&mutex, CLOCK_BOOTTIME, NULL), 0, "it is free");
    check_eq(ring3_robust_unlock(&mutex), 0);
}

static ring3_robust_t local;
static long count;

static void acquire(int tid)
{
    (void)tid;
    check_eq(ring3_robust_lock(&local), 0);
}

static void release(int tid)
{
    (void)tid;
    check_eq(ring3_robust_unlock(&local), 0);
}

TEST(robust, excludes_threads)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    check_eq(run_exclusion(acquire, release, 8, rounds(5000)).violations, 0);
}

static void die_holding_it(int me)
{
    (void)me;
    check_eq(ring3_robust_lock(&local), 0);
    count = 1;
}

TEST(robust, a_thread_that_ends_leaves_word)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    crew_join(crew_start(die_holding_it, 0));
    check_eq(ring3_robust_trylock(&local), -EOWNERDEAD);
    check_eq(count, 1);
    check_eq(ring3_robust_consistent(&local), 0);
    check_eq(ring3_robust_unlock(&local), 0);
    check_eq(ring3_robust_lock(&local), 0);
    check_eq(ring3_robust_unlock(&local), 0);
}

static uint32_t waiting;

static void wait_for_it(int me)
{
    (void)me;
    ring3_store(&waiting, 1, RING3_RELEASE);
    const int result = ring3_robust_lock(&local);

    check_eq(result, -ENOTRECOVERABLE);
}

TEST(robust, unrepaired_it_is_lost_for_all)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    crew_join(crew_start(die_holding_it, 0));
    check_eq(ring3_robust_lock(&local), -EOWNERDEAD);
    const pthread_t waiter = crew_start(wait_for_it, 0), second = crew_start(wait_for_it, 1);

    crew_until_quietly(ring3_load(&waiting, RING3_ACQUIRE));
    sleep_ms(10);
    check_eq(ring3_robust_unlock(&local), 0);
    crew_join(waiter);
    crew_join(second);
    check_eq(ring3_robust_trylock(&local), -ENOTRECOVERABLE);
}

TEST(robust, keeps_its_deadline)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.02), late = crew_in(CLOCK_REALTIME, 0);

    crew_join(crew_start(die_holding_it, 0));
    check_eq(ring3_robust_lock(&local), -EOWNERDEAD);
    start();
    const pid_t child = fork();

    if (child == 0) {
        /* Another process: the word names its parent. */
        check_eq(ring3_robust_clocklock(&local, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
        check_eq(ring3_robust_clocklock(&local, CLOCK_REALTIME, &late), -ETIMEDOUT);
        check_eq(ring3_robust_clocklock(&local, CLOCK_BOOTTIME, &late), -EINVAL);
        _exit(0);
    }
    check_child(child);
}

/* glibc's mutexes and ours are in one list. */
TEST(robust, shares_the_list_with_those_of_the_c_library)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    static pthread_mutex_t theirs[3];
    static ring3_robust_t ours[3];
    pthread_mutexattr_t robust;

    check_eq(pthread_mutexattr_init(&robust), 0);
    check_eq(pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST), 0);
    for (int i = 0; i < 3; i++)
        check_eq(pthread_mutex_init(&theirs[i], &robust), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            check_eq(pthread_mutex_lock(&theirs[i]), 0);
            check_eq(ring3_robust_lock(&ours[i]), 0);
        }
        for (int i = 0; i < 3; i++) {
            check_eq(ring3_robust_unlock(&ours[(i + round) % 3]), 0);
            check_eq(pthread_mutex_unlock(&theirs[(i + 1) % 3]), 0);
        }
    }
    check_eq(pthread_mutexattr_destroy(&robust), 0);
}

/* --- SIGKILL --------------------------------------------------------------------------------------- */

static void write_pair(void)
{
    ring3_store(&shared->left, ring3_load(&shared->left, RING3_RELAXED) + 1, RING3_RELAXED);
    ring3_store(&shared->right, ring3_load(&shared->right, RING3_RELAXED) + 1, RING3_RELAXED);
}

static void look_at_pair(void)
{
    if (ring3_load(&shared->left, RING3_RELAXED) != ring3_load(&shared->right, RING3_RELAXED))
        ring3_fetch_add(&shared->torn, 1, RING3_RELAXED);
}

/* Returns true if somebody had died. */
static bool lock_and_repair(void)
{
    const int result = ring3_robust_lock(&shared->mutex);

    if (result == -EOWNERDEAD) {
        ring3_store(&shared->right, ring3_load(&shared->left, RING3_RELAXED), RING3_RELAXED);
        check_eq(ring3_robust_consistent(&shared->mutex), 0);
    } else {
        check_eq(result, 0);
        look_at_pair();
    }
    return result != 0;
}

static void use_mutex(void)
{
    for (;;) {
        (void)lock_and_repair();
        write_pair();
        ring3_fetch_add(&shared->rounds, 1, RING3_RELAXED);
        check_eq(ring3_robust_unlock(&shared->mutex), 0);
    }
}

/* Lets three children work for a random moment, kills them, and returns when they are gone. */
static void kill_at_random(void work(void), unsigned *seed)
{
    pid_t child[3];
    const long before = ring3_load(&shared->rounds, RING3_RELAXED);

    for (int i = 0; i < 3; i++)
        child[i] = crew_fork(work);
    crew_until_quietly(ring3_load(&shared->rounds, RING3_RELAXED) > before + 10);
    nanosleep(&(struct timespec){0, rand_r(seed) % 300000}, NULL);
    for (int i = 0; i < 3; i++) {
        check_eq(kill(child[i], SIGKILL), 0);
        check_eq(waitpid(child[i], NULL, 0), child[i]);
    }
}

TEST(robust, survives_sigkill_at_any_instant, 120)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    unsigned seed = 1;
    long deaths = 0;

    start();
    for (long i = scaled(150, 5000); i > 0; i--) {
        kill_at_random(use_mutex, &seed);
        deaths += lock_and_repair();
        check_eq(ring3_robust_unlock(&shared->mutex), 0);
        check_eq(shared->torn, 0);
    }
    check_gt(deaths, 0L, "nobody was killed while holding it");
}

/* --- The read-write lock -------------------------------------------------------------------------- */

TEST(robust_rwlock, readers_share_and_writers_exclude)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    start();
    ring3_robust_rwlock_t *const lock = &shared->rw.lock;
    const struct timespec past = {0, 0};

    check_eq(ring3_robust_rwlock_rdunlock(lock), -EPERM);
    check_eq(ring3_robust_rwlock_rdlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrlock(lock), -EDEADLK);
    pid_t child = fork();

    if (child == 0) {
        check_eq(ring3_robust_rwlock_rdlock(lock), 0);
        check_eq(ring3_robust_rwlock_rdunlock(lock), 0);
        check_eq(ring3_robust_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &past), -ETIMEDOUT);
        _exit(0);
    }
    check_child(child);
    check_eq(ring3_robust_rwlock_rdunlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrlock(lock), 0);
    check_eq(ring3_robust_rwlock_rdlock(lock), -EDEADLK);
    child = fork();
    if (child == 0) {
        check_eq(ring3_robust_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &past), -ETIMEDOUT);
        check_eq(ring3_robust_rwlock_wrunlock(lock), -EPERM);
        _exit(0);
    }
    check_child(child);
    check_eq(ring3_robust_rwlock_wrunlock(lock), 0);
}

static void die_reading(void)
{
    check_eq(ring3_robust_rwlock_rdlock(&shared->rw.lock), 0);
    (void)kill(getpid(), SIGKILL);
}

static void die_writing(void)
{
    check_eq(ring3_robust_rwlock_wrlock(&shared->rw.lock), 0);
    (void)kill(getpid(), SIGKILL);
}

static void killed(void body(void))
{
    const pid_t child = crew_fork(body);

    check_eq(waitpid(child, NULL, 0), child);
}

TEST(robust_rwlock, the_next_writer_is_told_of_the_dead)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    start();
    ring3_robust_rwlock_t *const lock = &shared->rw.lock;

    killed(die_reading);
    check_eq(ring3_robust_rwlock_rdlock(lock), 0, "other readers go on");
    check_eq(ring3_robust_rwlock_rdunlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrlock(lock), -EOWNERDEAD);
    check_eq(ring3_robust_rwlock_consistent(lock), 0);
    check_eq(ring3_robust_rwlock_wrunlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrunlock(lock), 0);

    killed(die_writing);
    check_eq(ring3_robust_rwlock_rdlock(lock), -EOWNERDEAD, "a reader cannot repair");
    check_eq(ring3_robust_rwlock_wrlock(lock), -EOWNERDEAD);
    check_eq(ring3_robust_rwlock_consistent(lock), 0);
    check_eq(ring3_robust_rwlock_wrunlock(lock), 0);
    check_eq(ring3_robust_rwlock_rdlock(lock), 0);
    check_eq(ring3_robust_rwlock_rdunlock(lock), 0);

    /* When all slots are left by the dead, a reader says so instead of waiting for ever. */
    for (int i = 0; i < SLOTS; i++)
        killed(die_reading);
    check_eq(ring3_robust_rwlock_rdlock(lock), -EOWNERDEAD);
    check_eq(ring3_robust_rwlock_wrlock(lock), -EOWNERDEAD);
    check_eq(ring3_robust_rwlock_wrunlock(lock), 0);
    check_eq(ring3_robust_rwlock_wrlock(lock), -ENOTRECOVERABLE, "it was not made consistent");
    check_eq(ring3_robust_rwlock_rdlock(lock), -ENOTRECOVERABLE);
}

static bool write_lock_and_repair(void)
{
    const int result = ring3_robust_rwlock_wrlock(&shared->rw.lock);

    if (result == -EOWNERDEAD) {
        ring3_store(&shared->right, ring3_load(&shared->left, RING3_RELAXED), RING3_RELAXED);
        check_eq(ring3_robust_rwlock_consistent(&shared->rw.lock), 0);
    } else {
        check_eq(result, 0);
        look_at_pair();
    }
    return result != 0;
}

static void use_rwlock(void)
{
    for (int i = 0;; i++) {
        if (i % 4 == 3) {
            (void)write_lock_and_repair();
            write_pair();
            check_eq(ring3_robust_rwlock_wrunlock(&shared->rw.lock), 0);
        } else if (ring3_robust_rwlock_rdlock(&shared->rw.lock) == 0) {
            look_at_pair();
            check_eq(ring3_robust_rwlock_rdunlock(&shared->rw.lock), 0);
        }
        ring3_fetch_add(&shared->rounds, 1, RING3_RELAXED);
    }
}

TEST(robust_rwlock, survives_sigkill_at_any_instant, 120)
{
    if (under_qemu())
        return; /* it has no set_robust_list */
    unsigned seed = 2;
    long deaths = 0;

    start();
    for (long i = scaled(150, 5000); i > 0; i--) {
        kill_at_random(use_rwlock, &seed);
        deaths += write_lock_and_repair();
        check_eq(ring3_robust_rwlock_wrunlock(&shared->rw.lock), 0);
        check_eq(shared->torn, 0);
    }
    check_gt(deaths, 0L, "nobody was killed while holding it");
}

/* --- The shared mutex and its condition ------------------------------------------------------------ */

static void add_shared(void)
{
    for (long i = crew_count(20000); i > 0; i--) {
        ring3_shmutex_lock(&shared->plain);
        shared->left++;
        ring3_shmutex_unlock(&shared->plain);
    }
}

TEST(shmutex, excludes_processes_and_keeps_deadlines)
{
    start();
    pid_t child[3];

    for (int i = 0; i < 3; i++)
        child[i] = crew_fork(add_shared);
    add_shared();
    for (int i = 0; i < 3; i++)
        check_child(child[i]);
    check_eq(shared->left, 4 * crew_count(20000));
    ring3_shmutex_lock(&shared->plain);
    const struct timespec soon = crew_in(CLOCK_REALTIME, 0.01);

    check_eq(ring3_shmutex_trylock(&shared->plain), -EBUSY);
    check_eq(ring3_shmutex_clocklock(&shared->plain, CLOCK_REALTIME, &soon), -ETIMEDOUT);
    check_eq(ring3_shmutex_clocklock(&shared->plain, CLOCK_BOOTTIME, &soon), -EINVAL);
    ring3_shmutex_unlock(&shared->plain);
}

static void take_turns(uint32_t mine)
{
    ring3_shmutex_lock(&shared->plain);
    for (long i = 0; i < crew_count(2000); i++) {
        while (shared->stage != mine)
            check_eq(ring3_cond_clockwait_with(&shared->cond, &ring3_shmutex_ops, &shared->plain,
                                               CLOCK_MONOTONIC, NULL),
                     0);
        shared->stage = 1 - mine;
        ring3_cond_signal(&shared->cond);
    }
    ring3_shmutex_unlock(&shared->plain);
}

static void take_odd_turns(void)
{
    take_turns(1);
}

TEST(shmutex, serves_a_shared_condition, 60)
{
    start();
    ring3_cond_init(&shared->cond, RING3_SHARED);
    const pid_t child = crew_fork(take_odd_turns);

    take_turns(0);
    check_child(child);
}

/* --- The condition of priority-inheriting mutexes --------------------------------------------------- */

static ring3_pimutex_t pimutex;
static ring3_picond_t picond;
static int items, done;

static void consume(int me)
{
    (void)me;
    check_eq(ring3_pimutex_lock(&pimutex), 0);
    for (;;) {
        while (items == 0 && !done)
            ring3_picond_wait(&picond, &pimutex);
        if (items == 0)
            break;
        items--;
        count++;
    }
    check_eq(ring3_pimutex_unlock(&pimutex), 0);
}

TEST(picond, hands_on_every_item, 60)
{
    if (under_qemu() || under_valgrind())
        return;
    pthread_t consumers[3];
    const long total = crew_count(5000);

    for (int i = 0; i < 3; i++)
        consumers[i] = crew_start(consume, i);
    for (long i = 0; i < total; i++) {
        check_eq(ring3_pimutex_lock(&pimutex), 0);
        items++;
        if (i % 2)
            ring3_picond_signal(&picond, &pimutex);
        check_eq(ring3_pimutex_unlock(&pimutex), 0);
        if (i % 2 == 0)
            ring3_picond_signal(&picond, &pimutex);
    }
    check_eq(ring3_pimutex_lock(&pimutex), 0);
    done = 1;
    ring3_picond_broadcast(&picond, &pimutex);
    check_eq(ring3_pimutex_unlock(&pimutex), 0);
    for (int i = 0; i < 3; i++)
        crew_join(consumers[i]);
    check_eq(count, total);
}

TEST(picond, keeps_deadlines_and_refuses_misuse)
{
    if (under_qemu() || under_valgrind())
        return;
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);
    const struct timespec wall = crew_in(CLOCK_REALTIME, 0.01);

    check_eq(ring3_picond_clockwait(&picond, &pimutex, CLOCK_MONOTONIC, &soon), -EPERM);
    check_eq(ring3_pimutex_lock(&pimutex), 0);
    check_eq(ring3_picond_clockwait(&picond, &pimutex, CLOCK_MONOTONIC, &soon), -ETIMEDOUT);
    check_eq(ring3_picond_clockwait(&picond, &pimutex, CLOCK_REALTIME, &wall), -ETIMEDOUT);
    check_eq(ring3_picond_clockwait(&picond, &pimutex, CLOCK_BOOTTIME, &wall), -EINVAL);
    check_eq(ring3_pimutex_unlock(&pimutex), 0, "it is held after each");
    ring3_picond_signal(&picond, &pimutex);
    check_eq(picond.waiters, 0u);
}
