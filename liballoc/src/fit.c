/* SPDX-License-Identifier: MIT */
/*
 * The free list: cutting blocks from holes, and joining holes again.
 * Source: Knuth, volume 1, section 2.5 (boundary tags: algorithm C). Layout: fit_tags.h.
 *
 * Control block:  struct ring3_fit | starts: 1 bit per unit
 *
 * Invariants: blocks and holes follow one another without gap from the first tag to the end tag; no
 * two holes are neighbours; every hole is in the index; starts has a bit for each block in use and
 * no other; above `fresh` all is zero but the end tag and the first 20 bytes of the last hole.
 */
#include "fit_tags.h"

#include "ring3/bitmap.h"

#include <errno.h>
#include <stdbool.h>

#define READY_MIN 64 /* bytes: one smallest block and the end tag */

static const struct fit_index *index_of(const ring3_fit_t *fit)
{
    static const struct fit_index *const indexes[] = {&ring3_fit_first, &ring3_fit_best,
                                                      &ring3_fit_next, &ring3_fit_worst};

    return indexes[fit->order];
}

static struct fit_tag *after(const struct fit_tag *tag, uint32_t units)
{
    return (struct fit_tag *)((uintptr_t)tag + (uintptr_t)units * FIT_UNIT);
}

static struct fit_tag *end_tag(const ring3_fit_t *fit)
{
    return &fit_hole_at(fit, fit->ready)->tag;
}

static char *payload(struct fit_tag *tag)
{
    return (char *)tag + FIT_TAG;
}

/* Bytes from the memory's start. */
static size_t offset_of(const ring3_fit_t *fit, const void *p)
{
    return (uintptr_t)p - (uintptr_t)fit_memory(fit);
}

/* Units of a block for `size` bytes; more than any capacity if there is no such block. */
static uint32_t units_for(size_t size)
{
    if (size > RING3_FIT_CAPACITY_MAX)
        return UINT32_MAX;

    const uint32_t units = (uint32_t)((size + FIT_TAG + FIT_UNIT - 1) / FIT_UNIT);

    return units > FIT_MIN_UNITS ? units : FIT_MIN_UNITS;
}

/* --- Holes ----------------------------------------------------------------------------------- */

/* Turn `units` from `tag` on, which are in no hole, into a hole joined with its neighbours. */
static void make_hole(ring3_fit_t *fit, struct fit_tag *tag, uint32_t units)
{
    const struct fit_index *const index = index_of(fit);
    struct fit_hole *const next = (struct fit_hole *)after(tag, units);
    const uint32_t next_units = next->tag.size & BUSY ? 0 : fit_units(&next->tag);
    uint32_t total = units + next_units;

    fit->free_units += units;
    /* The node that `next` leaves behind is not zero. */
    if (next_units > 0 && offset_of(fit, next + 1) > fit->fresh)
        fit->fresh = offset_of(fit, next + 1);
    if (tag->size & BEFORE_IS_HOLE) {
        struct fit_hole *const before =
            (struct fit_hole *)((uintptr_t)tag - (uintptr_t)tag->before * FIT_UNIT);
        const uint32_t old_units = fit_units(&before->tag);

        if (next_units > 0) {
            index->remove(fit, next);
            fit->holes--;
        }
        if (offset_of(fit, tag) >= fit->fresh)
            *tag = (struct fit_tag){0};
        total += old_units;
        before->tag.size = total << 2;
        index->move(fit, before, before, old_units);
        tag = &before->tag;
    } else {
        tag->size = total << 2;
        if (next_units > 0) {
            index->move(fit, next, (struct fit_hole *)tag, next_units);
        } else {
            index->insert(fit, (struct fit_hole *)tag);
            fit->holes++;
        }
    }

    struct fit_tag *const follower = after(tag, total);

    follower->before = total;
    follower->size |= BEFORE_IS_HOLE;
}

/* Cut a block of `units` out of a hole, `gap` units behind its start. What remains on either side
 * stays a hole; a remainder too small for one goes with the block. */
static struct fit_tag *cut(ring3_fit_t *fit, struct fit_hole *hole, uint32_t gap, uint32_t units)
{
    const struct fit_index *const index = index_of(fit);
    const uint32_t old_units = fit_units(&hole->tag);
    struct fit_tag *const block = after(&hole->tag, gap);
    struct fit_tag *const follower = after(&hole->tag, old_units);
    uint32_t rest = old_units - gap - units;

    if (rest < FIT_MIN_UNITS) {
        units += rest;
        rest = 0;
    }

    struct fit_hole *const remainder = (struct fit_hole *)after(block, units);

    if (gap > 0) {
        hole->tag.size = gap << 2;
        index->move(fit, hole, hole, old_units);
    }
    if (rest > 0) {
        remainder->tag.size = rest << 2;
        if (gap > 0) {
            index->insert(fit, remainder);
            fit->holes++;
        } else {
            index->move(fit, hole, remainder, old_units);
        }
        follower->before = rest;
    } else {
        if (gap == 0) {
            index->remove(fit, hole);
            fit->holes--;
        }
        follower->size &= ~BEFORE_IS_HOLE;
    }
    block->before = gap;
    block->size = units << 2 | BUSY | (gap > 0 ? BEFORE_IS_HOLE : 0);
    fit->free_units -= units;
    return block;
}

/* Raise `fresh` to the end of a block that was just given out. */
static void mark_written(ring3_fit_t *fit, const struct fit_tag *block)
{
    const size_t end = offset_of(fit, after(block, fit_units(block)));

    if (end > fit->fresh)
        fit->fresh = end;
}

/* --- Start and growth ------------------------------------------------------------------------ */

size_t ring3_fit_control_size(size_t capacity)
{
    return sizeof(ring3_fit_t) + RING3_BITMAP_WORDS(capacity / FIT_UNIT) * sizeof(uint64_t);
}

int ring3_fit_init(ring3_fit_t **out, void *control, void *memory, size_t capacity, size_t ready,
                   ring3_fit_order_t order)
{
    ring3_fit_t *const fit = control;

    if (((uintptr_t)control & 7) || ((uintptr_t)memory & (FIT_UNIT - 1)) || ready < READY_MIN ||
        ready > capacity || capacity > RING3_FIT_CAPACITY_MAX || (unsigned)order > RING3_FIT_WORST)
        return -EINVAL;
    fit->order = order;
    fit->memory = (intptr_t)((uintptr_t)memory - (uintptr_t)control);
    fit->capacity = (uint32_t)(capacity / FIT_UNIT);
    fit->ready = 1;
    fit->fresh = FIT_UNIT;
    end_tag(fit)->size = BUSY;
    *out = fit;
    return ring3_fit_extend(fit, ready);
}

int ring3_fit_extend(ring3_fit_t *fit, size_t bytes)
{
    const size_t ready = bytes / FIT_UNIT;
    struct fit_tag *const joint = end_tag(fit);

    if (ready > fit->capacity || ready < (size_t)fit->ready + FIT_MIN_UNITS)
        return -EINVAL;

    const uint32_t gained = (uint32_t)ready - fit->ready;

    fit->ready = (uint32_t)ready;
    *end_tag(fit) = (struct fit_tag){.size = BUSY};
    joint->size &= ~BUSY;
    make_hole(fit, joint, gained);
    return 0;
}

size_t ring3_fit_retract(ring3_fit_t *fit, size_t keep)
{
    struct fit_tag *const end = end_tag(fit);
    const uint32_t there = end->size & BEFORE_IS_HOLE ? end->before : 0;
    uint32_t rest = units_for(keep);
    struct fit_hole *const hole = fit_hole_at(fit, fit->ready - there);

    if (keep == 0)
        rest = fit->ready - there < READY_MIN / FIT_UNIT ? READY_MIN / FIT_UNIT : 0;
    if (rest >= there)
        return (size_t)fit->ready * FIT_UNIT;
    /* What was written up there is not fresh when it comes back, except for the end tag. */
    if (offset_of(fit, hole + 1) > fit->fresh)
        fit->fresh = offset_of(fit, hole + 1);
    *end = (struct fit_tag){0};
    if (rest > 0) {
        hole->tag.size = rest << 2;
        index_of(fit)->move(fit, hole, hole, there);
    } else {
        index_of(fit)->remove(fit, hole);
        fit->holes--;
    }
    fit->free_units -= there - rest;
    fit->ready -= there - rest;
    *end_tag(fit) = (struct fit_tag){rest, BUSY | (rest > 0 ? BEFORE_IS_HOLE : 0)};
    return (size_t)fit->ready * FIT_UNIT;
}

/* --- Blocks ---------------------------------------------------------------------------------- */

/* Units from the start of a hole to where an aligned block may start: none, or room for a hole. */
static size_t gap_for(const struct fit_hole *hole, size_t alignment)
{
    size_t gap = -((uintptr_t)hole + FIT_TAG) & (alignment - 1);

    if (gap > 0 && gap < FIT_MIN_UNITS * FIT_UNIT)
        gap += alignment;
    return gap / FIT_UNIT;
}

/* With this many units any hole has room for an aligned block. */
static uint32_t units_aligned(uint32_t units, size_t alignment)
{
    const size_t worst = units + alignment / FIT_UNIT + 1;

    return worst > UINT32_MAX ? UINT32_MAX : (uint32_t)worst;
}

size_t ring3_fit_shortage(const ring3_fit_t *fit, size_t size, size_t alignment)
{
    const struct fit_tag *const end = end_tag(fit);
    const uint32_t have = end->size & BEFORE_IS_HOLE ? end->before : 0;
    uint32_t need = units_for(size);

    if (alignment > FIT_UNIT)
        need = units_aligned(need, alignment);
    return need > have ? (size_t)(need - have) * FIT_UNIT : 0;
}

static struct fit_tag *cut_aligned(ring3_fit_t *fit, uint32_t units, size_t alignment)
{
    struct fit_hole *hole = index_of(fit)->find(fit, units);

    /* The hole that is right by its size often has an aligned place by luck. */
    if (!hole || gap_for(hole, alignment) + units > fit_units(&hole->tag))
        hole = index_of(fit)->find(fit, units_aligned(units, alignment));
    return hole ? cut(fit, hole, (uint32_t)gap_for(hole, alignment), units) : NULL;
}

void *ring3_fit_allocate(ring3_fit_t *fit, size_t size, size_t alignment, size_t *dirty)
{
    const uint32_t units = units_for(size);
    const size_t fresh = fit->fresh;
    struct fit_tag *block;

    if (alignment <= FIT_UNIT) {
        struct fit_hole *const hole = index_of(fit)->find(fit, units);

        block = hole ? cut(fit, hole, 0, units) : NULL;
    } else {
        block = cut_aligned(fit, units, alignment);
    }
    if (!block)
        return NULL;
    ring3_bitmap_set(fit->starts, fit_unit_of(fit, block));
    fit->blocks++;
    fit->asked += size;
    fit->given += (uint64_t)fit_units(block) * FIT_UNIT;
    mark_written(fit, block);
    fit->rover = fit_unit_of(fit, block) + fit_units(block);

    char *const start = payload(block);

    if (dirty) {
        /* In fresh memory only what the hole kept in itself was ever written. */
        const size_t node = sizeof(struct fit_hole) - FIT_TAG;
        const size_t at = offset_of(fit, start);
        const size_t old = fresh > at ? fresh - at : 0;
        const size_t bytes = old > node ? old : node;

        *dirty = bytes < size ? bytes : size;
    }
    return start;
}

/* The tag of a block in use; -EFAULT, -EINVAL or -EUCLEAN for anything else. */
static int find_block(const ring3_fit_t *fit, const void *block, struct fit_tag **out)
{
    const uintptr_t offset = offset_of(fit, block);
    const size_t unit = offset / FIT_UNIT;

    if (unit >= fit->ready)
        return -EFAULT;
    if (offset % FIT_UNIT || !ring3_bitmap_test(fit->starts, unit))
        return -EINVAL;

    struct fit_tag *const tag = (struct fit_tag *)((uintptr_t)block - FIT_TAG);
    const uint32_t units = fit_units(tag);

    if (!(tag->size & BUSY) || units < FIT_MIN_UNITS || units > fit->ready - unit)
        return -EUCLEAN;
    *out = tag;
    return 0;
}

/* Do the neighbours agree with what the block's tag says? A write past the end of a block hits the
 * next one's tag, and is found here before it can do harm. */
static bool neighbours_agree(const ring3_fit_t *fit, const struct fit_tag *tag)
{
    const size_t unit = fit_unit_of(fit, tag), next_unit = unit + fit_units(tag);
    const struct fit_tag *const next = after(tag, fit_units(tag));

    if (tag->size & BEFORE_IS_HOLE) {
        const struct fit_tag *const before =
            (const struct fit_tag *)((uintptr_t)tag - (uintptr_t)tag->before * FIT_UNIT);

        if (tag->before >= unit || before->size != tag->before << 2)
            return false;
    }
    if (next->size & BEFORE_IS_HOLE)
        return false;
    if (next_unit == fit->ready)
        return next->size == BUSY;
    if (fit_units(next) < FIT_MIN_UNITS || fit_units(next) > fit->ready - next_unit ||
        ring3_bitmap_test(fit->starts, next_unit) != (next->size & BUSY))
        return false;
    return next->size & BUSY || after(next, fit_units(next))->before == fit_units(next);
}

int ring3_fit_release(ring3_fit_t *fit, void *block)
{
    struct fit_tag *tag;
    const int err = find_block(fit, block, &tag);

    if (err)
        return err;
    if (!neighbours_agree(fit, tag))
        return -EUCLEAN;
    ring3_bitmap_clear(fit->starts, fit_unit_of(fit, tag));
    fit->blocks--;
    make_hole(fit, tag, fit_units(tag));
    return 0;
}

static void shrink(ring3_fit_t *fit, struct fit_tag *tag, uint32_t units)
{
    const uint32_t tail = fit_units(tag) - units;
    struct fit_tag *const rest = after(tag, units);

    if (tail < FIT_MIN_UNITS)
        return;
    tag->size -= tail << 2;
    rest->size = 0;
    make_hole(fit, rest, tail);
}

static int grow(ring3_fit_t *fit, struct fit_tag *tag, uint32_t units)
{
    const struct fit_index *const index = index_of(fit);
    const uint32_t old_units = fit_units(tag), wanted = units - old_units;
    struct fit_hole *const hole = (struct fit_hole *)after(tag, old_units);
    const uint32_t there = hole->tag.size & BUSY ? 0 : fit_units(&hole->tag);

    if (there < wanted)
        return -ENOMEM;

    const uint32_t rest = there - wanted;
    struct fit_tag *const follower = after(&hole->tag, there);
    struct fit_hole *const remainder = (struct fit_hole *)after(&hole->tag, wanted);

    if (rest < FIT_MIN_UNITS) {
        index->remove(fit, hole);
        fit->holes--;
        follower->size &= ~BEFORE_IS_HOLE;
        units += rest;
    } else if (wanted < FIT_MIN_UNITS) {
        /* Old and new hole overlap. */
        index->remove(fit, hole);
        remainder->tag.size = rest << 2;
        index->insert(fit, remainder);
        follower->before = rest;
    } else {
        remainder->tag.size = rest << 2;
        index->move(fit, hole, remainder, there);
        follower->before = rest;
    }
    fit->free_units -= units - old_units;
    tag->size += (units - old_units) << 2;
    mark_written(fit, tag);
    return 0;
}

int ring3_fit_resize(ring3_fit_t *fit, void *block, size_t size)
{
    const uint32_t units = units_for(size);
    struct fit_tag *tag;
    const int err = find_block(fit, block, &tag);

    if (err)
        return err;
    if (!neighbours_agree(fit, tag))
        return -EUCLEAN;
    if (units > fit_units(tag))
        return grow(fit, tag, units);
    shrink(fit, tag, units);
    return 0;
}

size_t ring3_fit_usable(const ring3_fit_t *fit, const void *block)
{
    struct fit_tag *tag;

    return find_block(fit, block, &tag) ? 0 : (size_t)fit_units(tag) * FIT_UNIT - FIT_TAG;
}

void *ring3_fit_covering(const ring3_fit_t *fit, const void *p)
{
    size_t unit = offset_of(fit, p) / FIT_UNIT;

    if (unit >= fit->ready)
        return NULL;
    while (unit > 0 && !ring3_bitmap_test(fit->starts, unit))
        unit--;

    char *const block = fit_memory(fit) + unit * FIT_UNIT;
    const size_t usable = unit ? ring3_fit_usable(fit, block) : 0;

    return (uintptr_t)p - (uintptr_t)block < usable ? block : NULL;
}

/* --- Looking at the heap --------------------------------------------------------------------- */

struct idle_visit {
    ring3_fit_t *fit;
    size_t least;
    void (*visit)(void *start, size_t length, void *context);
    void *context;
};

static void visit_hole(struct fit_hole *hole, void *context)
{
    const struct idle_visit *const to = context;
    const size_t unit = fit_unit_of(to->fit, &hole->tag), units = fit_units(&hole->tag);
    const size_t first_word = unit / 64 + 1, end_word = (unit + units) / 64;

    to->visit(hole + 1, units * FIT_UNIT - sizeof *hole, to->context);
    /* No block starts in a hole: whole words of `starts` are zero. */
    if (end_word > first_word && (end_word - first_word) * sizeof(uint64_t) >= to->least)
        to->visit(&to->fit->starts[first_word], (end_word - first_word) * sizeof(uint64_t),
                  to->context);
}

void ring3_fit_for_each_idle(ring3_fit_t *fit, size_t least,
                             void (*visit)(void *start, size_t length, void *context),
                             void *context)
{
    struct idle_visit to = {fit, least, visit, context};

    index_of(fit)->visit(fit, units_for(least), visit_hole, &to);
}

void ring3_fit_for_each(const ring3_fit_t *fit,
                        void (*visit)(void *start, size_t length, bool in_use, void *context),
                        void *context)
{
    const struct fit_tag *tag = &fit_hole_at(fit, 1)->tag;

    while (tag < end_tag(fit) && fit_units(tag) >= FIT_MIN_UNITS) {
        const bool busy = tag->size & BUSY;

        visit((char *)(uintptr_t)tag + FIT_TAG, (size_t)fit_units(tag) * FIT_UNIT - FIT_TAG, busy,
              context);
        tag = after(tag, fit_units(tag));
    }
}

size_t ring3_fit_free_bytes(const ring3_fit_t *fit)
{
    return fit->free_units * FIT_UNIT;
}

void ring3_fit_statistics(const ring3_fit_t *fit, ring3_fit_statistics_t *statistics)
{
    *statistics = (ring3_fit_statistics_t){
        .total = (size_t)(fit->ready - 1) * FIT_UNIT,
        .free = fit->free_units * FIT_UNIT,
        .largest = (size_t)index_of(fit)->largest(fit) * FIT_UNIT,
        .holes = fit->holes,
        .blocks = fit->blocks,
        .asked = fit->asked,
        .given = fit->given,
        .searches = fit->searches,
        .looked = fit->looked,
    };
}

static void count_hole(struct fit_hole *hole, void *context)
{
    (void)hole;
    ++*(uint64_t *)context;
}

int ring3_fit_check(const ring3_fit_t *fit)
{
    const struct fit_tag *const end = end_tag(fit);
    const struct fit_tag *tag = &fit_hole_at(fit, 1)->tag;
    uint64_t blocks = 0, holes = 0, indexed = 0, free_units = 0;
    uint32_t hole_before = 0, largest = 0;

    for (; tag != end; tag = after(tag, fit_units(tag))) {
        const uint32_t units = fit_units(tag);
        const bool busy = tag->size & BUSY;

        if (units < FIT_MIN_UNITS || units > fit->ready - fit_unit_of(fit, tag) ||
            ring3_bitmap_test(fit->starts, fit_unit_of(fit, tag)) != busy ||
            !(tag->size & BEFORE_IS_HOLE) != (hole_before == 0) ||
            (hole_before && (!busy || tag->before != hole_before)))
            return -EUCLEAN;
        hole_before = busy ? 0 : units;
        largest = hole_before > largest ? hole_before : largest;
        free_units += hole_before;
        holes += !busy;
        blocks += busy;
    }
    if (end->size != (BUSY | (hole_before ? BEFORE_IS_HOLE : 0)) ||
        (hole_before && end->before != hole_before))
        return -EUCLEAN;
    index_of(fit)->visit(fit, FIT_MIN_UNITS, count_hole, &indexed);
    if (blocks != fit->blocks || holes != fit->holes || indexed != holes ||
        free_units != fit->free_units || index_of(fit)->largest(fit) != largest ||
        ring3_bitmap_count(fit->starts, fit->ready) != blocks)
        return -EUCLEAN;
    return 0;
}
