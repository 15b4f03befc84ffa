/* SPDX-License-Identifier: MIT */
/*
 * Reservations and their chunk tables.
 *
 * Layout of one mapping:  [ base … base + size ) [ owner table: one pointer per chunk )
 *
 * The table is committed at once (8 bytes per 64 KiB, touched only where chunks are in use).
 * Regions are only ever added, so that ring3_pages_owner can read them without a lock.
 *
 * Orders: pages->count is written with release after the region it counts, and read with acquire
 * in ring3_pages_owner. Table entries are relaxed: they travel with the pointers they describe.
 */
#include "ring3/pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where limits cut a wish, we leave three quarters of what was still free to the rest of the
 * program: to its stacks, files and to dlopen. */
#define SHARE_UNDER_LIMITS 4

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Only with pages of this size is a huge page one of 2 MiB. */
#define SMALL_PAGE ((size_t)4096)

/* The most that regions cut by limits are aligned to. */
#define LIMITED_ALIGNMENT ((size_t)4 << 20)

size_t ring3_pages_size(void)
{
    static size_t size; /* the same for the whole life of the process */
    size_t known = ring3_load(&size, RING3_RELAXED);

    if (!known) {
        known = (size_t)sysconf(_SC_PAGESIZE);
        ring3_store(&size, known, RING3_RELAXED);
    }
    return known;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static size_t table_bytes(size_t size)
{
    return round_up((size >> RING3_CHUNK_SHIFT) * sizeof(void *), ring3_pages_size());
}

/* Address space for `size` bytes and their table, the former aligned; or NULL. */
static char *map_aligned(size_t size, size_t alignment)
{
    const size_t whole = size + table_bytes(size);
    const size_t slack = alignment - ring3_pages_size();
    char *const mapped =
        mmap(NULL, whole + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (mapped == MAP_FAILED)
        return NULL;

    char *const base = mapped + (-(uintptr_t)mapped & (alignment - 1));
    char *const end = mapped + whole + slack;

    if (base > mapped)
        munmap(mapped, (size_t)(base - mapped));
    if (end > base + whole)
        munmap(base + whole, (size_t)(end - base) - whole);
    return base;
}

/* The alignment of a region: its own size if the whole wish is granted and that is a power of two,
 * less where address space is short. */
static size_t alignment_for(size_t size, bool limited)
{
    size_t alignment = RING3_CHUNK;

    if (!limited && (size & (size - 1)) == 0)
        return size > RING3_CHUNK ? size : RING3_CHUNK;
    while (limited && alignment < LIMITED_ALIGNMENT && alignment <= size / 8)
        alignment *= 2;
    return alignment;
}

/* As much of `*size` as there is. On success *size tells how much. */
static char *map_what_there_is(size_t *size, size_t least)
{
    const size_t wish = *size;
    size_t part = wish;
    char *base = map_aligned(wish, alignment_for(wish, false));

    while (!base && part > least) {
        part = round_up(part / 2, RING3_CHUNK);
        if (part < least)
            part = least;
        base = map_aligned(part, alignment_for(part, true));
    }
    if (!base || part == wish || part / SHARE_UNDER_LIMITS < least) {
        *size = part;
        return base;
    }
    munmap(base, part + table_bytes(part));
    *size = round_up(part / SHARE_UNDER_LIMITS, RING3_CHUNK);
    return map_aligned(*size, alignment_for(*size, true));
}

int ring3_pages_reserve(ring3_pages_t *pages, size_t wish, size_t least, ring3_region_t **region)
{
    const int saved = errno;
    const uint32_t count = pages->count;
    int err = -ENOMEM;

    if (count == RING3_PAGES_REGIONS)
        return -ENOSPC;
    if (least > SIZE_MAX / 4 || wish > SIZE_MAX / 4)
        return -ENOMEM;
    least = round_up(least ? least : 1, RING3_CHUNK);
    wish = round_up(wish, RING3_CHUNK);
    if (wish < least)
        wish = least;

    char *const base = map_what_there_is(&wish, least);

    if (!base)
        goto out;
    if (mprotect(base + wish, table_bytes(wish), PROT_READ | PROT_WRITE) != 0) {
        munmap(base, wish + table_bytes(wish));
        goto out;
    }
    pages->regions[count] = (ring3_region_t){base, wish, (void **)(void *)(base + wish)};
    /* Pairs with the acquire in ring3_pages_owner. */
    ring3_store(&pages->count, count + 1, RING3_RELEASE);
    *region = &pages->regions[count];
    err = 0;
out:
    errno = saved;
    return err;
}

int ring3_pages_commit(ring3_region_t *region, void *start, size_t length, void *owner)
{
    const int saved = errno;
    const size_t page = ring3_pages_size();
    char *const from = (char *)((uintptr_t)start & ~(page - 1));
    char *const to = (char *)round_up((uintptr_t)start + length, page);

    if (mprotect(from, (size_t)(to - from), PROT_READ | PROT_WRITE) != 0) {
        errno = saved;
        return -ENOMEM;
    }
    if (length > 0) {
        const size_t first = (size_t)(from - region->base) >> RING3_CHUNK_SHIFT;
        const size_t last = (size_t)(to - 1 - region->base) >> RING3_CHUNK_SHIFT;

        /* Looked at first: what is nobody's anyway leaves its page of the table untouched. */
        for (size_t chunk = first; chunk <= last; chunk++)
            if (ring3_load(&region->owners[chunk], RING3_RELAXED) != owner)
                ring3_store(&region->owners[chunk], owner, RING3_RELAXED);
    }
    return 0;
}

size_t ring3_pages_purge(void *start, size_t length)
{
    const int saved = errno;
    const size_t page = ring3_pages_size();
    const uintptr_t from = round_up((uintptr_t)start, page);
    const uintptr_t to = ((uintptr_t)start + length) & ~(page - 1);
    size_t given = 0;

    /* Fails on locked pages (mlockall): they stay, and so does their content. */
    if (from < to && madvise((void *)from, to - from, MADV_DONTNEED) == 0)
        given = to - from;
    errno = saved;
    return given;
}

/* Resident pages of a huge page; 0 if nobody can tell. */
static unsigned resident_pages(void *start)
{
    unsigned char resident[RING3_HUGE_PAGE / SMALL_PAGE];
    unsigned count = 0;

    if (mincore(start, RING3_HUGE_PAGE, resident) != 0)
        return 0;
    for (size_t i = 0; i < sizeof resident; i++)
        count += resident[i] & 1;
    return count;
}

int ring3_pages_collapse(void *start, unsigned percent)
{
    const int saved = errno;
    int result = 0;

    if (ring3_pages_size() != SMALL_PAGE)
        return -ENOTSUP;
    if (resident_pages(start) * 100 >= percent * (RING3_HUGE_PAGE / SMALL_PAGE)) {
        result = 1;
        if (madvise(start, RING3_HUGE_PAGE, MADV_COLLAPSE) != 0)
            result = errno == EINVAL || errno == EPERM ? -ENOTSUP : -EAGAIN;
    }
    errno = saved;
    return result;
}

int ring3_pages_decommit(ring3_region_t *region, void *start, size_t length)
{
    const int saved = errno;
    const size_t page = ring3_pages_size();
    const uintptr_t from = round_up((uintptr_t)start, page);
    const uintptr_t to = ((uintptr_t)start + length) & ~(page - 1);

    if (from >= to)
        return 0;
    if (mmap((void *)from, to - from, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
        errno = saved;
        return -ENOMEM;
    }

    const uintptr_t base = (uintptr_t)region->base;

    for (uintptr_t at = round_up(from - base, RING3_CHUNK); at + RING3_CHUNK <= to - base;
         at += RING3_CHUNK)
        ring3_store(&region->owners[at >> RING3_CHUNK_SHIFT], NULL, RING3_RELAXED);
    return 0;
}
