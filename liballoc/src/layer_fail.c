/* SPDX-License-Identifier: MIT */
/*
 * fail=N: the N-th request for memory fails with ENOMEM; fail=every:N: each N-th.
 *
 * Every call that may say ENOMEM counts once: malloc, calloc, the aligned ones, and realloc, which
 * moves its block each time here, so that it can fail whatever its size is. A program with one
 * thread that does the same again sees the same request fail again.
 */
#include "layers.h"

#include "ring3/atomic.h"

#include <errno.h>

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
    uint64_t number, requests;
    bool every;
} fail; /* of the one heap */

static bool is_the_one(void)
{
    /* Relaxed: only the number counts. */
    const uint64_t request = ring3_fetch_add(&fail.requests, UINT64_C(1), RING3_RELAXED) + 1;

    return fail.every ? request % fail.number == 0 : request == fail.number;
}

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    return is_the_one() ? NULL : fail.below->allocate(heap, size, alignment, dirty);
}

static int resize(void *owner, void *block, size_t size)
{
    (void)size;
    return fail.below->usable(owner, block) ? -ENOMEM : -EINVAL;
}

const struct ring3_policy *ring3_layer_fail(const struct ring3_policy *below,
                                            const struct ring3_settings *settings)
{
    fail.below = below;
    fail.number = settings->fail;
    fail.every = settings->fail_every;
    fail.table = *below;
    fail.table.allocate = allocate;
    fail.table.resize = resize;
    return &fail.table;
}
