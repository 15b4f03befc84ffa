/* SPDX-License-Identifier: MIT */
/*
 * Bitmap over an array of 64-bit words that the caller owns.
 *
 *     uint64_t words[RING3_BITMAP_WORDS(1000)] = {0};
 *     ring3_bitmap_set(words, 17);
 *     size_t free_slot = ring3_bitmap_find_clear(words, 1000, 0);
 *
 * `bits` is the number of valid bits; searches return `bits` when there is nothing to find. Bits
 * past the last valid one are neither looked at nor changed.
 *
 * Not thread-safe, with two exceptions: the _atomic forms, and the tests, searches and the count,
 * which may run beside the _atomic forms and then give a hint: confirm it with an _atomic form.
 */
#ifndef RING3_BITMAP_H
#define RING3_BITMAP_H

#include "ring3/api.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_BITMAP_WORDS(bits) (((size_t)(bits) + 63) / 64)

static inline bool ring3_bitmap_test(const uint64_t *words, size_t bit)
{
    return ring3_load(&words[bit / 64], RING3_RELAXED) >> (bit % 64) & 1;
}

static inline void ring3_bitmap_set(uint64_t *words, size_t bit)
{
    words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void ring3_bitmap_clear(uint64_t *words, size_t bit)
{
    words[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/** Set the bit; true if it was set already. Atomic, with the given order. */
static inline bool ring3_bitmap_test_and_set_atomic(uint64_t *words, size_t bit, int order)
{
    const uint64_t mask = UINT64_C(1) << (bit % 64);

    return (ring3_fetch_or(&words[bit / 64], mask, order) & mask) != 0;
}

/** Clear the bit; true if it was set before. Atomic, with the given order. */
static inline bool ring3_bitmap_test_and_clear_atomic(uint64_t *words, size_t bit, int order)
{
    const uint64_t mask = UINT64_C(1) << (bit % 64);

    return (ring3_fetch_and(&words[bit / 64], ~mask, order) & mask) != 0;
}

/** Set or clear `count` bits from `start`; nothing if `count` is 0. */
void ring3_bitmap_set_range(uint64_t *words, size_t start, size_t count);
void ring3_bitmap_clear_range(uint64_t *words, size_t start, size_t count);

/** First set (clear) bit at or after `start`, or `bits`. */
size_t ring3_bitmap_find_set(const uint64_t *words, size_t bits, size_t start);
size_t ring3_bitmap_find_clear(const uint64_t *words, size_t bits, size_t start);

/** Start of the first run of `count` (at least 1) clear bits at or after `start`, or `bits`. */
size_t ring3_bitmap_find_clear_run(const uint64_t *words, size_t bits, size_t start, size_t count);

/** Number of set bits among the first `bits`. */
size_t ring3_bitmap_count(const uint64_t *words, size_t bits);

/** Visit every set bit in ascending order. */
#define ring3_bitmap_for_each_set(bit, words, bits)                                                \
    for ((bit) = ring3_bitmap_find_set(words, bits, 0); (bit) < (bits);                            \
         (bit) = ring3_bitmap_find_set(words, bits, (bit) + 1))

RING3_API_END

#endif
