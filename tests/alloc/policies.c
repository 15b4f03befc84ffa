/* SPDX-License-Identifier: MIT */
/* What every policy must do, whatever it does with it: against a reference model, and by the
 * standards. */
#include "policies.h"

#include "ring3/atomic.h"
#include "ring3/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* --- The model: who owns each byte, and what was written there ------------------------------- */

enum { SLOTS = 400 };

struct block {
    unsigned char *start;
    size_t size, usable;
    unsigned char content;
};

static struct block model[SLOTS];

/* No two blocks share a byte. */
static void check_apart(const struct block *block)
{
    for (int i = 0; i < SLOTS; i++) {
        const struct block *const other = &model[i];

        if (!other->start || other == block)
            continue;
        check(block->start + block->usable <= other->start ||
                  other->start + other->usable <= block->start,
              "%zu bytes at %p and %zu bytes at %p", block->usable, (void *)block->start,
              other->usable, (void *)other->start);
    }
}

/* `kept` bytes are still what was written; then the block gets new content, all that is usable. */
static void check_and_fill(struct block *block, size_t kept, size_t alignment)
{
    check(block->start);
    check_eq((uintptr_t)block->start % alignment, 0);
    for (size_t i = 0; i < kept; i++)
        check_eq(block->start[i], block->content, "byte %zu of %zu", i, kept);
    block->usable = ring3_malloc_usable_size(block->start);
    check_ge(block->usable, block->size);
    check_apart(block);
    block->content = (unsigned char)(1 + rand() % 255);
    memset(block->start, block->content, block->usable);
}

static size_t any_size(void)
{
    static const size_t scales[] = {32, 200, 1100, 5000, 40000, 300000};
    const int scale = rand() % 100;

    return (size_t)rand() % scales[scale < 40   ? 0
                                   : scale < 70 ? 1
                                   : scale < 85 ? 2
                                   : scale < 95 ? 3
                                   : scale < 99 ? 4
                                                : 5];
}

static void allocate_some_way(struct block *block)
{
    const size_t alignment = (size_t)16 << rand() % 10;
    void *p;

    block->size = any_size();
    switch (rand() % 4) {
    case 0:
        block->start = ring3_calloc(1, block->size);
        block->content = 0;
        check_and_fill(block, block->size, 16);
        break;
    case 1:
        check_eq(ring3_posix_memalign(&p, alignment, block->size), 0);
        block->start = p;
        check_and_fill(block, 0, alignment);
        break;
    default:
        block->start = ring3_malloc(block->size);
        check_and_fill(block, 0, 16);
    }
}

TEST_POLICIES(policies, agree_with_the_model, 120)
{
    const long rounds = scaled(20000, 500000);
    ring3_malloc_statistics_t now;
    size_t blocks = 0, bytes = 0;

    srand(17);
    for (long round = 0; round < rounds; round++) {
        struct block *const block = &model[rand() % SLOTS];

        if (!block->start) {
            allocate_some_way(block);
        } else if (rand() % 3 == 0) {
            const size_t old = block->size, size = any_size() + 1;

            block->start = ring3_realloc(block->start, size);
            block->size = size;
            check_and_fill(block, old < size ? old : size, 16);
        } else {
            for (size_t i = 0; i < block->usable; i++)
                check_eq(block->start[i], block->content);
            ring3_free(block->start);
            *block = (struct block){0};
        }
    }
    for (int i = 0; i < SLOTS; i++) {
        blocks += model[i].start != NULL;
        bytes += model[i].start ? model[i].usable : 0;
    }
    (void)ring3_malloc_trim(); /* caches too */
    ring3_malloc_statistics(&now);
    check_ge(now.used, bytes);
    check_le(now.largest, now.free);
    if (!caches_blocks()) {
        check_eq(now.blocks, blocks);
        check_eq(now.allocations - now.releases, blocks);
        check_le(now.used, bytes + 64 * blocks + 64);
        check_le(now.committed - now.used - now.free, 64 * now.arenas, "nothing is lost");
    }
    for (int i = 0; i < SLOTS; i++)
        ring3_free(model[i].start);
    (void)ring3_malloc_trim();
    ring3_malloc_statistics(&now);
    check_eq(now.blocks, 0);
    check_le(now.used, 64, "all is free again");
}

/* --- By the standards ------------------------------------------------------------------------ */

TEST_POLICIES(policies, report_as_posix_says, 30)
{
    void *p = &p;

    errno = 0;
    check(!ring3_malloc(SIZE_MAX));
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_malloc((size_t)PTRDIFF_MAX + 1));
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_malloc(PTRDIFF_MAX), "no machine has that much");
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_calloc(SIZE_MAX / 2, 3));
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_reallocarray(NULL, SIZE_MAX / 2, 3));
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_pvalloc(SIZE_MAX));
    check_eq(errno, ENOMEM);
    errno = 0;
    check(!ring3_aligned_alloc(24, 100));
    check_eq(errno, EINVAL);
    errno = 0;
    check(!ring3_memalign(0, 100));
    check_eq(errno, EINVAL);
    errno = 77;
    check_eq(ring3_posix_memalign(&p, 4, 100), EINVAL, "less than a pointer");
    check_eq(ring3_posix_memalign(&p, 48, 100), EINVAL);
    check_eq(ring3_posix_memalign(&p, 16, SIZE_MAX), ENOMEM);
    check_eq(ring3_posix_memalign(&p, (size_t)1 << 62, 100), ENOMEM);
    check(p == &p, "untouched on failure");
    check_eq(errno, 77, "posix_memalign leaves errno alone");

    p = ring3_malloc(100);
    check_eq(errno, 77, "so does success");
    memset(p, 5, 100);
    errno = 0;
    check(!ring3_realloc(p, SIZE_MAX));
    check_eq(errno, ENOMEM);
    check_eq(((char *)p)[99], 5, "a failed realloc keeps the block");
    errno = 77;
    ring3_free(p);
    ring3_free(NULL);
    check_eq(errno, 77, "free leaves errno alone");
    check_eq(ring3_malloc_usable_size(NULL), 0);
}

TEST_POLICIES(policies, give_empty_blocks_addresses_of_their_own, 30)
{
    void *const a = ring3_malloc(0), *const b = ring3_calloc(0, 10), *const c = ring3_malloc(0);

    check(a && b && c);
    check(a != b && b != c && a != c);
    check(!ring3_realloc(a, 0), "frees");
    ring3_free(b);
    ring3_free(c);
}

TEST_POLICIES(policies, align_as_asked, 30)
{
    const size_t page = ring3_pages_size();

    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 2) {
        char *const block = ring3_aligned_alloc(alignment, 33);

        check(block, "alignment %zu", alignment);
        check_eq((uintptr_t)block % alignment, 0);
        memset(block, 1, 33);
        ring3_free_aligned_sized(block, alignment, 33);
    }

    void *const pages = ring3_pvalloc(1), *const page_aligned = ring3_valloc(10);

    check_eq((uintptr_t)pages % page, 0);
    check_ge(ring3_malloc_usable_size(pages), page);
    check_eq((uintptr_t)page_aligned % page, 0);
    ring3_free_sized(pages, 1);
    ring3_free(page_aligned);
}

TEST_POLICIES(policies, clear_what_calloc_returns, 60)
{
    for (size_t size = 1; size <= 4 * MIB; size = size * 3 + 1) {
        char *const dirty = ring3_malloc(size);

        memset(dirty, 0xff, size);
        ring3_free(dirty);

        char *const block = ring3_calloc(size, 1);

        for (size_t i = 0; i < size; i++)
            check_eq(block[i], 0, "byte %zu of %zu", i, size);
        ring3_free(block);
    }
}

/* Address space and resident memory of this process, in bytes. */
static void memory(size_t *total, size_t *resident)
{
    FILE *const file = fopen("/proc/self/statm", "r");

    check(file);
    check_eq(fscanf(file, "%zu %zu", total, resident), 2);
    fclose(file);
    *total *= ring3_pages_size();
    *resident *= ring3_pages_size();
}

static size_t resident(void)
{
    size_t total, resident;

    memory(&total, &resident);
    return resident;
}

TEST_POLICIES(policies, do_not_touch_fresh_memory_in_calloc, 30)
{
    if (under_valgrind())
        return;

    const size_t before = resident();
    char *const block = ring3_calloc(1, 64 * MIB);

    check(block);
    check_lt(resident(), before + 8 * MIB);
    check_eq(block[63 * MIB], 0);
    ring3_free(block);
}

TEST_POLICIES(policies, give_memory_back, 60)
{
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    if (under_valgrind())
        return;

    const size_t before = resident();

    if (slow_machine())
        return; /* a sanitizer's shadow is resident too */

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = ring3_malloc(60000);
        memset(blocks[i], 1, 60000);
    }
    check_gt(resident(), before + 170 * MIB);
    for (int i = 0; i < COUNT; i++)
        ring3_free(blocks[i]);
    check_lt(resident(), before + 50 * MIB, "most of it by itself");
    check(ring3_malloc_trim());
    check_lt(resident(), before + 4 * MIB, "the rest when asked");
}

TEST_POLICIES(policies, keep_what_they_are_told_to_keep, 60)
{
    if (under_valgrind())
        return;

    const size_t before = resident();
    void *block;

    if (slow_machine())
        return; /* a sanitizer's shadow is resident too */
    ring3_malloc_tune(1 * MIB, 0);
    block = ring3_malloc(20 * MIB);
    memset(block, 1, 20 * MIB);
    ring3_free(block);
    check_lt(resident(), before + 4 * MIB);
    ring3_malloc_tune(512 * MIB, 0);
    block = ring3_malloc(100 * MIB);
    memset(block, 1, 100 * MIB);
    ring3_free(block);
    check_gt(resident(), before + 90 * MIB);
}

/* --- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, HANDED = 512 };

static void *handed[HANDED];

/* Each thread fills what it allocates with its own number, and hands blocks to others to free. */
static void *churn(void *number)
{
    const unsigned char mine = (unsigned char)(uintptr_t)number;
    unsigned seed = mine;

    for (long i = scaled(40000, 1000000); i > 0; i--) {
        const size_t size = 1 + (size_t)rand_r(&seed) % 500;
        unsigned char *const block = ring3_malloc(size);

        check(block);
        memset(block, mine, size);
        for (size_t k = 0; k < size; k++)
            check_eq(block[k], mine);
        ring3_free(ring3_exchange(&handed[rand_r(&seed) % HANDED], (void *)block, RING3_ACQ_REL));
    }
    return NULL;
}

TEST_POLICIES(policies, serve_threads_that_free_for_each_other, 120)
{
    pthread_t threads[THREADS];
    ring3_malloc_statistics_t now;

    for (uintptr_t i = 0; i < THREADS; i++)
        check_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < HANDED; i++)
        ring3_free(handed[i]);
    (void)ring3_malloc_trim(); /* caches too */
    ring3_malloc_statistics(&now);
    check_eq(now.blocks, 0);
    if (!caches_blocks())
        check_eq(now.allocations, now.releases);
}

/* --- The choice ------------------------------------------------------------------------------ */

TEST(policies, can_be_chosen_until_the_first_allocation)
{
    check_eq(ring3_malloc_choose("fastest"), -EINVAL);
    check_eq(ring3_malloc_choose("colour=red"), -EINVAL);
    check_eq(ring3_malloc_choose("policy=buddy"), 0);
    ring3_free(ring3_malloc(1));
    check_eq(ring3_malloc_choose("first-fit"), -EBUSY);
    check_str_eq(ring3_malloc_policy(), "buddy");
}

TEST(policies, follow_the_environment_first)
{
    check_eq(setenv("RING3_MALLOC", "first-fit", 1), 0);
    check_eq(ring3_malloc_choose("buddy"), 0);
    check_str_eq(ring3_malloc_policy(), "first-fit");
}

TEST(policies, default_to_slabs)
{
    check_str_eq(ring3_malloc_policy(), "slab");
}

/* --- Limits ---------------------------------------------------------------------------------- */

static const char *policy_under_limits;

static void allocate_under_a_limit(void)
{
    struct rlimit limit = {0, RLIM_INFINITY};
    size_t total = 0, resident;
    int failed = 0;

    memory(&total, &resident);
    limit.rlim_cur = total + 64 * MIB;
    total = 0;

    if (ring3_malloc_choose(policy_under_limits) != 0 || setrlimit(RLIMIT_AS, &limit) != 0)
        _exit(4);
    for (int i = 0; i < 100000 && failed < 10; i++) {
        const size_t size = 100 + (size_t)(i % 7) * 1000;
        char *const block = ring3_malloc(size);

        if (block) {
            memset(block, 1, size);
            total += size;
        } else {
            failed++;
        }
    }
    if (failed == 0)
        _exit(5); /* the limit does not bind */
    _exit(total > 32 * MIB ? 0 : 6);
}

static void obey_limits(const char *policy)
{
    char text[2048];

    if (slow_machine())
        return; /* sanitizers reserve terabytes */
    policy_under_limits = policy;
    check_eq(run_in_child(allocate_under_a_limit, text, sizeof text), 0, "%s", text);
}

TEST(policies, make_use_of_little_address_space_slab)
{
    obey_limits("slab");
}

TEST(policies, make_use_of_little_address_space_first_fit)
{
    obey_limits("first-fit");
}

TEST(policies, make_use_of_little_address_space_best_fit)
{
    obey_limits("best-fit");
}

TEST(policies, make_use_of_little_address_space_next_fit)
{
    obey_limits("next-fit");
}

TEST(policies, make_use_of_little_address_space_worst_fit)
{
    obey_limits("worst-fit");
}

TEST(policies, make_use_of_little_address_space_buddy)
{
    obey_limits("buddy");
}
