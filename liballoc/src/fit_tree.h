/* SPDX-License-Identifier: MIT */
/*
 * A search tree of holes: by address, or by size and then address. A treap: a node's priority is
 * drawn when it enters, and is at least that of its children, so that the tree has the shape that
 * random order of insertion would give, whatever the order was. Nodes have no link to their parent,
 * and links are units, so the tree works wherever the memory is mapped.
 *
 * Every node knows the largest hole in its subtree (in tag.before, which a hole has no other use
 * for).
 *
 * All changes go down from the root and put the summaries right on the way back; recursion is as
 * deep as the tree, about 2 ln n: some 40 calls for a billion holes.
 *
 * Source: Seidel and Aragon 1996, "Randomized search trees".
 */
#ifndef RING3_FIT_TREE_H
#define RING3_FIT_TREE_H

#include "fit_tags.h"

enum fit_tree_order { FIT_BY_ADDRESS, FIT_BY_SIZE };

/* Where a hole stands in the order. While its size changes, the tree still knows it by the old one. */
struct fit_key {
    uint32_t units, unit;
};

void fit_tree_insert(ring3_fit_t *fit, enum fit_tree_order order, struct fit_hole *hole);
void fit_tree_remove(ring3_fit_t *fit, enum fit_tree_order order, struct fit_key key);

/* By address: the hole at unit `from` is at `to` now, between the same neighbours, or has another
 * size; the two may be the same. The node at `from` is still what it was. */
void fit_tree_move(ring3_fit_t *fit, uint32_t from, uint32_t to);

/* Every hole of at least `units`, in order, past subtrees without one. */
void fit_tree_visit(const ring3_fit_t *fit, uint32_t units,
                    void (*visitor)(struct fit_hole *hole, void *context), void *context);

/* Units of the largest hole below a node, 0 for none. */
static inline uint32_t fit_tree_largest(const ring3_fit_t *fit, uint32_t node)
{
    return node ? fit_hole_at(fit, node)->tag.before : 0;
}

#endif
