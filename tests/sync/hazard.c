/* SPDX-License-Identifier: MIT */
/* Hazard pointers and per-CPU counters. */
#include "ring3_test.h"

#include "crew.h"
#include "ring3/counter.h"
#include "ring3/env.h"
#include "ring3/hazard.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/rseq.h>
#include <sys/time.h>
#include <unistd.h>

enum { ALIVE = 0x600d, POISON = 0xdead };

struct node {
    struct node *next;
    ring3_retired_t retired;
    int state;
};

/* Poisoned nodes rest here for a while, so that they are not alive again at once. */
enum { RESTING = 8192 };
static struct node *resting[RESTING];
static long freed;

static void free_node(void *pointer)
{
    struct node *const node = pointer;
    const long place = ring3_fetch_add(&freed, 1, RING3_RELAXED) % RESTING;

    node->state = POISON;
    free(ring3_exchange(&resting[place], node, RING3_ACQ_REL));
}

static void free_resting(void)
{
    for (int i = 0; i < RESTING; i++)
        free(resting[i]);
}

static struct node *new_node(void)
{
    struct node *const node = malloc(sizeof *node);

    check(node != NULL);
    node->state = ALIVE;
    return node;
}

TEST(hazard, what_is_protected_stays_and_the_rest_goes)
{
    struct node *kept = new_node();
    struct node *place = kept;

    check(ring3_hazard_protect(3, &place) == kept);
    place = NULL;
    ring3_hazard_retire(&kept->retired, kept, free_node);
    for (int i = 0; i < 1000; i++) {
        struct node *const node = new_node();

        ring3_hazard_retire(&node->retired, node, free_node);
    }
    check_ge(freed, 900L, "retiring frees without being asked");
    check_ge(ring3_hazard_flush(), 1L);
    check_eq(kept->state, ALIVE);
    ring3_hazard_clear(3);
    /* The filter may keep one back by mistake, but not for ever. */
    while (ring3_hazard_flush() > 0)
        ;
    check_eq(freed, 1001L);
    free_resting();
}

TEST(hazard, protecting_nothing_is_allowed)
{
    struct node *place = NULL;

    check(ring3_hazard_protect(0, &place) == NULL);
    ring3_hazard_clear(0);
}

/* --- A stack that frees its nodes --------------------------------------------------------------- */

static struct node *top;
static int stop;
static long wrong, popped;

static void push(struct node *node)
{
    node->next = ring3_load(&top, RING3_RELAXED);
    while (!ring3_cas_weak(&top, &node->next, node, RING3_RELEASE))
        ;
}

static struct node *pop(void)
{
    for (;;) {
        struct node *node = ring3_hazard_protect(0, &top);

        if (!node)
            return NULL;
        if (node->state != ALIVE)
            ring3_fetch_add(&wrong, 1, RING3_RELAXED);
        /* Protected, so that it has not been freed and pushed again: no ABA. */
        struct node *seen = node;

        if (ring3_cas_try(&top, &seen, node->next, RING3_ACQUIRE)) {
            ring3_hazard_clear(0);
            return node;
        }
    }
}

static void look(int me)
{
    (void)me;
    for (int round = 0; !ring3_load(&stop, RING3_RELAXED); round++) {
        const struct node *const node = ring3_hazard_protect(1, &top);

        if (node && round % 4 == 0)
            nanosleep(&(struct timespec){0, 50000}, NULL);
        if (node && node->state != ALIVE)
            ring3_fetch_add(&wrong, 1, RING3_RELAXED);
        ring3_hazard_clear(1);
    }
}

static void push_and_pop(int me)
{
    (void)me;
    for (long i = scaled(30000, 1000000); i > 0; i--) {
        push(new_node());
        struct node *const node = pop();

        if (node) {
            ring3_fetch_add(&popped, 1, RING3_RELAXED);
            ring3_hazard_retire(&node->retired, node, free_node);
        }
    }
}

TEST(hazard, readers_of_a_stack_see_no_freed_node, 60)
{
    const pthread_t reader = crew_start(look, 0);

    crew_run(3, push_and_pop);
    ring3_store(&stop, 1, RING3_RELAXED);
    crew_join(reader);
    for (struct node *node; (node = pop()) != NULL; popped++)
        ring3_hazard_retire(&node->retired, node, free_node);
    while (ring3_hazard_flush() > 0)
        ;
    check_eq(wrong, 0);
    check_eq(freed, popped);
    check_eq(popped, 3 * scaled(30000, 1000000));
    free_resting();
}

/* --- Counters ----------------------------------------------------------------------------------- */

static ring3_counter_t counter;
static long storm;

static void on_alarm(int signal)
{
    (void)signal;
    storm++;
    ring3_counter_add(&counter, 1);
}

static void add_many(int me)
{
    for (long i = scaled(300000, 10000000); i > 0; i--) {
        ring3_counter_add(&counter, me + 1);
        if (i % 4096 == 0)
            sched_yield();
    }
}

static void no_addition_is_lost(void)
{
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

    counter = (ring3_counter_t){0};
    storm = 0;
    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    sigset_t alarm;

    check_eq(sigemptyset(&alarm), 0);
    check_eq(sigaddset(&alarm, SIGALRM), 0);
    check_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    check_eq(pthread_sigmask(SIG_BLOCK, &alarm, NULL),
             0); /* so that one thread alone counts them */
    const pthread_t other = crew_start(add_many, 1), third = crew_start(add_many, 2);

    check_eq(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL), 0);
    add_many(0);
    crew_join(other);
    crew_join(third);
    check_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    check_eq(pthread_sigmask(SIG_BLOCK, &alarm, NULL), 0);
    check_eq(ring3_counter_sum(&counter), 6 * scaled(300000, 10000000) + storm);
    ring3_counter_add(&counter, -5);
    check_eq(ring3_counter_sum(&counter), 6 * scaled(300000, 10000000) + storm - 5);
}

TEST(counter, loses_nothing_to_preemption_or_signals, 60)
{
    no_addition_is_lost();
}

#ifdef RING3_HAVE_RSEQ
TEST(counter, a_restartable_sequence_adds_only_on_its_cpu)
{
    const int cpu = ring3_cpu();
    uint64_t word = 5;

    if (ring3_arch.no_rseq)
        return;
    check(!ring3_rseq_add(__rseq_offset, (uint32_t)cpus() + 4096, &word, 1));
    check_eq(word, 5u);
    while (!ring3_rseq_add(__rseq_offset, (uint32_t)ring3_cpu(), &word, 2))
        ;
    check_eq(word, 7u);
    check_ge(cpu, 0);
}
#endif

static void without_rseq(void)
{
    ring3_store(&ring3_arch.no_rseq, 1, RING3_RELAXED);
    no_addition_is_lost();
}

TEST(counter, loses_nothing_without_restartable_sequences, 60)
{
    without_rseq();
}
