/* SPDX-License-Identifier: MIT */
/* Every spinlock algorithm under every waiting policy. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/backoff.h"
#include "ring3/self.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <pthread.h>

static ring3_spinlock_t lock;

/* The rows and columns of the table, and how a message names a cell. */
#define FOR_EACH_LOCK(a, how)                                                                      \
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++)                     \
        for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++)
#define CELL(a, how) ring3_spinlock_name(a), ring3_wait_name(how)

static struct timespec in_ms(int milliseconds)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, milliseconds * 1000000L);
}

/* A strict queue of spinning threads pays up to a time slice per hand-over when threads outnumber
 * CPUs. */
static int rounds_for(ring3_wait_t how, int count)
{
    return rounds(how == RING3_WAIT_SPIN ? count / 20 : count);
}

/* --- Exclusion -------------------------------------------------------------------------------- */

static void acquire(int tid)
{
    (void)tid;
    ring3_spinlock_lock(&lock);
}
static void release(int tid)
{
    (void)tid;
    ring3_spinlock_unlock(&lock);
}

TEST(spinlock, excludes_with_four_threads_per_cpu, 60)
{
    FOR_EACH_LOCK(a, how)
    {
        const int threads = 4 * cpus(), each = rounds_for(how, 1000);

        check_eq(crew_spinlock(&lock, a, how), 0);
        const struct exclusion_result got = run_exclusion(acquire, release, threads, each);

        check_eq(got.violations, 0, "%s %s", CELL(a, how));
        check_eq(got.acquisitions, (long)threads * each, "%s %s", CELL(a, how));
        check_eq(ring3_spinlock_trylock(&lock), 0, "%s %s is not free at the end", CELL(a, how));
    }
}

/* Each thread takes the lock its own way: waiting, polling, with patience, with little patience. */
static void acquire_somehow(int tid)
{
    struct timespec deadline;

    switch (tid % 4) {
    case 0:
        ring3_spinlock_lock(&lock);
        return;
    case 1:
        while (ring3_spinlock_trylock(&lock) == -EBUSY)
            sleep_ms(0);
        return;
    case 2:
        deadline = in_ms(60000);
        check_eq(ring3_spinlock_timedlock(&lock, &deadline), 0);
        return;
    case 3:
        do
            deadline = ring3_deadline_in(CLOCK_MONOTONIC, 20000);
        while (ring3_spinlock_timedlock(&lock, &deadline) == -ETIMEDOUT);
        return;
    }
}

TEST(spinlock, excludes_when_waiting_polling_and_timed_threads_mix, 60)
{
    FOR_EACH_LOCK(a, how)
    {
        const int threads = 8, each = rounds_for(how, 300);

        check_eq(crew_spinlock(&lock, a, how), 0);
        const struct exclusion_result got = run_exclusion(acquire_somehow, release, threads, each);

        check_eq(got.violations, 0, "%s %s", CELL(a, how));
        check_eq(got.acquisitions, (long)threads * each, "%s %s", CELL(a, how));
    }
}

/* --- Try and timed ---------------------------------------------------------------------------- */

TEST(spinlock, try_takes_a_free_lock_only)
{
    FOR_EACH_LOCK(a, how)
    {
        check_eq(crew_spinlock(&lock, a, how), 0);
        check_eq(ring3_spinlock_trylock(&lock), 0, "%s %s", CELL(a, how));
        check_eq(ring3_spinlock_trylock(&lock), -EBUSY, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        ring3_spinlock_lock(&lock);
        check_eq(ring3_spinlock_trylock(&lock), -EBUSY, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(ring3_spinlock_trylock(&lock), 0, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
    }
}

TEST(spinlock, timed_gives_up_after_the_deadline_and_not_before)
{
    FOR_EACH_LOCK(a, how)
    {
        check_eq(crew_spinlock(&lock, a, how), 0);
        ring3_spinlock_lock(&lock);
        for (int i = 0; i < 2; i++) {
            const struct timespec deadline = in_ms(15);

            check_eq(ring3_spinlock_timedlock(&lock, &deadline), -ETIMEDOUT, "%s %s", CELL(a, how));
            check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "%s %s", CELL(a, how));
        }
        ring3_spinlock_unlock(&lock);
        check_eq(ring3_spinlock_trylock(&lock), 0, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
    }
}

static void *hold_for_10_ms(void *held)
{
    ring3_spinlock_lock(&lock);
    pthread_barrier_wait(held);
    sleep_ms(10);
    ring3_spinlock_unlock(&lock);
    return NULL;
}

TEST(spinlock, timed_takes_a_lock_that_is_released_in_time)
{
    pthread_barrier_t held;

    check_eq(pthread_barrier_init(&held, NULL, 2), 0);
    FOR_EACH_LOCK(a, how)
    {
        const struct timespec deadline = in_ms(20000);
        pthread_t holder;

        check_eq(crew_spinlock(&lock, a, how), 0);
        check_eq(pthread_create(&holder, NULL, hold_for_10_ms, &held), 0);
        pthread_barrier_wait(&held);
        check_eq(ring3_spinlock_timedlock(&lock, &deadline), 0, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(pthread_join(holder, NULL), 0);
    }
}

TEST(spinlock, odd_deadlines)
{
    const struct timespec past = {1, 0}, before_the_epoch = {-5, 0};
    const struct timespec malformed[] = {{5, -1}, {5, 1000000000}};

    FOR_EACH_LOCK(a, how)
    {
        check_eq(crew_spinlock(&lock, a, how), 0);
        check_eq(ring3_spinlock_timedlock(&lock, &past), 0, "what is free is had: %s %s",
                 CELL(a, how));
        check_eq(ring3_spinlock_timedlock(&lock, &past), -ETIMEDOUT, "%s %s", CELL(a, how));
        check_eq(ring3_spinlock_timedlock(&lock, &before_the_epoch), -ETIMEDOUT, "%s %s",
                 CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(ring3_spinlock_timedlock(&lock, &before_the_epoch), 0, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(ring3_spinlock_timedlock(&lock, NULL), 0, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        for (int i = 0; i < 2; i++) {
            check_eq(ring3_spinlock_timedlock(&lock, &malformed[i]), -EINVAL, "%s %s",
                     CELL(a, how));
            check_eq(ring3_spinlock_trylock(&lock), 0, "and nothing was taken: %s %s",
                     CELL(a, how));
            ring3_spinlock_unlock(&lock);
        }
    }
}

TEST(spinlock, raw_algorithms_refuse_malformed_deadlines_before_they_wait)
{
    const struct timespec malformed = {5, 2000000000};
    ring3_tas_t tas = {0};
    ring3_ttas_t ttas = {0};
    ring3_backoff_t backoff = {0};
    ring3_ticket_t ticket = {0};
    ring3_mcs_t mcs = {0};

    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++) {
        ring3_tas_lock(&tas, how);
        check_eq(ring3_tas_timedlock(&tas, how, &malformed), -EINVAL);
        ring3_tas_unlock(&tas);
        ring3_ttas_lock(&ttas, how);
        check_eq(ring3_ttas_timedlock(&ttas, how, &malformed), -EINVAL);
        ring3_ttas_unlock(&ttas);
        ring3_backoff_lock(&backoff, how);
        check_eq(ring3_backoff_timedlock(&backoff, how, &malformed), -EINVAL);
        ring3_backoff_unlock(&backoff);
        ring3_ticket_lock(&ticket, how);
        check_eq(ring3_ticket_timedlock(&ticket, how, &malformed), -EINVAL);
        ring3_ticket_unlock(&ticket);
        ring3_mcs_lock(&mcs, how);
        check_eq(ring3_mcs_timedlock(&mcs, how, &malformed), -EINVAL);
        ring3_mcs_unlock(&mcs);
    }
}

/* --- Order of arrival ------------------------------------------------------------------------- */

#define IN_LINE 6

static struct {
    int order[IN_LINE], served;
    const struct timespec *deadline;
} line;

static void *stand_in_line(void *number)
{
    if (line.deadline)
        check_eq(ring3_spinlock_timedlock(&lock, line.deadline), 0);
    else
        ring3_spinlock_lock(&lock);
    line.order[line.served++] = (int)(intptr_t)number;
    ring3_spinlock_unlock(&lock);
    return NULL;
}

/* The last in the queue, for the algorithms that have one. */
static const void *tail_of_line(void)
{
    const void *last;

    switch (lock.algorithm) {
    case RING3_SPINLOCK_CLH:
        return ring3_load(&lock.state.clh.tail, RING3_ACQUIRE);
    case RING3_SPINLOCK_GUARDED:
        ring3_ttas_lock(&lock.state.guarded.guard, RING3_WAIT_ADAPTIVE);
        last = lock.state.guarded.last;
        ring3_ttas_unlock(&lock.state.guarded.guard);
        return last;
    case RING3_SPINLOCK_SLICE:
        ring3_ttas_lock(&lock.state.slice.guard, RING3_WAIT_ADAPTIVE);
        last = lock.state.slice.last;
        ring3_ttas_unlock(&lock.state.slice.guard);
        return last;
    case RING3_SPINLOCK_ARRAY:
        return (void *)(uintptr_t)ring3_load(&lock.state.array.next, RING3_ACQUIRE);
    case RING3_SPINLOCK_QUEUED:
        return (void *)(uintptr_t)ring3_load(&lock.state.queued.word, RING3_ACQUIRE);
    default:
        return ring3_load(&lock.state.mcs.tail, RING3_ACQUIRE);
    }
}

/* Starts a thread and returns when it stands in the queue. */
static pthread_t join_line(int number)
{
    const void *const tail = tail_of_line();
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, stand_in_line, (void *)(intptr_t)number), 0);
    if (lock.algorithm == RING3_SPINLOCK_TICKET || lock.algorithm == RING3_SPINLOCK_TICKET_BACKOFF)
        while (ring3_load(&lock.state.ticket.next, RING3_ACQUIRE) != (uint32_t)number + 2)
            sleep_ms(1);
    else
        while (tail_of_line() == tail)
            sleep_ms(1);
    return thread;
}

static void serve_in_order(ring3_spinlock_algorithm_t a, ring3_wait_t how)
{
    pthread_t thread[IN_LINE];

    check_eq(crew_spinlock(&lock, a, how), 0);
    line.served = 0;
    ring3_spinlock_lock(&lock);
    for (int i = 0; i < IN_LINE; i++)
        thread[i] = join_line(i);
    ring3_spinlock_unlock(&lock);
    for (int i = 0; i < IN_LINE; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    for (int i = 0; i < IN_LINE; i++)
        check_eq(line.order[i], i, "place %d: %s %s", i, CELL(a, how));
}

TEST(spinlock, queue_locks_serve_in_order_of_arrival, 60)
{
    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++) {
        serve_in_order(RING3_SPINLOCK_TICKET, how);
        serve_in_order(RING3_SPINLOCK_TICKET_BACKOFF, how);
        serve_in_order(RING3_SPINLOCK_MCS, how);
        serve_in_order(RING3_SPINLOCK_CLH, how);
        serve_in_order(RING3_SPINLOCK_GUARDED, how);
        serve_in_order(RING3_SPINLOCK_QUEUED, how);
        serve_in_order(RING3_SPINLOCK_SLICE, how);
        serve_in_order(RING3_SPINLOCK_ARRAY, how);
    }
}

TEST(spinlock, queue_locks_serve_timed_waiters_in_order_of_arrival, 60)
{
    const struct timespec deadline = in_ms(25000);

    line.deadline = &deadline;
    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++) {
        serve_in_order(RING3_SPINLOCK_MCS, how);
        serve_in_order(RING3_SPINLOCK_CLH, how);
        serve_in_order(RING3_SPINLOCK_GUARDED, how);
        serve_in_order(RING3_SPINLOCK_SLICE, how);
    }
}

/* Ticket numbers wrap without losing their order. */
TEST(spinlock, tickets_wrap)
{
    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_TICKET, RING3_WAIT_ADAPTIVE), 0);
    lock.state.ticket.next = lock.state.ticket.serving = UINT32_MAX - 100;
    const struct exclusion_result got = run_exclusion(acquire, release, 4, 100);

    check_eq(got.violations, 0);
    check_eq(lock.state.ticket.serving, 299u);
}

/* --- Initial state and names ------------------------------------------------------------------ */

TEST(spinlock, an_all_zero_lock_is_free)
{
    static ring3_spinlock_t zero;

    check_eq(ring3_spinlock_trylock(&zero), 0);
    check_eq(ring3_spinlock_trylock(&zero), -EBUSY);
    ring3_spinlock_unlock(&zero);
    ring3_spinlock_lock(&zero);
    ring3_spinlock_unlock(&zero);
    check_str_eq(ring3_spinlock_name((ring3_spinlock_algorithm_t)zero.algorithm), "ttas");
    check_str_eq(ring3_wait_name((ring3_wait_t)zero.wait), "adaptive");
}

TEST(spinlock, init_refuses_what_it_does_not_know)
{
    static ring3_array_slot_t slots[4];

    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_MCS, RING3_WAIT_PARK), 0);
    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_ALGORITHMS, RING3_WAIT_SPIN), -EINVAL);
    check_eq(ring3_spinlock_init(&lock, (ring3_spinlock_algorithm_t)-1, RING3_WAIT_SPIN), -EINVAL);
    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_TAS, (ring3_wait_t)RING3_WAIT_POLICIES),
             -EINVAL);
    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_TAS, (ring3_wait_t)-1), -EINVAL);
    check_eq(ring3_spinlock_init(&lock, RING3_SPINLOCK_ARRAY, RING3_WAIT_PARK), -EINVAL,
             "it needs slots");
    check_eq(ring3_spinlock_init_array(&lock, slots, 3, RING3_WAIT_PARK), -EINVAL);
    check_eq(ring3_spinlock_init_array(&lock, slots, 4, RING3_WAIT_POLICIES), -EINVAL);
    check_eq(lock.algorithm, RING3_SPINLOCK_MCS, "a refusal changes nothing");
    check_eq(lock.wait, RING3_WAIT_PARK);
}

TEST(spinlock, names_lead_back_to_their_algorithms)
{
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++)
        check_eq(ring3_spinlock_find(ring3_spinlock_name(a)), (int)a);
    check_str_eq(ring3_spinlock_name(RING3_SPINLOCK_BACKOFF), "backoff");
    check(ring3_spinlock_name(RING3_SPINLOCK_ALGORITHMS) == NULL);
    check_eq(ring3_spinlock_find("mutex"), -ENOENT);
    check_eq(ring3_spinlock_find(""), -ENOENT);
    check_str_eq(ring3_wait_name(RING3_WAIT_YIELD), "yield");
    check(ring3_wait_name((ring3_wait_t)RING3_WAIT_POLICIES) == NULL);
}

TEST(spinlock, holding_raises_the_no_preempt_depth_and_failing_does_not)
{
    const struct timespec past = {1, 0}, malformed = {1, -1};
    ring3_self_t *const self = ring3_self();

    FOR_EACH_LOCK(a, how)
    {
        check_eq(crew_spinlock(&lock, a, how), 0);
        check_eq(self->no_preempt, 0u, "%s %s", CELL(a, how));
        ring3_spinlock_lock(&lock);
        check_eq(self->no_preempt, 1u, "%s %s", CELL(a, how));
        check_eq(ring3_spinlock_trylock(&lock), -EBUSY);
        check_eq(self->no_preempt, 1u, "after try: %s %s", CELL(a, how));
        check_eq(ring3_spinlock_timedlock(&lock, &past), -ETIMEDOUT);
        check_eq(self->no_preempt, 1u, "after timed: %s %s", CELL(a, how));
        check_eq(ring3_spinlock_timedlock(&lock, &malformed), -EINVAL);
        check_eq(self->no_preempt, 1u, "after a bad deadline: %s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(self->no_preempt, 0u, "%s %s", CELL(a, how));
        check_eq(ring3_spinlock_trylock(&lock), 0);
        check_eq(self->no_preempt, 1u, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(ring3_spinlock_timedlock(&lock, &past), 0);
        check_eq(self->no_preempt, 1u, "%s %s", CELL(a, how));
        ring3_spinlock_unlock(&lock);
        check_eq(self->no_preempt, 0u, "%s %s", CELL(a, how));
    }
}

TEST(spinlock, locks_leave_errno_alone)
{
    const struct timespec deadline = in_ms(2);

    FOR_EACH_LOCK(a, how)
    {
        check_eq(crew_spinlock(&lock, a, how), 0);
        errno = 77;
        ring3_spinlock_lock(&lock);
        (void)ring3_spinlock_timedlock(&lock, &deadline);
        ring3_spinlock_unlock(&lock);
        check_eq(errno, 77, "%s %s", CELL(a, how));
    }
}
