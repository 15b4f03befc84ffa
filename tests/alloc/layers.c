/* SPDX-License-Identifier: MIT */
/* Layers over the policies: each does what it is for, and all keep what malloc promises. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/malloc.h"

#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- fail=N ----------------------------------------------------------------------------------- */

TEST(layers, fail_the_request_with_the_number)
{
    void *blocks[5], *grown;

    check_eq(ring3_malloc_choose("slab,fail=3"), 0);
    blocks[0] = ring3_malloc(10);
    blocks[1] = ring3_calloc(2, 10);
    errno = 0;
    grown = ring3_realloc(blocks[0], 11);
    check(!grown, "the third");
    check_eq(errno, ENOMEM);
    for (int i = 2; i < 5; i++) {
        blocks[i] = ring3_malloc(10);
        check(blocks[i], "request %d", i + 2);
    }
    for (int i = 0; i < 5; i++)
        ring3_free(blocks[i]);
}

TEST(layers, fail_every_so_many)
{
    int failed = 0;

    check_eq(ring3_malloc_choose("policy=buddy,fail=every:4"), 0);
    for (int i = 1; i <= 40; i++) {
        void *const block = ring3_malloc(100);

        check_eq(block == NULL, i % 4 == 0, "request %d", i);
        failed += block == NULL;
        ring3_free(block);
    }
    check_eq(failed, 10);
}

TEST(layers, refuse_settings_that_make_no_sense)
{
    check_eq(ring3_malloc_choose("fail=often"), -EINVAL);
    check_eq(ring3_malloc_choose("fail=every:0"), -EINVAL);
    check_eq(ring3_malloc_choose("hardening=most"), -EINVAL);
    check_eq(ring3_malloc_choose("guard=sample:0"), -EINVAL);
    check_eq(ring3_malloc_choose("guard=sample:"), -EINVAL);
    check_eq(ring3_malloc_choose("zero=maybe"), -EINVAL);
}

/* --- zero=on ---------------------------------------------------------------------------------- */

static void all_is_zero(const char *settings)
{
    check_eq(ring3_malloc_choose(settings), 0);
    for (int round = 0; round < 3; round++)
        for (size_t size = 1; size < 300000; size = size * 3 + 1) {
            unsigned char *const block = ring3_malloc(size);
            const size_t usable = ring3_malloc_usable_size(block);

            for (size_t i = 0; i < usable; i++)
                check_eq(block[i], 0, "byte %zu of %zu (%zu)", i, size, usable);
            memset(block, 0xff, usable);
            ring3_free(block);
        }
}

TEST(layers, clear_all_that_is_handed_out_slab)
{
    all_is_zero("slab,zero");
}

TEST(layers, clear_all_that_is_handed_out_best_fit)
{
    all_is_zero("best-fit,zero=on");
}

TEST(layers, clear_all_that_is_handed_out_full)
{
    all_is_zero("slab,hardening=full");
}

/* --- What malloc promises, under each ----------------------------------------------------------- */

enum { SLOTS = 200, THREADS = 3 };

struct model {
    unsigned char *start, content;
    size_t size;
};

static void check_content(const struct model *block, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_eq(block->start[i], block->content, "byte %zu of %zu", i, block->size);
}

static void fill(struct model *block, unsigned *seed)
{
    check(block->start);
    check_eq((uintptr_t)block->start % 16, 0);
    check_ge(ring3_malloc_usable_size(block->start), block->size);
    block->content = (unsigned char)(1 + rand_r(seed) % 255);
    memset(block->start, block->content, block->size);
}

static size_t any_size(unsigned *seed)
{
    const int scale = rand_r(seed) % 100;

    return 1 + (size_t)rand_r(seed) % (scale < 70 ? 200 : scale < 97 ? 5000 : 200000);
}

static void *live_a_life(void *number)
{
    struct model blocks[SLOTS] = {0};
    unsigned seed = (unsigned)(uintptr_t)number;
    void *aligned;

    for (long round = scaled(4000, 100000); round > 0; round--) {
        struct model *const block = &blocks[rand_r(&seed) % SLOTS];
        const size_t old = block->size;

        if (block->start)
            check_content(block, block->size);
        if (block->start && round % 3 == 0) {
            block->size = any_size(&seed);
            block->start = ring3_realloc(block->start, block->size);
            check_content(block, old < block->size ? old : block->size);
            fill(block, &seed);
        } else if (block->start) {
            ring3_free(block->start);
            block->start = NULL;
        } else {
            const size_t alignment = (size_t)16 << rand_r(&seed) % 9;

            block->size = any_size(&seed);
            check_eq(ring3_posix_memalign(&aligned, alignment, block->size), 0);
            check_eq((uintptr_t)aligned % alignment, 0);
            block->start = aligned;
            fill(block, &seed);
        }
    }
    for (int i = 0; i < SLOTS; i++)
        ring3_free(blocks[i].start);
    return NULL;
}

static void keep_the_promises(const char *settings)
{
    pthread_t threads[THREADS];
    ring3_malloc_statistics_t now;

    check_eq(ring3_malloc_choose(settings), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        check_eq(pthread_create(&threads[i], NULL, live_a_life, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    (void)ring3_malloc_trim();
    ring3_malloc_statistics(&now);
    check_ge(now.committed, now.used);
}

#define KEEP(name, settings)                                                                       \
    TEST(layers, keep_what_malloc_promises_##name, 120)                                            \
    {                                                                                              \
        keep_the_promises(settings);                                                               \
    }                                                                                              \
    TEST(layers, survive_fork_##name, 60)                                                          \
    {                                                                                              \
        fork_among_threads(settings);                                                              \
    }

static bool stop;
static int running;

static void *churn(void *unused)
{
    ring3_free(ring3_malloc(100));
    ring3_fetch_add(&running, 1, RING3_RELAXED);
    while (!ring3_load(&stop, RING3_RELAXED))
        ring3_free(ring3_realloc(ring3_malloc(100), 3000));
    return unused;
}

/* A child that comes of a process whose other threads allocate may allocate too. */
static void fork_among_threads(const char *settings)
{
    pthread_t threads[2];

    if (under_qemu())
        return;
    check_eq(ring3_malloc_choose(settings), 0);
    ring3_free(ring3_malloc(100));
    for (int i = 0; i < 2; i++)
        check_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
    while (ring3_load(&running, RING3_RELAXED) < 2)
        (void)sched_yield();
    for (long i = scaled(20, 1000); i > 0; i--) {
        const pid_t pid = fork();

        check_ge(pid, 0);
        if (pid == 0) {
            for (int k = 0; k < 50; k++)
                ring3_free(ring3_realloc(ring3_malloc(100), 3000));
            _exit(0);
        }
        check_child(pid);
    }
    ring3_store(&stop, true, RING3_RELAXED);
    for (int i = 0; i < 2; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
}

KEEP(slab_fast, "slab,hardening=fast")
KEEP(slab_full, "slab,hardening=full")
KEEP(first_fit_full, "first-fit,hardening=full")
KEEP(buddy_fast, "buddy,hardening=fast")
KEEP(sample, "slab,guard=sample:10")
KEEP(sample_full_zero, "slab,guard=sample:3,hardening=full,zero")
KEEP(debug, "debug")

/* Every call of three threads is in the file: chunks of it, and no more. */
TEST(layers, keep_what_malloc_promises_while_they_trace, 120)
{
    char path[64], settings[128];

    snprintf(path, sizeof path, "/tmp/ring3-test-trace-%d", (int)getpid());
    snprintf(settings, sizeof settings, "slab,trace=%s", path);
    keep_the_promises(settings);

    FILE *const file = fopen(path, "r");
    struct trace_header header;
    static char text[TRACE_CHUNK];
    const struct trace_chunk *const chunk = (const void *)text;
    long allocated = 0, released = 0;

    check(file);
    check_eq(unlink(path), 0);
    check_eq(fread(text, 1, sizeof text, file), sizeof text);
    memcpy(&header, text, sizeof header);
    check(memcmp(header.magic, TRACE_MAGIC, sizeof header.magic) == 0);
    while (fread(text, 1, sizeof text, file) == sizeof text) {
        check_le(chunk->count, TRACE_EVENTS);
        for (uint32_t i = 0; i < chunk->count; i++) {
            allocated += (chunk->events[i].when & 15) == TRACE_ALLOCATE;
            released += (chunk->events[i].when & 15) == TRACE_RELEASE;
        }
    }
    check_gt(allocated, 0);
    check_eq(allocated, released, "everything was given back");
    fclose(file);
}

TEST(layers, keep_what_malloc_promises_while_they_profile, 120)
{
    char path[64], text[64] = "";

    snprintf(path, sizeof path, "/tmp/ring3-test-profile-%d", (int)getpid());
    check_eq(ring3_malloc_profile(path), -ENOENT, "nothing profiles yet");
    keep_the_promises("slab,profile=/dev/null,profile-rate=20K");
    check_eq(ring3_malloc_profile("/nonexistent/profile"), -ENOENT);
    check_eq(ring3_malloc_profile(path), 0);

    FILE *const file = fopen(path, "r");

    check(file);
    check(fgets(text, sizeof text, file));
    check_contains(text, "heap profile: ");
    fclose(file);
    check_eq(unlink(path), 0);
}

TEST(layers, do_without_the_kernels_guards, 60)
{
    check_eq(setenv("RING3_DISABLE", "guard", 1), 0);
    keep_the_promises("debug");
}

/* --- Misuse, where tests of the preload object do not reach -------------------------------------- */

static char *block;

static void free_again_after_a_write(void)
{
    ring3_free(block);
    memset(block, 1, 100);
    ring3_free(block);
}

TEST(layers, find_a_second_free_whatever_was_written)
{
    char text[1024];

    check_eq(ring3_malloc_choose("slab,hardening=fast"), 0);
    block = ring3_malloc(100);

    const int status = run_in_child(free_again_after_a_write, text, sizeof text);

    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x, %s", status, text);
    check_contains(text, "freed already");
}

static void write_far_beyond(void)
{
    *(volatile char *)(block + 4096) = 1;
}

TEST(layers, fault_beyond_a_guarded_block)
{
    char text[4096];

    check_eq(ring3_malloc_choose("debug"), 0);
    block = ring3_malloc(100);

    const int status = run_in_child(write_far_beyond, text, sizeof text);

    check(status != 0);
    if (!slow_machine()) /* sanitizers and valgrind answer faults themselves */
        check_contains(text, "bytes beyond the end of the block of 100 bytes");
}
