/* SPDX-License-Identifier: MIT */
/*
 * One mapping for each region of the heap (pages.h), made when it is first asked for. A sixteenth of
 * the region's address space; resident where blocks start.
 */
#include "shadow.h"

#include "policy.h"

#include "ring3/atomic.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

static uint8_t *shadows[RING3_PAGES_REGIONS]; /* of the one heap */

static uint8_t *map(uint32_t index, size_t size)
{
    const int saved = errno;
    uint8_t *const fresh = mmap(NULL, size >> SHADOW_SHIFT, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *first = NULL;

    errno = saved;
    if (fresh == MAP_FAILED)
        return NULL;
    /* Release pairs with the acquire in ring3_shadow: who sees the address sees the mapping. */
    if (ring3_cas_try(&shadows[index], &first, fresh, RING3_ACQ_REL))
        return fresh;
    munmap(fresh, size >> SHADOW_SHIFT);
    return first;
}

uint8_t *ring3_shadow(const void *block)
{
    /* Acquire pairs with the release in ring3_pages_reserve: a counted region is filled in. */
    for (uint32_t i = ring3_load(&ring3_heap_pages.count, RING3_ACQUIRE); i-- > 0;) {
        const ring3_region_t *const region = &ring3_heap_pages.regions[i];
        const uintptr_t offset = (uintptr_t)block - (uintptr_t)region->base;
        uint8_t *shadow;

        if (offset >= region->size)
            continue;
        /* Pairs with the release in map. */
        shadow = ring3_load(&shadows[i], RING3_ACQUIRE);
        if (!shadow)
            shadow = map(i, region->size);
        return shadow ? shadow + (offset >> SHADOW_SHIFT) : NULL;
    }
    return NULL;
}

static void visit_chunk(char *chunk, const uint8_t *shadow,
                        void (*visit)(void *block, uint8_t state))
{
    for (size_t i = 0; i < RING3_CHUNK >> SHADOW_SHIFT; i++)
        if (shadow[i])
            visit(chunk + (i << SHADOW_SHIFT), shadow[i]);
}

void ring3_shadow_for_each(void (*visit)(void *block, uint8_t state))
{
    for (uint32_t i = 0; i < ring3_load(&ring3_heap_pages.count, RING3_ACQUIRE); i++) {
        const ring3_region_t *const region = &ring3_heap_pages.regions[i];
        const uint8_t *const shadow = ring3_load(&shadows[i], RING3_RELAXED);

        for (size_t at = 0; shadow && at < region->size; at += RING3_CHUNK)
            if (region->owners[at >> RING3_CHUNK_SHIFT])
                visit_chunk(region->base + at, shadow + (at >> SHADOW_SHIFT), visit);
    }
}
