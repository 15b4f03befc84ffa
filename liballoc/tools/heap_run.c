/* SPDX-License-Identifier: MIT */
/*
 * The calls of a trace again, in one thread and in the order of their times: the same calls each
 * time, so that two replays differ by the policy alone.
 *
 * Every policy has a process of its own, which writes to the first byte of every page that it gets,
 * as the program is taken to have done, and reports through shared memory.
 */
#include "heap_run.h"

#include "ring3/malloc.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The allocator under test. */
struct allocator {
    void *(*aligned)(size_t alignment, size_t size);
    void *(*resize)(void *block, size_t size);
    void (*release)(void *block);
    void (*figures)(struct point *point);
};

static void ring3_figures(struct point *point)
{
    ring3_malloc_statistics_t now;

    ring3_malloc_statistics(&now);
    point->used = now.used;
    point->free = now.free;
    point->largest = now.largest;
}

/* libc tells no largest hole; the one at the top is what it has. */
static void libc_figures(struct point *point)
{
    const struct mallinfo2 now = mallinfo2();

    point->used = now.uordblks + now.hblkhd;
    point->free = now.fordblks;
    point->largest = now.keepcost;
}

static const struct allocator ring3_allocator = {ring3_aligned_alloc, ring3_realloc, ring3_free,
                                                 ring3_figures};
static const struct allocator libc_allocator = {memalign, realloc, free, libc_figures};

static uint64_t resident(void)
{
    static FILE *file; /* opened once, with a buffer of its own */
    static char buffer[256];
    unsigned long pages = 0;

    if (!file && (file = fopen("/proc/self/statm", "r")))
        setvbuf(file, buffer, _IOFBF, sizeof buffer);
    if (!file)
        return 0;
    rewind(file);
    fflush(file);
    if (fscanf(file, "%*u %lu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void touch(char *block, size_t from, size_t to)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (size_t at = from; at < to; at += page)
        *(volatile char *)(block + at) = 1;
}

struct replay {
    const struct steps *steps;
    const struct allocator *allocator;
    struct result *result;
    const struct moment *moment;
    void **blocks;
    uint64_t *sizes;
    uint64_t live, baseline;
};

static bool do_step(struct replay *replay, const struct step *step)
{
    void **const block = &replay->blocks[step->object];
    uint64_t *const size = &replay->sizes[step->object];

    if (step->what == STEP_RELEASE) {
        replay->allocator->release(*block);
        *block = NULL;
    } else if (step->what == STEP_RESIZE) {
        void *const moved = replay->allocator->resize(*block, step->size);

        if (!moved && step->size)
            return false;
        *block = moved;
        touch(moved, *size, step->size);
    } else {
        *block = replay->allocator->aligned((size_t)1 << step->alignment, step->size);
        if (!*block)
            return false;
        touch(*block, 0, step->size);
    }
    replay->live += step->size - *size;
    *size = step->size;
    return true;
}

static void sample(struct replay *replay)
{
    struct result *const result = replay->result;
    struct point *const point = &result->point[result->points++];
    const uint64_t now = resident();

    point->live = replay->live;
    point->resident = now > replay->baseline ? now - replay->baseline : 0;
    replay->allocator->figures(point);
    if (point->resident > result->peak_resident)
        result->peak_resident = point->resident;
}

static int run(struct replay *replay)
{
    const struct steps *const steps = replay->steps;
    struct result *const result = replay->result;
    double start;

    replay->baseline = resident();
    start = cpu_seconds();
    for (size_t i = 0; i < steps->count; i++) {
        if (!do_step(replay, &steps->step[i]))
            return FAILED_MEMORY;
        if (replay->live > result->peak_live)
            result->peak_live = replay->live;
        if (replay->moment && i + 1 == replay->moment->step)
            replay->moment->look(replay->moment->context);
        if ((i + 1) * CHART_POINTS / steps->count > result->points &&
            result->points < CHART_POINTS) {
            result->seconds += cpu_seconds() - start;
            sample(replay);
            start = cpu_seconds();
        }
    }
    result->seconds += cpu_seconds() - start;
    return 0;
}

/* In the child. Its own tables are touched first, so that they do not count. */
static int replay_here(const struct steps *steps, struct result *result, const char *settings,
                       const struct moment *moment)
{
    const size_t bytes = ((size_t)steps->objects + 1) * sizeof(uint64_t);
    struct replay replay = {.steps = steps, .result = result, .moment = moment};
    char *const tables = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (tables == MAP_FAILED)
        return FAILED_MEMORY;
    replay.blocks = (void **)(void *)tables;
    replay.sizes = (uint64_t *)(void *)(tables + bytes);
    replay.allocator = strcmp(settings, "libc") == 0 ? &libc_allocator : &ring3_allocator;
    unsetenv("RING3_MALLOC");
    if (replay.allocator == &ring3_allocator && ring3_malloc_choose(settings) != 0)
        return FAILED_CHOICE;
    (void)resident();
    return run(&replay);
}

void replay_under(const struct steps *steps, struct result *result, const char *settings,
                  const struct moment *moment)
{
    int status = 0;
    pid_t pid;

    snprintf(result->name, sizeof result->name, "%s", settings);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(replay_here(steps, result, settings, moment));
    result->failed = FAILED_OTHERWISE;
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        result->failed = WEXITSTATUS(status);
}

const char *replay_failure(const struct result *result)
{
    return result->failed == FAILED_CHOICE   ? "no such policy"
           : result->failed == FAILED_MEMORY ? "out of memory"
                                             : "ended early";
}

int replay_choose_all(const char **chosen)
{
    const char *const *name = ring3_malloc_policies();
    int count = 0;

    for (; *name && count < RESULTS_MAX - 1; name++)
        if (strcmp(*name, "debug") != 0)
            chosen[count++] = *name;
    return count;
}
