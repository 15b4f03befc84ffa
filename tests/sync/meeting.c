/* SPDX-License-Identifier: MIT */
/* Events, latches, once, barriers, rendezvous. */
#include "crew.h"

#include "ring3/barrier.h"
#include "ring3/event.h"
#include "ring3/latch.h"
#include "ring3/once.h"
#include "ring3/rendezvous.h"

#include <errno.h>
#include <string.h>

static int passed, data;
static long rounds;

/* --- Event ------------------------------------------------------------------------------------ */

static ring3_event_t event;

static void wait_for_event(int me)
{
    (void)me;
    ring3_event_wait(&event);
    check_eq(data, 42);
    ring3_fetch_add(&passed, 1, RING3_RELAXED);
}

TEST(event, lets_everybody_pass_once_it_is_set)
{
    pthread_t threads[4];

    for (int shared = 0; shared < 2; shared++) {
        ring3_event_init(&event, shared);
        passed = data = 0;
        for (int i = 0; i < 4; i++)
            threads[i] = crew_start(wait_for_event, i);
        crew_until(ring3_load(&event.word, RING3_RELAXED) & RING3_EVENT_WAITERS);
        check_eq(ring3_load(&passed, RING3_RELAXED), 0);
        data = 42;
        ring3_event_set(&event);
        for (int i = 0; i < 4; i++)
            crew_join(threads[i]);
        check_eq(passed, 4);
        ring3_event_wait(&event);
        check(ring3_event_is_set(&event));
    }
}

/* The waiter is let pass by the set, although the event is not set any more when it runs. */
TEST(event, lets_waiters_pass_although_it_is_reset_at_once)
{
    for (int i = 0; i < 200; i++) {
        ring3_event_init(&event, i % 2);
        data = 42;
        pthread_t thread = crew_start(wait_for_event, 0);

        crew_until(ring3_load(&event.word, RING3_RELAXED) & RING3_EVENT_WAITERS);
        ring3_event_set(&event);
        ring3_event_reset(&event);
        crew_join(thread);
        check(!ring3_event_is_set(&event));
    }
}

TEST(event, times_out_while_it_is_not_set)
{
    for (int shared = 0; shared < 2; shared++) {
        struct timespec soon = crew_in(CLOCK_REALTIME, 0.01);

        ring3_event_init(&event, shared);
        check_eq(ring3_event_clockwait(&event, CLOCK_REALTIME, &soon), -ETIMEDOUT);
        soon = crew_in(CLOCK_MONOTONIC, 0.01);
        check_eq(ring3_event_timedwait(&event, &soon), -ETIMEDOUT);
        ring3_event_set(&event);
        check_eq(ring3_event_timedwait(&event, &soon), 0);
        check_eq(ring3_event_clockwait(&event, CLOCK_BOOTTIME, NULL), -EINVAL);
    }
}

static void set_in_handler(int signal)
{
    (void)signal;
    ring3_event_set(&event);
}

TEST(event, may_be_set_by_a_handler)
{
    const struct sigaction action = {.sa_handler = set_in_handler};

    sigaction(SIGUSR1, &action, NULL);
    data = 42;
    pthread_t thread = crew_start(wait_for_event, 0);

    crew_until(ring3_load(&event.word, RING3_RELAXED) & RING3_EVENT_WAITERS);
    raise(SIGUSR1);
    crew_join(thread);
}

/* --- Latch ------------------------------------------------------------------------------------ */

static ring3_latch_t latch;
static int parts[8];

static void do_part(int me)
{
    parts[me] = me + 1;
    check_eq(ring3_latch_count_down(&latch, 1), 0);
}

static void wait_for_parts(int me)
{
    (void)me;
    ring3_latch_wait(&latch);
    for (int i = 0; i < 8; i++)
        check_eq(parts[i], i + 1);
    ring3_fetch_add(&passed, 1, RING3_RELAXED);
}

TEST(latch, opens_when_all_have_counted_down)
{
    for (int shared = 0; shared < 2; shared++) {
        memset(parts, 0, sizeof parts);
        passed = 0;
        check_eq(ring3_latch_init(&latch, 8, shared), 0);
        pthread_t first = crew_start(wait_for_parts, 0), second = crew_start(wait_for_parts, 1);

        crew_until(ring3_load(&latch.word, RING3_RELAXED) & RING3_LATCH_WAITERS);
        crew_run(8, do_part);
        crew_join(first);
        crew_join(second);
        check_eq(passed, 2);
        check(ring3_latch_is_open(&latch));
    }
}

TEST(latch, refuses_to_fall_below_zero)
{
    static ring3_latch_t zero;

    check(ring3_latch_is_open(&zero));
    ring3_latch_wait(&zero);
    check_eq(ring3_latch_init(&latch, RING3_LATCH_MAX + 1, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_latch_init(&latch, 2, RING3_PRIVATE), 0);
    check_eq(ring3_latch_count_down(&latch, 3), -EOVERFLOW);
    check_eq(ring3_latch_count_down(&latch, 2), 0);
    check_eq(ring3_latch_count_down(&latch, 1), -EOVERFLOW);
}

TEST(latch, times_out_while_it_is_closed)
{
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

    for (int shared = 0; shared < 2; shared++) {
        ring3_latch_init(&latch, 1, shared);
        check_eq(ring3_latch_timedwait(&latch, &soon), -ETIMEDOUT);
        ring3_latch_count_down(&latch, 1);
        check_eq(ring3_latch_timedwait(&latch, &soon), 0);
    }
}

/* --- Once ------------------------------------------------------------------------------------- */

static ring3_once_t once;
static int attempts, failures_wanted;

static int start(void *context)
{
    check(context == &once);
    sched_yield();
    if (attempts++ < failures_wanted)
        return -EIO;
    data = 42;
    return 0;
}

static void call_once(int me)
{
    (void)me;
    while (ring3_once(&once, start, &once) != 0)
        ring3_fetch_add(&passed, 1, RING3_RELAXED);
    check_eq(data, 42);
}

TEST(once, runs_the_initialiser_once_and_everybody_sees_its_work)
{
    for (int i = 0; i < 100; i++) {
        once = (ring3_once_t)RING3_ONCE_INIT;
        data = attempts = 0;
        crew_run(6, call_once);
        check_eq(attempts, 1);
    }
}

TEST(once, tries_again_after_a_failure)
{
    failures_wanted = 3;
    crew_run(6, call_once);
    check_eq(attempts, 4);
    check_eq(passed, 3, "callers that were told of a failure");
}

static int entered;

static int hang(void *context)
{
    (void)context;
    ring3_store(&entered, 1, RING3_RELEASE);
    while (entered) {
        pthread_testcancel();
        sched_yield();
    }
    return 0;
}

static void be_cancelled(int me)
{
    (void)me;
    (void)ring3_once(&once, hang, NULL);
}

TEST(once, starts_afresh_when_its_thread_is_cancelled)
{
    pthread_t first = crew_start(be_cancelled, 0), second;

    crew_until(ring3_load(&entered, RING3_ACQUIRE));
    second = crew_start(call_once, 1);
    pthread_cancel(first);
    crew_join(first);
    crew_join(second);
    check_eq(attempts, 1);
}

/* --- Barrier ---------------------------------------------------------------------------------- */

#define PARTIES 6

static ring3_barrier_t *central;
static ring3_tree_barrier_t tree;
static ring3_tree_barrier_node_t tree_nodes[PARTIES];
static ring3_dissemination_barrier_t dissemination;
static ring3_dissemination_barrier_node_t dissemination_nodes[PARTIES];
static int steps[PARTIES], parties, lasts;
static void (*meet)(int me);

static void meet_central(int me)
{
    const int result = ring3_barrier_wait(central);

    (void)me;
    check(result == 0 || result == RING3_BARRIER_LAST);
    ring3_fetch_add(&lasts, result, RING3_RELAXED);
}

static void meet_tree(int me)
{
    ring3_tree_barrier_wait(&tree, (uint32_t)me);
}

static void meet_dissemination(int me)
{
    ring3_dissemination_barrier_wait(&dissemination, (uint32_t)me);
}

/* Nobody is seen in another phase: plain ints, so that TSan sees whether the barrier orders them.
 */
static void march(int me)
{
    for (int step = 1; step <= rounds; step++) {
        steps[me] = step;
        meet(me);
        for (int i = 0; i < parties; i++)
            check_eq(steps[i], step, "party %d in step %d sees party %d", me, step, i);
        meet(me);
    }
}

TEST(barrier, keeps_all_parties_in_one_phase, 60)
{
    static ring3_barrier_t barrier;

    central = &barrier;
    meet = meet_central;
    for (int shared = 0; shared < 2; shared++)
        for (parties = 1; parties <= PARTIES; parties++) {
            check_eq(ring3_barrier_init(central, (uint32_t)parties, shared), 0);
            rounds = crew_count(200);
            lasts = 0;
            crew_run(parties, march);
            check_eq(lasts, 2 * rounds, "one party was the last in each phase");
        }
}

TEST(barrier, keeps_all_parties_in_one_phase_as_a_tree, 60)
{
    meet = meet_tree;
    for (ring3_wait_t how = RING3_WAIT_ADAPTIVE; how <= RING3_WAIT_PARK; how++)
        for (parties = 1; parties <= (how == RING3_WAIT_SPIN ? cpus() : PARTIES); parties++) {
            memset(tree_nodes, 0, sizeof tree_nodes);
            check_eq(ring3_tree_barrier_init(&tree, tree_nodes, (uint32_t)parties, how), 0);
            rounds = crew_count(100);
            crew_run(parties, march);
        }
}

TEST(barrier, keeps_all_parties_in_one_phase_by_dissemination, 60)
{
    meet = meet_dissemination;
    for (ring3_wait_t how = RING3_WAIT_ADAPTIVE; how <= RING3_WAIT_PARK; how++)
        for (parties = 1; parties <= (how == RING3_WAIT_SPIN ? cpus() : PARTIES); parties++) {
            memset(dissemination_nodes, 0, sizeof dissemination_nodes);
            check_eq(ring3_dissemination_barrier_init(&dissemination, dissemination_nodes,
                                                      (uint32_t)parties, how),
                     0);
            rounds = crew_count(100);
            crew_run(parties, march);
        }
}

TEST(barrier, goes_on_when_its_phase_number_wraps)
{
    ring3_barrier_t barrier;

    ring3_barrier_init(&barrier, 1, RING3_PRIVATE);
    for (int i = 0; i < 70000; i++)
        check_eq(ring3_barrier_wait(&barrier), RING3_BARRIER_LAST);
}

TEST(barrier, refuses_what_it_cannot_count)
{
    ring3_barrier_t barrier;

    check_eq(ring3_barrier_init(&barrier, 0, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_barrier_init(&barrier, RING3_BARRIER_PARTIES_MAX + 1, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_tree_barrier_init(&tree, tree_nodes, 0, RING3_WAIT_PARK), -EINVAL);
    check_eq(ring3_tree_barrier_init(&tree, NULL, 1, RING3_WAIT_PARK), -EINVAL);
    check_eq(ring3_dissemination_barrier_init(&dissemination, dissemination_nodes, 1,
                                              (ring3_wait_t)RING3_WAIT_POLICIES),
             -EINVAL);
}

static void come_first(int me)
{
    (void)me;
    check_eq(ring3_barrier_wait(central), 0);
}

TEST(barrier, forgets_a_party_that_timed_out)
{
    static ring3_barrier_t barrier;

    central = &barrier;
    for (int shared = 0; shared < 2; shared++) {
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

        ring3_barrier_init(central, 2, shared);
        check_eq(ring3_barrier_timedwait(central, &soon), -ETIMEDOUT);
        check_eq(ring3_barrier_timedwait(central, &soon), -ETIMEDOUT, "it did not count");
        pthread_t thread = crew_start(come_first, 0);

        crew_until((ring3_load(&central->word, RING3_RELAXED) & RING3_BARRIER_PARTIES_MAX) == 1);
        check_eq(ring3_barrier_timedwait(central, NULL), RING3_BARRIER_LAST);
        crew_join(thread);
    }
}

static void march_in_child(void)
{
    for (int i = 0; i < 300; i++)
        check_ge(ring3_barrier_wait(central), 0);
}

TEST(barrier, works_between_processes_when_shared)
{
    central = crew_shared(sizeof *central);
    check_eq(ring3_barrier_init(central, 2, RING3_SHARED), 0);
    const pid_t child = crew_fork(march_in_child);

    march_in_child();
    check_child(child);
}

/* --- Rendezvous ------------------------------------------------------------------------------- */

static ring3_rendezvous_t place;
static long met;

/* Each leaves its own address; at the end as many were given as were taken, and no one met itself.
 */
static void meet_somebody(int me)
{
    (void)me;
    while (ring3_load(&met, RING3_RELAXED) < rounds) {
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.001);
        int mine = 0;
        void *theirs = NULL;
        const int result =
            ring3_rendezvous_clockmeet(&place, &mine, &theirs, CLOCK_MONOTONIC, &soon);

        if (result == 0) {
            check(theirs != NULL && theirs != &mine);
            ring3_fetch_add(&met, 1, RING3_RELAXED);
        } else {
            check_eq(result, -ETIMEDOUT);
        }
    }
}

TEST(rendezvous, pairs_everybody_with_somebody_else)
{
    rounds = crew_count(2000);
    crew_run(4, meet_somebody);
    check_eq(met % 2, 0, "%ld meetings", met);
    check_eq(place.waiting, 0u);
}

static void bring_answer(int me)
{
    void *theirs = NULL;

    (void)me;
    ring3_rendezvous_meet(&place, "answer", &theirs);
    check_str_eq((const char *)theirs, "question");
}

TEST(rendezvous, exchanges_the_two_pointers)
{
    void *theirs = NULL;
    pthread_t thread = crew_start(bring_answer, 0);

    ring3_rendezvous_meet(&place, "question", &theirs);
    check_str_eq((const char *)theirs, "answer");
    crew_join(thread);
}

TEST(rendezvous, times_out_alone_and_leaves_no_trace)
{
    void *theirs = NULL;
    const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.01);

    check_eq(ring3_rendezvous_clockmeet(&place, "question", &theirs, CLOCK_MONOTONIC, &soon),
             -ETIMEDOUT);
    check_eq(place.waiting, 0u);
    pthread_t thread = crew_start(bring_answer, 0);

    ring3_rendezvous_meet(&place, "question", &theirs);
    crew_join(thread);
}
