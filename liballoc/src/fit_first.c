/* SPDX-License-Identifier: MIT */
/*
 * Holes ordered by address: first fit and next fit. The tree knows the largest hole below each
 * node, so the lowest hole that is large enough is found by going down once: left if the left
 * subtree has one, else here, else right.
 * Source: Stephenson 1983, "Fast fits", with a treap in place of the Cartesian tree.
 *
 * Next fit begins its search where the last block was cut, and goes round: Knuth, section 2.5,
 * exercise 6. It spreads blocks over the memory, and leaves middling holes everywhere.
 */
#include "fit_tree.h"

static struct fit_hole *lowest_below(ring3_fit_t *fit, uint32_t node, uint32_t units)
{
    struct fit_hole *hole;

    if (fit_tree_largest(fit, node) < units)
        return NULL;
    for (;;) {
        hole = fit_hole_at(fit, node);
        fit->looked++;
        if (fit_tree_largest(fit, hole->left) >= units)
            node = hole->left;
        else if (fit_units(&hole->tag) >= units)
            return hole;
        else
            node = hole->right;
    }
}

/* The lowest hole at `from` or above. The tree's depth bounds the recursion: only one path of it
 * has nodes on both sides of `from`. */
static struct fit_hole *lowest_from(ring3_fit_t *fit, uint32_t node, uint32_t from, uint32_t units)
{
    struct fit_hole *hole, *found;

    if (!node || fit_tree_largest(fit, node) < units)
        return NULL;
    hole = fit_hole_at(fit, node);
    fit->looked++;
    if (node < from)
        return lowest_from(fit, hole->right, from, units);
    found = lowest_from(fit, hole->left, from, units);
    if (found)
        return found;
    return fit_units(&hole->tag) >= units ? hole : lowest_below(fit, hole->right, units);
}

static struct fit_hole *find_first(ring3_fit_t *fit, uint32_t units)
{
    fit->searches++;
    return lowest_below(fit, fit->root, units);
}

static struct fit_hole *find_next(ring3_fit_t *fit, uint32_t units)
{
    struct fit_hole *hole;

    fit->searches++;
    hole = lowest_from(fit, fit->root, fit->rover, units);
    if (!hole)
        hole = lowest_below(fit, fit->root, units);
    return hole;
}

static void insert(ring3_fit_t *fit, struct fit_hole *hole)
{
    fit_tree_insert(fit, FIT_BY_ADDRESS, hole);
}

static void remove_hole(ring3_fit_t *fit, struct fit_hole *hole)
{
    fit_tree_remove(fit, FIT_BY_ADDRESS, (struct fit_key){0, fit_unit_of(fit, &hole->tag)});
}

static void move(ring3_fit_t *fit, struct fit_hole *from, struct fit_hole *to, uint32_t old_units)
{
    (void)old_units;
    fit_tree_move(fit, fit_unit_of(fit, &from->tag), fit_unit_of(fit, &to->tag));
}

static uint32_t largest(const ring3_fit_t *fit)
{
    return fit_tree_largest(fit, fit->root);
}

const struct fit_index ring3_fit_first = {find_first, insert,         remove_hole,
                                          move,       fit_tree_visit, largest};
const struct fit_index ring3_fit_next = {find_next, insert,         remove_hole,
                                         move,      fit_tree_visit, largest};
