/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static ring3_arena_statistics_t now(const ring3_arena_t *arena)
{
    ring3_arena_statistics_t statistics;

    ring3_arena_statistics(arena, &statistics);
    return statistics;
}

TEST(arena, keeps_what_is_written_apart_and_aligned)
{
    enum { COUNT = 5000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    ring3_arena_t arena = {0};

    srand(1);
    for (int i = 0; i < COUNT; i++) {
        const size_t align = (size_t)1 << rand() % 13;

        sizes[i] = (size_t)rand() % (i % 100 ? 200 : 20000);
        blocks[i] = ring3_arena_allocate(&arena, sizes[i], align);
        check(blocks[i]);
        check_eq((uintptr_t)blocks[i] % align, 0);
        memset(blocks[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            check_eq(blocks[i][k], i & 0xff, "byte %zu of block %d", k, i);
    check_gt(now(&arena).pieces, 3);
    ring3_arena_destroy(&arena);
    check_eq(now(&arena).pieces, 0);
    check_eq(now(&arena).held, 0);
}

TEST(arena, aligns_to_16_unless_told)
{
    ring3_arena_t arena = {0};

    (void)ring3_arena_allocate(&arena, 1, 1);
    check_eq((uintptr_t)ring3_arena_allocate(&arena, 1, 0) % 16, 0);
    ring3_arena_destroy(&arena);
}

TEST(arena, goes_back_to_a_mark)
{
    ring3_arena_t arena = {0};
    char *const kept = ring3_arena_strdup(&arena, "kept");
    const ring3_arena_mark_t outer = ring3_arena_mark(&arena);
    char *const first = ring3_arena_allocate(&arena, 100, 1);
    const ring3_arena_mark_t inner = ring3_arena_mark(&arena);

    for (int i = 0; i < 1000; i++)
        check(ring3_arena_allocate(&arena, 1000, 0));
    check_gt(now(&arena).pieces, 1);
    ring3_arena_rewind(&arena, inner);
    check_eq(now(&arena).pieces, 1, "pieces of later went back");
    check(ring3_arena_allocate(&arena, 100, 1) == first + 100, "on from the mark");
    ring3_arena_rewind(&arena, outer);
    check(ring3_arena_allocate(&arena, 100, 1) == first);
    check_str_eq(kept, "kept");
    ring3_arena_destroy(&arena);
}

TEST(arena, goes_back_to_before_its_first_piece)
{
    ring3_arena_t arena = {0};
    const ring3_arena_mark_t empty = ring3_arena_mark(&arena);

    check(ring3_arena_allocate(&arena, 10, 0));
    ring3_arena_rewind(&arena, empty);
    check_eq(now(&arena).pieces, 0);
    check(ring3_arena_allocate(&arena, 10, 0), "and starts again");
    ring3_arena_destroy(&arena);
}

TEST(arena, keeps_one_piece_when_cleared)
{
    ring3_arena_t arena = {0};

    for (int i = 0; i < 1000; i++)
        check(ring3_arena_allocate(&arena, 1000, 0));
    ring3_arena_clear(&arena);
    check_eq(now(&arena).pieces, 1);

    const size_t held = now(&arena).held;

    check(ring3_arena_allocate(&arena, 1000, 0));
    check_eq(now(&arena).held, held, "nothing new was needed");
    ring3_arena_destroy(&arena);
}

TEST(arena, stays_within_the_memory_it_is_given)
{
    char memory[1000];
    ring3_arena_t arena;
    char *block;
    int count = 0;

    ring3_arena_init(&arena, memory, sizeof memory);
    while ((block = ring3_arena_allocate(&arena, 100, 1))) {
        check(block >= memory && block + 100 <= memory + sizeof memory);
        count++;
    }
    check_eq(count, 10, "every byte");
    check(!ring3_arena_allocate(&arena, SIZE_MAX, 1));
    ring3_arena_destroy(&arena);
    check_eq(now(&arena).left, sizeof memory);
    check(ring3_arena_allocate(&arena, 1000, 1) == memory);
}

TEST(arena, refuses_what_no_memory_holds)
{
    ring3_arena_t arena = {0};

    check(!ring3_arena_allocate(&arena, SIZE_MAX, 0));
    check(!ring3_arena_allocate(&arena, PTRDIFF_MAX, 0));
    check(ring3_arena_allocate(&arena, 8, 0), "and goes on");
    check_eq(*(char *)ring3_arena_copy(&arena, "x", 1), 'x');
    ring3_arena_destroy(&arena);
}
