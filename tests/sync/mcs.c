/* SPDX-License-Identifier: MIT */
/* MCS: waiters that give up, where their nodes go, and nodes of the caller's own. */
#include "ring3_test.h"

#include "exclusion.h"
#include "ring3/mcs.h"
#include "ring3/self.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static ring3_mcs_t lock;
static const struct timespec past = {1, 0};

static struct timespec in_ms(int milliseconds)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, milliseconds * 1000000L);
}

static void check_free(void)
{
    check(ring3_load(&lock.tail, RING3_ACQUIRE) == NULL, "somebody is left in the queue");
    check_eq(ring3_mcs_trylock(&lock), 0);
    ring3_mcs_unlock(&lock);
}

/* --- Giving up -------------------------------------------------------------------------------- */

static struct {
    int order[16], served;
    ring3_wait_t how;
} line;

static void *wait_untimed(void *number)
{
    ring3_mcs_lock(&lock, line.how);
    line.order[line.served++] = (int)(intptr_t)number;
    ring3_mcs_unlock(&lock);
    return NULL;
}

static void *give_up_soon(void *number)
{
    const struct timespec deadline = in_ms(5);

    (void)number;
    check_eq(ring3_mcs_timedlock(&lock, line.how, &deadline), -ETIMEDOUT);
    check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline));
    return NULL;
}

static pthread_t join_line(void *(*body)(void *), int number)
{
    const void *const tail = ring3_load(&lock.tail, RING3_ACQUIRE);
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, body, (void *)(intptr_t)number), 0);
    while (ring3_load(&lock.tail, RING3_ACQUIRE) == tail)
        sched_yield();
    return thread;
}

/* A letter per waiter in the order of arrival: u untimed, t giving up. */
static void run_line(const char *letters)
{
    pthread_t thread[16];
    int count = 0, untimed = 0;

    line.served = 0;
    ring3_mcs_lock(&lock, line.how);
    for (; letters[count]; count++)
        thread[count] = join_line(letters[count] == 'u' ? wait_untimed : give_up_soon,
                                  letters[count] == 'u' ? untimed++ : -1);
    for (int i = 0; i < count; i++)
        if (letters[i] == 't')
            check_eq(pthread_join(thread[i], NULL), 0);
    ring3_mcs_unlock(&lock);
    for (int i = 0; i < count; i++)
        if (letters[i] == 'u')
            check_eq(pthread_join(thread[i], NULL), 0);
    check_eq(line.served, untimed, "%s", letters);
    for (int i = 0; i < untimed; i++)
        check_eq(line.order[i], i, "%s", letters);
    check_free();
}

TEST(mcs, the_lock_passes_over_those_who_gave_up)
{
    static const char *const lines[] = {"t",     "tu",   "ut",      "utu",     "uttu",
                                        "ttttu", "uutt", "tututut", "tttttttt"};

    for (line.how = 0; line.how < RING3_WAIT_POLICIES; line.how++)
        for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
            run_line(lines[i]);
}

static void acquire_briefly(int tid)
{
    /* Deadlines from "passed" to "about when the lock comes", so that grants and time-outs cross.
     */
    for (int64_t patience = 0;; patience = (patience + 1500 + tid) % 30000) {
        const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, patience);

        if (ring3_mcs_timedlock(&lock, line.how, &deadline) == 0)
            return;
    }
}
static void release(int tid)
{
    (void)tid;
    ring3_mcs_unlock(&lock);
}

TEST(mcs, grants_and_time_outs_that_cross_lose_nothing, 60)
{
    static const ring3_wait_t policies[] = {RING3_WAIT_ADAPTIVE, RING3_WAIT_YIELD, RING3_WAIT_PARK};

    for (int i = 0; i < 3; i++) {
        line.how = policies[i];
        const struct exclusion_result got =
            run_exclusion(acquire_briefly, release, 6, rounds(1000));

        check_eq(got.violations, 0, "%s", ring3_wait_name(line.how));
        check_free();
    }
}

/* --- Where nodes go --------------------------------------------------------------------------- */

/* The different nodes seen, in a small open table. */
#define NODES_MAX 4096
static const void *seen[NODES_MAX];
static int seen_count;

static void note(const void *node)
{
    unsigned i = (unsigned)((uintptr_t)node / sizeof(ring3_mcs_node_t)) % NODES_MAX;

    while (seen[i] && seen[i] != node)
        i = (i + 1) % NODES_MAX;
    if (seen[i])
        return;
    check_lt(++seen_count, NODES_MAX);
    seen[i] = node;
}

/* Notes every node of the queue, while nobody moves; returns how many wait. */
static int note_queue(void)
{
    int count = 0;

    for (const ring3_mcs_node_t *node = lock.holder; node;
         node = ring3_load(&node->next, RING3_ACQUIRE)) {
        note(node);
        count++;
    }
    return count - 1;
}

static void *poll_often(void *count)
{
    for (int i = 0; i < *(int *)count; i++)
        check_eq(ring3_mcs_timedlock(&lock, RING3_WAIT_ADAPTIVE, &past), -ETIMEDOUT);
    return NULL;
}

TEST(mcs, polling_a_lock_that_is_held_uses_one_node)
{
    int often = rounds(100000);
    pthread_t thread;

    ring3_mcs_lock(&lock, RING3_WAIT_PARK);
    check_eq(pthread_create(&thread, NULL, poll_often, &often), 0);
    check_eq(pthread_join(thread, NULL), 0);
    check_eq(note_queue(), 1);
    ring3_mcs_unlock(&lock);
    check_free();
}

#define POLLERS 4
static pthread_barrier_t turn;
static int cycles;

static void *poll_each_cycle(void *unused)
{
    (void)unused;
    for (int i = 0; i < cycles; i++) {
        pthread_barrier_wait(&turn);
        for (int j = 0; j < 50; j++)
            check_eq(ring3_mcs_timedlock(&lock, RING3_WAIT_PARK, &past), -ETIMEDOUT);
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

TEST(mcs, a_hundred_thousand_time_outs_use_a_handful_of_nodes)
{
    pthread_t thread[POLLERS];

    cycles = rounds(500);
    check_eq(pthread_barrier_init(&turn, NULL, POLLERS + 1), 0);
    for (int i = 0; i < POLLERS; i++)
        check_eq(pthread_create(&thread[i], NULL, poll_each_cycle, NULL), 0);
    for (int i = 0; i < cycles; i++) {
        ring3_mcs_lock(&lock, RING3_WAIT_PARK);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        check_eq(note_queue(), POLLERS);
        ring3_mcs_unlock(&lock);
    }
    for (int i = 0; i < POLLERS; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    check_le(seen_count, 2 * POLLERS + 2, "%d nodes", seen_count);
    check_free();
}

/* Threads that end while their nodes still stand in the queue. */
TEST(mcs, nodes_of_threads_that_ended_in_the_queue_come_back)
{
    const int threads = 100;
    int once = 1;

    for (int round = 0; round < 4; round++) {
        ring3_mcs_lock(&lock, RING3_WAIT_PARK);
        for (int i = 0; i < threads; i++) {
            pthread_t thread;

            check_eq(pthread_create(&thread, NULL, poll_often, &once), 0);
            check_eq(pthread_join(thread, NULL), 0);
        }
        check_eq(note_queue(), threads);
        ring3_mcs_unlock(&lock);
        check_free();
    }
    check_le(seen_count, threads + 10, "%d nodes", seen_count);
}

/* A time-out on many locks leaves one node in each, and all of them are found again. */
TEST(mcs, time_outs_on_many_locks_are_independent)
{
    static ring3_mcs_t many[40];
    pthread_t thread;
    int once = 1;

    for (int i = 0; i < 40; i++)
        ring3_mcs_lock(&many[i], RING3_WAIT_PARK);
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < 40; i++)
            check_eq(ring3_mcs_timedlock(&many[i], RING3_WAIT_PARK, &past), -ETIMEDOUT);
    for (int i = 0; i < 40; i++) {
        check(many[i].tail != many[i].holder);
        check(many[i].holder->next == many[i].tail, "one node waits in each");
        ring3_mcs_unlock(&many[i]);
        check_eq(ring3_mcs_timedlock(&many[i], RING3_WAIT_PARK, &past), 0);
        ring3_mcs_unlock(&many[i]);
    }
    check(ring3_self()->left == NULL, "a removed node was not collected");
    ring3_mcs_lock(&lock, RING3_WAIT_PARK);
    check_eq(pthread_create(&thread, NULL, poll_often, &once), 0);
    check_eq(pthread_join(thread, NULL), 0);
    ring3_mcs_unlock(&lock);
}

/* --- The caller's own nodes ------------------------------------------------------------------- */

static ring3_mcs_node_t mine[64];

static void acquire_with_node(int tid)
{
    ring3_mcs_lock_node(&lock, &mine[tid], line.how);
}
static void release_with_node(int tid)
{
    ring3_mcs_unlock_node(&lock, &mine[tid]);
}

static void acquire_either_way(int tid)
{
    if (tid % 3 == 0)
        acquire_with_node(tid);
    else if (tid % 3 == 1)
        ring3_mcs_lock(&lock, line.how);
    else
        while (ring3_mcs_trylock_node(&lock, &mine[tid]) == -EBUSY)
            sched_yield();
}
static void release_either_way(int tid)
{
    if (tid % 3 == 1)
        ring3_mcs_unlock(&lock);
    else
        release_with_node(tid);
}

TEST(mcs, excludes_with_nodes_of_the_callers)
{
    const int threads = 4 * cpus() < 64 ? 4 * cpus() : 64, each = rounds(1000);

    check_eq(run_exclusion(acquire_with_node, release_with_node, threads, each).violations, 0);
    check_free();
    check_eq(run_exclusion(acquire_either_way, release_either_way, threads, each).violations, 0);
    check_free();
}

TEST(mcs, try_with_a_node_takes_a_free_lock_only)
{
    check_eq(ring3_mcs_trylock_node(&lock, &mine[0]), 0);
    check_eq(ring3_mcs_trylock_node(&lock, &mine[1]), -EBUSY);
    check_eq(ring3_mcs_trylock(&lock), -EBUSY);
    ring3_mcs_unlock_node(&lock, &mine[0]);
    check_eq(ring3_mcs_trylock_node(&lock, &mine[1]), 0);
    ring3_mcs_unlock_node(&lock, &mine[1]);
    check_free();
}

/* --- The end of threads ----------------------------------------------------------------------- */

static pthread_key_t key;

/* Runs after libsync's own destructor, which was made first. */
static void lock_in_destructor(void *value)
{
    (void)value;
    ring3_mcs_lock(&lock, RING3_WAIT_ADAPTIVE);
    note(lock.holder);
    ring3_mcs_unlock(&lock);
}

static void *end_with_a_destructor(void *unused)
{
    (void)unused;
    pthread_setspecific(key, &key);
    return NULL;
}

TEST(mcs, destructors_of_ending_threads_may_lock_and_leave_no_node)
{
    check_eq(pthread_key_create(&key, lock_in_destructor), 0);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;

        check_eq(pthread_create(&thread, NULL, end_with_a_destructor, NULL), 0);
        check_eq(pthread_join(thread, NULL), 0);
    }
    check_le(seen_count, 8, "%d nodes for 300 threads", seen_count);
}
