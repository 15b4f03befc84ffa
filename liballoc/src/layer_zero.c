/* SPDX-License-Identifier: MIT */
/* zero=on: all memory is zero when it is handed out, by whichever call, up to its usable size. */
#include "layers.h"

#include <string.h>

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
} zero; /* of the one heap */

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    char *const block = zero.below->allocate(heap, size, alignment, dirty);

    if (!block)
        return NULL;
    if (*dirty < size)
        memset(block, 0, *dirty);
    else /* *dirty ends with what was asked for */
        memset(block, 0, zero.below->usable(ring3_owner_of(block), block));
    *dirty = 0;
    return block;
}

static int resize(void *owner, void *block, size_t size)
{
    const size_t before = zero.below->usable(owner, block);
    const int err = zero.below->resize(owner, block, size);
    const size_t now = err ? 0 : zero.below->usable(owner, block);

    if (now > before)
        memset((char *)block + before, 0, now - before);
    return err;
}

const struct ring3_policy *ring3_layer_zero(const struct ring3_policy *below)
{
    zero.below = below;
    zero.table = *below;
    zero.table.allocate = allocate;
    zero.table.resize = resize;
    return &zero.table;
}
