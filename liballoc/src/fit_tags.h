/* SPDX-License-Identifier: MIT */
/*
 * Layout of a fit heap, shared by fit.c and the indexes of holes.
 *
 * Memory is counted in units of 16 bytes. A block starts 8 bytes below a unit boundary with a tag,
 * so that its payload is aligned:
 *
 *     tag.before   if BEFORE_IS_HOLE: units of the hole in front (Knuth's second tag, kept in the
 *                  follower, so that blocks in use pay for one tag only)
 *                  in a hole: free for the index, because no hole has a hole in front
 *     tag.size     units, shifted left by 2 | BEFORE_IS_HOLE | BUSY
 *
 *     | tag | payload …            | tag | index node … hole …      | tag | payload
 *
 * At the end of the memory stands a tag of size 0 that is BUSY for ever: no block looks past it.
 * The smallest block is 32 bytes, because a hole holds a tree node of 12 bytes behind its tag.
 *
 * Blocks and holes are named by the unit of their payload, which is never 0; so nothing in the heap
 * depends on where it is mapped.
 */
#ifndef RING3_FIT_TAGS_H
#define RING3_FIT_TAGS_H

#include "ring3/fit.h"

#include <stdbool.h>

#define FIT_UNIT       16
#define FIT_TAG        8
#define FIT_MIN_UNITS  2
#define BUSY           1u
#define BEFORE_IS_HOLE 2u

/* Best fit keeps a list for each size up to 65 units: 64 lists, one word of occupancy bits. */
#define FIT_LISTS 64

struct fit_tag {
    uint32_t before, size;
};

/* A hole, as its index sees it: in a tree (fit_tree.h), or in a list. Links are units; 0 is none. */
struct fit_hole {
    struct fit_tag tag;
    union {
        struct {
            uint32_t left, right, priority;
        };
        struct {
            uint32_t next, previous;
        };
    };
};

_Static_assert(sizeof(struct fit_hole) <= FIT_MIN_UNITS * FIT_UNIT, "a hole fits its block");

/* How the holes are kept: what makes one order differ from another. */
struct fit_index {
    /* A hole of at least `units`, or NULL. It stays in the index. */
    struct fit_hole *(*find)(ring3_fit_t *fit, uint32_t units);
    void (*insert)(ring3_fit_t *fit, struct fit_hole *hole);
    void (*remove)(ring3_fit_t *fit, struct fit_hole *hole);
    /* The hole starts at `to` from now on, and has another size; its place in the order of
     * addresses is the same. `from` may equal `to`, else the two do not overlap. Of *to only the
     * size is set, to the new one; `old_units` is what it was. */
    void (*move)(ring3_fit_t *fit, struct fit_hole *from, struct fit_hole *to, uint32_t old_units);
    /* All holes of at least `units`. */
    void (*visit)(const ring3_fit_t *fit, uint32_t units,
                  void (*visit)(struct fit_hole *hole, void *context), void *context);
    uint32_t (*largest)(const ring3_fit_t *fit);
};

extern const struct fit_index ring3_fit_first, ring3_fit_next, ring3_fit_best, ring3_fit_worst;

struct ring3_fit {
    ring3_fit_order_t order;
    uint32_t capacity, ready; /* units */
    intptr_t memory;          /* from here to the memory */
    size_t fresh; /* bytes from the memory's start: above, only tags and nodes were ever written */
    uint64_t free_units, holes, blocks;
    uint64_t asked, given;     /* bytes, over all allocations */
    uint64_t searches, looked; /* for a hole: how often, and at how many holes */
    uint32_t rover;            /* next fit: searches begin at this unit */
    uint32_t root;             /* of the tree: by size, only of holes too large for a list */
    uint32_t drawn;            /* state of the generator of priorities */
    uint64_t occupied;         /* by size: bit i set if lists[i] is not empty */
    uint32_t lists[FIT_LISTS]; /* by size: holes of FIT_MIN_UNITS + i units */
    uint64_t starts[];         /* bit set: the payload of a block in use starts at this unit */
};

static inline uint32_t fit_units(const struct fit_tag *tag)
{
    return tag->size >> 2;
}

static inline char *fit_memory(const ring3_fit_t *fit)
{
    return (char *)(uintptr_t)fit + fit->memory;
}

static inline struct fit_hole *fit_hole_at(const ring3_fit_t *fit, uint32_t unit)
{
    return (struct fit_hole *)(void *)(fit_memory(fit) + (size_t)unit * FIT_UNIT - FIT_TAG);
}

/* Where the payload of the tag starts, in units from the memory's start. */
static inline uint32_t fit_unit_of(const ring3_fit_t *fit, const struct fit_tag *tag)
{
    return (uint32_t)(((uintptr_t)tag + FIT_TAG - (uintptr_t)fit_memory(fit)) / FIT_UNIT);
}

#endif
