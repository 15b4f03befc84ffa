/* SPDX-License-Identifier: MIT */
/*
 * The malloc family over the policy that serves: argument rules, errno, and the recognition of
 * pointers that are not ours. Source: ISO C23 section 7.24.3; POSIX.1-2024 malloc, posix_memalign.
 *
 * What lies below reports by result and leaves errno alone, so free and a successful malloc do too.
 *
 * A block's way back: the chunk table names the owner of its 64 KiB chunk in O(1), and the owner's
 * policy verifies the rest.
 */
#include "ring3/malloc.h"

#include "cache.h"
#include "front.h"
#include "misuse.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define LIKELY(claim)     __builtin_expect(!!(claim), 1)

#define NATURAL_ALIGNMENT 16

/* --- Allocation ------------------------------------------------------------------------------ */

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *allocate(size_t size, size_t alignment, size_t *dirty)
{
    const struct ring3_policy *policy = ring3_front();
    void *block;

    if (size > PTRDIFF_MAX)
        return out_of_memory();
    if (!policy)
        policy = ring3_front_start();
    block = policy->allocate(policy->heap, size, alignment, dirty);
    return LIKELY(block) ? block : out_of_memory();
}

void *ring3_malloc(size_t size)
{
    void *const cached = ring3_cache_take(size);
    size_t dirty;

    return LIKELY(cached) ? cached : allocate(size, NATURAL_ALIGNMENT, &dirty);
}

void *ring3_calloc(size_t count, size_t size)
{
    size_t bytes, dirty;
    void *block;

    if (__builtin_mul_overflow(count, size, &bytes))
        return out_of_memory();
    block = ring3_cache_take(bytes);
    dirty = bytes;
    if (!LIKELY(block)) {
        block = allocate(bytes, NATURAL_ALIGNMENT, &dirty);
        if (!block)
            return NULL;
    }
    return memset(block, 0, dirty);
}

static bool power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

static void *allocate_aligned(size_t alignment, size_t size)
{
    size_t dirty;

    if (!power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(size, alignment > NATURAL_ALIGNMENT ? alignment : NATURAL_ALIGNMENT, &dirty);
}

void *ring3_aligned_alloc(size_t alignment, size_t size)
{
    return allocate_aligned(alignment, size);
}

void *ring3_memalign(size_t alignment, size_t size)
{
    return allocate_aligned(alignment, size);
}

int ring3_posix_memalign(void **block, size_t alignment, size_t size)
{
    const int saved = errno;
    void *fresh;

    if (!power_of_two(alignment) || alignment % sizeof(void *))
        return EINVAL;
    fresh = allocate_aligned(alignment, size);
    errno = saved;
    if (!fresh)
        return ENOMEM;
    *block = fresh;
    return 0;
}

void *ring3_valloc(size_t size)
{
    return allocate_aligned(ring3_pages_size(), size);
}

void *ring3_pvalloc(size_t size)
{
    const size_t page = ring3_pages_size();

    if (size > PTRDIFF_MAX)
        return out_of_memory();
    return allocate_aligned(page, size ? (size + page - 1) & ~(page - 1) : page);
}

/* --- Release --------------------------------------------------------------------------------- */

static void *owner_of(const void *block)
{
    return ring3_pages_owner(&ring3_heap_pages, block);
}

static void release(const char *call, void *block)
{
    void *const owner = owner_of(block);
    const struct ring3_policy *const policy = ring3_front();
    int err;

    if (!LIKELY(owner))
        ring3_misuse(call, block, policy, NULL, 0);
    err = policy->release(owner, block);
    if (!LIKELY(!err))
        ring3_misuse(call, block, policy, owner, err);
}

void ring3_free(void *block)
{
    if (LIKELY(ring3_cache_give(block)))
        return;
    if (block)
        release("free", block);
}

static size_t usable_size(const char *call, const void *block)
{
    void *const owner = owner_of(block);
    const struct ring3_policy *const policy = ring3_front();
    size_t usable;

    if (!LIKELY(owner))
        ring3_misuse(call, block, policy, NULL, 0);
    usable = policy->usable(owner, block);
    if (!usable)
        ring3_misuse(call, block, policy, owner, 0);
    return usable;
}

size_t ring3_malloc_usable_size(const void *block)
{
    return block ? usable_size("malloc_usable_size", block) : 0;
}

static void release_sized(const char *call, void *block, size_t size)
{
    const size_t usable = usable_size(call, block);

    if (size > usable || (ring3_front()->exact && size < usable && usable > 1))
        ring3_misuse_size(call, block, usable, size);
    release(call, block);
}

void ring3_free_sized(void *block, size_t size)
{
    if (block)
        release_sized("free_sized", block, size);
}

void ring3_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    if (block)
        release_sized("free_aligned_sized", block, size);
}

/* --- Change of size -------------------------------------------------------------------------- */

/* 0 if the block has the new size where it stands, -ENOMEM if it must move. */
static int resize_in_place(const char *call, void *block, size_t size)
{
    void *const owner = owner_of(block);
    const struct ring3_policy *const policy = ring3_front();
    int err;

    if (!LIKELY(owner))
        ring3_misuse(call, block, policy, NULL, 0);
    err = policy->resize(owner, block, size);
    if (err && err != -ENOMEM)
        ring3_misuse(call, block, policy, owner, err);
    return err;
}

static void *resize(const char *call, void *block, size_t size)
{
    size_t dirty, usable;
    void *moved;

    if (!block)
        return ring3_malloc(size);
    if (size == 0) {
        release(call, block);
        return NULL;
    }
    if (size > PTRDIFF_MAX) {
        (void)usable_size(call, block);
        return out_of_memory();
    }
    if (resize_in_place(call, block, size) == 0)
        return block;
    moved = allocate(size, NATURAL_ALIGNMENT, &dirty);
    if (!moved)
        return NULL;
    usable = usable_size(call, block);
    memcpy(moved, block, usable < size ? usable : size);
    release(call, block);
    return moved;
}

void *ring3_realloc(void *block, size_t size)
{
    return resize("realloc", block, size);
}

void *ring3_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return out_of_memory();
    return resize("reallocarray", block, bytes);
}

/* --- The heap as a whole --------------------------------------------------------------------- */

static const struct ring3_policy *policy_now(void)
{
    const struct ring3_policy *const policy = ring3_front();

    return policy ? policy : ring3_front_start();
}

bool ring3_malloc_trim(void)
{
    const struct ring3_policy *const policy = policy_now();

    return policy->trim(policy->heap) > 0;
}

void ring3_malloc_tune(size_t retain, size_t step)
{
    const struct ring3_policy *const policy = policy_now();

    policy->tune(policy->heap, retain, step);
}

void ring3_malloc_statistics(ring3_malloc_statistics_t *statistics)
{
    const struct ring3_policy *const policy = policy_now();

    *statistics = (ring3_malloc_statistics_t){0};
    policy->statistics(policy->heap, statistics);
}

void ring3_malloc_walk(ring3_malloc_visit_t *visit, void *context)
{
    const struct ring3_policy *const policy = policy_now();

    policy->walk(policy->heap, visit, context);
}
