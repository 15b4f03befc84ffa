/* SPDX-License-Identifier: MIT */
/*
 * Intrusive red-black tree with a cached leftmost node and optional augmentation.
 *
 *     struct hole { ring3_rbnode_t node; size_t size; };
 *     static bool smaller(const ring3_rbnode_t *a, const ring3_rbnode_t *b) { … }
 *     ring3_rbtree_insert(&tree, &hole->node, smaller);
 *     struct hole *least = ring3_container_of(ring3_rbtree_first(&tree), struct hole, node);
 *
 * An all-zero tree is empty. The caller owns the nodes; the tree never allocates, never recurses
 * and takes no lock. Equal keys are allowed: a new node goes after those equal to it, so that
 * in-order traversal is stable.
 *
 * Augmentation: a tree whose nodes summarise their subtrees (say, the largest hole below) is given
 * a function that recomputes one node from its own value and its two children, and returns whether
 * the summary changed. The tree calls it bottom-up whenever a subtree changes; after changing a
 * value in place call ring3_rbtree_update. A summary must follow from the nodes below and their
 * order alone, not from the shape of the subtree, because a rotation passes it on unchanged.
 *
 * Source: Guibas and Sedgewick 1978; deletion after Cormen, Leiserson, Rivest and Stein,
 * chapter 13. Not thread-safe. After fork the
 * child has its own copy of a private tree, in the state it was in.
 */
#ifndef RING3_RBTREE_H
#define RING3_RBTREE_H

#include "ring3/api.h"
#include "ring3/container.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_rbnode {
    uintptr_t parent_color; /* address of the parent; bit 0: 1 = red */
    struct ring3_rbnode *left, *right;
} ring3_rbnode_t;

/** Recompute the summary of `node` from itself and its children; true if it changed. */
typedef bool ring3_rbtree_summarise_t(ring3_rbnode_t *node);

typedef struct ring3_rbtree {
    ring3_rbnode_t *root;
    ring3_rbnode_t *leftmost;
    ring3_rbtree_summarise_t *summarise; /* NULL: not augmented */
} ring3_rbtree_t;

/** Strict order: true if `a` comes before `b`. */
typedef bool ring3_rbtree_less_t(const ring3_rbnode_t *a, const ring3_rbnode_t *b);

static inline bool ring3_rbtree_empty(const ring3_rbtree_t *tree)
{
    return !tree->root;
}

/** The smallest node, or NULL. O(1). */
static inline ring3_rbnode_t *ring3_rbtree_first(const ring3_rbtree_t *tree)
{
    return tree->leftmost;
}

/** The largest node, or NULL. O(log n). */
ring3_rbnode_t *ring3_rbtree_last(const ring3_rbtree_t *tree);

/** In-order neighbours, or NULL at the end. */
ring3_rbnode_t *ring3_rbtree_next(const ring3_rbnode_t *node);
ring3_rbnode_t *ring3_rbtree_prev(const ring3_rbnode_t *node);

/** The parent of a node in a tree, or NULL for the root. */
static inline ring3_rbnode_t *ring3_rbtree_parent(const ring3_rbnode_t *node)
{
    return (ring3_rbnode_t *)(node->parent_color & ~(uintptr_t)1);
}

/** Insert a node that is in no tree. O(log n). */
void ring3_rbtree_insert(ring3_rbtree_t *tree, ring3_rbnode_t *node, ring3_rbtree_less_t *less);

/**
 * Insert where the caller's own search ended: as the child of `parent` at `link` (&parent->left,
 * &parent->right, or &tree->root with a NULL parent), which must hold NULL.
 */
void ring3_rbtree_insert_at(ring3_rbtree_t *tree, ring3_rbnode_t *node, ring3_rbnode_t *parent,
                            ring3_rbnode_t **link);

/** Remove a node from its tree. O(log n). The node's fields are then undefined. */
void ring3_rbtree_remove(ring3_rbtree_t *tree, ring3_rbnode_t *node);

/** Put `fresh` in the place of `old`, which leaves the tree. The two must compare equal. O(1) when
 * not augmented. */
void ring3_rbtree_replace(ring3_rbtree_t *tree, ring3_rbnode_t *old, ring3_rbnode_t *fresh);

/** Tell an augmented tree that the value of `node` changed in place (its order must not have). */
void ring3_rbtree_update(ring3_rbtree_t *tree, ring3_rbnode_t *node);

/** First node for which `before(node, key)` is false, when `before` is monotonic over the tree's
 * order; or NULL. */
ring3_rbnode_t *ring3_rbtree_lower_bound(const ring3_rbtree_t *tree,
                                         bool (*before)(const ring3_rbnode_t *node,
                                                        const void *key),
                                         const void *key);

/**
 * Empty the tree, handing every node to `release` (children before parents, without recursion and
 * without rebalancing), which may free it or put it elsewhere. O(n).
 */
void ring3_rbtree_free(ring3_rbtree_t *tree, void (*release)(ring3_rbnode_t *node, void *context),
                       void *context);

/** Visit the nodes in order. The node at hand must not be removed. */
#define ring3_rbtree_for_each(node, tree)                                                          \
    for ((node) = ring3_rbtree_first(tree); (node); (node) = ring3_rbtree_next(node))

RING3_API_END

#endif
