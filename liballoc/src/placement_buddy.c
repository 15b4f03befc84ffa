/* SPDX-License-Identifier: MIT */
/* A buddy behind the arenas' interface: see placement_buddy.h. */
#include "placement_buddy.h"

#include "ring3/buddy.h"

#define NEVER ((size_t)1 << 62) /* more than any arena holds */

size_t placement_buddy_block(size_t size, size_t alignment, size_t unit)
{
    size = size > alignment ? size : alignment;
    return size <= unit ? unit : (size_t)1 << (64 - __builtin_clzl(size - 1));
}

/* Blocks are aligned as far as the memory is. */
static bool can_align(const void *floor, size_t alignment)
{
    return ((uintptr_t)ring3_buddy_memory(floor) & (alignment - 1)) == 0;
}

size_t placement_buddy_wanted(const void *floor, size_t ready, size_t block, size_t alignment)
{
    if (!floor)
        return block;
    /* The end of the next aligned place for a block that is not wholly there yet. */
    return can_align(floor, alignment) ? (ready + block) & ~(block - 1) : NEVER;
}

void *placement_buddy_allocate(void *floor, size_t block, size_t alignment, size_t unit,
                               size_t *dirty)
{
    if (alignment > unit && !can_align(floor, alignment))
        return NULL;
    return ring3_buddy_allocate(floor, block, dirty);
}

void *placement_buddy_allocate_run(void *floor, size_t size, size_t alignment, size_t unit,
                                   size_t *dirty)
{
    if (alignment > unit && !can_align(floor, alignment))
        return NULL;
    return ring3_buddy_allocate_run(floor, size, alignment, dirty);
}

int placement_buddy_extend(void *floor, size_t ready)
{
    return ring3_buddy_extend(floor, ready);
}

int placement_buddy_release(void *floor, void *block)
{
    return ring3_buddy_release(floor, block);
}

int placement_buddy_resize(void *floor, void *block, size_t size)
{
    return ring3_buddy_resize(floor, block, size);
}

size_t placement_buddy_usable(const void *floor, const void *block)
{
    return ring3_buddy_usable(floor, block);
}

void *placement_buddy_covering(const void *floor, const void *p)
{
    return ring3_buddy_covering(floor, p);
}

size_t placement_buddy_free_bytes(const void *floor)
{
    return ring3_buddy_free_bytes(floor);
}

void placement_buddy_for_each_idle(void *floor, size_t least,
                                   void (*visit)(void *start, size_t length, void *context),
                                   void *context)
{
    ring3_buddy_for_each_idle(floor, least, visit, context);
}

void placement_buddy_for_each(const void *floor, ring3_malloc_visit_t *visit, void *context)
{
    ring3_buddy_for_each(floor, visit, context);
}

void placement_buddy_statistics(const void *floor, ring3_malloc_statistics_t *total)
{
    ring3_buddy_statistics_t buddy;

    ring3_buddy_statistics(floor, &buddy);
    total->used += buddy.total - buddy.free;
    total->free += buddy.free;
    total->blocks += buddy.blocks;
    total->asked += buddy.asked;
    total->given += buddy.given;
    for (int order = 0; order < RING3_BUDDY_ORDERS; order++)
        total->holes += buddy.free_blocks[order];
    if (buddy.largest > total->largest)
        total->largest = buddy.largest;
}
