/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/fit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fixture {
    ring3_fit_t *fit;
    char *memory;
};

static struct fixture start(size_t size, size_t ready, ring3_fit_order_t order)
{
    struct fixture f = {.memory = aligned_alloc(4096, (size + 4095) & ~(size_t)4095)};
    void *const control = calloc(1, ring3_fit_control_size(size));

    memset(f.memory, 0, size);
    check_eq(ring3_fit_init(&f.fit, control, f.memory, size, ready, order), 0);
    check_eq(ring3_fit_check(f.fit), 0);
    return f;
}

static void stop(struct fixture *f)
{
    check_eq(ring3_fit_check(f->fit), 0);
    free(f->memory);
    free(f->fit);
}

static char *take(struct fixture *f, size_t size)
{
    return ring3_fit_allocate(f->fit, size, 16, NULL);
}

static ring3_fit_statistics_t now(const struct fixture *f)
{
    ring3_fit_statistics_t statistics;

    ring3_fit_statistics(f->fit, &statistics);
    return statistics;
}

static const ring3_fit_order_t orders[] = {RING3_FIT_FIRST, RING3_FIT_BEST, RING3_FIT_NEXT,
                                           RING3_FIT_WORST};
enum { ORDERS = sizeof orders / sizeof orders[0] };

/* Holes of 500, 100 and 2000 bytes in this order of addresses, kept apart by blocks in use. */
struct three_holes {
    struct fixture f;
    char *large_enough, *tight, *larger;
};

static struct three_holes three_holes(ring3_fit_order_t order)
{
    struct three_holes h = {.f = start(1 << 16, 1 << 16, order)};

    h.large_enough = take(&h.f, 504);
    (void)take(&h.f, 8);
    h.tight = take(&h.f, 104);
    (void)take(&h.f, 8);
    h.larger = take(&h.f, 2008);
    (void)take(&h.f, 8);
    check_eq(ring3_fit_release(h.f.fit, h.larger), 0);
    check_eq(ring3_fit_release(h.f.fit, h.large_enough), 0);
    check_eq(ring3_fit_release(h.f.fit, h.tight), 0);
    check_eq(now(&h.f).holes, 4);
    return h;
}

TEST(fit, first_takes_the_lowest_address_that_is_large_enough)
{
    struct three_holes h = three_holes(RING3_FIT_FIRST);

    check_eq(take(&h.f, 100) == h.large_enough, 1);
    check_eq(take(&h.f, 1000) == h.larger, 1);
    stop(&h.f);
}

TEST(fit, best_takes_the_smallest_that_is_large_enough)
{
    struct three_holes h = three_holes(RING3_FIT_BEST);

    check_eq(take(&h.f, 100) == h.tight, 1);
    check_eq(take(&h.f, 100) == h.large_enough, 1, "the next best");
    check_eq(take(&h.f, 1500) == h.larger, 1, "one beyond the lists by size");
    stop(&h.f);
}

TEST(fit, next_goes_on_where_it_was_and_goes_round)
{
    struct three_holes h = three_holes(RING3_FIT_NEXT);
    char *const end = take(&h.f, 8);

    check_gt(end, h.larger, "not from the holes it passed by");
    check_eq(take(&h.f, now(&h.f).largest - 8) > end, 1, "all the rest");
    check_eq(take(&h.f, 200) == h.large_enough, 1, "round, and the lowest again");
    check_eq(take(&h.f, 100) > h.large_enough && h.tight > h.large_enough, 1);
    stop(&h.f);
}

TEST(fit, worst_takes_the_largest)
{
    struct three_holes h = three_holes(RING3_FIT_WORST);
    const size_t rest = now(&h.f).largest;
    char *const end = take(&h.f, 100);

    check_gt(end, h.larger, "the rest of the memory is larger than any hole");
    check_eq(now(&h.f).largest, rest - 112);
    check(take(&h.f, rest - 112 - 1000));
    check_eq(take(&h.f, 100) == h.larger, 1, "2000 bytes are the largest now");
    check_eq(take(&h.f, 1800) == h.larger + 112, 1);
    check_eq(take(&h.f, 100) > h.larger, 1, "1000 left at the end");
    stop(&h.f);
}

TEST(fit, counts_the_holes_that_it_looks_at)
{
    for (int i = 0; i < ORDERS; i++) {
        struct three_holes h = three_holes(orders[i]);
        const ring3_fit_statistics_t before = now(&h.f);

        check(take(&h.f, 100));
        check_eq(now(&h.f).searches, before.searches + 1);
        check_gt(now(&h.f).looked, before.looked);
        check_le(now(&h.f).looked, before.looked + 4, "there are four");
        stop(&h.f);
    }
}

/* Two mappings of one memory stand for two processes. */
TEST(fit, works_at_two_addresses_at_once)
{
    enum { SIZE = 1 << 16, SLOTS = 64 };
    const size_t control = (ring3_fit_control_size(SIZE) + 4095) & ~(size_t)4095;

    for (int i = 0; i < ORDERS; i++) {
        const int fd = memfd_create("fit", 0);
        char *view[2];
        ring3_fit_t *fit;
        size_t offsets[SLOTS] = {0};

        check_ge(fd, 0);
        check_eq(ftruncate(fd, (off_t)(control + SIZE)), 0);
        for (int k = 0; k < 2; k++) {
            view[k] = mmap(NULL, control + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            check(view[k] != MAP_FAILED);
        }
        check_eq(ring3_fit_init(&fit, view[0], view[0] + control, SIZE, SIZE, orders[i]), 0);
        srand(5);
        for (int round = 0; round < 4000; round++) {
            char *const here = view[round % 2];
            const int slot = rand() % SLOTS;

            fit = (ring3_fit_t *)(void *)here;
            if (offsets[slot]) {
                check_eq(here[offsets[slot]], (char)slot);
                check_eq(ring3_fit_release(fit, here + offsets[slot]), 0);
                offsets[slot] = 0;
            } else {
                char *const block = ring3_fit_allocate(fit, (size_t)(rand() % 2000), 16, NULL);

                if (block) {
                    offsets[slot] = (size_t)(block - here);
                    block[0] = (char)slot;
                }
            }
            if (round % 200 == 0)
                check_eq(ring3_fit_check(fit), 0, "round %d", round);
        }
        for (int k = 0; k < 2; k++)
            check_eq(munmap(view[k], control + SIZE), 0);
        close(fd);
    }
}

TEST(fit, joins_alternate_frees_into_one_hole)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(1 << 16, 1 << 16, orders[i]);
        char *blocks[100];

        for (int k = 0; k < 100; k++)
            check(blocks[k] = take(&f, (size_t)(24 + k * 5)));
        for (int k = 0; k < 100; k += 2)
            check_eq(ring3_fit_release(f.fit, blocks[k]), 0);
        check_eq(now(&f).holes, 51, "50 and the rest of the memory");
        check_eq(ring3_fit_check(f.fit), 0);
        for (int k = 1; k < 100; k += 2)
            check_eq(ring3_fit_release(f.fit, blocks[k]), 0);
        check_eq(now(&f).holes, 1);
        check_eq(now(&f).free, now(&f).total);
        check_eq(now(&f).blocks, 0);
        stop(&f);
    }
}

TEST(fit, joins_with_the_hole_before_after_and_both)
{
    for (int i = 0; i < 2; i++) {
        struct fixture f = start(4096, 4096, orders[i]);
        char *const a = take(&f, 56), *const b = take(&f, 56), *const c = take(&f, 56);

        (void)take(&f, 56);
        check_eq(ring3_fit_release(f.fit, a), 0);
        check_eq(ring3_fit_release(f.fit, b), 0);
        check_eq(now(&f).holes, 2, "b joined a in front of it");
        check_eq(ring3_fit_release(f.fit, c), 0);
        check_eq(now(&f).holes, 2);
        check_eq(take(&f, 184) == a, 1, "the three are one hole of 192 bytes");

        char *const d = take(&f, 56), *const e = take(&f, 56);

        check_eq(ring3_fit_release(f.fit, e), 0);
        check_eq(ring3_fit_release(f.fit, d), 0);
        check_eq(now(&f).holes, 1, "d joined e behind it");
        stop(&f);
    }
}

TEST(fit, hands_out_every_byte_when_sizes_match)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(64 * 1024, 64 * 1024, orders[i]);
        size_t blocks = 0;

        while (take(&f, 24))
            blocks++;
        check_eq(blocks, (64 * 1024 - 16) / 32, "32 bytes for each block of 24");
        check_le(now(&f).free, 16);
        stop(&f);
    }
}

TEST(fit, counts_internal_waste)
{
    struct fixture f = start(4096, 4096, RING3_FIT_FIRST);

    (void)take(&f, 1);
    (void)take(&f, 41);
    check_eq(now(&f).asked, 42);
    check_eq(now(&f).given, 32 + 64);
    stop(&f);
}

TEST(fit, aligns_and_keeps_what_lies_before)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(1 << 20, 1 << 20, orders[i]);

        for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
            (void)take(&f, 24);

            char *const block = ring3_fit_allocate(f.fit, 100, alignment, NULL);

            check(block, "alignment %zu", alignment);
            check_eq((uintptr_t)block % alignment, 0);
            check_eq(ring3_fit_check(f.fit), 0);
        }
        check(!ring3_fit_allocate(f.fit, 100, (size_t)1 << 62, NULL));
        stop(&f);
    }
}

TEST(fit, grows_and_shrinks_in_place)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(1 << 16, 1 << 16, orders[i]);
        char *const block = take(&f, 100);

        check_eq(ring3_fit_resize(f.fit, block, 116), 0, "by less than a hole's size");
        check_eq(ring3_fit_usable(f.fit, block), 120);
        check_eq(ring3_fit_check(f.fit), 0);
        check_eq(ring3_fit_resize(f.fit, block, 20000), 0);
        check_ge(ring3_fit_usable(f.fit, block), 20000);
        check_eq(ring3_fit_check(f.fit), 0);
        check_eq(ring3_fit_resize(f.fit, block, 50), 0);
        check_eq(ring3_fit_usable(f.fit, block), 56);

        char *const next = take(&f, 24);

        check_eq(ring3_fit_resize(f.fit, block, 57), -ENOMEM, "a neighbour is in use");
        check_eq(ring3_fit_resize(f.fit, next, 1 << 17), -ENOMEM, "more than there is");
        check_eq(ring3_fit_resize(f.fit, next, now(&f).largest + 16), 0, "all that is there");
        check_eq(now(&f).holes, 0);
        stop(&f);
    }
}

TEST(fit, refuses_what_is_no_block_in_use)
{
    struct fixture f = start(4096, 4096, RING3_FIT_FIRST);
    char *const block = take(&f, 200), *const next = take(&f, 200);

    check_eq(ring3_fit_release(f.fit, block + 1), -EINVAL, "misaligned");
    check_eq(ring3_fit_release(f.fit, block + 16), -EINVAL, "inside");
    check_eq(ring3_fit_release(f.fit, next + 208), -EINVAL, "a hole");
    check_eq(ring3_fit_release(f.fit, f.memory - 16), -EFAULT);
    check_eq(ring3_fit_release(f.fit, f.memory + 4096), -EFAULT);
    check_eq(ring3_fit_covering(f.fit, next + 100) == next, 1);
    check(!ring3_fit_covering(f.fit, next + 1000));
    check_eq(ring3_fit_release(f.fit, block), 0);
    check_eq(ring3_fit_release(f.fit, block), -EINVAL, "a second time");
    check_eq(ring3_fit_usable(f.fit, block), 0);
    check_eq(ring3_fit_resize(f.fit, block, 10), -EINVAL);
    stop(&f);
}

TEST(fit, notices_an_overwritten_tag_before_acting_on_it)
{
    struct fixture f = start(4096, 4096, RING3_FIT_FIRST);
    char *const block = take(&f, 104), *const next = take(&f, 104);
    char saved[8];

    (void)take(&f, 104);
    memcpy(saved, next - 8, 8);
    memset(next - 8, 'A', 8); /* what strcpy of 112 characters into `block` does */
    check_eq(ring3_fit_release(f.fit, block), -EUCLEAN, "seen from the block before");
    check_eq(ring3_fit_release(f.fit, next), -EUCLEAN, "seen from the block itself");
    memset(next - 8, 0, 8);
    check_eq(ring3_fit_release(f.fit, block), -EUCLEAN, "zeros too");
    memcpy(next - 8, saved, 8);
    check_eq(ring3_fit_release(f.fit, block), 0, "nothing was damaged meanwhile");
    stop(&f);
}

TEST(fit, joins_the_end_when_extended)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(1 << 16, 4096, orders[i]);
        size_t dirty = 0;

        check(!take(&f, 8192));
        check_eq(ring3_fit_extend(f.fit, 4096 + ring3_fit_shortage(f.fit, 8192, 16)), 0);

        char *const block = ring3_fit_allocate(f.fit, 8192, 16, &dirty);

        check(block);
        check_eq(dirty, 12, "only the hole's own node was ever written");
        for (size_t k = dirty; k < 8192; k++)
            check_eq(block[k], 0, "at byte %zu", k);
        check_eq(ring3_fit_extend(f.fit, 1 << 17), -EINVAL);
        check_eq(ring3_fit_extend(f.fit, 1 << 16), 0);
        check_eq(now(&f).holes, 1);
        stop(&f);
    }
}

/* The end goes and comes back, with other things in it meanwhile. */
TEST(fit, gives_up_the_hole_at_its_end)
{
    enum { SIZE = 1 << 18, SLOTS = 64 };

    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(SIZE, 8192, orders[i]);
        char *blocks[SLOTS] = {0};
        size_t ready = 8192;

        srand(9);
        for (int round = 0; round < 5000; round++) {
            const int k = rand() % SLOTS;

            if (blocks[k]) {
                check_eq(*blocks[k], (char)k);
                check_eq(ring3_fit_release(f.fit, blocks[k]), 0);
                blocks[k] = NULL;
            } else {
                blocks[k] = take(&f, (size_t)(rand() % 3000));
                if (blocks[k])
                    *blocks[k] = (char)k;
                else if (ready + 4096 <= SIZE)
                    check_eq(ring3_fit_extend(f.fit, ready += 4096), 0);
            }
            if (round % 20 == 0) {
                const size_t keep = (size_t)(rand() % 2 * (rand() % 5000));
                const size_t left = ring3_fit_retract(f.fit, keep);

                check_le(left, ready);
                check_eq(ring3_fit_check(f.fit), 0, "round %d", round);
                memset(f.memory + left, 0xee, SIZE - left);
                if (ready >= left + 32)
                    check_eq(ring3_fit_extend(f.fit, ready), 0);
                ready = ready >= left + 32 ? ready : left;
                check_eq(ring3_fit_check(f.fit), 0, "round %d", round);
            }
        }
        stop(&f);
    }
}

/* What is said to be zero is zero, whatever came before. */
TEST(fit, knows_which_memory_is_fresh)
{
    for (int i = 0; i < ORDERS; i++) {
        struct fixture f = start(1 << 20, 8192, orders[i]);
        char *blocks[64] = {0};
        size_t ready = 8192, dirty, size;

        srand(3);
        for (int round = 0; round < 3000; round++) {
            const int k = rand() % 64;

            if (blocks[k]) {
                check_eq(ring3_fit_release(f.fit, blocks[k]), 0);
                blocks[k] = NULL;
                continue;
            }
            size = (size_t)(rand() % 3000);
            blocks[k] = ring3_fit_allocate(f.fit, size, (size_t)16 << rand() % 4, &dirty);
            if (!blocks[k]) {
                ready += 4096 + (size_t)(rand() % 100) * 16;
                check_eq(ring3_fit_extend(f.fit, ready), 0);
                continue;
            }
            for (size_t b = dirty; b < size; b++)
                check_eq(blocks[k][b], 0, "byte %zu of %zu, dirty %zu", b, size, dirty);
            memset(blocks[k], 0xa5, size);
        }
        stop(&f);
    }
}

/* The same requests through the tree that knows the largest hole below, and through the map. */
TEST(fit, first_agrees_with_a_scan_from_the_start)
{
    enum { SIZE = 1 << 15, SLOTS = 200 };
    static unsigned char used[SIZE / 16];
    struct fixture f = start(SIZE, SIZE, RING3_FIT_FIRST);
    char *blocks[SLOTS] = {0};
    size_t units[SLOTS];

    srand(11);
    for (int round = 0; round < 30000; round++) {
        const int slot = rand() % SLOTS;

        if (blocks[slot]) {
            memset(used + (blocks[slot] - f.memory) / 16, 0, units[slot]);
            check_eq(ring3_fit_release(f.fit, blocks[slot]), 0);
            blocks[slot] = NULL;
            continue;
        }

        const size_t size = (size_t)(rand() % 300);
        const size_t wanted = size + 8 <= 32 ? 2 : (size + 23) / 16;
        size_t expected = 0;

        for (size_t at = 1, run = 0; at < SIZE / 16 && !expected; at++) {
            run = used[at] ? 0 : run + 1;
            if (run == wanted)
                expected = at - wanted + 1;
        }
        blocks[slot] = take(&f, size);
        if (!blocks[slot]) {
            check_eq(expected, 0);
            continue;
        }
        check_eq((size_t)(blocks[slot] - f.memory) / 16, expected, "round %d", round);
        units[slot] = (ring3_fit_usable(f.fit, blocks[slot]) + 8) / 16;
        memset(used + expected, 1, units[slot]);
        if (round % 500 == 0)
            check_eq(ring3_fit_check(f.fit), 0);
    }
    stop(&f);
}

/* Best fit never leaves a smaller sufficient hole unused. */
TEST(fit, best_agrees_with_a_search_of_all_holes)
{
    enum { SIZE = 1 << 17, SLOTS = 200 };
    struct fixture f = start(SIZE, SIZE, RING3_FIT_BEST);
    static unsigned char used[SIZE / 16];
    char *blocks[SLOTS] = {0};
    size_t units[SLOTS];

    srand(13);
    for (int round = 0; round < 20000; round++) {
        const int slot = rand() % SLOTS;

        if (blocks[slot]) {
            memset(used + (blocks[slot] - f.memory) / 16, 0, units[slot]);
            check_eq(ring3_fit_release(f.fit, blocks[slot]), 0);
            blocks[slot] = NULL;
            continue;
        }

        const size_t size = (size_t)(rand() % 2000);
        const size_t wanted = size + 8 <= 32 ? 2 : (size + 23) / 16;
        size_t best = 0;

        for (size_t at = 1, run = 0; at <= SIZE / 16; at++) {
            if (at < SIZE / 16 && !used[at]) {
                run++;
                continue;
            }
            if (run >= wanted && (!best || run < best))
                best = run;
            run = 0;
        }
        blocks[slot] = take(&f, size);
        if (!blocks[slot]) {
            check_eq(best, 0);
            continue;
        }

        const size_t start_unit = (size_t)(blocks[slot] - f.memory) / 16;
        size_t hole = 0;

        while (start_unit + hole < SIZE / 16 && !used[start_unit + hole])
            hole++;
        check_eq(hole, best, "round %d: %zu bytes", round, size);
        units[slot] = (ring3_fit_usable(f.fit, blocks[slot]) + 8) / 16;
        memset(used + start_unit, 1, units[slot]);
    }
    stop(&f);
}

static void sum(void *start, size_t length, void *context)
{
    memset(start, 0, length);
    *(size_t *)context += length + 20;
}

TEST(fit, shows_the_memory_of_large_holes_to_be_cleared)
{
    for (int i = 0; i < ORDERS; i++) {
        struct three_holes h = three_holes(orders[i]);
        size_t seen = 0;

        ring3_fit_for_each_idle(h.f.fit, 1000, sum, &seen);
        check_eq(seen, now(&h.f).free - 512 - 112, "the two holes of more than 1000 bytes");
        stop(&h.f);
    }
}
