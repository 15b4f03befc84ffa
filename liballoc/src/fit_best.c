/* SPDX-License-Identifier: MIT */
/*
 * Holes ordered by size: best fit and worst fit. Up to 1040 bytes there is a list for each size,
 * and a word with a bit for each list that has something in it, so the smallest sufficient hole is
 * one bit search away; among holes of one size the one freed last goes first, while it is in the
 * cache. Larger holes are in a tree ordered by size, then address. Worst fit takes the last of that
 * order.
 *
 * Invariant: occupied has bit i set exactly when lists[i] is not empty; the tree holds the holes of
 * more than FIT_MIN_UNITS + FIT_LISTS - 1 units.
 */
#include "fit_tree.h"

#define LISTED_MAX (FIT_MIN_UNITS + FIT_LISTS - 1) /* units */

static struct fit_hole *smallest_in_tree(ring3_fit_t *fit, uint32_t units)
{
    struct fit_hole *best = NULL;
    uint32_t node = fit->root;

    while (node) {
        struct fit_hole *const hole = fit_hole_at(fit, node);

        fit->looked++;
        if (fit_units(&hole->tag) >= units) {
            best = hole;
            node = hole->left;
        } else {
            node = hole->right;
        }
    }
    return best;
}

static struct fit_hole *find_best(ring3_fit_t *fit, uint32_t units)
{
    const uint64_t lists =
        units > LISTED_MAX ? 0 : fit->occupied & (UINT64_MAX << (units - FIT_MIN_UNITS));

    fit->searches++;
    if (!lists)
        return smallest_in_tree(fit, units);
    fit->looked++;
    return fit_hole_at(fit, fit->lists[__builtin_ctzll(lists)]);
}

static struct fit_hole *last(ring3_fit_t *fit)
{
    struct fit_hole *hole = NULL;

    for (uint32_t node = fit->root; node; node = hole->right) {
        hole = fit_hole_at(fit, node);
        fit->looked++;
    }
    if (hole || !fit->occupied)
        return hole;
    fit->looked++;
    return fit_hole_at(fit, fit->lists[63 - __builtin_clzll(fit->occupied)]);
}

static struct fit_hole *find_worst(ring3_fit_t *fit, uint32_t units)
{
    struct fit_hole *hole;

    fit->searches++;
    hole = last(fit);
    return hole && fit_units(&hole->tag) >= units ? hole : NULL;
}

/* --- Lists ----------------------------------------------------------------------------------- */

static void push(ring3_fit_t *fit, uint32_t list, struct fit_hole *hole)
{
    const uint32_t unit = fit_unit_of(fit, &hole->tag), head = fit->lists[list];

    hole->next = head;
    hole->previous = 0;
    if (head)
        fit_hole_at(fit, head)->previous = unit;
    fit->lists[list] = unit;
    fit->occupied |= UINT64_C(1) << list;
}

static void unlink_hole(ring3_fit_t *fit, uint32_t list, struct fit_hole *hole)
{
    if (hole->previous)
        fit_hole_at(fit, hole->previous)->next = hole->next;
    else
        fit->lists[list] = hole->next;
    if (hole->next)
        fit_hole_at(fit, hole->next)->previous = hole->previous;
    if (!fit->lists[list])
        fit->occupied &= ~(UINT64_C(1) << list);
}

/* --- The index ------------------------------------------------------------------------------- */

static void insert(ring3_fit_t *fit, struct fit_hole *hole)
{
    const uint32_t units = fit_units(&hole->tag);

    if (units > LISTED_MAX)
        fit_tree_insert(fit, FIT_BY_SIZE, hole);
    else
        push(fit, units - FIT_MIN_UNITS, hole);
}

static void remove_sized(ring3_fit_t *fit, struct fit_hole *hole, uint32_t units)
{
    if (units > LISTED_MAX)
        fit_tree_remove(fit, FIT_BY_SIZE, (struct fit_key){units, fit_unit_of(fit, &hole->tag)});
    else
        unlink_hole(fit, units - FIT_MIN_UNITS, hole);
}

static void remove_hole(ring3_fit_t *fit, struct fit_hole *hole)
{
    remove_sized(fit, hole, fit_units(&hole->tag));
}

static void move(ring3_fit_t *fit, struct fit_hole *from, struct fit_hole *to, uint32_t old_units)
{
    remove_sized(fit, from, old_units);
    insert(fit, to);
}

static void visit(const ring3_fit_t *fit, uint32_t units,
                  void (*visitor)(struct fit_hole *hole, void *context), void *context)
{
    for (uint32_t i = units > FIT_MIN_UNITS ? units - FIT_MIN_UNITS : 0; i < FIT_LISTS; i++) {
        uint32_t next;

        for (uint32_t unit = fit->lists[i]; unit; unit = next) {
            struct fit_hole *const hole = fit_hole_at(fit, unit);

            next = hole->next;
            visitor(hole, context);
        }
    }
    fit_tree_visit(fit, units, visitor, context);
}

static uint32_t largest(const ring3_fit_t *fit)
{
    if (fit->root)
        return fit_tree_largest(fit, fit->root);
    return fit->occupied ? 63 - (uint32_t)__builtin_clzll(fit->occupied) + FIT_MIN_UNITS : 0;
}

const struct fit_index ring3_fit_best = {find_best, insert, remove_hole, move, visit, largest};
const struct fit_index ring3_fit_worst = {find_worst, insert, remove_hole, move, visit, largest};
