/* SPDX-License-Identifier: MIT */
/*
 * Binary buddy: one list of free blocks per order, one tag byte per unit.
 * Source: Knowlton 1965; Knuth, volume 1, section 2.5.
 *
 * Control block:  struct ring3_buddy | tags: 1 byte per unit | links apart: 8 bytes per unit
 *
 *     tag                 the unit is
 *     0                   inside a block (not its first unit), or not yet managed
 *     FREE | order        the first of a free block
 *     USED | order        the first of a block in use
 *
 * Invariants: a block of order k starts at a multiple of 2^k units; a free block is in the list of
 * its order and its buddy is not a free block of the same order; `occupied` has bit k set exactly
 * when list k is not empty; everything is kept as unit numbers and offsets.
 */
#include "ring3/buddy.h"

#include <errno.h>

#define FREE     0x40
#define USED     0x80
#define ORDER    0x3f
#define NONE     UINT32_MAX
#define UNIT_MIN 8 /* bytes: the links of a free block */

struct links {
    uint32_t next, previous;
};

struct ring3_buddy {
    intptr_t memory;          /* from the control block to unit 0 */
    intptr_t links;           /* from the control block to the links of unit 0 */
    uint32_t capacity, ready; /* units */
    uint32_t fresh;           /* from this unit on, only links were ever written, by us */
    uint32_t unit_shift, link_shift;
    uint32_t apart;    /* links are not in the free blocks */
    uint32_t occupied; /* bit k: list k is not empty */
    uint32_t heads[RING3_BUDDY_ORDERS];
    uint32_t counts[RING3_BUDDY_ORDERS];
    uint64_t free_units, blocks;
    uint64_t asked, given; /* bytes, over all allocations */
    uint8_t tags[];
};

static char *memory_of(const ring3_buddy_t *buddy)
{
    return (char *)(uintptr_t)buddy + buddy->memory;
}

static struct links *links_of(const ring3_buddy_t *buddy, uint32_t unit)
{
    return (struct links *)(void *)((char *)(uintptr_t)buddy + buddy->links +
                                    ((size_t)unit << buddy->link_shift));
}

static size_t tag_bytes(size_t units)
{
    return (units + 7) & ~(size_t)7;
}

size_t ring3_buddy_control_size(size_t capacity, size_t unit, unsigned flags)
{
    const size_t units = capacity / unit;

    return tag_bytes(sizeof(ring3_buddy_t) + units) +
           (flags & RING3_BUDDY_LINKS_APART ? units * sizeof(struct links) : 0);
}

/* --- Lists ----------------------------------------------------------------------------------- */

static void push(ring3_buddy_t *buddy, uint32_t unit, unsigned order)
{
    const uint32_t head = buddy->heads[order];

    *links_of(buddy, unit) = (struct links){head, NONE};
    if (head != NONE)
        links_of(buddy, head)->previous = unit;
    buddy->heads[order] = unit;
    buddy->counts[order]++;
    buddy->occupied |= UINT32_C(1) << order;
    buddy->tags[unit] = (uint8_t)(FREE | order);
    buddy->free_units += UINT64_C(1) << order;
}

static void unlink_block(ring3_buddy_t *buddy, uint32_t unit, unsigned order)
{
    const struct links links = *links_of(buddy, unit);

    if (links.previous != NONE)
        links_of(buddy, links.previous)->next = links.next;
    else
        buddy->heads[order] = links.next;
    if (links.next != NONE)
        links_of(buddy, links.next)->previous = links.previous;
    if (--buddy->counts[order] == 0)
        buddy->occupied &= ~(UINT32_C(1) << order);
    buddy->tags[unit] = 0;
    buddy->free_units -= UINT64_C(1) << order;
}

/* --- Splitting and merging ------------------------------------------------------------------- */

/* Cut a block that is in no list down from order `high` to `low`: upper halves become free. */
static void split(ring3_buddy_t *buddy, uint32_t unit, unsigned high, unsigned low)
{
    while (high > low) {
        high--;
        push(buddy, unit + (UINT32_C(1) << high), high);
    }
}

static bool is_free(const ring3_buddy_t *buddy, uint64_t unit, unsigned order)
{
    return unit + (UINT64_C(1) << order) <= buddy->ready && buddy->tags[unit] == (FREE | order);
}

/* Add a block that is in no list, merged with its buddy for as long as that one is free. */
static void merge(ring3_buddy_t *buddy, uint32_t unit, unsigned order)
{
    while (order + 1 < RING3_BUDDY_ORDERS) {
        const uint32_t other = unit ^ (UINT32_C(1) << order);

        if (!is_free(buddy, other, order))
            break;
        unlink_block(buddy, other, order);
        /* Fresh memory stays zero but for the first bytes of free blocks. */
        if (!buddy->apart)
            *links_of(buddy, unit | other) = (struct links){0, 0};
        unit &= other;
        order++;
    }
    push(buddy, unit, order);
}

/* Order of the smallest block of `size` bytes; RING3_BUDDY_ORDERS if none is that large. */
static unsigned order_of(const ring3_buddy_t *buddy, size_t size)
{
    const size_t last_unit = (size ? size - 1 : 0) >> buddy->unit_shift;
    const unsigned order = last_unit ? 64 - (unsigned)__builtin_clzl(last_unit) : 0;

    return order < RING3_BUDDY_ORDERS ? order : RING3_BUDDY_ORDERS;
}

/* --- Interface ------------------------------------------------------------------------------- */

int ring3_buddy_init(ring3_buddy_t **out, void *control, void *memory, size_t capacity,
                     size_t ready, size_t unit, unsigned flags)
{
    ring3_buddy_t *const buddy = control;

    if (unit < UNIT_MIN || (unit & (unit - 1)) || ((uintptr_t)control & 7) ||
        ((uintptr_t)memory & 7) || capacity / unit > UINT32_C(1) << 31 || ready > capacity)
        return -EINVAL;
    buddy->memory = (intptr_t)((uintptr_t)memory - (uintptr_t)control);
    buddy->capacity = (uint32_t)(capacity / unit);
    buddy->unit_shift = (uint32_t)__builtin_ctzl(unit);
    if (flags & RING3_BUDDY_LINKS_APART) {
        buddy->links = (intptr_t)tag_bytes(sizeof *buddy + buddy->capacity);
        buddy->link_shift = 3;
        buddy->apart = 1;
    } else {
        buddy->links = buddy->memory;
        buddy->link_shift = buddy->unit_shift;
    }
    for (unsigned order = 0; order < RING3_BUDDY_ORDERS; order++)
        buddy->heads[order] = NONE;
    *out = buddy;
    return ring3_buddy_extend(buddy, ready);
}

int ring3_buddy_extend(ring3_buddy_t *buddy, size_t bytes)
{
    const uint64_t ready = bytes >> buddy->unit_shift;
    uint64_t unit = buddy->ready;

    if (ready > buddy->capacity)
        return -EINVAL;
    /* Cut what is new into the largest aligned blocks. `ready` moves with them, because a merge
     * looks no further. */
    while (unit < ready) {
        unsigned order = unit ? (unsigned)__builtin_ctzll(unit) : RING3_BUDDY_ORDERS - 1;

        while (unit + (UINT64_C(1) << order) > ready)
            order--;
        buddy->ready = (uint32_t)(unit + (UINT64_C(1) << order));
        merge(buddy, (uint32_t)unit, order);
        unit = buddy->ready;
    }
    return 0;
}

/* Bytes at the start of the block that may be other than zero; marks the block as written. */
static size_t written_before(ring3_buddy_t *buddy, uint32_t unit, unsigned order, size_t size)
{
    const uint64_t end = unit + (UINT64_C(1) << order);
    size_t bytes = buddy->apart ? 0 : sizeof(struct links);

    if (buddy->fresh > unit)
        bytes = (size_t)(buddy->fresh - unit) << buddy->unit_shift;
    if (end > buddy->fresh)
        buddy->fresh = (uint32_t)end;
    return bytes < size ? bytes : size;
}

void *ring3_buddy_allocate(ring3_buddy_t *buddy, size_t size, size_t *dirty)
{
    const unsigned order = order_of(buddy, size);
    const uint32_t candidates =
        order < RING3_BUDDY_ORDERS ? buddy->occupied & (UINT32_MAX << order) : 0;

    if (!candidates)
        return NULL;

    const unsigned found = (unsigned)__builtin_ctz(candidates);
    const uint32_t unit = buddy->heads[found];

    unlink_block(buddy, unit, found);
    split(buddy, unit, found, order);
    buddy->tags[unit] = (uint8_t)(USED | order);
    buddy->blocks++;
    buddy->asked += size;
    buddy->given += UINT64_C(1) << (order + buddy->unit_shift);

    const size_t written = written_before(buddy, unit, order, size);

    if (dirty)
        *dirty = written;
    return memory_of(buddy) + ((size_t)unit << buddy->unit_shift);
}

/* The unit where `block` starts; -EFAULT or -EINVAL if it is no block in use. */
static int64_t used_unit(const ring3_buddy_t *buddy, const void *block)
{
    const uintptr_t offset = (uintptr_t)block - (uintptr_t)memory_of(buddy);
    const uintptr_t unit = offset >> buddy->unit_shift;

    if (unit >= buddy->ready)
        return -EFAULT;
    if (unit << buddy->unit_shift != offset || !(buddy->tags[unit] & USED))
        return -EINVAL;
    return (int64_t)unit;
}

int ring3_buddy_release(ring3_buddy_t *buddy, void *block)
{
    const int64_t unit = used_unit(buddy, block);

    if (unit < 0)
        return (int)unit;

    const unsigned order = buddy->tags[unit] & ORDER;

    buddy->tags[unit] = 0;
    buddy->blocks--;
    merge(buddy, (uint32_t)unit, order);
    return 0;
}

int ring3_buddy_resize(ring3_buddy_t *buddy, void *block, size_t size)
{
    const int64_t found = used_unit(buddy, block);
    const unsigned want = order_of(buddy, size);

    if (found < 0)
        return (int)found;

    const uint32_t unit = (uint32_t)found;
    const unsigned order = buddy->tags[unit] & ORDER;

    if (want == RING3_BUDDY_ORDERS)
        return -ENOMEM;
    /* Growing takes each upper buddy on the way, all or none. */
    for (unsigned k = order; k < want; k++)
        if ((unit >> k & 1) || !is_free(buddy, (uint64_t)unit + (UINT64_C(1) << k), k))
            return -ENOMEM;
    for (unsigned k = order; k < want; k++)
        unlink_block(buddy, unit + (UINT32_C(1) << k), k);
    split(buddy, unit, order, want);
    buddy->tags[unit] = (uint8_t)(USED | want);
    (void)written_before(buddy, unit, want, size);
    return 0;
}

/* --- Runs ------------------------------------------------------------------------------------ */

/* Of a block in use keep the first `keep` units, 0 < keep < 2^order: the halves beyond become free,
 * what stays is one block for each bit of `keep`. No half can merge, for its buddy stays. */
static void keep_units(ring3_buddy_t *buddy, uint32_t unit, unsigned order, uint64_t keep)
{
    while (keep < UINT64_C(1) << order) {
        const uint32_t half = UINT32_C(1) << --order;

        if (keep <= half) {
            push(buddy, unit + half, order);
        } else {
            buddy->tags[unit] = (uint8_t)(USED | order);
            unit += half;
            keep -= half;
        }
    }
    buddy->tags[unit] = (uint8_t)(USED | order);
}

/* Free what of a run lies beyond `keep` units. */
static void cut_run(ring3_buddy_t *buddy, uint32_t first, uint64_t units, uint64_t keep)
{
    uint64_t at = 0, next;

    for (; at < units; at = next) {
        const uint32_t unit = first + (uint32_t)at;
        const unsigned order = buddy->tags[unit] & ORDER;

        next = at + (UINT64_C(1) << order);
        if (at >= keep) {
            buddy->tags[unit] = 0;
            merge(buddy, unit, order);
        } else if (next > keep) {
            keep_units(buddy, unit, order, keep - at);
        }
    }
}

/* Take the `units` from `unit` on, which must be free blocks: all or none. What follows a block in
 * use is the start of another one. */
static int take_units(ring3_buddy_t *buddy, uint64_t unit, uint64_t units)
{
    uint64_t found = 0;

    while (found < units) {
        const uint64_t at = unit + found;

        if (at >= buddy->ready || !(buddy->tags[at] & FREE))
            return -ENOMEM;
        found += UINT64_C(1) << (buddy->tags[at] & ORDER);
    }
    while (units > 0) {
        const unsigned order = buddy->tags[unit] & ORDER;
        const uint64_t got = UINT64_C(1) << order;

        unlink_block(buddy, (uint32_t)unit, order);
        buddy->tags[unit] = (uint8_t)(USED | order);
        if (got > units) {
            keep_units(buddy, (uint32_t)unit, order, units);
            break;
        }
        unit += got;
        units -= got;
    }
    return 0;
}

/* True if blocks in use make up the units: where one ends the next begins. */
static bool is_run(const ring3_buddy_t *buddy, uint64_t first, uint64_t units)
{
    uint64_t at = first;

    while (at < first + units) {
        if (at >= buddy->ready || !(buddy->tags[at] & USED))
            return false;
        at += UINT64_C(1) << (buddy->tags[at] & ORDER);
    }
    return at == first + units;
}

static uint64_t units_of(const ring3_buddy_t *buddy, size_t bytes)
{
    return (bytes >> buddy->unit_shift) + ((bytes & (((size_t)1 << buddy->unit_shift) - 1)) > 0);
}

void *ring3_buddy_allocate_run(ring3_buddy_t *buddy, size_t size, size_t alignment, size_t *dirty)
{
    const uint32_t fresh = buddy->fresh;
    const uint64_t units = units_of(buddy, size ? size : 1);
    char *const run = ring3_buddy_allocate(buddy, size > alignment ? size : alignment, dirty);

    if (run) {
        const uint32_t first = (uint32_t)((size_t)(run - memory_of(buddy)) >> buddy->unit_shift);
        const uint64_t whole = UINT64_C(1) << (buddy->tags[first] & ORDER);

        cut_run(buddy, first, whole, units);
        buddy->given -= (whole - units) << buddy->unit_shift;
        /* The tail is as it was: nobody wrote to it. */
        buddy->fresh = fresh > first + units ? fresh : (uint32_t)(first + units);
        if (dirty && *dirty > size)
            *dirty = size;
    }
    return run;
}

int ring3_buddy_resize_run(ring3_buddy_t *buddy, void *run, size_t size, size_t want)
{
    const int64_t first = used_unit(buddy, run);
    const uint64_t units = units_of(buddy, size), wanted = units_of(buddy, want);
    int err;

    if (first < 0)
        return (int)first;
    if (units == 0 || !is_run(buddy, (uint64_t)first, units))
        return -EINVAL;
    if (wanted <= units) {
        cut_run(buddy, (uint32_t)first, units, wanted);
        buddy->blocks -= wanted == 0;
        if (wanted)
            buddy->given -= (units - wanted) << buddy->unit_shift;
        return 0;
    }
    err = take_units(buddy, (uint64_t)first + units, wanted - units);
    if (err)
        return err;
    buddy->given += (wanted - units) << buddy->unit_shift;
    if ((uint64_t)first + wanted > buddy->fresh)
        buddy->fresh = (uint32_t)((uint64_t)first + wanted);
    return 0;
}

/* --- Looking at the heap --------------------------------------------------------------------- */

size_t ring3_buddy_usable(const ring3_buddy_t *buddy, const void *block)
{
    const int64_t unit = used_unit(buddy, block);

    return unit < 0 ? 0 : (size_t)1 << ((buddy->tags[unit] & ORDER) + buddy->unit_shift);
}

void *ring3_buddy_covering(const ring3_buddy_t *buddy, const void *p)
{
    const uintptr_t at = ((uintptr_t)p - (uintptr_t)memory_of(buddy)) >> buddy->unit_shift;

    if (at >= buddy->ready)
        return NULL;
    for (unsigned order = 0; order < RING3_BUDDY_ORDERS; order++) {
        const uintptr_t unit = at >> order << order;

        if (buddy->tags[unit] == (USED | order))
            return memory_of(buddy) + (unit << buddy->unit_shift);
    }
    return NULL;
}

void ring3_buddy_for_each_idle(ring3_buddy_t *buddy, size_t least,
                               void (*visit)(void *start, size_t length, void *context),
                               void *context)
{
    const size_t links = buddy->apart ? 0 : sizeof(struct links);

    for (unsigned order = order_of(buddy, least); order < RING3_BUDDY_ORDERS; order++)
        for (uint32_t unit = buddy->heads[order]; unit != NONE;
             unit = links_of(buddy, unit)->next) {
            const size_t tags = ((size_t)1 << order) - 1;
            char *const start = memory_of(buddy) + ((size_t)unit << buddy->unit_shift);

            visit(start + links, ((size_t)1 << (order + buddy->unit_shift)) - links, context);
            /* Of a free block only the first unit has a tag. */
            if (tags >= least)
                visit(&buddy->tags[unit + 1], tags, context);
        }
}

void ring3_buddy_for_each(const ring3_buddy_t *buddy,
                          void (*visit)(void *start, size_t length, bool in_use, void *context),
                          void *context)
{
    for (uint64_t unit = 0; unit < buddy->ready;) {
        const uint8_t tag = buddy->tags[unit];
        const uint64_t units = UINT64_C(1) << (tag & ORDER & (RING3_BUDDY_ORDERS - 1));

        visit(memory_of(buddy) + (unit << buddy->unit_shift), (size_t)units << buddy->unit_shift,
              tag & USED, context);
        unit += units;
    }
}

void *ring3_buddy_memory(const ring3_buddy_t *buddy)
{
    return memory_of(buddy);
}

size_t ring3_buddy_free_bytes(const ring3_buddy_t *buddy)
{
    return (size_t)buddy->free_units << buddy->unit_shift;
}

void ring3_buddy_statistics(const ring3_buddy_t *buddy, ring3_buddy_statistics_t *statistics)
{
    *statistics = (ring3_buddy_statistics_t){
        .total = (size_t)buddy->ready << buddy->unit_shift,
        .free = ring3_buddy_free_bytes(buddy),
        .blocks = (size_t)buddy->blocks,
        .asked = (size_t)buddy->asked,
        .given = (size_t)buddy->given,
    };
    if (buddy->occupied)
        statistics->largest =
            (size_t)1 << (31 - (unsigned)__builtin_clz(buddy->occupied) + buddy->unit_shift);
    for (unsigned order = 0; order < RING3_BUDDY_ORDERS; order++)
        statistics->free_blocks[order] = buddy->counts[order];
}

/* --- Verification ---------------------------------------------------------------------------- */

/* Units in the free blocks of one order, or -1 if the list is damaged. */
static int64_t check_list(const ring3_buddy_t *buddy, unsigned order)
{
    uint32_t previous = NONE, count = 0;

    for (uint32_t unit = buddy->heads[order]; unit != NONE; count++) {
        const struct links *const links = links_of(buddy, unit);

        if (unit >= buddy->ready || buddy->tags[unit] != (FREE | order) ||
            (unit & ((UINT32_C(1) << order) - 1)) || links->previous != previous ||
            count == buddy->counts[order] || is_free(buddy, unit ^ (UINT32_C(1) << order), order))
            return -1;
        previous = unit;
        unit = links->next;
    }
    if (count != buddy->counts[order] || (buddy->occupied >> order & 1) != (count > 0))
        return -1;
    return (int64_t)count << order;
}

int ring3_buddy_check(const ring3_buddy_t *buddy)
{
    uint64_t listed = 0, free_units = 0, blocks = 0;

    for (unsigned order = 0; order < RING3_BUDDY_ORDERS; order++) {
        const int64_t units = check_list(buddy, order);

        if (units < 0)
            return -EUCLEAN;
        listed += (uint64_t)units;
    }
    /* Blocks follow one another without gap or overlap. A run counts as one, and is several. */
    for (uint64_t unit = 0, size; unit < buddy->ready; unit += size) {
        const uint8_t tag = buddy->tags[unit];

        size = UINT64_C(1) << (tag & ORDER & (RING3_BUDDY_ORDERS - 1));
        if (!(tag & (FREE | USED)) || (unit & (size - 1)) || unit + size > buddy->ready)
            return -EUCLEAN;
        for (uint64_t inside = unit + 1; inside < unit + size; inside++)
            if (buddy->tags[inside])
                return -EUCLEAN;
        free_units += tag & FREE ? size : 0;
        blocks += tag & USED ? 1 : 0;
    }
    return listed == free_units && free_units == buddy->free_units && blocks >= buddy->blocks
               ? 0
               : -EUCLEAN;
}
