/* SPDX-License-Identifier: MIT */
/*
 * Where do the holes come from? The same requests under each rule of placement, in 4 MiB, and what
 * the memory looks like then.
 *
 * The classic three conditions for fragmentation are different lifetimes, different sizes, and
 * blocks that cannot move. `mixed` has all three; each of the others lacks one.
 */
#include "ring3_bench.h"

#include "ring3/buddy.h"
#include "ring3/fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 4 << 20, FULL = MEMORY / 5 * 4, SLOTS = 60000, REQUESTS = 400000, BUDDY = 4 };

struct workload {
    int rule;
    size_t fixed;   /* size of every block, or 0: different sizes */
    bool in_order;  /* last in, first out */
    bool compacted; /* blocks can move: the memory is compacted before it is looked at */
};

/* One heap under a rule: RING3_FIT_* or BUDDY. */
struct heap {
    const struct workload *workload;
    int rule;
    void *control;
    char *memory;
    ring3_fit_t *fit;
    ring3_buddy_t *buddy;
    uint64_t random, refused;
    size_t live, sizes[SLOTS];
    void *blocks[SLOTS];
};

static uint64_t draw(struct heap *heap)
{
    uint64_t x = heap->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return heap->random = x;
}

static void start(struct heap *heap)
{
    if (heap->rule == BUDDY) {
        memset(heap->control, 0, ring3_buddy_control_size(MEMORY, 32, 0));
        (void)ring3_buddy_init(&heap->buddy, heap->control, heap->memory, MEMORY, MEMORY, 32, 0);
    } else {
        memset(heap->control, 0, ring3_fit_control_size(MEMORY));
        (void)ring3_fit_init(&heap->fit, heap->control, heap->memory, MEMORY, MEMORY,
                             (ring3_fit_order_t)heap->rule);
    }
}

static void *setup(const struct ring3_bench *bench, int threads, int64_t param)
{
    const struct workload *const workload = bench->context;
    struct heap *const heap = calloc(1, sizeof *heap);

    (void)threads;
    (void)param;
    heap->workload = workload;
    heap->rule = workload->rule;
    heap->random = 0x9e3779b97f4a7c15;
    heap->control = malloc(MEMORY);
    heap->memory = aligned_alloc(MEMORY, MEMORY);
    memset(heap->memory, 0, MEMORY);
    start(heap);
    return heap;
}

static void teardown(void *shared)
{
    struct heap *const heap = shared;

    free(heap->control);
    free(heap->memory);
    free(heap);
}

static void give(struct heap *heap, size_t slot)
{
    if (heap->rule == BUDDY)
        (void)ring3_buddy_release(heap->buddy, heap->blocks[slot]);
    else
        (void)ring3_fit_release(heap->fit, heap->blocks[slot]);
    heap->blocks[slot] = NULL;
    heap->live -= heap->sizes[slot];
}

static void take(struct heap *heap, size_t slot, size_t size)
{
    heap->sizes[slot] = size;
    heap->blocks[slot] = heap->rule == BUDDY ? ring3_buddy_allocate(heap->buddy, size, NULL)
                                             : ring3_fit_allocate(heap->fit, size, 16, NULL);
    if (heap->blocks[slot])
        heap->live += size;
    else
        heap->refused++;
}

/* Small ones are frequent: each doubling from 16 bytes to 4 KiB is half as frequent as the one
 * below it. */
static size_t any_size(struct heap *heap)
{
    const uint64_t r = draw(heap);
    const size_t smallest = (size_t)16 << __builtin_ctzll(r | 1u << 8);

    return smallest + (size_t)(r >> 32) % smallest;
}

/* What cannot move stays; what can is put down again, one behind the other. */
static void compact(struct heap *heap)
{
    start(heap);
    heap->live = 0;
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (heap->blocks[slot])
            take(heap, slot, heap->sizes[slot]);
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void look(struct ring3_bench_thread *t, struct heap *heap)
{
    size_t holes = 0, largest, free_bytes, asked, given;
    double search = 1;

    if (heap->rule == BUDDY) {
        ring3_buddy_statistics_t now;

        ring3_buddy_statistics(heap->buddy, &now);
        for (int order = 0; order < RING3_BUDDY_ORDERS; order++)
            holes += now.free_blocks[order];
        largest = now.largest;
        free_bytes = now.free;
        asked = now.asked;
        given = now.given;
    } else {
        ring3_fit_statistics_t now;

        ring3_fit_statistics(heap->fit, &now);
        holes = now.holes;
        largest = now.largest;
        free_bytes = now.free;
        asked = now.asked;
        given = now.given;
        search = now.searches ? (double)now.looked / (double)now.searches : 0;
    }
    ring3_bench_count(t, "holes", (double)holes);
    ring3_bench_count(t, "external_percent",
                      percent((double)(free_bytes - largest), (double)free_bytes));
    ring3_bench_count(t, "internal_percent", percent((double)(given - asked), (double)given));
    ring3_bench_count(t, "search", search);
    ring3_bench_count(t, "refused", (double)heap->refused);
}

/* A fixed number of requests, so that the memory is in the same state in every run. */
static void body(struct ring3_bench_thread *t)
{
    struct heap *const heap = t->shared;
    const struct workload *const workload = heap->workload;
    size_t top = 0;

    for (int i = 0; i < REQUESTS; i++, t->ops++) {
        const bool full = heap->live > FULL;
        size_t slot = (size_t)(draw(heap) % SLOTS);

        if (workload->in_order)
            slot = full || top == SLOTS || (top && draw(heap) % 5 < 2) ? --top : top++;
        if (heap->blocks[slot])
            give(heap, slot);
        else if (!full)
            take(heap, slot, workload->fixed ? workload->fixed : any_size(heap));
    }
    if (workload->compacted)
        compact(heap);
    look(t, heap);
}

static const struct {
    const char *name;
    struct workload workload;
} kinds[] = {
    {"mixed", {0}},
    {"one-size", {.fixed = 120}},
    {"last-in-first-out", {.in_order = true}},
    {"movable", {.compacted = true}},
};
static const char *const rules[] = {"first-fit", "best-fit", "next-fit", "worst-fit", "buddy"};

enum { KINDS = sizeof kinds / sizeof kinds[0], RULES = sizeof rules / sizeof rules[0] };

_Static_assert(RING3_FIT_FIRST == 0 && RING3_FIT_BEST == 1 && RING3_FIT_NEXT == 2 &&
                   RING3_FIT_WORST == 3 && RULES == BUDDY + 1,
               "rules[] names them in their order");

__attribute__((constructor)) static void enter_all(void)
{
    static struct ring3_bench benches[KINDS][RULES];
    static struct workload workloads[KINDS][RULES];
    static char names[KINDS][RULES][64];

    for (int kind = 0; kind < KINDS; kind++)
        for (int rule = 0; rule < RULES; rule++) {
            snprintf(names[kind][rule], sizeof names[kind][rule], "placement/%s/%s",
                     kinds[kind].name, rules[rule]);
            workloads[kind][rule] = kinds[kind].workload;
            workloads[kind][rule].rule = rule;
            benches[kind][rule] = (struct ring3_bench){
                .name = names[kind][rule],
                .body = body,
                .setup = setup,
                .teardown = teardown,
                .context = &workloads[kind][rule],
            };
            ring3_bench_register(&benches[kind][rule]);
        }
}
