/* SPDX-License-Identifier: MIT */
/* A test for every policy: TEST_POLICIES(suite, claim, seconds) defines one TEST per policy, in a
 * process of its own, around one body. */
#ifndef TESTS_ALLOC_POLICIES_H
#define TESTS_ALLOC_POLICIES_H

#include "ring3_test.h"

#include "ring3/malloc.h"

#include <string.h>

/* A block in a thread's cache counts as in use, and is not told from one that is. */
static inline bool caches_blocks(void)
{
    return strcmp(ring3_malloc_policy(), "slab") == 0;
}

#define TEST_POLICIES(suite, claim, seconds)                                                       \
    static void claim(void);                                                                       \
    TEST(suite, claim##_slab, seconds)                                                             \
    {                                                                                              \
        check_eq(ring3_malloc_choose("slab"), 0);                                                  \
        claim();                                                                                   \
    }                                                                                              \
    TEST(suite, claim##_first_fit, seconds)                                                        \
    {                                                                                              \
        check_eq(ring3_malloc_choose("first-fit"), 0);                                             \
        claim();                                                                                   \
    }                                                                                              \
    TEST(suite, claim##_best_fit, seconds)                                                         \
    {                                                                                              \
        check_eq(ring3_malloc_choose("best-fit"), 0);                                              \
        claim();                                                                                   \
    }                                                                                              \
    TEST(suite, claim##_next_fit, seconds)                                                         \
    {                                                                                              \
        check_eq(ring3_malloc_choose("next-fit"), 0);                                              \
        claim();                                                                                   \
    }                                                                                              \
    TEST(suite, claim##_worst_fit, seconds)                                                        \
    {                                                                                              \
        check_eq(ring3_malloc_choose("worst-fit"), 0);                                             \
        claim();                                                                                   \
    }                                                                                              \
    TEST(suite, claim##_buddy, seconds)                                                            \
    {                                                                                              \
        check_eq(ring3_malloc_choose("buddy"), 0);                                                 \
        claim();                                                                                   \
    }                                                                                              \
    static void claim(void)

#endif
