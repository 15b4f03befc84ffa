/* SPDX-License-Identifier: MIT */
/* The fit floor, in the shape that arenas ask for. */
#include "policy_fit.h"

int ring3_policy_fit_extend(void *floor, size_t ready)
{
    return ring3_fit_extend(floor, ready);
}

size_t ring3_policy_fit_wanted(const void *floor, size_t ready, size_t size, size_t alignment)
{
    /* Without a floor: the block, its tag, the end tag, and what alignment may cost. */
    return floor ? ready + ring3_fit_shortage(floor, size, alignment) : size + alignment + 64;
}

void *ring3_policy_fit_allocate(void *floor, size_t size, size_t alignment, size_t *dirty)
{
    return ring3_fit_allocate(floor, size, alignment, dirty);
}

int ring3_policy_fit_release(void *floor, void *block)
{
    return ring3_fit_release(floor, block);
}

int ring3_policy_fit_resize(void *floor, void *block, size_t size)
{
    return ring3_fit_resize(floor, block, size);
}

size_t ring3_policy_fit_usable(const void *floor, const void *block)
{
    return ring3_fit_usable(floor, block);
}

void *ring3_policy_fit_covering(const void *floor, const void *p)
{
    return ring3_fit_covering(floor, p);
}

size_t ring3_policy_fit_free_bytes(const void *floor)
{
    return ring3_fit_free_bytes(floor);
}

void ring3_policy_fit_for_each_idle(void *floor, size_t least,
                                    void (*visit)(void *start, size_t length, void *context),
                                    void *context)
{
    ring3_fit_for_each_idle(floor, least, visit, context);
}

void ring3_policy_fit_for_each(const void *floor, ring3_malloc_visit_t *visit, void *context)
{
    ring3_fit_for_each(floor, visit, context);
}

void ring3_policy_fit_statistics(const void *floor, ring3_malloc_statistics_t *statistics)
{
    ring3_fit_statistics_t fit;

    ring3_fit_statistics(floor, &fit);
    statistics->used += fit.total - fit.free;
    statistics->free += fit.free;
    statistics->holes += fit.holes;
    statistics->blocks += fit.blocks;
    statistics->asked += fit.asked;
    statistics->given += fit.given;
    if (fit.largest > statistics->largest)
        statistics->largest = fit.largest;
}
