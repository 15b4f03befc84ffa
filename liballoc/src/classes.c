/* SPDX-License-Identifier: MIT */
/* The table of size classes: see classes.h. */
#include "classes.h"

struct class_info ring3_classes[CLASSES];
uint32_t ring3_class_reciprocals[CLASSES];

/*
 * A thread keeps at most this many blocks of a class: half of it travels to or from the slabs at a
 * time, so that their lock is taken once per 64 small blocks. What passes from thread to thread
 * should still be in a processor's cache, so small ones are 16 KiB at most. Larger ones are fewer,
 * because each pins memory; and for all together cache.c has a budget.
 */
#define KEEP_BLOCKS_MAX 128
#define KEEP_SMALL      ((size_t)16 << 10)
#define KEEP_BYTES      ((size_t)512 << 10)
#define KEEP_SPAN_BYTES ((size_t)16 << 20)
#define KEEP_SPANS_MAX  16

static uint32_t bytes_of(unsigned class)
{
    if (class <= CLASS_LINEAR)
        return class * CLASS_STEP;
    if (class <= CLASS_SLABS) {
        const unsigned doubling = (class - CLASS_LINEAR - 1) / 8;
        const unsigned step = (class - CLASS_LINEAR - 1) % 8;

        return (1024u << doubling) + (step + 1) * (128u << doubling);
    }

    const unsigned span = class - CLASS_SLABS - 1, doubling = span / 4, step = span % 4;

    return doubling == 0 ? (span + 1) * (uint32_t)RING3_CHUNK
                         : ((5 + step) * (uint32_t)RING3_CHUNK) << (doubling - 1);
}

static uint16_t slots_of(unsigned class, size_t size)
{
    const size_t most = class <= CLASS_SLABS ? KEEP_BLOCKS_MAX : KEEP_SPANS_MAX;
    size_t keep = KEEP_SPAN_BYTES;

    if (class <= CLASS_SLABS)
        keep = class <= CLASS_LINEAR ? KEEP_SMALL : KEEP_BYTES;
    keep /= size;
    return (uint16_t)(keep > most ? most : keep);
}

void ring3_classes_start(void)
{
    for (unsigned class = 1; class < CLASSES; class ++) {
        const uint32_t size = bytes_of(class);

        ring3_classes[class] = (struct class_info){
            .size = size,
            .blocks = (uint16_t)(class <= CLASS_SLABS ? RING3_CHUNK / size : 1),
            .slots = slots_of(class, size),
        };
        ring3_class_reciprocals[class] =
            class <= CLASS_SLABS ? (uint32_t)(((UINT64_C(1) << 32) + size - 1) / size) : 1;
    }
}
