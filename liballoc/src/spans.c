/* SPDX-License-Identifier: MIT */
/*
 * Spans over a buddy of chunks: see spans.h.
 *
 * Control block:  buddy | places of classes | lengths of runs | slab descriptors
 */
#include "spans.h"

#include "cache.h"
#include "placement_buddy.h"
#include "slab.h"

#include "ring3/atomic.h"
#include "ring3/buddy.h"

#include <errno.h>

/* With 32 GiB the control block is 300 MiB of address space, touched where chunks are in use. */
#define REGION  ((size_t)32 << 30)
#define LARGEST (REGION / 2)

struct span_region ring3_span_regions[RING3_PAGES_REGIONS];

const struct span_region *ring3_span_region(const void *p)
{
    for (unsigned i = 0; i < RING3_PAGES_REGIONS; i++) {
        const struct span_region *const region = &ring3_span_regions[i];
        const size_t size = span_region_size(region);

        if (!size)
            break;
        if ((uintptr_t)p - region->base < size)
            return region;
    }
    return NULL;
}

void ring3_span_set_class(const void *span, unsigned class)
{
    const struct span_region *const region = ring3_span_region(span);

    ring3_store(&region->places[((uintptr_t)span - region->base) >> RING3_CHUNK_SHIFT],
                (uint16_t)(class << CLASS_PLACE_SHIFT), RING3_RELAXED);
}

void *ring3_span_take(size_t size, unsigned class, size_t *dirty)
{
    void *span = ring3_arenas_allocate_ready(&ring3_spans, size, RING3_CHUNK, dirty);

    if (!span && ring3_cache_relieve())
        span = ring3_arenas_allocate_ready(&ring3_spans, size, RING3_CHUNK, dirty);
    if (!span)
        span = ring3_arenas_allocate(&ring3_spans, size, RING3_CHUNK, dirty);
    if (span)
        ring3_span_set_class(span, class);
    return span;
}

void ring3_span_give(void *span)
{
    ring3_span_set_class(span, 0);
    (void)ring3_arenas_release(ring3_pages_owner(&ring3_heap_pages, span), span);
}

/* --- Huge pages ------------------------------------------------------------------------------ */

/* A small heap has few pages to translate, and a huge page would be a large part of it. */
#define HUGE_FROM ((size_t)32 << 20)
/* What is nine tenths full grows little by becoming one. Source: Hunter and others, "Beyond malloc
 * efficiency to fleet efficiency", 2021: huge pages where they are filled. */
#define HUGE_PERCENT 90
/* Looks at a time: each costs some microseconds, a collapse a copy of 2 MiB. */
#define HUGE_AT_ONCE 8

bool ring3_spans_huge_off;

/* Only the reclaimer comes here. Pages that others give back meanwhile become resident again at
 * worst, and go the next time. */
void ring3_spans_collapse(void)
{
    static size_t next; /* offset into the first region */
    static bool missing;
    const struct arena *const arena = &ring3_spans.arenas[0];
    const size_t ready = ring3_load(&arena->ready, RING3_RELAXED);

    if (ring3_spans_huge_off || missing || ready < HUGE_FROM ||
        ready - ring3_load(&arena->free, RING3_RELAXED) < HUGE_FROM)
        return;
    for (int looks = 0; looks < HUGE_AT_ONCE; looks++) {
        int result;

        if (next + RING3_HUGE_PAGE > ready)
            next = 0;
        result = ring3_pages_collapse(arena->region->base + next, HUGE_PERCENT);
        missing = result == -ENOTSUP;
        if (missing || result == -EAGAIN)
            return;
        next += RING3_HUGE_PAGE;
    }
}

/* --- The placement that arenas.c asks --------------------------------------------------------- */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static size_t buddy_bytes(size_t capacity)
{
    return round_up(ring3_buddy_control_size(capacity, RING3_CHUNK, RING3_BUDDY_LINKS_APART),
                    RING3_CACHE_LINE);
}

static size_t place_bytes(size_t capacity)
{
    return round_up((capacity >> RING3_CHUNK_SHIFT) * sizeof(uint16_t), RING3_CACHE_LINE);
}

static size_t run_bytes(size_t capacity)
{
    return round_up((capacity >> RING3_CHUNK_SHIFT) * sizeof(uint32_t), RING3_CACHE_LINE);
}

static size_t control_size(size_t capacity)
{
    return buddy_bytes(capacity) + place_bytes(capacity) + run_bytes(capacity) +
           (capacity >> RING3_CHUNK_SHIFT) * sizeof(struct slab);
}

static int start(void **floor, void *control, void *memory, size_t capacity, size_t ready)
{
    char *const places = (char *)control + buddy_bytes(capacity);
    char *const runs = places + place_bytes(capacity);
    struct span_region *region = ring3_span_regions;
    const int err = ring3_buddy_init((ring3_buddy_t **)floor, control, memory, capacity, ready,
                                     RING3_CHUNK, RING3_BUDDY_LINKS_APART);

    if (err)
        return err;
    while (region->size)
        region++;
    ring3_store(&region->base, (uintptr_t)memory, RING3_RELAXED);
    region->places = (uint16_t *)(void *)places;
    region->runs = (uint32_t *)(void *)runs;
    region->slabs = (struct slab *)(void *)(runs + run_bytes(capacity));
    /* Pairs with the acquire in span_region_size. */
    ring3_store(&region->size, capacity, RING3_RELEASE);
    return 0;
}

static size_t wanted(const void *floor, size_t ready, size_t size, size_t alignment)
{
    return placement_buddy_wanted(floor, ready, placement_buddy_block(size, alignment, RING3_CHUNK),
                                  alignment);
}

/* The length of the run that starts at `p`, to be read or written; or NULL if none does. */
static uint32_t *run_at(const void *p)
{
    const struct span_region *const region = ring3_span_region(p);
    const uintptr_t offset = region ? (uintptr_t)p - region->base : 1;
    uint32_t *const run = region ? &region->runs[offset >> RING3_CHUNK_SHIFT] : NULL;

    return offset % RING3_CHUNK == 0 && *run ? run : NULL;
}

static size_t run_length(const uint32_t *run)
{
    return (size_t)*run << RING3_CHUNK_SHIFT;
}

static void *allocate(void *floor, size_t size, size_t alignment, size_t *dirty)
{
    void *const span = placement_buddy_allocate_run(floor, size, alignment, RING3_CHUNK, dirty);

    if (span) {
        const struct span_region *const region = ring3_span_region(span);

        region->runs[((uintptr_t)span - region->base) >> RING3_CHUNK_SHIFT] =
            (uint32_t)(round_up(size ? size : 1, RING3_CHUNK) >> RING3_CHUNK_SHIFT);
    }
    return span;
}

static int release(void *floor, void *span)
{
    uint32_t *const run = run_at(span);
    int err;

    if (!run)
        return -EINVAL;
    err = ring3_buddy_resize_run(floor, span, run_length(run), 0);
    if (!err)
        *run = 0;
    return err;
}

static int resize(void *floor, void *span, size_t size)
{
    uint32_t *const run = run_at(span);
    int err;

    if (!run)
        return -EINVAL;
    err = ring3_buddy_resize_run(floor, span, run_length(run), size);
    if (!err)
        *run = (uint32_t)(round_up(size, RING3_CHUNK) >> RING3_CHUNK_SHIFT);
    return err;
}

static size_t usable(const void *floor, const void *span)
{
    const uint32_t *const run = run_at(span);

    (void)floor;
    return run ? run_length(run) : 0;
}

/* A run is one block of the buddy or several; its length stands at the first. */
static void *covering(const void *floor, const void *p)
{
    const struct span_region *const region = ring3_span_region(p);
    char *at = ring3_buddy_covering(floor, p);

    while (at && !run_at(at))
        at = (uintptr_t)at > region->base ? at - RING3_CHUNK : NULL;
    return at && (uintptr_t)p - (uintptr_t)at < run_length(run_at(at)) ? at : NULL;
}

static void visit_block(void *start_of, size_t length, bool in_use, void *context)
{
    const struct ring3_walk *const to = context;
    const uint32_t *const run = in_use ? run_at(start_of) : NULL;

    if (run)
        to->visit(start_of, run_length(run), true, to->context);
    else if (!in_use)
        to->visit(start_of, length, false, to->context);
}

static void for_each(const void *floor, ring3_malloc_visit_t *visit, void *context)
{
    struct ring3_walk to = {visit, context};

    ring3_buddy_for_each(floor, visit_block, &to);
}

static const struct ring3_placement placement = {
    .region = REGION,
    .largest = LARGEST,
    .control_size = control_size,
    .start = start,
    .extend = placement_buddy_extend,
    .wanted = wanted,
    .allocate = allocate,
    .release = release,
    .resize = resize,
    .usable = usable,
    .covering = covering,
    .free_bytes = placement_buddy_free_bytes,
    .for_each_idle = placement_buddy_for_each_idle,
    .for_each = for_each,
    .statistics = placement_buddy_statistics,
};

static struct arena arenas[RING3_PAGES_REGIONS];
struct ring3_arenas ring3_spans = {.placement = &placement, .arenas = arenas};
