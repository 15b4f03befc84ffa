/* SPDX-License-Identifier: MIT */
/* A walk finds exactly the blocks that are in use, under every policy and layer, and runs of chunks
 * grow, shrink and give their tails back. */
#include "policies.h"

#include "ring3/pages.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 600 };

static struct {
    char *start;
    size_t size;
    int seen;
} kept[SLOTS];

static size_t others, in_holes;

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)((const __typeof__(kept[0]) *)a)->start;
    const uintptr_t y = (uintptr_t)((const __typeof__(kept[0]) *)b)->start;

    return x < y ? -1 : x > y;
}

/* Each block of ours is inside of one piece, which is in use; holes hold none. */
static void compare(void *start, size_t length, bool in_use, void *context)
{
    char *const from = start;
    int low = 0, high = SLOTS, inside = 0;

    (void)context;
    while (low < high) {
        const int middle = (low + high) / 2;

        if (kept[middle].start < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < SLOTS && kept[low].start < from + length; low++, inside++) {
        kept[low].seen += in_use && kept[low].start == from && kept[low].size <= length;
        in_holes += !in_use;
    }
    others += in_use && inside == 0;
}

static void *in_a_thread(void *from)
{
    for (uintptr_t i = (uintptr_t)from; i < SLOTS; i += 2) {
        const size_t size = 1 + (size_t)rand() % (i % 50 ? 3000 : 1500000);

        kept[i].size = size;
        kept[i].start = ring3_malloc(size);
        memset(kept[i].start, (int)i, size < 5000 ? size : 5000);
        if (i % 3 == 0)
            ring3_free(ring3_malloc(size));
    }
    return NULL;
}

static void walk_finds_all(void)
{
    pthread_t thread;

    /* The second thread ends, so that what its cache held is known to be free. */
    check_eq(pthread_create(&thread, NULL, in_a_thread, (void *)0), 0);
    check_eq(pthread_join(thread, NULL), 0);
    (void)in_a_thread((void *)1);
    qsort(kept, SLOTS, sizeof kept[0], by_address);
    others = in_holes = 0;
    ring3_malloc_walk(compare, NULL);
    for (int i = 0; i < SLOTS; i++)
        check_eq(kept[i].seen, 1, "block %d of %zu bytes", i, kept[i].size);
    check_eq(in_holes, 0);
    /* Nothing else was allocated here but what a thread needs. */
    check_le(others, 8);
    for (int i = 0; i < SLOTS; i++)
        ring3_free(kept[i].start);
    others = in_holes = 0;
    memset(kept, 0, sizeof kept);
    ring3_malloc_walk(compare, NULL);
    check_le(others, 8);
}

TEST_POLICIES(walk, finds_all_blocks, 60)
{
    walk_finds_all();
}

#define UNDER(name, settings)                                                                      \
    TEST(walk, finds_all_blocks_##name, 60)                                                        \
    {                                                                                              \
        check_eq(ring3_malloc_choose(settings), 0);                                                \
        walk_finds_all();                                                                          \
    }

UNDER(debug, "debug")
UNDER(fast, "slab,hardening=fast")
UNDER(full, "buddy,hardening=full")
UNDER(sampled, "slab,guard=sample:7")
UNDER(traced, "first-fit,trace=/dev/null")

/* --- Runs ------------------------------------------------------------------------------------ */

#define MIB ((size_t)1 << 20)

static void mark(char *block, size_t size)
{
    for (size_t at = 0; at < size; at += 4096)
        memcpy(block + at, &at, sizeof at);
}

static void check_marks(const char *block, size_t size)
{
    for (size_t at = 0; at < size; at += 4096) {
        size_t found;

        memcpy(&found, block + at, sizeof found);
        check_eq(found, at);
    }
}

TEST(runs, keep_what_is_in_them_while_they_change, 60)
{
    static const size_t sizes[] = {40000,    70000,   9 * MIB, 300000,      5 * MIB, 17 * MIB,
                                   33 * MIB, 4 * MIB, MIB,     4 * MIB + 1, 66000,   6 * MIB};
    char *block = NULL;
    size_t size = 0;

    check_eq(ring3_malloc_choose("slab"), 0);
    for (int round = 0; round < 40; round++) {
        const size_t want = sizes[(unsigned)round % (sizeof sizes / sizeof sizes[0])];
        char *const beside = ring3_malloc(100000 + (size_t)round * 10000);

        block = ring3_realloc(block, want);
        check(block);
        check_ge(ring3_malloc_usable_size(block), want);
        if (size)
            check_marks(block, (want < size ? want : size) - 4095);
        mark(block, want - 4095);
        size = want;
        if (round % 2)
            ring3_free(beside);
    }
    ring3_free(block);
}

/* The end of memory may move, where there is nothing behind. */
TEST(runs, grow_where_they_stand)
{
    char *block, *grown;

    check_eq(ring3_malloc_choose("slab"), 0);
    /* What was free once is ready: a block as large as all that follows, and its tail. */
    ring3_free(ring3_malloc(64 * MIB));
    block = ring3_malloc(20 * MIB);
    mark(block, 20 * MIB);
    grown = ring3_realloc(block, 30 * MIB);
    check_eq(grown == block, 1);
    check_marks(grown, 20 * MIB);
    ring3_free(grown);
}

/* 33 MiB take 33, not 64. */
TEST(runs, take_what_was_asked_for)
{
    ring3_malloc_statistics_t before, now;
    char *block;

    check_eq(ring3_malloc_choose("slab"), 0);
    ring3_free(ring3_malloc(1));
    ring3_malloc_statistics(&before);
    block = ring3_malloc(33 * MIB);
    ring3_malloc_statistics(&now);
    check_eq(now.used - before.used, 33 * MIB);
    check_eq(ring3_malloc_usable_size(block), 33 * MIB);
    block = ring3_realloc(block, 10 * MIB);
    ring3_malloc_statistics(&now);
    check_eq(now.used - before.used, 10 * MIB);
    ring3_free(block);
}
