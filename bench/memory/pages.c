/* SPDX-License-Identifier: MIT */
/* What pages cost: the first touch, their size, the order in which they are visited, and copying
 * them only when they are written. */
#include "ring3_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  ((size_t)1 << 20)
#define PAGE ((size_t)4096)

static char *map(size_t bytes, size_t alignment)
{
    char *const memory = mmap(NULL, bytes + alignment, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        fprintf(stderr, "memory: no address space\n");
        exit(1);
    }
    return (char *)(((uintptr_t)memory + alignment - 1) & ~(alignment - 1));
}

static double faults(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_minflt;
}

/* --- First touch: memory is given when it is first used, not when it is asked for -------------- */

#define TOUCHED (64 * MIB)

static void *setup_touch(const struct ring3_bench *bench, int threads, int64_t param)
{
    char *const memory = map(TOUCHED, PAGE);

    (void)threads;
    (void)param;
    if (bench->context) /* touched once already */
        memset(memory, 1, TOUCHED);
    return memory;
}

static void touch(struct ring3_bench_thread *t)
{
    volatile char *const memory = t->shared;
    const double before = faults();

    for (size_t at = 0; at < TOUCHED; at += PAGE, t->ops++)
        memory[at] = 2;
    ring3_bench_count(t, "faults_per_page", (faults() - before) / (double)(TOUCHED / PAGE));
}

static void unmap_touched(void *memory)
{
    (void)munmap(memory, TOUCHED);
}

static const bool again = true;

RING3_BENCH(touch_first, .name = "touch/first", .body = touch, .setup = setup_touch,
            .teardown = unmap_touched);
RING3_BENCH(touch_again, .name = "touch/again", .body = touch, .setup = setup_touch,
            .teardown = unmap_touched, .context = &again);

/* --- Page size: how much memory the translations at hand cover --------------------------------- */

#define WALKED (256 * MIB)

static void *setup_walk(const struct ring3_bench *bench, int threads, int64_t param)
{
    char *const memory = map(WALKED, 2 * MIB);

    (void)threads;
    (void)param;
    (void)madvise(memory, WALKED, bench->context ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(memory, 1, WALKED);
    return memory;
}

/* One word of each of many pages, in an order that no prefetcher knows: x -> 5x + 1 modulo the
 * number of pages visits each once (Hull and Dobell 1962). */
static void walk(struct ring3_bench_thread *t)
{
    volatile char *const memory = t->shared;
    size_t page = 0;

    while (ring3_bench_running(t))
        for (int i = 0; i < 4096; i++, t->ops++) {
            page = (5 * page + 1) & (WALKED / PAGE - 1);
            memory[page * PAGE + page * 64 % PAGE]++;
        }
}

static void unmap_walked(void *memory)
{
    (void)munmap(memory, WALKED);
}

static const bool huge = true;

RING3_BENCH(walk_small, .name = "walk/4K-pages", .body = walk, .setup = setup_walk,
            .teardown = unmap_walked);
RING3_BENCH(walk_huge, .name = "walk/2M-pages", .body = walk, .setup = setup_walk,
            .teardown = unmap_walked, .context = &huge);

/* --- Order: what lies together should be visited together -------------------------------------- */

#define SIDE 4096 /* a matrix of 4096 x 4096 words: a row is a page of 32-bit words and more */

static void *setup_matrix(const struct ring3_bench *bench, int threads, int64_t param)
{
    (void)bench;
    (void)threads;
    (void)param;
    return map(SIDE * SIDE * sizeof(uint32_t), PAGE);
}

static void unmap_matrix(void *matrix)
{
    (void)munmap(matrix, SIDE * SIDE * sizeof(uint32_t));
}

static void by_rows(struct ring3_bench_thread *t)
{
    volatile uint32_t *const matrix = t->shared;

    for (size_t row = 0; row < SIDE; row++)
        for (size_t column = 0; column < SIDE; column++, t->ops++)
            matrix[row * SIDE + column]++;
}

static void by_columns(struct ring3_bench_thread *t)
{
    volatile uint32_t *const matrix = t->shared;

    for (size_t column = 0; column < SIDE; column++)
        for (size_t row = 0; row < SIDE; row++, t->ops++)
            matrix[row * SIDE + column]++;
}

RING3_BENCH(order_rows, .name = "order/rows", .body = by_rows, .setup = setup_matrix,
            .teardown = unmap_matrix);
RING3_BENCH(order_columns, .name = "order/columns", .body = by_columns, .setup = setup_matrix,
            .teardown = unmap_matrix);

/* --- Copy on write: the copy is paid for by those who write ------------------------------------ */

#define FORKED (32 * MIB)

static void *setup_fork(const struct ring3_bench *bench, int threads, int64_t param)
{
    char *const memory = map(FORKED, PAGE);

    (void)bench;
    (void)threads;
    (void)param;
    (void)madvise(memory, FORKED, MADV_NOHUGEPAGE);
    memset(memory, 1, FORKED);
    return memory;
}

static void unmap_forked(void *memory)
{
    (void)munmap(memory, FORKED);
}

/* The child writes to `param` percent of the pages, and exits. */
static void fork_and_write(struct ring3_bench_thread *t)
{
    volatile char *const memory = t->shared;
    const size_t end = FORKED / 100 * (size_t)t->param;

    while (ring3_bench_running(t)) {
        const pid_t pid = fork();

        if (pid == 0) {
            for (size_t at = 0; at < end; at += PAGE)
                memory[at] = 2;
            _exit(0);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
            fprintf(stderr, "memory: cannot fork\n");
            exit(1);
        }
        t->ops++;
    }
}

RING3_BENCH(fork_write, .name = "fork/child-writes", .body = fork_and_write, .setup = setup_fork,
            .teardown = unmap_forked, .params = {1, 10, 50, 100});
