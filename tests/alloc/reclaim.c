/* SPDX-License-Identifier: MIT */
/* What nobody uses goes back to the system, whoever held it last, without anybody's help. */
#include "ring3_test.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/malloc.h"
#include "ring3/pages.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

enum { THREADS = 4 };

static size_t resident(void)
{
    FILE *const file = fopen("/proc/self/statm", "r");
    size_t total, pages;

    check(file);
    check_eq(fscanf(file, "%zu %zu", &total, &pages), 2);
    fclose(file);
    return pages * ring3_pages_size();
}

/* Sleeps between looks: without a limit of its own, so that the test's limit is the only one. */
static void await_resident_below(size_t bytes)
{
    while (resident() > bytes)
        (void)usleep(10000);
}

static pthread_barrier_t filled, emptied, over;

static int blocks_each; /* 256 bytes on average */

/* Fill memory with small blocks, free all but one in 1024, and sleep with what the cache holds. */
static void *burst(void *number)
{
    const int count = blocks_each;
    unsigned char **const blocks = ring3_calloc((size_t)count, sizeof *blocks);
    unsigned seed = (unsigned)(uintptr_t)number;

    for (int i = 0; i < count; i++) {
        const size_t size = 16 + (size_t)rand_r(&seed) % 512;

        blocks[i] = ring3_malloc(size);
        memset(blocks[i], i & 0xff, size);
    }
    (void)pthread_barrier_wait(&filled);
    for (int i = 0; i < count; i++)
        if (i % 1024)
            ring3_free(blocks[i]);
    (void)pthread_barrier_wait(&emptied);
    (void)pthread_barrier_wait(&over);
    for (int i = 0; i < count; i += 1024) {
        check_eq(blocks[i][0], i & 0xff, "a block in use kept its pages");
        ring3_free(blocks[i]);
    }
    /* The cache that was taken away is replaced. */
    for (int i = 0; i < 1000; i++)
        ring3_free(ring3_malloc((size_t)i));
    ring3_free(blocks);
    return NULL;
}

/* Children find a heap that works, whatever the reclaimer was at. */
static void fork_beside_the_reclaimer(void)
{
    for (int i = 0; i < 20; i++) {
        const pid_t pid = fork();

        if (pid == 0) {
            for (size_t size = 1; size < 100000; size = size * 2 + 1)
                ring3_free(ring3_malloc(size));
            (void)ring3_malloc_trim();
            _exit(0);
        }
        check_child(pid);
    }
}

TEST(reclaim, gives_back_what_sleeping_threads_left, 120)
{
    pthread_t threads[THREADS];

    blocks_each = slow_machine() ? 50000 : 240000;
    check_eq(pthread_barrier_init(&filled, NULL, THREADS + 1), 0);
    check_eq(pthread_barrier_init(&emptied, NULL, THREADS + 1), 0);
    check_eq(pthread_barrier_init(&over, NULL, THREADS + 1), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        check_eq(pthread_create(&threads[i], NULL, burst, (void *)(i + 1)), 0);
    (void)pthread_barrier_wait(&filled);
    if (!slow_machine())
        check_gt(resident(), 200 * MIB);
    (void)pthread_barrier_wait(&emptied);
    /* A sanitizer's shadow is resident too, so there the reclaimer is only given a chance to do
     * harm. */
    if (!slow_machine() && ring3_fence_is_asymmetric())
        await_resident_below(40 * MIB);
    else if (!slow_machine())
        await_resident_below(160 * MIB); /* without membarrier threads keep their caches */
    else
        (void)usleep(700000);
    if (!slow_machine())
        fork_beside_the_reclaimer();
    (void)pthread_barrier_wait(&over);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
}

/* --- Threads that do not sleep --------------------------------------------------------------- */

static bool stop;
static uint32_t at_work;

/* Blocks keep what is written to them while caches come and go. */
static void *work(void *number)
{
    enum { COUNT = 64 };
    const unsigned char mine = (unsigned char)(uintptr_t)number;
    unsigned seed = mine;
    struct {
        unsigned char *start;
        size_t size;
    } held[COUNT] = {0};

    (void)ring3_fetch_add(&at_work, 1, RING3_RELAXED);
    while (!ring3_load(&stop, RING3_RELAXED)) {
        const int i = rand_r(&seed) % COUNT;

        for (size_t k = 0; k < held[i].size; k++)
            check_eq(held[i].start[k], mine);
        ring3_free(held[i].start);
        held[i].size = 16 + (size_t)rand_r(&seed) % 300;
        held[i].start = ring3_malloc(held[i].size);
        check(held[i].start);
        memset(held[i].start, mine, held[i].size);
    }
    for (int i = 0; i < COUNT; i++)
        ring3_free(held[i].start);
    return NULL;
}

TEST(reclaim, leaves_threads_at_work_what_is_theirs, 120)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        check_eq(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    while (ring3_load(&at_work, RING3_RELAXED) < THREADS)
        sched_yield();
    /* Takes every cache that is not in use at the moment. */
    for (long i = scaled(2000, 100000); i > 0; i--)
        (void)ring3_malloc_trim();
    ring3_store(&stop, true, RING3_RELAXED);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    (void)ring3_malloc_trim();

    ring3_malloc_statistics_t now;

    ring3_malloc_statistics(&now);
    check_eq(now.blocks, 0, "no block was lost, none returned twice");
}

/* --- Huge pages ------------------------------------------------------------------------------ */

/* Whether the system makes huge pages of small ones at all. */
static bool collapses(void)
{
    static ring3_pages_t pages;
    ring3_region_t *region;

    if (ring3_pages_reserve(&pages, RING3_HUGE_PAGE, RING3_HUGE_PAGE, &region) != 0 ||
        (uintptr_t)region->base % RING3_HUGE_PAGE ||
        ring3_pages_commit(region, region->base, RING3_HUGE_PAGE, &pages) != 0)
        return false;
    memset(region->base, 1, RING3_HUGE_PAGE);
    return ring3_pages_collapse(region->base, 90) == 1 &&
           ring3_pages_decommit(region, region->base, RING3_HUGE_PAGE) == 0;
}

static size_t huge_kilobytes(void)
{
    FILE *const file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    size_t kilobytes = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "AnonHugePages: %zu", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes;
}

static void *allocate_a_little(void *unused)
{
    ring3_free(ring3_malloc(100000));
    return unused;
}

/* 64 MiB that are full to the last page. */
TEST(reclaim, makes_huge_pages_of_what_is_full, 120)
{
    enum { BLOCKS = 64 };
    char *blocks[BLOCKS];
    pthread_t thread;

    if (slow_machine() || !collapses())
        return;
    check_eq(huge_kilobytes(), 0);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = ring3_malloc(MIB);
        memset(blocks[i], i + 1, MIB);
    }
    /* The reclaimer starts with a second thread that allocates, and wakes when one comes by. */
    while (huge_kilobytes() < 16 * 1024) {
        check_eq(pthread_create(&thread, NULL, allocate_a_little, NULL), 0);
        check_eq(pthread_join(thread, NULL), 0);
        ring3_free(ring3_malloc(5 * MIB));
        (void)usleep(10000);
    }
    for (int i = 0; i < BLOCKS; i++) {
        for (size_t at = 0; at < MIB; at += 512)
            check_eq(blocks[i][at], i + 1);
        ring3_free(blocks[i]);
    }
}

static bool asleep;

static void *keep_a_span(void *unused)
{
    char *const block = ring3_malloc(4 * MIB);

    memset(block, 1, 4 * MIB);
    ring3_free(block);
    ring3_store(&asleep, true, RING3_RELEASE);
    (void)pthread_barrier_wait(&over);
    return unused;
}

TEST(reclaim, empties_the_caches_of_other_threads_on_trim)
{
    pthread_t thread;
    size_t before;

    if (slow_machine() || !ring3_fence_is_asymmetric())
        return; /* a sanitizer's shadow is resident too; and without membarrier caches stay */
    check_eq(pthread_barrier_init(&over, NULL, 2), 0);
    check_eq(pthread_create(&thread, NULL, keep_a_span, NULL), 0);
    while (!ring3_load(&asleep, RING3_ACQUIRE))
        sched_yield();
    before = resident();
    check(ring3_malloc_trim());
    check_lt(resident(), before - 3 * MIB);
    (void)pthread_barrier_wait(&over);
    check_eq(pthread_join(thread, NULL), 0);
}
