/* SPDX-License-Identifier: MIT */
/*
 * guard=sample:N: one request in N, on average, is served by a guarded block (guarded.h): cheap
 * enough for production, where it finds over time what tests do not.
 *
 * Source: Serebryany et al. 2023, "GWP-ASan: Sampling-Based Detection of Memory-Safety Bugs in
 * Production".
 */
#include "layers.h"

#include "guarded.h"

#include "ring3/atomic.h"

#include <string.h>

/* Larger requests are left alone, and there are at most so many guarded blocks at a time. */
#define LARGEST  ((size_t)64 << 10)
#define LIVE_MAX 4096

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
    uint64_t every;
    uint32_t live;
} sample; /* of the one heap */

/* Requests of this thread until the next that is guarded; from 1 to 2 * every - 1. */
static __thread uint64_t left, random_state;

static bool is_due(void)
{
    if (left > 1) {
        left--;
        return false;
    }
    const bool first = left == 0;

    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407) +
                   (uintptr_t)&left;
    left = 1 + (random_state >> 33) % (2 * sample.every - 1);
    return !first || sample.every == 1;
}

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    void *block = NULL;

    if (__builtin_expect(is_due(), 0) && size <= LARGEST && alignment <= LARGEST &&
        ring3_load(&sample.live, RING3_RELAXED) < LIVE_MAX) {
        block = ring3_guarded_allocate(size, alignment, dirty);
        if (block)
            ring3_fetch_add(&sample.live, UINT32_C(1), RING3_RELAXED);
    }
    return block ? block : sample.below->allocate(heap, size, alignment, dirty);
}

static int release(void *owner, void *block)
{
    int err;

    if (!ring3_guarded_owns(owner))
        return sample.below->release(owner, block);
    err = ring3_guarded_release(owner, block);
    if (!err)
        ring3_fetch_sub(&sample.live, UINT32_C(1), RING3_RELAXED);
    return err;
}

static int resize(void *owner, void *block, size_t size)
{
    return ring3_guarded_owns(owner) ? ring3_guarded_resize(owner, block, size)
                                     : sample.below->resize(owner, block, size);
}

static size_t usable(void *owner, const void *block)
{
    return ring3_guarded_owns(owner) ? ring3_guarded_usable(owner, block)
                                     : sample.below->usable(owner, block);
}

static void *covering(void *owner, const void *p)
{
    return ring3_guarded_owns(owner) ? ring3_guarded_covering(owner, p)
                                     : sample.below->covering(owner, p);
}

static size_t trim(void *heap)
{
    return ring3_guarded_trim() + sample.below->trim(heap);
}

static void walk(void *heap, ring3_malloc_visit_t *visit, void *context)
{
    ring3_guarded_walk(visit, context);
    sample.below->walk(heap, visit, context);
}

static void lock(void *heap)
{
    ring3_guarded_lock();
    sample.below->lock(heap);
}

static void unlock(void *heap)
{
    sample.below->unlock(heap);
    ring3_guarded_unlock();
}

static void after_fork(void *heap)
{
    sample.below->after_fork(heap);
    ring3_guarded_after_fork();
}

const struct ring3_policy *ring3_layer_sample(const struct ring3_policy *below, size_t every)
{
    ring3_guarded_start();
    sample.below = below;
    sample.every = every;
    sample.table = *below;
    sample.table.allocate = allocate;
    sample.table.release = release;
    sample.table.resize = resize;
    sample.table.usable = usable;
    sample.table.covering = covering;
    sample.table.trim = trim;
    sample.table.walk = walk;
    sample.table.lock = lock;
    sample.table.unlock = unlock;
    sample.table.after_fork = after_fork;
    return &sample.table;
}
