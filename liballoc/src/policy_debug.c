/* SPDX-License-Identifier: MIT */
/* policy=debug: every block is a guarded one (guarded.h). Slow, and large; finds most misuse where it
 * happens. */
#include "guarded.h"

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    (void)heap;
    return ring3_guarded_allocate(size, alignment, dirty);
}

static size_t trim(void *heap)
{
    (void)heap;
    return ring3_guarded_trim();
}

static void statistics(void *heap, ring3_malloc_statistics_t *statistics)
{
    (void)heap;
    ring3_guarded_statistics(statistics);
}

static void walk(void *heap, ring3_malloc_visit_t *visit, void *context)
{
    (void)heap;
    ring3_guarded_walk(visit, context);
}

/* Nothing is kept for reuse, and the heap grows as it does. */
static void tune(void *heap, size_t retain, size_t step)
{
    (void)heap;
    (void)retain;
    (void)step;
}

static void lock(void *heap)
{
    (void)heap;
    ring3_guarded_lock();
}

static void unlock(void *heap)
{
    (void)heap;
    ring3_guarded_unlock();
}

static void after_fork(void *heap)
{
    (void)heap;
    ring3_guarded_after_fork();
}

const struct ring3_policy ring3_policy_debug = {
    .name = "debug",
    .exact = true,
    .start = ring3_guarded_start,
    .allocate = allocate,
    .release = ring3_guarded_release,
    .resize = ring3_guarded_resize,
    .usable = ring3_guarded_usable,
    .covering = ring3_guarded_covering,
    .trim = trim,
    .statistics = statistics,
    .walk = walk,
    .tune = tune,
    .lock = lock,
    .unlock = unlock,
    .after_fork = after_fork,
};
