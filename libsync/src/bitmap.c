/* SPDX-License-Identifier: MIT */
/*
 * Bitmap operations on runs of bits, a word at a time.
 *
 * The searches load each word relaxed, once: they may run while other threads set and clear bits
 * with the _atomic forms.
 */
#include "ring3/bitmap.h"

#define WORD_BITS ((size_t)64)
#define ALL       (~UINT64_C(0))

/* Bits `from` to the end of a word, and bits from its beginning up to and without `to` (1..64). */
static uint64_t mask_from(size_t from)
{
    return ALL << from;
}

static uint64_t mask_below(size_t to)
{
    return ALL >> (WORD_BITS - to);
}

/* Write `fill`, all zeros or all ones, to the bits of one word that `mask` selects. */
static void fill_word(uint64_t *word, uint64_t mask, uint64_t fill)
{
    *word = (*word & ~mask) | (fill & mask);
}

static void fill_range(uint64_t *words, size_t start, size_t count, uint64_t fill)
{
    if (count == 0)
        return;

    const size_t last_bit = start + count - 1;
    const size_t first = start / WORD_BITS, last = last_bit / WORD_BITS;
    const uint64_t head = mask_from(start % WORD_BITS);
    const uint64_t tail = mask_below(last_bit % WORD_BITS + 1);

    if (first == last) {
        fill_word(&words[first], head & tail, fill);
        return;
    }
    fill_word(&words[first], head, fill);
    for (size_t i = first + 1; i < last; i++)
        words[i] = fill;
    fill_word(&words[last], tail, fill);
}

void ring3_bitmap_set_range(uint64_t *words, size_t start, size_t count)
{
    fill_range(words, start, count, ALL);
}

void ring3_bitmap_clear_range(uint64_t *words, size_t start, size_t count)
{
    fill_range(words, start, count, 0);
}

/* First bit that differs from those of `skip`, all zeros or all ones. */
static size_t find(const uint64_t *words, size_t bits, size_t start, uint64_t skip)
{
    if (start >= bits)
        return bits;

    const size_t last = (bits - 1) / WORD_BITS;
    size_t i = start / WORD_BITS;
    uint64_t hits = (ring3_load(&words[i], RING3_RELAXED) ^ skip) & mask_from(start % WORD_BITS);

    while (!hits) {
        if (i == last)
            return bits;
        hits = ring3_load(&words[++i], RING3_RELAXED) ^ skip;
    }

    const size_t bit = i * WORD_BITS + (size_t)__builtin_ctzll(hits);

    return bit < bits ? bit : bits;
}

size_t ring3_bitmap_find_set(const uint64_t *words, size_t bits, size_t start)
{
    return find(words, bits, start, 0);
}

size_t ring3_bitmap_find_clear(const uint64_t *words, size_t bits, size_t start)
{
    return find(words, bits, start, ALL);
}

size_t ring3_bitmap_find_clear_run(const uint64_t *words, size_t bits, size_t start, size_t count)
{
    while ((start = ring3_bitmap_find_clear(words, bits, start)) < bits && bits - start >= count) {
        const size_t end = start + count;
        const size_t obstacle = ring3_bitmap_find_set(words, end, start);

        if (obstacle == end)
            return start;
        start = obstacle + 1;
    }
    return bits;
}

size_t ring3_bitmap_count(const uint64_t *words, size_t bits)
{
    size_t count = 0;

    for (size_t i = 0; i < bits / WORD_BITS; i++)
        count += (size_t)__builtin_popcountll(ring3_load(&words[i], RING3_RELAXED));
    if (bits % WORD_BITS)
        count += (size_t)__builtin_popcountll(ring3_load(&words[bits / WORD_BITS], RING3_RELAXED) &
                                              mask_below(bits % WORD_BITS));
    return count;
}
