/* SPDX-License-Identifier: MIT */
/*
 * Two classic claims. Inside of blocks: a buddy wastes up to half of each on sizes that are no power
 * of two, size classes do not. Between blocks: joining free neighbours (coalescing) increases what
 * the largest request may be; it is what tells boundary tags from a free list that never joins.
 */
#include "ring3_bench.h"

#include "ring3/buddy.h"
#include "ring3/fit.h"
#include "ring3/malloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t *random)
{
    uint64_t x = *random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *random = x;
}

static void *memory(size_t bytes)
{
    const size_t whole = (bytes + 4095) & ~(size_t)4095;
    void *const start = aligned_alloc(4096, whole);

    if (!start) {
        fprintf(stderr, "memory: no memory\n");
        exit(1);
    }
    memset(start, 0, whole);
    return start;
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

/* --- Inside of blocks -------------------------------------------------------------------------- */

enum { BYTES = 64 << 20, LIVE = 10000, REQUESTS = 200000 };

struct floor {
    ring3_buddy_t *buddy; /* or */
    ring3_fit_t *fit;     /* or the default malloc */
    void *control, *memory;
};

struct inside {
    int floor; /* 0 buddy, 1 boundary tags, 2 size classes */
    size_t (*size)(uint64_t random);
};

static size_t powers(uint64_t random)
{
    return (size_t)64 << random % 6;
}

/* A header of 24 bytes in front of a power of two. */
static size_t powers_and_header(uint64_t random)
{
    return powers(random) + 24;
}

static size_t uniform(uint64_t random)
{
    return 1 + (size_t)(random % 4096);
}

/* What a kernel asks for: inodes, directory entries, task structures, buffer heads, page tables. */
static size_t kernel(uint64_t random)
{
    static const size_t sizes[] = {104, 192, 192, 192, 600, 632, 1088, 232, 64, 40, 4096, 9792};

    return sizes[random % (sizeof sizes / sizeof sizes[0])];
}

static void *setup_floor(const struct ring3_bench *bench, int threads, int64_t param)
{
    const struct inside *const inside = bench->context;
    struct floor *const floor = calloc(1, sizeof *floor);

    (void)threads;
    (void)param;
    if (inside->floor == 0) {
        floor->control = memory(ring3_buddy_control_size(BYTES, 32, 0));
        floor->memory = memory(BYTES);
        (void)ring3_buddy_init(&floor->buddy, floor->control, floor->memory, BYTES, BYTES, 32, 0);
    } else if (inside->floor == 1) {
        floor->control = memory(ring3_fit_control_size(BYTES));
        floor->memory = memory(BYTES);
        (void)ring3_fit_init(&floor->fit, floor->control, floor->memory, BYTES, BYTES,
                             RING3_FIT_BEST);
    }
    return floor;
}

static void teardown_floor(void *shared)
{
    struct floor *const floor = shared;

    free(floor->control);
    free(floor->memory);
    free(floor);
}

static void *take(struct floor *floor, size_t size, size_t *usable)
{
    void *block;

    if (floor->buddy) {
        block = ring3_buddy_allocate(floor->buddy, size, NULL);
        *usable = ring3_buddy_usable(floor->buddy, block);
    } else if (floor->fit) {
        block = ring3_fit_allocate(floor->fit, size, 16, NULL);
        *usable = ring3_fit_usable(floor->fit, block) + 8; /* and its tag */
    } else {
        block = ring3_malloc(size);
        *usable = ring3_malloc_usable_size(block);
    }
    return block;
}

static void give(struct floor *floor, void *block)
{
    if (floor->buddy)
        (void)ring3_buddy_release(floor->buddy, block);
    else if (floor->fit)
        (void)ring3_fit_release(floor->fit, block);
    else
        ring3_free(block);
}

static void waste_inside(struct ring3_bench_thread *t)
{
    static void *blocks[LIVE];
    struct floor *const floor = t->shared;
    const struct inside *const inside = t->local;
    uint64_t random = 0x9e3779b97f4a7c15;
    double asked = 0, given = 0;

    for (int i = 0; i < REQUESTS; i++, t->ops++) {
        void **const slot = &blocks[draw(&random) % LIVE];
        const size_t size = inside->size(draw(&random) >> 16);
        size_t usable = 0;

        if (*slot)
            give(floor, *slot);
        *slot = take(floor, size, &usable);
        asked += (double)size;
        given += (double)usable;
    }
    for (int i = 0; i < LIVE; i++) {
        if (blocks[i])
            give(floor, blocks[i]);
        blocks[i] = NULL;
    }
    ring3_bench_count(t, "internal_percent", percent(given - asked, given));
}

static const struct {
    const char *name;
    size_t (*size)(uint64_t random);
} sizes[] = {{"powers-of-two", powers},
             {"powers-and-header", powers_and_header},
             {"uniform", uniform},
             {"kernel", kernel}};
static const char *const floors[] = {"buddy", "boundary-tags", "ring3-size-classes"};

enum { SIZES = sizeof sizes / sizeof sizes[0], FLOORS = sizeof floors / sizeof floors[0] };

static struct inside insides[SIZES][FLOORS];
static struct ring3_bench inside_benches[SIZES][FLOORS];

/* The body has no other way to its benchmark than through setup: one thread, so by the last one. */
static const struct inside *now;

static void *setup_inside(const struct ring3_bench *bench, int threads, int64_t param)
{
    now = bench->context;
    return setup_floor(bench, threads, param);
}

static void *which(struct ring3_bench_thread *t)
{
    (void)t;
    return (void *)(uintptr_t)now;
}

__attribute__((constructor)) static void enter_insides(void)
{
    static char names[SIZES][FLOORS][64];

    for (int s = 0; s < SIZES; s++)
        for (int f = 0; f < FLOORS; f++) {
            snprintf(names[s][f], sizeof names[s][f], "inside/%s/%s", sizes[s].name, floors[f]);
            insides[s][f] = (struct inside){f, sizes[s].size};
            inside_benches[s][f] = (struct ring3_bench){
                .name = names[s][f],
                .body = waste_inside,
                .setup = setup_inside,
                .teardown = teardown_floor,
                .thread_setup = which,
                .context = &insides[s][f],
            };
            ring3_bench_register(&inside_benches[s][f]);
        }
}

/* --- Between blocks ---------------------------------------------------------------------------- */

enum { SPAN = 1 << 20, FULL = SPAN / 5 * 4, SLOTS = 8000, TURNS = 30000 };

/* First fit in the order of release, cut from the front, and never joined: Knuth's algorithm A
 * without a second half. */
struct piece {
    size_t size;
    struct piece *next;
};

struct between {
    bool joins;
    ring3_fit_t *fit;
    struct piece *pieces;
    void *control, *memory;
    uint64_t refused;
};

static const bool joins = true, never_joins = false;

static void *setup_between(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct between *const heap = calloc(1, sizeof *heap);

    (void)threads;
    (void)param;
    heap->joins = *(const bool *)bench->context;
    heap->control = memory(ring3_fit_control_size(SPAN));
    heap->memory = memory(SPAN);
    if (heap->joins) {
        (void)ring3_fit_init(&heap->fit, heap->control, heap->memory, SPAN, SPAN, RING3_FIT_FIRST);
    } else {
        heap->pieces = heap->memory;
        *heap->pieces = (struct piece){SPAN, NULL};
    }
    return heap;
}

static void teardown_between(void *shared)
{
    struct between *const heap = shared;

    free(heap->control);
    free(heap->memory);
    free(heap);
}

static size_t rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void *cut(struct between *heap, size_t size)
{
    for (struct piece **at = &heap->pieces; *at; at = &(*at)->next) {
        struct piece *const piece = *at;

        if (piece->size < size)
            continue;
        if (piece->size == size) {
            *at = piece->next;
        } else {
            *at = (struct piece *)(void *)((char *)piece + size);
            **at = (struct piece){piece->size - size, piece->next};
        }
        return piece;
    }
    return NULL;
}

static void put_back(struct between *heap, void *block, size_t size)
{
    struct piece *const piece = block;

    *piece = (struct piece){size, heap->pieces};
    heap->pieces = piece;
}

static void count_holes(struct ring3_bench_thread *t, const struct between *heap)
{
    size_t largest = 0, all = 0, holes = 0;

    if (heap->joins) {
        ring3_fit_statistics_t now_is;

        ring3_fit_statistics(heap->fit, &now_is);
        largest = now_is.largest;
        all = now_is.free;
        holes = now_is.holes;
    }
    for (const struct piece *p = heap->joins ? NULL : heap->pieces; p; p = p->next, holes++) {
        all += p->size;
        largest = p->size > largest ? p->size : largest;
    }
    ring3_bench_count(t, "largest_percent", percent((double)largest, (double)all));
    ring3_bench_count(t, "holes", (double)holes);
    ring3_bench_count(t, "refused", (double)heap->refused);
}

/* Four fifths full, with blocks of 32 to 511 bytes that come and go in no order. */
static void coalesce(struct ring3_bench_thread *t)
{
    static struct {
        void *start;
        size_t size;
    } slots[SLOTS];
    struct between *const heap = t->shared;
    uint64_t random = 0xd1342543de82ef95;
    size_t live = 0;

    for (int i = 0; i < TURNS; i++, t->ops++) {
        const size_t slot = draw(&random) % SLOTS;
        const size_t size = rounded(32 + draw(&random) % 480);

        if (slots[slot].start) {
            if (heap->joins)
                (void)ring3_fit_release(heap->fit, slots[slot].start);
            else
                put_back(heap, slots[slot].start, slots[slot].size);
            live -= slots[slot].size;
            slots[slot].start = NULL;
        }
        if (live + size > FULL)
            continue;
        slots[slot].start =
            heap->joins ? ring3_fit_allocate(heap->fit, size, 16, NULL) : cut(heap, size);
        slots[slot].size = size;
        live += slots[slot].start ? size : 0;
        heap->refused += !slots[slot].start;
    }
    count_holes(t, heap);
    memset(slots, 0, sizeof slots);
}

RING3_BENCH(joined, .name = "coalescing/on", .body = coalesce, .setup = setup_between,
            .teardown = teardown_between, .context = &joins);
RING3_BENCH(never_joined, .name = "coalescing/off", .body = coalesce, .setup = setup_between,
            .teardown = teardown_between, .context = &never_joins);
