/* SPDX-License-Identifier: MIT */
/*
 * x++ and x-- by two threads, each a read and a write: an enumerator prints all six orders and what
 * comes of them. R1 W1 are the first thread's steps, R2 W2 the second's.
 */
#include "ring3_test.h"

#include <stdio.h>
#include <string.h>

struct outcome {
    char order[12];
    int x;
};

/* Runs the four steps in the order of the bits of `who` (1: the second thread). */
static struct outcome run(unsigned who, int x, int first, int second)
{
    struct outcome got = {"", x};
    const int change[2] = {first, second};
    int seen[2], step[2] = {0, 0};

    for (int i = 0; i < 4; i++) {
        const int thread = (int)(who >> i & 1);

        got.order[2 * i] = "RW"[step[thread]];
        got.order[2 * i + 1] = (char)('1' + thread);
        if (step[thread]++ == 0)
            seen[thread] = got.x;
        else
            got.x = seen[thread] + change[thread];
    }
    got.order[8] = '\0';
    return got;
}

/* All orders in which each thread takes two steps; returns how many there are. */
static int enumerate(struct outcome outcomes[6], int x, int first, int second)
{
    int count = 0;

    for (unsigned who = 0; who < 16; who++)
        if (__builtin_popcount(who) == 2)
            outcomes[count++] = run(who, x, first, second);
    return count;
}

static int result_of(const struct outcome outcomes[6], const char *order)
{
    for (int i = 0; i < 6; i++)
        if (strcmp(outcomes[i].order, order) == 0)
            return outcomes[i].x;
    return -1000;
}

static void print(const char *what, const struct outcome outcomes[6])
{
    for (int i = 0; i < 6; i++)
        fprintf(stderr, "# %s: %.2s %.2s %.2s %.2s  x = %d\n", what, outcomes[i].order,
                outcomes[i].order + 2, outcomes[i].order + 4, outcomes[i].order + 6, outcomes[i].x);
}

TEST(interleavings, of_two_increments)
{
    struct outcome outcomes[6];

    check_eq(enumerate(outcomes, 0, 1, 1), 6);
    print("x++ | x++", outcomes);
    check_eq(result_of(outcomes, "R1W1R2W2"), 2);
    check_eq(result_of(outcomes, "R1R2W1W2"), 1);
    check_eq(result_of(outcomes, "R1R2W2W1"), 1);
    check_eq(result_of(outcomes, "R2W2R1W1"), 2);
    check_eq(result_of(outcomes, "R2R1W2W1"), 1);
    check_eq(result_of(outcomes, "R2R1W1W2"), 1);
}

TEST(interleavings, of_an_increment_and_a_decrement)
{
    struct outcome outcomes[6];

    check_eq(enumerate(outcomes, 5, 1, -1), 6);
    print("x++ | x--", outcomes);
    check_eq(result_of(outcomes, "R1W1R2W2"), 5);
    check_eq(result_of(outcomes, "R2W2R1W1"), 5);
    check_eq(result_of(outcomes, "R1R2W1W2"), 4);
    check_eq(result_of(outcomes, "R2R1W1W2"), 4);
    check_eq(result_of(outcomes, "R1R2W2W1"), 6);
    check_eq(result_of(outcomes, "R2R1W2W1"), 6);
}
