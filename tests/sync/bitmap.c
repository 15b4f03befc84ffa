/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/bitmap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BITS 300

/* The model says of each bit whether it is set. Bits past `bits` are rubbish that must stay. */
static uint64_t words[RING3_BITMAP_WORDS(BITS)];
static bool model[BITS];

static size_t model_find(size_t bits, size_t start, bool wanted)
{
    for (size_t i = start; i < bits; i++)
        if (model[i] == wanted)
            return i;
    return bits;
}

static size_t model_find_run(size_t bits, size_t start, size_t count)
{
    for (size_t i = start; i < bits && bits - i >= count; i++)
        if (model_find(i + count, i, true) == i + count)
            return i;
    return bits;
}

static void check_same(size_t bits)
{
    const size_t start = (size_t)rand() % (bits + 2), count = 1 + (size_t)rand() % 80;
    size_t set = 0, seen = 0, bit;

    for (size_t i = 0; i < BITS; i++)
        check_eq(ring3_bitmap_test(words, i), model[i], "bit %zu", i);
    for (size_t i = 0; i < bits; i++)
        set += model[i];
    check_eq(ring3_bitmap_count(words, bits), set, "of %zu bits", bits);
    check_eq(ring3_bitmap_find_set(words, bits, start), model_find(bits, start, true),
             "%zu bits from %zu", bits, start);
    check_eq(ring3_bitmap_find_clear(words, bits, start), model_find(bits, start, false),
             "%zu bits from %zu", bits, start);
    check_eq(ring3_bitmap_find_clear_run(words, bits, start, count),
             model_find_run(bits, start, count), "%zu bits from %zu, run of %zu", bits, start,
             count);
    ring3_bitmap_for_each_set (bit, words, bits) {
        check(model[bit], "bit %zu", bit);
        seen++;
    }
    check_eq(seen, set);
}

TEST(bitmap, agrees_with_an_array_of_bools_after_any_sequence)
{
    srand(1);
    for (int step = 0; step < 20000; step++) {
        const size_t bit = (size_t)rand() % BITS, count = (size_t)rand() % (BITS - bit + 1);

        switch (rand() % 6) {
        case 0:
            ring3_bitmap_set(words, bit);
            model[bit] = true;
            break;
        case 1:
            ring3_bitmap_clear(words, bit);
            model[bit] = false;
            break;
        case 2:
            ring3_bitmap_set_range(words, bit, count);
            memset(model + bit, 1, count);
            break;
        case 3:
            ring3_bitmap_clear_range(words, bit, count);
            memset(model + bit, 0, count);
            break;
        case 4:
            check_eq(ring3_bitmap_test_and_set_atomic(words, bit, RING3_ACQUIRE), model[bit]);
            model[bit] = true;
            break;
        default:
            check_eq(ring3_bitmap_test_and_clear_atomic(words, bit, RING3_RELEASE), model[bit]);
            model[bit] = false;
            break;
        }
        /* Any number of valid bits: what lies behind them must not be seen. */
        check_same((size_t)rand() % (BITS + 1));
    }
}

TEST(bitmap, ranges_at_word_edges_touch_nothing_else)
{
    for (size_t start = 0; start <= 192; start++)
        for (size_t count = 0; count <= 192 - start; count++) {
            uint64_t set[3] = {0}, clear[3] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};

            ring3_bitmap_set_range(set, start, count);
            ring3_bitmap_clear_range(clear, start, count);
            check_eq(ring3_bitmap_count(set, 192), count, "%zu from %zu", count, start);
            if (count > 0)
                check_eq(ring3_bitmap_find_set(set, 192, 0), start);
            for (int i = 0; i < 3; i++)
                check_eq(set[i], ~clear[i], "%zu from %zu", count, start);
        }
}

TEST(bitmap, searches_of_nothing_and_past_the_end_find_nothing)
{
    uint64_t one[1] = {0};

    check_eq(ring3_bitmap_find_set(one, 0, 0), 0);
    check_eq(ring3_bitmap_find_clear(one, 0, 0), 0);
    check_eq(ring3_bitmap_find_clear(one, 64, 64), 64);
    check_eq(ring3_bitmap_find_clear(one, 64, SIZE_MAX), 64);
    check_eq(ring3_bitmap_find_clear_run(one, 64, 0, 65), 64);
    check_eq(ring3_bitmap_find_clear_run(one, 64, 0, SIZE_MAX), 64);
    check_eq(ring3_bitmap_find_clear_run(one, 64, 0, 64), 0);
    check_eq(ring3_bitmap_count(one, 0), 0);
}

/* Threads claim bits found by a search; nobody may get a bit twice. */
#define CLAIMS  4096
#define WORKERS 4
static uint64_t shared[RING3_BITMAP_WORDS(CLAIMS)];
static uint8_t owners[CLAIMS];

static void *claim_all(void *unused)
{
    size_t bit = 0;

    (void)unused;
    while ((bit = ring3_bitmap_find_clear(shared, CLAIMS, bit)) < CLAIMS)
        if (!ring3_bitmap_test_and_set_atomic(shared, bit, RING3_RELAXED))
            ring3_fetch_add(&owners[bit], 1, RING3_RELAXED);
    return NULL;
}

TEST(bitmap, a_bit_is_claimed_by_one_thread_only)
{
    pthread_t worker[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_create(&worker[i], NULL, claim_all, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_join(worker[i], NULL), 0);
    for (int i = 0; i < CLAIMS; i++)
        check_eq(owners[i], 1, "bit %d", i);
}
