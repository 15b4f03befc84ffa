/* SPDX-License-Identifier: MIT */
/*
 * libring3-malloc.so: libc's names for the allocator. Every name under which glibc exports an
 * allocation function is here, so that no block can reach the free of another allocator.
 */
#include "ring3/malloc.h"

#include "cache.h"
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC void *malloc(size_t size)
{
    void *const cached = ring3_cache_take(size);

    return __builtin_expect(cached != NULL, 1) ? cached : ring3_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
    return ring3_calloc(count, size);
}

PUBLIC void *realloc(void *block, size_t size)
{
    return ring3_realloc(block, size);
}

PUBLIC void *reallocarray(void *block, size_t count, size_t size)
{
    return ring3_reallocarray(block, count, size);
}

PUBLIC void free(void *block)
{
    if (!ring3_cache_give(block))
        ring3_free(block);
}

void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

PUBLIC void cfree(void *block)
{
    ring3_free(block);
}

PUBLIC void free_sized(void *block, size_t size)
{
    ring3_free_sized(block, size);
}

PUBLIC void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    ring3_free_aligned_sized(block, alignment, size);
}

PUBLIC int posix_memalign(void **block, size_t alignment, size_t size)
{
    return ring3_posix_memalign(block, alignment, size);
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
    return ring3_aligned_alloc(alignment, size);
}

PUBLIC void *memalign(size_t alignment, size_t size)
{
    return ring3_memalign(alignment, size);
}

PUBLIC void *valloc(size_t size)
{
    return ring3_valloc(size);
}

PUBLIC void *pvalloc(size_t size)
{
    return ring3_pvalloc(size);
}

PUBLIC size_t malloc_usable_size(void *block)
{
    return ring3_malloc_usable_size(block);
}

/* --- glibc's own names ----------------------------------------------------------------------- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_reallocarray(void *block, size_t count, size_t size);
void __libc_free(void *block);
void __libc_cfree(void *block);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __posix_memalign(void **block, size_t alignment, size_t size);
int __libc_mallopt(int parameter, int value);
struct mallinfo __libc_mallinfo(void);

PUBLIC void *__libc_malloc(size_t size)
{
    return ring3_malloc(size);
}

PUBLIC void *__libc_calloc(size_t count, size_t size)
{
    return ring3_calloc(count, size);
}

PUBLIC void *__libc_realloc(void *block, size_t size)
{
    return ring3_realloc(block, size);
}

PUBLIC void *__libc_reallocarray(void *block, size_t count, size_t size)
{
    return ring3_reallocarray(block, count, size);
}

PUBLIC void __libc_free(void *block)
{
    ring3_free(block);
}

PUBLIC void __libc_cfree(void *block)
{
    ring3_free(block);
}

PUBLIC void *__libc_memalign(size_t alignment, size_t size)
{
    return ring3_memalign(alignment, size);
}

PUBLIC void *__libc_valloc(size_t size)
{
    return ring3_valloc(size);
}

PUBLIC void *__libc_pvalloc(size_t size)
{
    return ring3_pvalloc(size);
}

PUBLIC int __posix_memalign(void **block, size_t alignment, size_t size)
{
    return ring3_posix_memalign(block, alignment, size);
}

/* --- Settings and statistics ----------------------------------------------------------------- */

/* What is kept free at the top of the heap (`pad`) has no counterpart here. */
PUBLIC int malloc_trim(size_t pad)
{
    (void)pad;
    return ring3_malloc_trim();
}

/* M_TRIM_THRESHOLD and M_TOP_PAD have a meaning here; the others are accepted, as they only tune
 * glibc's own structures. */
PUBLIC int mallopt(int parameter, int value)
{
    const size_t bytes = value > 0 ? (size_t)value : 0;

    switch (parameter) {
    case M_TRIM_THRESHOLD:
        ring3_malloc_tune(bytes, 0);
        return 1;
    case M_TOP_PAD:
        ring3_malloc_tune(0, bytes);
        return 1;
    case M_MXFAST:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1;
    default:
        return 0;
    }
}

PUBLIC int __libc_mallopt(int parameter, int value)
{
    return mallopt(parameter, value);
}

/* Our heap is one kind of space, in glibc's terms the main arena: blocks in use, and holes. */
PUBLIC struct mallinfo2 mallinfo2(void)
{
    ring3_malloc_statistics_t now;

    ring3_malloc_statistics(&now);
    return (struct mallinfo2){
        .arena = now.used + now.free,
        .ordblks = now.holes,
        .uordblks = now.used,
        .fordblks = now.free,
        .keepcost = now.largest,
    };
}

/* The fields of the old structure are int; glibc lets them wrap, we let them stop at the end. */
static int clamped(size_t n)
{
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

PUBLIC struct mallinfo __libc_mallinfo(void)
{
    const struct mallinfo2 now = mallinfo2();

    return (struct mallinfo){
        .arena = clamped(now.arena),
        .ordblks = clamped(now.ordblks),
        .uordblks = clamped(now.uordblks),
        .fordblks = clamped(now.fordblks),
        .keepcost = clamped(now.keepcost),
    };
}

PUBLIC struct mallinfo mallinfo(void)
{
    return __libc_mallinfo();
}

PUBLIC void malloc_stats(void)
{
    ring3_malloc_statistics_t now;
    char text[512];
    int length;

    ring3_malloc_statistics(&now);
    length = snprintf(text, sizeof text,
                      "ring3 malloc, policy %s\n"
                      "system bytes     = %10zu\n"
                      "in use bytes     = %10zu in %zu blocks\n"
                      "free bytes       = %10zu in %zu holes, largest %zu\n"
                      "calls            = %10" PRIu64 " allocations, %" PRIu64 " releases\n",
                      ring3_malloc_policy(), now.committed, now.used, now.blocks, now.free,
                      now.holes, now.largest, now.allocations, now.releases);
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        return;
}

PUBLIC int malloc_info(int options, FILE *stream)
{
    ring3_malloc_statistics_t now;

    if (options != 0)
        return EINVAL;
    ring3_malloc_statistics(&now);
    fprintf(stream,
            "<malloc version=\"1\">\n"
            "<heap nr=\"0\" policy=\"%s\">\n"
            "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
            "<total type=\"used\" count=\"%zu\" size=\"%zu\"/>\n"
            "<system type=\"current\" size=\"%zu\"/>\n"
            "<aspace type=\"total\" size=\"%zu\"/>\n"
            "<aspace type=\"mprotect\" size=\"%zu\"/>\n"
            "</heap>\n"
            "</malloc>\n",
            ring3_malloc_policy(), now.holes, now.free, now.blocks, now.used, now.committed,
            now.reserved, now.committed);
    return 0;
}
