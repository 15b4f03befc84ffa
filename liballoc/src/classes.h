/* SPDX-License-Identifier: MIT */
/*
 * Size classes of the slab policy.
 *
 *     class  0            none: not a small block
 *     class  1 ..  64     16 to 1024 bytes in steps of 16
 *     class 65 .. 104     1152 bytes to 32 KiB, eight per doubling (at most 12.5 % lost)
 *     class 105 .. 108    spans: runs of 1 to 4 chunks
 *     class 109 .. 124    spans from 320 KiB to 4 MiB, four per doubling
 *
 * Blocks of classes 1 to 104 lie in slabs of one chunk (64 KiB), the first at its start: so a block
 * whose class size is a multiple of an alignment up to 64 KiB is aligned to it.
 */
#ifndef RING3_CLASSES_H
#define RING3_CLASSES_H

#include "ring3/pages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLASS_STEP     16
#define CLASS_LINEAR   64  /* the last class with a step of 16 */
#define CLASS_SLABS    104 /* the last class that lies in slabs */
#define CLASS_SPANS    20
#define CLASSES        (CLASS_SLABS + CLASS_SPANS + 1)
#define CLASS_SLAB_MAX ((size_t)32 << 10)
#define CLASS_MAX      ((size_t)4 << 20)

/* In a thread's cache the magazine of a class starts at its number, shifted by this. */
#define CLASS_PLACE_SHIFT 5

struct class_info {
    uint32_t size;   /* bytes per block */
    uint16_t blocks; /* blocks in a slab; 1 for spans */
    uint16_t slots;  /* blocks that a thread may keep */
};

/* Filled in once by ring3_classes_start, before any block is handed out; read-only afterwards. */
extern struct class_info ring3_classes[CLASSES];
/* 2^32 / size, rounded up; 1 for spans. Every magazine has a copy, because every free looks there. */
extern uint32_t ring3_class_reciprocals[CLASSES];
void ring3_classes_start(void);

/* The class of a size from 1 to CLASS_MAX bytes. */
static inline size_t class_of(size_t size)
{
    if (size <= CLASS_LINEAR * CLASS_STEP)
        return (size + CLASS_STEP - 1) / CLASS_STEP;

    const size_t log = 63u - (unsigned)__builtin_clzll(size - 1);

    if (size <= CLASS_SLAB_MAX)
        return CLASS_LINEAR + 1 + (log - 10) * 8 + ((size - 1) >> (log - 3) & 7);
    if (log < RING3_CHUNK_SHIFT + 2)
        return CLASS_SLABS + 1 + ((size - 1) >> RING3_CHUNK_SHIFT);
    return CLASS_SLABS + 5 + (log - RING3_CHUNK_SHIFT - 2) * 4 + ((size - 1) >> (log - 2) & 3);
}

/*
 * True if a block of the class starts `offset` bytes into its slab or span chunk: offset is a
 * multiple of the size (0 for spans). Source: Lemire, Kaser and Kurz, "Faster remainder by direct
 * computation", 2019: the fraction of offset / size, in 2^-32, is below one reciprocal. Exact while
 * offset and size are below 2^16.
 */
static inline bool starts_at(uint32_t reciprocal, uint32_t offset)
{
    return offset * reciprocal < reciprocal;
}

static inline bool class_starts_at(unsigned class, uint32_t offset)
{
    return starts_at(ring3_class_reciprocals[class], offset);
}

/* The number of the block that covers the offset into a slab. Exact, as above. */
static inline uint32_t class_block_at(unsigned class, uint32_t offset)
{
    return (uint32_t)((uint64_t)offset * ring3_class_reciprocals[class] >> 32);
}

#endif
