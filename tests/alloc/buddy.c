/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/buddy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UNIT ((size_t)64)

struct fixture {
    ring3_buddy_t *buddy;
    char *memory;
};

static struct fixture start(size_t units, size_t ready, unsigned flags)
{
    struct fixture f = {.memory = aligned_alloc(4096, (units * UNIT + 4095) & ~(size_t)4095)};
    void *const control = calloc(1, ring3_buddy_control_size(units * UNIT, UNIT, flags));

    memset(f.memory, 0, units * UNIT);
    check_eq(ring3_buddy_init(&f.buddy, control, f.memory, units * UNIT, ready * UNIT, UNIT, flags),
             0);
    check_eq(ring3_buddy_check(f.buddy), 0);
    return f;
}

static void stop(struct fixture *f)
{
    check_eq(ring3_buddy_check(f->buddy), 0);
    free(f->memory);
    free(f->buddy);
}

/* The unit where a block of `units` starts, or -1. */
static long take(struct fixture *f, size_t units)
{
    const char *const block = ring3_buddy_allocate(f->buddy, units * UNIT, NULL);

    return block ? (block - f->memory) / (long)UNIT : -1;
}

static int give(struct fixture *f, long unit)
{
    return ring3_buddy_release(f->buddy, f->memory + unit * (long)UNIT);
}

static size_t free_of_order(const struct fixture *f, int order)
{
    ring3_buddy_statistics_t now;

    ring3_buddy_statistics(f->buddy, &now);
    return now.free_blocks[order];
}

/* The worked example of the notes: 8, 8 (its buddy), 4 (splits other chunks); free the second: its
 * buddy is busy, no merge; free the first: merge into 16. */
static void eight_eight_four(size_t units)
{
    struct fixture f = start(units, units, 0);
    const long a = take(&f, 8);
    const long b = take(&f, 8);
    const long c = take(&f, 4);

    check_eq(a ^ b, 8, "the second is the buddy of the first");
    check(c != (a & b) && (c & ~15L) != (a & b), "the third comes from another chunk");
    check_eq(give(&f, b), 0);
    check_eq(free_of_order(&f, 3), 2, "no merge: the freed 8 and the one left over by the 4");
    check_eq(give(&f, a), 0);
    check_eq(free_of_order(&f, 4), 1, "the two merged into 16");
    check_eq(free_of_order(&f, 3), 1);
    check_eq(take(&f, 16), a & b, "and serve a request of 16");
    stop(&f);
}

TEST(buddy, reproduces_the_notes_trace_from_32_units)
{
    eight_eight_four(32);
}

TEST(buddy, reproduces_the_notes_trace_from_1024_units)
{
    const long units = 1024;
    struct fixture f = start((size_t)units, (size_t)units, 0);

    check_eq(take(&f, 8), 0);
    check_eq(take(&f, 8), 8);
    check_eq(take(&f, 4), 16);
    check_eq(give(&f, 8), 0);
    check_eq(free_of_order(&f, 3), 2);
    check_eq(give(&f, 0), 0);
    check_eq(free_of_order(&f, 4), 1);
    check_eq(free_of_order(&f, 3), 1);
    stop(&f);
}

TEST(buddy, cannot_meet_the_notes_third_request_with_16_units)
{
    struct fixture f = start(16, 16, 0);

    check_eq(take(&f, 8), 0);
    check_eq(take(&f, 8), 8);
    check_eq(take(&f, 4), -1);
    stop(&f);
}

/* Need order 0, have order 2: order 1 at page 2 and order 0 at page 1 go back. */
TEST(buddy, expands_as_the_notes_do)
{
    struct fixture f = start(4, 4, 0);

    check_eq(take(&f, 1), 0);
    check_eq(free_of_order(&f, 0), 1);
    check_eq(free_of_order(&f, 1), 1);
    check_eq(take(&f, 2), 2, "order 1 at page 2");
    check_eq(take(&f, 1), 1, "order 0 at page 1");
    stop(&f);
}

TEST(buddy, expands_order_10_to_order_0_leaving_one_of_each)
{
    struct fixture f = start(1024, 1024, 0);

    check_eq(free_of_order(&f, 10), 1);
    check_eq(take(&f, 1), 0);
    for (int order = 0; order < 10; order++)
        check_eq(free_of_order(&f, order), 1, "order %d", order);
    check_eq(give(&f, 0), 0);
    check_eq(free_of_order(&f, 10), 1, "all merged again");
    stop(&f);
}

TEST(buddy, takes_the_smallest_block_that_satisfies)
{
    struct fixture f = start(64, 64, 0);
    const size_t sizes[] = {0, 1, UNIT, UNIT + 1, 3 * UNIT, 5 * UNIT};
    const size_t blocks[] = {1, 1, 1, 2, 4, 8};

    for (int i = 0; i < 6; i++) {
        void *const block = ring3_buddy_allocate(f.buddy, sizes[i], NULL);

        check_eq(ring3_buddy_usable(f.buddy, block), blocks[i] * UNIT, "for %zu bytes", sizes[i]);
    }
    stop(&f);
}

TEST(buddy, wastes_less_than_half_inside_blocks_and_counts_it)
{
    struct fixture f = start(64, 64, 0);
    ring3_buddy_statistics_t now;

    check(ring3_buddy_allocate(f.buddy, 16 * UNIT + 1, NULL));
    ring3_buddy_statistics(f.buddy, &now);
    check_eq(now.asked, 16 * UNIT + 1);
    check_eq(now.given, 32 * UNIT);
    check_eq(now.free, 32 * UNIT);
    check_eq(now.largest, 32 * UNIT);
    check_eq(now.blocks, 1);
    stop(&f);
}

TEST(buddy, manages_a_number_of_units_that_is_no_power_of_two)
{
    struct fixture f = start(23, 23, 0);

    check_eq(take(&f, 16), 0);
    check_eq(take(&f, 4), 16);
    check_eq(take(&f, 2), 20);
    check_eq(take(&f, 1), 22);
    check_eq(take(&f, 1), -1);
    check_eq(give(&f, 22), 0);
    check_eq(give(&f, 20), 0);
    check_eq(give(&f, 16), 0);
    check_eq(give(&f, 0), 0);
    check_eq(free_of_order(&f, 4), 1);
    check_eq(free_of_order(&f, 2), 1);
    check_eq(free_of_order(&f, 1), 1);
    check_eq(free_of_order(&f, 0), 1);
    stop(&f);
}

TEST(buddy, merges_across_an_extension)
{
    struct fixture f = start(64, 16, 0);
    size_t dirty = 99;

    check_eq(take(&f, 32), -1);
    check_eq(ring3_buddy_extend(f.buddy, 64 * UNIT), 0);
    check_eq(free_of_order(&f, 6), 1);
    check_eq(ring3_buddy_extend(f.buddy, 65 * UNIT), -EINVAL);

    char *const block = ring3_buddy_allocate(f.buddy, 64 * UNIT, &dirty);

    check_eq(dirty, 8, "only the links at the start were ever written");
    for (size_t i = dirty; i < 64 * UNIT; i++)
        check_eq(block[i], 0, "at byte %zu", i);
    stop(&f);
}

TEST(buddy, clears_the_links_that_a_merge_leaves_inside)
{
    struct fixture f = start(64, 64, 0);
    size_t dirty = 99;

    check_eq(take(&f, 8), 0);
    check_eq(give(&f, 0), 0);

    const char *const block = ring3_buddy_allocate(f.buddy, 64 * UNIT, &dirty);

    check_eq(dirty, 8 * UNIT, "what the first block covered");
    for (size_t i = dirty; i < 64 * UNIT; i++)
        check_eq(block[i], 0, "at byte %zu", i);
    stop(&f);
}

TEST(buddy, refuses_what_is_no_block_in_use)
{
    struct fixture f = start(64, 64, 0);
    char *const block = ring3_buddy_allocate(f.buddy, 8 * UNIT, NULL);

    check_eq(ring3_buddy_release(f.buddy, block + 1), -EINVAL, "misaligned");
    check_eq(ring3_buddy_release(f.buddy, block + UNIT), -EINVAL, "inside");
    check_eq(ring3_buddy_release(f.buddy, block + 8 * UNIT), -EINVAL, "a free block");
    check_eq(ring3_buddy_release(f.buddy, f.memory + 64 * UNIT), -EFAULT, "behind the memory");
    check_eq(ring3_buddy_release(f.buddy, f.memory - 1), -EFAULT, "before the memory");
    check_eq(ring3_buddy_covering(f.buddy, block + 3 * UNIT + 5) == block, 1);
    check_eq(ring3_buddy_release(f.buddy, block), 0);
    check_eq(ring3_buddy_release(f.buddy, block), -EINVAL, "a second time");
    check_eq(ring3_buddy_usable(f.buddy, block), 0);
    check(!ring3_buddy_covering(f.buddy, block));
    stop(&f);
}

TEST(buddy, resizes_in_place_when_upper_buddies_are_free)
{
    struct fixture f = start(64, 64, 0);
    char *const block = ring3_buddy_allocate(f.buddy, UNIT, NULL);

    check_eq(ring3_buddy_resize(f.buddy, block, 32 * UNIT), 0);
    check_eq(ring3_buddy_usable(f.buddy, block), 32 * UNIT);
    check_eq(ring3_buddy_resize(f.buddy, block, 3 * UNIT), 0);
    check_eq(ring3_buddy_usable(f.buddy, block), 4 * UNIT);
    check_eq(take(&f, 8), 8);
    check_eq(ring3_buddy_resize(f.buddy, block, 16 * UNIT), -ENOMEM, "the neighbour is in use");
    check_eq(ring3_buddy_usable(f.buddy, block), 4 * UNIT);
    check_eq(ring3_buddy_resize(f.buddy, block, 8 * UNIT), 0);
    check_eq(ring3_buddy_check(f.buddy), 0);
    stop(&f);
}

TEST(buddy, never_touches_its_memory_with_links_apart)
{
    void *const nowhere = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *const control =
        calloc(1, ring3_buddy_control_size(64 * 4096, 4096, RING3_BUDDY_LINKS_APART));
    ring3_buddy_t *buddy;
    void *blocks[64];

    check_eq(ring3_buddy_init(&buddy, control, nowhere, 64 * 4096, 64 * 4096, 4096,
                              RING3_BUDDY_LINKS_APART),
             0);
    for (int i = 0; i < 64; i++)
        check(blocks[i] = ring3_buddy_allocate(buddy, 4096, NULL));
    for (int i = 0; i < 64; i += 2)
        check_eq(ring3_buddy_release(buddy, blocks[i]), 0);
    check_eq(ring3_buddy_check(buddy), 0);
    for (int i = 1; i < 64; i += 2)
        check_eq(ring3_buddy_release(buddy, blocks[i]), 0);
    check_eq(ring3_buddy_check(buddy), 0);
    check(ring3_buddy_allocate(buddy, 64 * 4096, NULL));
    munmap(nowhere, 64 * 4096);
    free(control);
}

/* One mapping, seen at two addresses: the second view continues what the first began. */
TEST(buddy, works_at_any_address)
{
    const size_t size = 1 << 20;
    const size_t control = 1 << 18;
    const int fd = memfd_create("buddy", 0);
    ring3_buddy_t *buddy;

    check_eq(ftruncate(fd, (off_t)(control + size)), 0);

    char *const one = mmap(NULL, control + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *const two = mmap(NULL, control + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    check_ne(one, two);
    check_eq(ring3_buddy_init(&buddy, one, one + control, size, size, 64, 0), 0);

    char *const block = ring3_buddy_allocate(buddy, 1000, NULL);
    ring3_buddy_t *const other = (ring3_buddy_t *)(void *)two;

    check_eq(ring3_buddy_usable(other, two + (block - one)), 1024);
    check_eq(ring3_buddy_release(other, two + (block - one)), 0);
    check_eq(ring3_buddy_check(buddy), 0);
    check_eq(ring3_buddy_allocate(buddy, size, NULL) == one + control, 1);
    munmap(one, control + size);
    munmap(two, control + size);
    close(fd);
}

/* Random churn against a map of who owns each unit. */
TEST(buddy, agrees_with_a_map_of_owners)
{
    enum { UNITS = 512, SLOTS = 64 };
    static int owner[UNITS];
    long blocks[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    struct fixture f = start(UNITS, UNITS, 0);

    srand(7);
    for (int round = 0; round < 20000; round++) {
        const int slot = rand() % SLOTS;

        if (sizes[slot]) {
            for (size_t i = 0; i < sizes[slot]; i++) {
                check_eq(owner[(size_t)blocks[slot] + i], slot + 1);
                owner[(size_t)blocks[slot] + i] = 0;
            }
            check_eq(give(&f, blocks[slot]), 0);
            sizes[slot] = 0;
            continue;
        }
        sizes[slot] = (size_t)1 << rand() % 6;
        blocks[slot] = take(&f, sizes[slot]);
        if (blocks[slot] < 0) {
            sizes[slot] = 0;
            continue;
        }
        check_eq((size_t)blocks[slot] % sizes[slot], 0, "aligned to its size");
        for (size_t i = 0; i < sizes[slot]; i++) {
            check_eq(owner[(size_t)blocks[slot] + i], 0);
            owner[(size_t)blocks[slot] + i] = slot + 1;
        }
        if (round % 97 == 0)
            check_eq(ring3_buddy_check(f.buddy), 0);
    }
    for (int slot = 0; slot < SLOTS; slot++)
        if (sizes[slot])
            check_eq(give(&f, blocks[slot]), 0);
    check_eq(free_of_order(&f, 9), 1, "maximal blocks again");
    stop(&f);
}

/* --- Runs ------------------------------------------------------------------------------------ */

static long take_run(struct fixture *f, size_t units)
{
    char *const run = ring3_buddy_allocate_run(f->buddy, units * UNIT, 1, NULL);

    return run ? (run - (char *)ring3_buddy_memory(f->buddy)) / (long)UNIT : -1;
}

static int resize_run(struct fixture *f, long unit, size_t from, size_t to)
{
    char *const memory = ring3_buddy_memory(f->buddy);

    return ring3_buddy_resize_run(f->buddy, memory + (size_t)unit * UNIT, from * UNIT, to * UNIT);
}

TEST(buddy, gives_the_tail_of_a_block_back)
{
    struct fixture f = start(32, 32, 0);

    check_eq(take_run(&f, 5), 0);
    /* 8 - 5 = 1 + 2, and the rest of 32. */
    check_eq(free_of_order(&f, 0), 1);
    check_eq(free_of_order(&f, 1), 1);
    check_eq(free_of_order(&f, 3), 1);
    check_eq(free_of_order(&f, 4), 1);
    check_eq(take(&f, 1), 5, "the tail serves others");
    check_eq(resize_run(&f, 0, 5, 6), -ENOMEM);
    check_eq(give(&f, 5), 0);
    check_eq(resize_run(&f, 0, 5, 6), 0);
    check_eq(resize_run(&f, 0, 6, 27), 0);
    check_eq(resize_run(&f, 0, 27, 33), -ENOMEM);
    check_eq(resize_run(&f, 0, 25, 5), -EINVAL, "that is not its size");
    check_eq(resize_run(&f, 0, 27, 3), 0);
    check_eq(ring3_buddy_check(f.buddy), 0);
    check_eq(resize_run(&f, 0, 3, 0), 0);
    check_eq(free_of_order(&f, 5), 1, "all in one piece again");
    check_eq(resize_run(&f, 0, 3, 0), -EINVAL);
    stop(&f);
}

TEST(buddy, leaves_the_tail_of_a_fresh_run_fresh)
{
    struct fixture f = start(64, 64, 0);
    size_t dirty = 99;

    check_eq(take_run(&f, 33), 0);
    check(ring3_buddy_allocate_run(f.buddy, 16 * UNIT, 1, &dirty) != NULL);
    check_eq(dirty, 8, "only the links at the start were ever written");
    stop(&f);
}

/* Random runs, grown and cut, against a map of who owns each unit; a walk finds the same. */
static size_t walked_used;

static void count_used(void *start_of, size_t length, bool in_use, void *context)
{
    check_eq(start_of == *(char **)context, 1, "one behind the other");
    *(char **)context += length;
    walked_used += in_use ? length : 0;
}

TEST(buddy, runs_agree_with_a_map_of_owners)
{
    enum { UNITS = 512, SLOTS = 24 };
    static int owner[UNITS];
    long runs[SLOTS];
    size_t sizes[SLOTS] = {0}, used = 0;
    struct fixture f = start(UNITS, UNITS, 0);

    srand(11);
    for (int round = 0; round < 20000; round++) {
        const int slot = rand() % SLOTS;
        const size_t want = sizes[slot] && rand() % 2 ? 0 : 1 + (size_t)rand() % 40;

        if (!sizes[slot]) {
            runs[slot] = want ? take_run(&f, want) : -1;
            if (runs[slot] < 0)
                continue;
        } else if (resize_run(&f, runs[slot], sizes[slot], want) != 0) {
            check(want > sizes[slot]);
            continue;
        }
        for (size_t i = 0; i < want || i < sizes[slot]; i++) {
            int *const of = &owner[(size_t)runs[slot] + i];

            check_eq(*of, i < sizes[slot] ? slot + 1 : 0);
            *of = i < want ? slot + 1 : 0;
        }
        used += want - sizes[slot];
        sizes[slot] = want;
        if (round % 97 == 0) {
            char *at = ring3_buddy_memory(f.buddy);

            check_eq(ring3_buddy_check(f.buddy), 0);
            walked_used = 0;
            ring3_buddy_for_each(f.buddy, count_used, &at);
            check_eq(walked_used, used * UNIT);
            check_eq(ring3_buddy_free_bytes(f.buddy), (UNITS - used) * UNIT);
        }
    }
    for (int slot = 0; slot < SLOTS; slot++)
        if (sizes[slot])
            check_eq(resize_run(&f, runs[slot], sizes[slot], 0), 0);
    check_eq(free_of_order(&f, 9), 1, "maximal blocks again");
    stop(&f);
}
