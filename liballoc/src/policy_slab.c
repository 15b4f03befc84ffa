/* SPDX-License-Identifier: MIT */
/*
 * policy=slab, the default: thread magazines (cache.h) over slabs (slab.h) over a buddy of chunks
 * (spans.h).
 *
 *     up to 32 KiB   a block of a slab, of its size class
 *     up to 4 MiB    a span of its size class; threads keep a few
 *     above          a run of chunks straight from the buddy
 *
 * Misuse: a pointer that is no start of a block is always found. A second free is found by the mark
 * on the block or, if that was overwritten meanwhile, when the block comes back to its slab.
 */
#include "cache.h"
#include "misuse.h"
#include "policy.h"
#include "reclaim.h"
#include "slab.h"
#include "spans.h"

#include <errno.h>

static void start(void)
{
    ring3_classes_start();
    ring3_slabs_start();
    ring3_caches_start();
}

/* The class of the slab or span whose chunk the pointer is into, or 0. */
static unsigned class_at(const void *p)
{
    return span_class(ring3_span_region(p), p);
}

static bool is_start(unsigned class, const void *p)
{
    return class_starts_at(class, (uint32_t)((uintptr_t)p & (RING3_CHUNK - 1)));
}

/* True if a block of the class starts here and is in use, as far as a look at its mark can tell. */
static bool in_use(unsigned class, const void *p)
{
    if (!is_start(class, p))
        return false;
    if (!cache_is_marked(p))
        return true;
    return (class > CLASS_SLABS || ring3_slab_in_use(p)) && !ring3_caches_hold(class, p);
}

/* The first class from `class` on whose blocks are all aligned. */
static unsigned aligned_class(unsigned class, size_t alignment)
{
    while (ring3_classes[class].size & (alignment - 1))
        class ++;
    return class;
}

static void *allocate_run(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    void *const run = ring3_arenas_allocate_ready(heap, size, alignment, dirty);

    if (run)
        return run;
    ring3_cache_make_room();
    return ring3_arenas_allocate(heap, size, alignment, dirty);
}

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    const size_t least = size > alignment ? size : alignment;
    unsigned class;
    void *block;

    if (least > CLASS_MAX || alignment > RING3_CHUNK)
        return allocate_run(heap, size, alignment, dirty);
    class = (unsigned)class_of(size ? size : 1);
    if (alignment > CLASS_STEP)
        class = aligned_class((unsigned)class_of(least), alignment);
    block = ring3_cache_refill(class, dirty);
    *dirty = *dirty < size ? *dirty : size;
    return block;
}

static int release(void *arena, void *block)
{
    const unsigned class = class_at(block);

    if (class == 0)
        return ring3_arenas_release(arena, block);
    if (!in_use(class, block))
        return -EINVAL;
    ring3_cache_spill(class, block);
    return 0;
}

/* A run grows into free chunks behind it, and gives up those that it does not need. */
static int resize_run(void *arena, void *block, unsigned class, size_t size)
{
    const unsigned wanted = size > CLASS_MAX ? 0 : (unsigned)class_of(size);
    int err;

    if (wanted && wanted == class)
        return 0;
    if (wanted && wanted <= CLASS_SLABS)
        return -ENOMEM;
    err = ring3_arenas_resize(arena, block, wanted ? ring3_classes[wanted].size : size);
    if (!err && wanted != class)
        ring3_span_set_class(block, wanted);
    return err;
}

static int resize(void *arena, void *block, size_t size)
{
    const unsigned class = class_at(block);

    if (class && !in_use(class, block))
        return -EINVAL;
    if (class == 0 || class > CLASS_SLABS)
        return resize_run(arena, block, class, size);
    if (size > ring3_classes[class].size)
        return -ENOMEM;
    /* A block that would be less than half used moves, if there is a smaller class for it. */
    return size > ring3_classes[class].size / 2 || class_of(size) == class ? 0 : -ENOMEM;
}

static size_t usable(void *arena, const void *block)
{
    const unsigned class = class_at(block);

    if (class == 0)
        return ring3_arenas_usable(arena, block);
    return in_use(class, block) ? ring3_classes[class].size : 0;
}

static void *covering(void *arena, const void *p)
{
    const unsigned class = class_at(p);
    const uintptr_t offset = (uintptr_t)p & (RING3_CHUNK - 1);
    char *start_of;

    if (class == 0 || class > CLASS_SLABS)
        return ring3_arenas_covering(arena, p);
    start_of = (char *)p - offset % ring3_classes[class].size;
    return ring3_slab_in_use(start_of) && in_use(class, start_of) ? start_of : NULL;
}

/* `given`: as ring3_slabs_trim. */
static void give_back_depots(size_t *given)
{
    void *const bad = ring3_slabs_trim(given);

    if (bad)
        ring3_misuse("free", bad, &ring3_policy_slab, ring3_pages_owner(&ring3_heap_pages, bad),
                     -EINVAL);
}

static size_t trim(void *heap)
{
    size_t given = 0;

    /* What becomes a free slab is a free span then, so the spans come last. */
    (void)ring3_caches_retire(false);
    give_back_depots(&given);
    return given + ring3_arenas_trim(heap);
}

/* Calls are not counted one by one: a block that goes in and out of a magazine counts once. */
static void statistics(void *heap, ring3_malloc_statistics_t *total)
{
    size_t blocks = 0, bytes = 0;

    ring3_arenas_statistics(heap, total);
    total->asked = total->given = 0;
    ring3_slabs_statistics(total);
    ring3_caches_statistics(&blocks, &bytes);
    total->blocks -= blocks;
    total->used -= bytes;
    total->free += bytes;
    total->releases = total->allocations - total->blocks;
}

static void lock(void *heap)
{
    ring3_caches_lock();
    ring3_slabs_lock();
    ring3_arenas_lock(heap);
}

static void unlock(void *heap)
{
    ring3_arenas_unlock(heap);
    ring3_slabs_unlock();
    ring3_caches_unlock();
}

static void visit_span(void *span, size_t length, bool used, void *context)
{
    const struct ring3_walk *const walk = context;
    const unsigned class = used ? class_at(span) : 0;

    if (class && class <= CLASS_SLABS)
        ring3_slab_walk(span, walk->visit, walk->context);
    else
        walk->visit(span, length, used, walk->context);
}

/* What is in caches and depots goes back first, so that the slabs know all. */
static void walk(void *heap, ring3_malloc_visit_t *visit, void *context)
{
    struct ring3_walk to = {visit, context};

    (void)ring3_caches_retire(false);
    give_back_depots(NULL);
    lock(heap);
    ring3_arenas_walk_unlocked(heap, visit_span, &to);
    unlock(heap);
}

static void after_fork(void *heap)
{
    ring3_arenas_after_fork(heap);
    ring3_slabs_after_fork();
    ring3_caches_after_fork();
    ring3_reclaim_after_fork();
}

const struct ring3_policy ring3_policy_slab = {
    .name = "slab",
    .heap = &ring3_spans,
    .start = start,
    .allocate = allocate,
    .release = release,
    .resize = resize,
    .usable = usable,
    .covering = covering,
    .trim = trim,
    .statistics = statistics,
    .walk = walk,
    .tune = ring3_arenas_tune,
    .lock = lock,
    .unlock = unlock,
    .after_fork = after_fork,
};
