/* SPDX-License-Identifier: MIT */
/*
 * Pages: address space reserved in large pieces, committed as it is needed, purged when it is not,
 * and a table that tells whose each 64 KiB chunk is.
 *
 *     static ring3_pages_t pages;
 *     ring3_region_t *region;
 *     int err = ring3_pages_reserve(&pages, (size_t)16 << 30, (size_t)1 << 20, &region);
 *     err = ring3_pages_commit(region, region->base, RING3_CHUNK, owner);
 *     … ring3_pages_owner(&pages, some_pointer) == owner …
 *
 * A reservation costs address space only. Where that is limited (RLIMIT_AS), ring3_pages_reserve
 * takes a part of what is left instead of all it was asked for, so that thread stacks and mapped
 * files still find room; the caller comes back for more. Up to RING3_PAGES_REGIONS reservations
 * make up one ring3_pages_t. An all-zero ring3_pages_t is empty and ready.
 *
 * ring3_pages_owner takes no lock and may run beside everything else, in signal handlers too. The
 * other calls change a ring3_pages_t and need the caller's lock. After fork parent and child each
 * own their copy. Functions return 0 or a negative errno; errno itself is left alone.
 *
 * Sources: mmap(2), mprotect(2), madvise(2), Documentation/mm/overcommit-accounting.rst: a
 * PROT_NONE mapping is charged to nobody, so strict overcommit counts committed memory only.
 */
#ifndef RING3_PAGES_H
#define RING3_PAGES_H

#include "ring3/api.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_CHUNK_SHIFT   16
#define RING3_CHUNK         ((size_t)1 << RING3_CHUNK_SHIFT)
#define RING3_PAGES_REGIONS 64

/** One reservation. Fields are read-only to callers. */
typedef struct ring3_region {
    char *base;    /* aligned to the chunk, and to `size` if that is the wish and a power of two */
    size_t size;   /* bytes, a multiple of the chunk */
    void **owners; /* one per chunk; NULL: nobody's */
} ring3_region_t;

typedef struct ring3_pages {
    ring3_region_t regions[RING3_PAGES_REGIONS];
    uint32_t count;
} ring3_pages_t;

/** The size of the system's pages in bytes (4 to 64 KiB), a power of two. */
size_t ring3_pages_size(void);

/**
 * Reserve address space.
 *
 * @param wish   bytes wanted; where that much is free, the region is aligned to it if it is a power
 *               of two
 * @param least  bytes without which the caller cannot go on
 * @return 0; -ENOMEM when not even `least` is to be had; -ENOSPC when all regions are taken
 */
int ring3_pages_reserve(ring3_pages_t *pages, size_t wish, size_t least, ring3_region_t **region);

/**
 * Make [start, start + length) readable, writable and zero, and enter `owner` for its chunks.
 * Rounded outwards to whole pages, the owner to whole chunks.
 *
 * @return 0 or -ENOMEM (limits, strict overcommit); nothing has changed then
 */
int ring3_pages_commit(ring3_region_t *region, void *start, size_t length, void *owner);

/**
 * Give the memory of the whole pages inside [start, start + length) back to the system. They stay
 * committed, and read as zero. Returns the bytes given back.
 */
size_t ring3_pages_purge(void *start, size_t length);

/** The huge page of a system whose pages have 4 KiB. */
#define RING3_HUGE_PAGE ((size_t)2 << 20)

/**
 * Let one huge page back [start, start + RING3_HUGE_PAGE), aligned to it and committed, if at least
 * `percent` of its pages are resident; the others become so then. Content stays.
 *
 * @return 1 if it is one now; 0 if fewer pages are resident; -ENOTSUP where the system does not do
 *         this (Linux before 6.1, other page sizes, prctl(PR_SET_THP_DISABLE)); -EAGAIN when it has
 *         none to spare
 */
int ring3_pages_collapse(void *start, unsigned percent);

/** Undo a commit: the whole pages inside lose content and access, the whole chunks their owner. */
int ring3_pages_decommit(ring3_region_t *region, void *start, size_t length);

/** The owner of the chunk that holds `p`, or NULL for a pointer into no committed chunk. O(1) with
 * one region; newest first with several. */
static inline void *ring3_pages_owner(const ring3_pages_t *pages, const void *p)
{
    /* Acquire pairs with the release in ring3_pages_reserve: a counted region is filled in. */
    for (uint32_t i = ring3_load(&pages->count, RING3_ACQUIRE); i-- > 0;) {
        const ring3_region_t *const region = &pages->regions[i];
        const uintptr_t offset = (uintptr_t)p - (uintptr_t)region->base;

        /* Relaxed: whoever holds a block got it after its chunk was entered. */
        if (offset < region->size)
            return ring3_load(&region->owners[offset >> RING3_CHUNK_SHIFT], RING3_RELAXED);
    }
    return NULL;
}

RING3_API_END

#endif
