/* SPDX-License-Identifier: MIT */
/* Heaps of one's own, in a reservation and on the program break. */
#include "ring3_test.h"

#include "ring3/heap.h"
#include "ring3/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)

static ring3_heap_statistics_t now(ring3_heap_t *heap)
{
    ring3_heap_statistics_t statistics;

    ring3_heap_statistics(heap, &statistics);
    return statistics;
}

static void agree_with_the_model(const ring3_heap_options_t *options)
{
    enum { SLOTS = 200 };
    static unsigned char *blocks[SLOTS];
    static size_t sizes[SLOTS];
    ring3_heap_t *heap;

    check_eq(ring3_heap_create(&heap, options), 0);
    srand(7);
    for (long round = scaled(5000, 200000); round > 0; round--) {
        const int slot = rand() % SLOTS;
        const size_t align = (size_t)16 << rand() % 9;

        if (blocks[slot]) {
            for (size_t i = 0; i < sizes[slot]; i++)
                check_eq(blocks[slot][i], (unsigned char)slot);
            check_eq(ring3_heap_free(heap, blocks[slot]), 0);
            blocks[slot] = NULL;
            continue;
        }
        sizes[slot] = (size_t)rand() % (rand() % 50 ? 4000 : 300000);
        blocks[slot] = ring3_heap_allocate(heap, sizes[slot], align);
        check(blocks[slot]);
        check_eq((uintptr_t)blocks[slot] % align, 0);
        check_ge(ring3_heap_usable(heap, blocks[slot]), sizes[slot]);
        memset(blocks[slot], slot, sizes[slot]);
        if (round % 500 == 0)
            (void)ring3_heap_trim(heap);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (blocks[i])
            check_eq(ring3_heap_free(heap, blocks[i]), 0);
        blocks[i] = NULL;
    }
    check_eq(now(heap).fit.blocks, 0);
    check_eq(now(heap).mapped_blocks, 0);
    ring3_heap_destroy(heap);
}

TEST(heap, agrees_with_the_model, 60)
{
    for (int order = RING3_FIT_FIRST; order <= RING3_FIT_WORST; order++) {
        const ring3_heap_options_t options = {.order = (ring3_fit_order_t)order};

        agree_with_the_model(&options);
    }
}

TEST(heap, agrees_with_the_model_on_the_break, 60)
{
    const ring3_heap_options_t options = {.flags = RING3_HEAP_SBRK};

    agree_with_the_model(&options);
}

TEST(heap, is_destroyed_whole)
{
    for (int i = 0; i < 200; i++) {
        ring3_heap_t *heap;

        /* 200 GiB of address space and 60 MiB of mappings, if any of it stayed. */
        check_eq(ring3_heap_create(&heap, NULL), 0);
        for (int k = 0; k < 10; k++)
            check(ring3_heap_allocate(heap, 1000, 0));
        check(ring3_heap_allocate(heap, 300 * KIB, 0));
        ring3_heap_destroy(heap);
    }
}

TEST(heap, maps_large_blocks_one_by_one)
{
    const ring3_heap_options_t options = {.threshold = 64 * KIB};
    ring3_heap_t *heap;
    char *small, *large;

    check_eq(ring3_heap_create(&heap, &options), 0);
    small = ring3_heap_allocate(heap, 64 * KIB - 1, 0);
    check_eq(now(heap).mapped_blocks, 0);
    large = ring3_heap_allocate(heap, 64 * KIB, 4096);
    check_eq(now(heap).mapped_blocks, 1);
    memset(large, 1, 64 * KIB);
    check_eq(ring3_heap_free(heap, large + 16), -EINVAL, "inside");
    check_eq(ring3_heap_free(heap, large), 0);
    check_eq(now(heap).mapped_bytes, 0, "gone at once");
    check_eq(ring3_heap_free(heap, large), -EINVAL, "a second time");
    check_eq(ring3_heap_free(heap, small), 0);
    check_eq(ring3_heap_free(heap, small), -EINVAL);
    check(!ring3_heap_allocate(heap, SIZE_MAX, 0));
    check(!ring3_heap_allocate(heap, 8, 24), "no alignment");
    ring3_heap_destroy(heap);
}

/* The notes: malloc looks inside the heap first, moves the break up when there is no space, and
 * free does not move it down. */
TEST(heap, moves_the_break_as_in_the_notes)
{
    const ring3_heap_options_t options = {.flags = RING3_HEAP_SBRK, .step = 64 * KIB};
    const size_t page = ring3_pages_size();
    char *const before = sbrk(0);
    char *blocks[40], *grown;
    ring3_heap_t *heap;

    check_eq(ring3_heap_create(&heap, &options), 0);
    for (int i = 0; i < 40; i++)
        check(blocks[i] = ring3_heap_allocate(heap, 10000, 0));
    grown = sbrk(0);
    check_ge(grown, before + 40 * 10000, "it grew");
    for (int i = 0; i < 40; i++) {
        check(blocks[i] >= before && blocks[i] < grown);
        check_eq(ring3_heap_free(heap, blocks[i]), 0);
    }
    check(sbrk(0) == grown, "free does not shrink the heap");
    for (int i = 0; i < 40; i++)
        check(blocks[i] = ring3_heap_allocate(heap, 10000, 0));
    check(sbrk(0) == grown, "what was freed is used again");
    for (int i = 1; i < 40; i++)
        check_eq(ring3_heap_free(heap, blocks[i]), 0);
    check_gt(ring3_heap_trim(heap), 300000, "but for the block at the start");
    check_le((char *)sbrk(0), before + 10000 + 3 * page);
    check(ring3_heap_allocate(heap, 50000, 0), "and it grows again");
    ring3_heap_destroy(heap);
    check_le((char *)sbrk(0), before + page, "back where it was");
}

TEST(heap, goes_on_when_somebody_else_moves_the_break)
{
    const ring3_heap_options_t options = {.flags = RING3_HEAP_SBRK};
    ring3_heap_t *heap;
    char *foreign, *block;

    check_eq(ring3_heap_create(&heap, &options), 0);
    foreign = sbrk(4096);
    check(foreign != (void *)-1);
    foreign[0] = 42;
    for (int i = 0; i < 100; i++) {
        block = ring3_heap_allocate(heap, 10000, 0);
        check(block);
        memset(block, 1, 10000);
    }
    check_gt(now(heap).mapped_blocks, 0, "in mappings of their own");
    (void)ring3_heap_trim(heap);
    ring3_heap_destroy(heap);
    check_eq(foreign[0], 42, "nobody's memory was taken away");
}

static void *churn(void *heap)
{
    void *blocks[64] = {0};
    unsigned seed = 1;

    for (long i = scaled(10000, 500000); i > 0; i--) {
        const int slot = rand_r(&seed) % 64;

        if (blocks[slot])
            check_eq(ring3_heap_free(heap, blocks[slot]), 0);
        blocks[slot] = ring3_heap_allocate(heap, (size_t)rand_r(&seed) % 2000, 0);
        check(blocks[slot]);
    }
    return NULL;
}

TEST(heap, serves_threads, 60)
{
    pthread_t threads[4];
    ring3_heap_t *heap;

    check_eq(ring3_heap_create(&heap, NULL), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&threads[i], NULL, churn, heap), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    check_eq(now(heap).fit.blocks, 4 * 64);
    ring3_heap_destroy(heap);
}
