/* SPDX-License-Identifier: MIT */
/*
 * Spans: runs of 64 KiB chunks. The floor under slabs and large blocks of the slab policy: a buddy
 * of chunks in arenas (arenas.h), of whose blocks the tail goes back.
 *
 * An arena's control block holds, besides the buddy, for each chunk the place of the size class of
 * the slab or span that starts there (CLASS_PLACE_SHIFT), so that a free finds the magazine with one
 * load; the length of the run that starts there; and a slab descriptor. All of it lies apart from
 * the memory it describes and is touched only where chunks are in use.
 */
#ifndef RING3_SPANS_H
#define RING3_SPANS_H

#include "arenas.h"
#include "classes.h"

#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

struct span_region {
    uintptr_t base;
    size_t size;        /* 0: not there yet. Written last */
    uint16_t *places;   /* per chunk; 0: neither a slab nor a span of a class starts there */
    uint32_t *runs;     /* per chunk: chunks of the run that starts there, or 0. Under the lock */
    struct slab *slabs; /* per chunk */
};

/*
 * The first region serves every program that no limit constrains, so the fast paths look only
 * there. Regions are only added; a region is filled in before a block of it is handed out.
 */
extern struct span_region ring3_span_regions[RING3_PAGES_REGIONS];

/* Whoever sees a size sees the rest of the region. Pairs with the release in spans.c's start. */
static inline size_t span_region_size(const struct span_region *region)
{
    return ring3_load(&region->size, RING3_ACQUIRE);
}

extern struct ring3_arenas ring3_spans;

/* The region that holds p, or NULL. */
const struct span_region *ring3_span_region(const void *p);

/*
 * A span of `size` bytes, which is the size of a chunk or of a class beyond the slabs; or NULL.
 * `dirty` gets the number of bytes at its start that may be other than zero. The thread is inside
 * of its cache, or has none: before the heap grows, the spans in there go back.
 */
void *ring3_span_take(size_t size, unsigned class, size_t *dirty);

/* The class that starts where `p` is into, or 0. */
static inline unsigned span_class(const struct span_region *region, const void *p)
{
    /* Relaxed, here and where it is written: whoever has a pointer into the span got it after. */
    return ring3_load(&region->places[((uintptr_t)p - region->base) >> RING3_CHUNK_SHIFT],
                      RING3_RELAXED) >>
           CLASS_PLACE_SHIFT;
}

void ring3_span_set_class(const void *span, unsigned class);

/* Give a span back. */
void ring3_span_give(void *span);

/*
 * Look at the next few stretches of 2 MiB of the first region: one that is almost full becomes a
 * huge page. Nothing where the heap is small, or huge pages are switched off.
 */
void ring3_spans_collapse(void);

/* Set at once if the user wants none. */
extern bool ring3_spans_huge_off;

#endif
