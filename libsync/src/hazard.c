/* SPDX-License-Identifier: MIT */
/* Freeing what nobody protects: see ring3/hazard.h. */
#include "ring3/hazard.h"

#include "reader.h"

/*
 * One set per process: any context may protect what any other retires.
 *
 * retired   a stack: pushed by compare-and-swap, taken whole by exchange
 * count     how many were pushed and not freed
 * due       scan when `count` reaches this
 */
static ring3_retired_t *retired;
static long count, due;

/* Fewer scans cost less, and keep more memory back. */
#define SCAN_MIN 64

static void push(ring3_retired_t *first, ring3_retired_t *last)
{
    ring3_retired_t *top = ring3_load(&retired, RING3_RELAXED);

    do
        last->next = top;
    /* Pairs with the acquire in scan. */
    while (!ring3_cas_weak(&retired, &top, first, RING3_RELEASE));
}

/*
 * Marks objects that a slot protects. A Bloom filter of two bits per pointer keeps the cost per
 * object constant; who is kept back by mistake is freed by a later scan, because the filter's
 * factor changes from scan to scan.
 */
struct filter {
    uint64_t factor, bits[64];
};

static uint32_t place_of(const struct filter *filter, const void *object)
{
    return (uint32_t)((uint64_t)(uintptr_t)object * filter->factor >> 40);
}

static bool marked(const struct filter *filter, const void *object)
{
    const uint32_t place = place_of(filter, object), a = place & 4095, b = place >> 12;

    return (filter->bits[a / 64] >> a % 64 & 1) != 0 && (filter->bits[b / 64] >> b % 64 & 1) != 0;
}

/* How many slots there are in use. */
static long mark_protected(struct filter *filter)
{
    long slots = 0;

    ring3_reader_for_each(reader, run)
    {
        if (ring3_load(&reader->id, RING3_RELAXED) == 0)
            continue;
        for (int i = 0; i < RING3_READER_HAZARDS; i++) {
            /* Pairs with the releases in ring3_hazard_set and ring3_hazard_clear. */
            const void *const object = ring3_load(&reader->hazard[i], RING3_ACQUIRE);

            if (object) {
                const uint32_t place = place_of(filter, object), a = place & 4095, b = place >> 12;

                filter->bits[a / 64] |= UINT64_C(1) << a % 64;
                filter->bits[b / 64] |= UINT64_C(1) << b % 64;
                slots++;
            }
        }
    }
    return slots;
}

static void scan(void)
{
    static uint64_t seed;
    struct filter filter = {.bits = {0}};
    /* Pairs with the release in push. */
    ring3_retired_t *left = ring3_exchange(&retired, (ring3_retired_t *)NULL, RING3_ACQUIRE);
    ring3_retired_t *kept = NULL, *last = NULL;
    long freed = 0;

    filter.factor =
        ring3_fetch_add(&seed, UINT64_C(0x9E3779B97F4A7C16), RING3_RELAXED) * 2 | 0x9E3779B1;
    /* Pairs with the light fence in ring3_hazard_set. */
    ring3_fence_patient();
    ring3_store(&due, 2 * mark_protected(&filter) + SCAN_MIN, RING3_RELAXED);
    while (left) {
        ring3_retired_t *const next = left->next;

        if (marked(&filter, left->object)) {
            left->next = kept;
            kept = left;
            last = last ? last : left;
        } else {
            left->done(left->object);
            freed++;
        }
        left = next;
    }
    if (kept)
        push(kept, last);
    (void)ring3_fetch_sub(&count, freed, RING3_RELAXED);
}

void ring3_hazard_retire(ring3_retired_t *node, void *object, void (*done)(void *object))
{
    node->object = object;
    node->done = done;
    push(node, node);

    const long now = ring3_fetch_add(&count, 1, RING3_RELAXED) + 1;
    const long limit = ring3_load(&due, RING3_RELAXED);

    if (now < (limit > SCAN_MIN ? limit : SCAN_MIN))
        return;
    /* One scan at a time is enough. */
    ring3_store(&due, now + SCAN_MIN, RING3_RELAXED);
    scan();
}

long ring3_hazard_flush(void)
{
    scan();
    return ring3_load(&count, RING3_RELAXED);
}
