/* SPDX-License-Identifier: MIT */
/* Coroutines and generators, with both back ends of contexts. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/coroutine.h"
#include "watchers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const ring3_coroutine_options_t kinds[] = {
    {.name = NULL},
    {.context = RING3_CONTEXT_PORTABLE},
    {.context = RING3_CONTEXT_FP, .stack_size = (size_t)256 << 10},
};

#define KINDS ((int)(sizeof kinds / sizeof *kinds))

static ring3_coroutine_t *make(void *(*body)(void *, void *), void *arg, int kind)
{
    ring3_coroutine_t *made = NULL;

    check_eq(ring3_coroutine_create(&made, body, arg, &kinds[kind]), 0);
    return made;
}

static long stacks_out(void)
{
    ring3_stack_stats_t stats;

    ring3_stack_stats(&stats);
    return (long)stats.used;
}

static void *number(long value)
{
    return (void *)(intptr_t)value;
}

static long value_of(void *number)
{
    return (long)(intptr_t)number;
}

/* --- Values ----------------------------------------------------------------------------------- */

/* Yields the sum of all that went in. */
static void *add_up(void *start, void *first)
{
    long sum = value_of(start) + value_of(first);

    while (sum < 100) {
        void *more = NULL;

        check_eq(ring3_coroutine_yield(number(sum), &more), 0);
        sum += value_of(more);
    }
    return number(-sum);
}

TEST(coroutine, exchanges_values_with_its_resumer)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ring3_coroutine_t *const adder = make(add_up, number(1), kind);
        void *out = NULL;

        check(!ring3_coroutine_finished(adder));
        check_eq(ring3_coroutine_resume(adder, number(2), &out), 0);
        check_eq(value_of(out), 3, "the argument and the first value");
        check_eq(ring3_coroutine_resume(adder, number(40), &out), 0);
        check_eq(value_of(out), 43);
        check_eq(ring3_coroutine_resume(adder, number(1), NULL), 0);
        check(!ring3_coroutine_finished(adder));
        check_eq(ring3_coroutine_resume(adder, number(60), &out), 0);
        check_eq(value_of(out), -104, "the result");
        check(ring3_coroutine_finished(adder));
        check_eq(ring3_coroutine_resume(adder, NULL, &out), -ESRCH);
        check_eq(value_of(out), -104, "a refusal writes nothing");
        check_eq(ring3_coroutine_destroy(adder), 0);
    }
    check_eq(stacks_out(), 0);
}

static void *count_to(void *limit, void *first)
{
    (void)first;
    for (long i = 1; i <= value_of(limit); i++)
        if (ring3_coroutine_yield(number(i), NULL) != 0)
            break;
    return number(1000000);
}

TEST(generator, is_visited_to_its_end)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ring3_coroutine_t *const counter = make(count_to, number(1000), kind);
        void *value = NULL;
        long expected = 0;

        ring3_generator_for_each (value, counter)
            check_eq(value_of(value), ++expected);
        check_eq(expected, 1000, "the result of the body is no value");
        check_eq(value_of(value), 1000, "the end writes no value");
        check_eq(ring3_generator_next(counter, &value), 0, "the end stays the end");
        check_eq(ring3_coroutine_destroy(counter), 0);
    }
}

TEST(generator, may_yield_nothing)
{
    ring3_coroutine_t *const counter = make(count_to, number(0), 0);
    void *value = &value;

    check_eq(ring3_generator_next(counter, &value), 0);
    check(value == &value);
    check_eq(ring3_coroutine_destroy(counter), 0);
}

/* --- Several ---------------------------------------------------------------------------------- */

/* Generators over generators: each passes on what the one below yields and its own divides not. */
static void *next_prime(void *below, void *first)
{
    long prime;
    void *value = NULL;

    (void)first;
    if (ring3_generator_next(below, &value) != 1)
        return NULL;
    prime = value_of(value);
    ring3_generator_for_each (value, below)
        if (value_of(value) % prime != 0 &&
            ring3_coroutine_yield(number(value_of(value)), NULL) != 0)
            break;
    return number(prime);
}

static void *from_two(void *unused, void *first)
{
    (void)unused;
    (void)first;
    for (long i = 2; ring3_coroutine_yield(number(i), NULL) == 0; i++)
        ;
    return NULL;
}

TEST(generator, stands_on_other_generators)
{
    enum { DEPTH = 20 }; /* sieves for the first 20 primes */
    ring3_coroutine_t *chain[DEPTH + 1];

    for (int kind = 0; kind < KINDS; kind++) {
        void *value = NULL;

        chain[0] = make(from_two, NULL, 0);
        for (int i = 1; i <= DEPTH; i++)
            chain[i] = make(next_prime, chain[i - 1], kind);
        check_eq(ring3_generator_next(chain[DEPTH], &value), 1);
        check_eq(value_of(value), 73, "the 21st prime");
        check_eq(ring3_generator_next(chain[DEPTH], &value), 1);
        check_eq(value_of(value), 79);
        for (int i = DEPTH; i >= 0; i--)
            check_eq(ring3_coroutine_destroy(chain[i]), 0);
    }
    check_eq(stacks_out(), 0);
}

static void *note_self(void *seen, void *first)
{
    (void)first;
    *(ring3_coroutine_t **)seen = ring3_coroutine_self();
    ring3_coroutine_yield(NULL, NULL);
    *(ring3_coroutine_t **)seen = ring3_coroutine_self();
    return NULL;
}

static void *note_self_around(void *seen_, void *first)
{
    ring3_coroutine_t **const seen = seen_;
    ring3_coroutine_t *const inner = make(note_self, &seen[1], 0);

    (void)first;
    ring3_coroutine_resume(inner, NULL, NULL);
    seen[0] = ring3_coroutine_self();
    check(seen[1] == inner);
    ring3_coroutine_resume(inner, NULL, NULL);
    check(ring3_coroutine_self() == seen[0], "after the inner one ended");
    check_eq(ring3_coroutine_destroy(inner), 0);
    return NULL;
}

TEST(coroutine, knows_which_one_runs)
{
    ring3_coroutine_t *seen[2] = {NULL, NULL};
    ring3_coroutine_t *const outer = make(note_self_around, seen, 0);

    check(!ring3_coroutine_self());
    check_eq(ring3_coroutine_resume(outer, NULL, NULL), 0);
    check(seen[0] == outer);
    check(!ring3_coroutine_self());
    check_eq(ring3_coroutine_destroy(outer), 0);
}

TEST(coroutine, lives_by_the_thousand)
{
    enum { MANY = 2000 };
    static ring3_coroutine_t *counters[MANY];
    const int many = (int)scaled(MANY, MANY);

    for (int i = 0; i < many; i++)
        counters[i] = make(count_to, number(i), 0);
    for (long round = 1; round <= 3; round++)
        for (int i = 0; i < many; i++) {
            void *value = NULL;

            check_eq(ring3_generator_next(counters[i], &value), i >= round);
            check_eq(value_of(value), i >= round ? round : 0);
        }
    for (int i = 0; i < many; i++)
        check_eq(ring3_coroutine_destroy(counters[i]), 0);
    check_eq(stacks_out(), 0);
}

/* --- Misuse ----------------------------------------------------------------------------------- */

static ring3_coroutine_t *under_test;
static int refusals[4];

static void *misuse_outer(void *unused, void *first)
{
    void *value = NULL;

    (void)unused;
    (void)first;
    /* under_test waits for us. */
    refusals[2] = ring3_coroutine_resume(under_test, NULL, NULL);
    refusals[3] = ring3_generator_next(under_test, &value);
    return NULL;
}

static void *misuse_self(void *unused, void *first)
{
    ring3_coroutine_t *const inner = make(misuse_outer, NULL, 0);

    (void)unused;
    (void)first;
    refusals[0] = ring3_coroutine_resume(under_test, NULL, NULL);
    refusals[1] = ring3_coroutine_destroy(under_test);
    check_eq(ring3_coroutine_resume(inner, NULL, NULL), 0);
    check_eq(ring3_coroutine_destroy(inner), 0);
    return NULL;
}

TEST(coroutine, is_not_resumed_or_destroyed_while_it_runs)
{
    under_test = make(misuse_self, NULL, 0);
    check_eq(ring3_coroutine_resume(under_test, NULL, NULL), 0);
    for (int i = 0; i < 4; i++)
        check_eq(refusals[i], -EBUSY, "attempt %d", i);
    check(ring3_coroutine_finished(under_test), "a refusal changes nothing");
    check_eq(ring3_coroutine_destroy(under_test), 0);
}

TEST(coroutine, yields_only_inside)
{
    void *in = &in;

    check_eq(ring3_coroutine_yield(NULL, &in), -EPERM);
    check(in == &in);
}

TEST(coroutine, refuses_what_cannot_work)
{
    const ring3_coroutine_options_t huge = {.stack_size = RING3_STACK_MAX + 1},
                                    unknown = {.context = 128};
    ring3_coroutine_t *made = NULL;

    check_eq(ring3_coroutine_create(&made, NULL, NULL, NULL), -EINVAL);
    check_eq(ring3_coroutine_create(&made, count_to, NULL, &huge), -EINVAL);
    check_eq(ring3_coroutine_create(&made, count_to, NULL, &unknown), -EINVAL);
    check(!made);
    check_eq(stacks_out(), 0, "a refusal keeps no stack");
}

/* --- Destruction ------------------------------------------------------------------------------ */

static int cleaned_up;

static void *hold_memory(void *unused, void *first)
{
    char *const memory = malloc(100);
    int err;

    (void)unused;
    (void)first;
    do
        err = ring3_coroutine_yield(memory, NULL);
    while (!err);
    check_eq(err, -ECANCELED);
    check_eq(ring3_coroutine_yield(NULL, NULL), -ECANCELED, "it stays so");
    free(memory);
    cleaned_up++;
    return NULL;
}

TEST(coroutine, cleans_up_when_it_is_destroyed_unfinished)
{
    for (int kind = 0; kind < KINDS; kind++) {
        ring3_coroutine_t *const holder = make(hold_memory, NULL, kind);

        check_eq(ring3_coroutine_resume(holder, NULL, NULL), 0);
        check_eq(ring3_coroutine_resume(holder, NULL, NULL), 0);
        check_eq(ring3_coroutine_destroy(holder), 0);
        check_eq(cleaned_up, kind + 1);
    }
    check_eq(stacks_out(), 0);
}

TEST(coroutine, that_never_began_is_just_given_back)
{
    check_eq(ring3_coroutine_destroy(make(hold_memory, NULL, 0)), 0);
    check_eq(cleaned_up, 0);
    check_eq(stacks_out(), 0);
}

/* --- Kernel threads --------------------------------------------------------------------------- */

#define TRAVELLERS 4

static struct traveller {
    ring3_coroutine_t *coroutine;
    long steps; /* plain: only the coroutine touches it */
} travellers[TRAVELLERS];

static void *travel(void *limit, void *first)
{
    struct traveller *me = first;

    while (me->steps < value_of(limit)) {
        void *in = NULL;

        me->steps++;
        check_eq(ring3_coroutine_yield(number(me->steps), &in), 0);
        me = in;
    }
    return number(me->steps);
}

static void *drive(void *unused)
{
    for (int finished = 0, i = 0; finished < TRAVELLERS; i++) {
        struct traveller *const next = &travellers[i % TRAVELLERS];
        const int err = ring3_coroutine_resume(next->coroutine, next, NULL);

        check(err == 0 || err == -EBUSY || err == -ESRCH, "%d", err);
        finished = err == -ESRCH ? finished + 1 : 0;
        if (err == -EBUSY)
            sched_yield();
        check(!ring3_coroutine_self());
    }
    return unused;
}

TEST(coroutine, is_resumed_by_one_of_many_threads, 60)
{
    const long limit = scaled(5000, 500000);

    for (int kind = 0; kind < KINDS; kind++) {
        pthread_t threads[3];

        for (int i = 0; i < TRAVELLERS; i++)
            travellers[i] = (struct traveller){make(travel, number(limit), kind), 0};
        for (int i = 0; i < 3; i++)
            check_eq(pthread_create(&threads[i], NULL, drive, NULL), 0);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < TRAVELLERS; i++) {
            check_eq(travellers[i].steps, limit, "a step was lost or taken twice");
            check_eq(ring3_coroutine_destroy(travellers[i].coroutine), 0);
        }
    }
}

/* --- Stacks ----------------------------------------------------------------------------------- */

static void *use_stack(void *bytes, void *first)
{
    volatile char *const frame = __builtin_alloca((size_t)value_of(bytes));

    (void)first;
    for (long i = 0; i < value_of(bytes); i += 512)
        frame[i] = 1;
    return NULL;
}

TEST(coroutine, shows_how_much_stack_it_used)
{
    const ring3_coroutine_options_t roomy = {.stack_size = (size_t)1 << 20};
    ring3_coroutine_t *user;
    long mark;

    check_eq(ring3_coroutine_create(&user, use_stack, number(200000), &roomy), 0);
    check_eq(ring3_coroutine_resume(user, NULL, NULL), 0);
    mark = (long)ring3_stack_high_water(ring3_coroutine_stack(user));
    /* ASan may keep such a frame elsewhere, but alloca stays. */
    check_ge(mark, 200000);
    check_lt(mark, 300000);
    check_eq(ring3_coroutine_destroy(user), 0);
}

static void *deeper(void *above, void *first);
static void *(*volatile descend)(void *, void *) = deeper;

static void *deeper(void *above, void *first)
{
    volatile char frame[256];

    frame[0] = (char)(above == first);
    return (char *)descend((void *)frame, above) + frame[0];
}

static void overflow(void)
{
    const ring3_coroutine_options_t small = {.name = "the lexer", .stack_size = 16384};
    ring3_coroutine_t *victim;

    check_eq(ring3_coroutine_create(&victim, deeper, NULL, &small), 0);
    ring3_coroutine_resume(victim, NULL, NULL);
}

TEST(coroutine, that_overflows_is_named)
{
    char said[65536];

    check_ne(run_in_child(overflow, said, sizeof said), 0);
    check_contains(said, "ring3: stack overflow in the lexer (16 KiB), created at /");
}
