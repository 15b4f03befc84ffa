/* SPDX-License-Identifier: MIT */
/* Forking while other threads wait for locks and hold them. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/mutex.h"
#include "ring3/park.h"
#include "ring3/self.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_mutex_t mutex;
static ring3_spinlock_t spinlock;
static ring3_mcs_t mcs;

static void acquire_mutex(int tid)
{
    (void)tid;
    ring3_mutex_lock(&mutex);
}
static void release_mutex(int tid)
{
    (void)tid;
    ring3_mutex_unlock(&mutex);
}
static void acquire_spinlock(int tid)
{
    (void)tid;
    ring3_spinlock_lock(&spinlock);
}
static void release_spinlock(int tid)
{
    (void)tid;
    ring3_spinlock_unlock(&spinlock);
}

static void *wait_for_mutex(void *unused)
{
    ring3_mutex_lock(&mutex);
    ring3_mutex_unlock(&mutex);
    return unused;
}
static void *wait_for_spinlock(void *unused)
{
    ring3_spinlock_lock(&spinlock);
    ring3_spinlock_unlock(&spinlock);
    return unused;
}
static void *wait_for_mcs(void *unused)
{
    ring3_mcs_lock(&mcs, RING3_WAIT_PARK);
    ring3_mcs_unlock(&mcs);
    return unused;
}

static void *unpark(void *self)
{
    ring3_unpark(self);
    return NULL;
}

static int waiters_in_table(void)
{
    int count = 0;

    for (int i = 0; i < 1 << RING3_PARK_BUCKETS_LOG2; i++)
        for (const ring3_waiter_t *w = ring3_load(&ring3_park_table[i].first, RING3_ACQUIRE); w;
             w = w->next)
            count++;
    return count;
}

/* TSan does not let the child of a process with threads make threads of its own. */
#ifdef RING3_TSAN
static const bool threads_in_child = false;
#else
static const bool threads_in_child = true;
#endif

static void contend_in_child(void)
{
    pthread_t thread;

    if (!threads_in_child)
        return;
    check_eq(run_exclusion(acquire_mutex, release_mutex, 8, 2000).violations, 0);
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++) {
        check_eq(crew_spinlock(&spinlock, a, RING3_WAIT_ADAPTIVE), 0);
        check_eq(run_exclusion(acquire_spinlock, release_spinlock, 8, 200).violations, 0);
    }
    check_eq(pthread_create(&thread, NULL, unpark, ring3_self()), 0);
    ring3_park();
    check_eq(pthread_join(thread, NULL), 0);
}

/* The same addresses as in the parent, where threads wait at them. */
static void use_everything_anew(void)
{
    const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, 5000000);

    alarm(20);
    check_eq(waiters_in_table(), 0, "waiters of the parent stand in the child's table");
    check_eq(ring3_self()->id, (uint32_t)syscall(SYS_gettid));
    check(ring3_fence_heavy(), "membarrier is not registered in the child");
    ring3_mutex_init(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), 0);
    check_eq(ring3_mutex_timedlock(&mutex, &soon), -ETIMEDOUT);
    ring3_mutex_unlock(&mutex);
    mcs = (ring3_mcs_t){0};
    ring3_mcs_lock(&mcs, RING3_WAIT_PARK);
    check_eq(ring3_mcs_timedlock(&mcs, RING3_WAIT_PARK, &soon), -ETIMEDOUT);
    ring3_mcs_unlock(&mcs);
    ring3_unpark(ring3_self());
    ring3_park();
    contend_in_child();
}

TEST(fork, the_child_starts_afresh_and_the_parent_goes_on, 60)
{
    enum { EACH = 3 };
    void *(*const bodies[])(void *) = {wait_for_mutex, wait_for_spinlock, wait_for_mcs};
    const struct timespec past = {1, 0};
    pthread_t thread[3 * EACH];

    if (under_qemu())
        return;
    check_eq(ring3_spinlock_init(&spinlock, RING3_SPINLOCK_TICKET, RING3_WAIT_PARK), 0);
    ring3_mutex_lock(&mutex);
    ring3_spinlock_lock(&spinlock);
    ring3_mcs_lock(&mcs, RING3_WAIT_PARK);
    for (int i = 0; i < 3 * EACH; i++)
        check_eq(pthread_create(&thread[i], NULL, bodies[i % 3], NULL), 0);
    sleep_ms(50);
    /* The forking thread has a node of its own in a queue, which means nothing in the child. */
    check_eq(ring3_mcs_timedlock(&mcs, RING3_WAIT_PARK, &past), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        const pid_t child = fork();

        check_ge(child, 0);
        if (child == 0) {
            use_everything_anew();
            _exit(0);
        }
        check_child(child);
    }
    ring3_mutex_unlock(&mutex);
    ring3_spinlock_unlock(&spinlock);
    ring3_mcs_unlock(&mcs);
    for (int i = 0; i < 3 * EACH; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    check_eq(waiters_in_table(), 0);
}

/* --- A storm ---------------------------------------------------------------------------------- */

static bool stop;

static void *use_queue_locks(void *unused)
{
    while (!ring3_load(&stop, RING3_RELAXED)) {
        static ring3_mcs_t busy[12];

        /* More nodes than a thread keeps, so that the pool is in use as well. */
        for (int i = 0; i < 12; i++)
            ring3_mcs_lock(&busy[i], RING3_WAIT_PARK);
        for (int i = 0; i < 12; i++)
            ring3_mcs_unlock(&busy[i]);
    }
    return unused;
}

/* Whatever the other threads were in the middle of, the child can lock. */
TEST(fork, the_child_can_lock_wherever_the_others_stood, 60)
{
    pthread_t thread[4];

    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&thread[i], NULL, use_queue_locks, NULL), 0);
    for (int i = 0; i < rounds(200); i++) {
        const pid_t child = fork();

        check_ge(child, 0);
        if (child == 0) {
            ring3_mcs_t many[16] = {{0}};

            alarm(20);
            for (int j = 0; j < 16; j++)
                ring3_mcs_lock(&many[j], RING3_WAIT_PARK);
            for (int j = 0; j < 16; j++)
                ring3_mcs_unlock(&many[j]);
            ring3_mutex_lock(&mutex);
            ring3_mutex_unlock(&mutex);
            _exit(0);
        }
        check_child(child);
    }
    ring3_store(&stop, true, RING3_RELAXED);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
}

/* What the forking thread holds stays held in the child, and can be released there. */
TEST(fork, what_the_forking_thread_holds_is_released_by_the_child)
{
    pthread_t thread;

    ring3_mutex_lock(&mutex);
    ring3_spinlock_lock(&spinlock); /* debug builds look who releases it */
    check_eq(pthread_create(&thread, NULL, wait_for_mutex, NULL), 0);
    sleep_ms(10);
    const pid_t child = fork();

    check_ge(child, 0);
    if (child == 0) {
        alarm(20);
        check(ring3_mutex_trylock(&mutex) != 0);
        ring3_mutex_unlock(&mutex);
        ring3_mutex_lock(&mutex);
        ring3_mutex_unlock(&mutex);
        check_eq(mutex.word, 0u);
        check_eq(ring3_spinlock_trylock(&spinlock), -EBUSY);
        ring3_spinlock_unlock(&spinlock);
        check_eq(ring3_spinlock_trylock(&spinlock), 0);
        ring3_spinlock_unlock(&spinlock);
        _exit(0);
    }
    check_child(child);
    ring3_spinlock_unlock(&spinlock);
    ring3_mutex_unlock(&mutex);
    check_eq(pthread_join(thread, NULL), 0);
}
