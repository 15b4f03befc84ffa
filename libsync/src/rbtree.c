/* SPDX-License-Identifier: MIT */
/*
 * Red-black tree: every path from the root to a NULL link passes the same number of black nodes,
 * and a red node has no red child, so no path is more than twice as long as another.
 * Source: Guibas and Sedgewick 1978; Cormen, Leiserson, Rivest and Stein, chapter 13. Unlike there,
 * NULL takes the place of the sentinel, so the repair after a removal is told the parent.
 *
 * Summaries (see the header) are set right along the whole path first, before any repair. A
 * rotation then recomputes only the two nodes it turns: together they cover the same nodes as
 * before, so nothing above them changes.
 */
#include "ring3/rbtree.h"

#define RED ((uintptr_t)1)

static bool is_red(const ring3_rbnode_t *node)
{
    return node && (node->parent_color & RED);
}

static void set_red(ring3_rbnode_t *node)
{
    node->parent_color |= RED;
}

static void set_black(ring3_rbnode_t *node)
{
    node->parent_color &= ~RED;
}

static void set_parent(ring3_rbnode_t *node, const ring3_rbnode_t *parent)
{
    node->parent_color = (uintptr_t)parent | (node->parent_color & RED);
}

/* The link that leads to `node`. */
static ring3_rbnode_t **link_to(ring3_rbtree_t *tree, const ring3_rbnode_t *node)
{
    ring3_rbnode_t *const parent = ring3_rbtree_parent(node);

    if (!parent)
        return &tree->root;
    return parent->left == node ? &parent->left : &parent->right;
}

/* Summarise from `node` upwards until a summary stays as it was. */
static void summarise_up(const ring3_rbtree_t *tree, ring3_rbnode_t *node)
{
    if (!tree->summarise)
        return;
    while (node && tree->summarise(node))
        node = ring3_rbtree_parent(node);
}

/* The same for a node that is new in its place: what its summary said before means nothing. */
static void summarise_fresh(const ring3_rbtree_t *tree, ring3_rbnode_t *node)
{
    if (!tree->summarise)
        return;
    (void)tree->summarise(node);
    summarise_up(tree, ring3_rbtree_parent(node));
}

/* `up`, a child of `down`, takes its place and gets it as the child on the other side. */
static void rotate(ring3_rbtree_t *tree, ring3_rbnode_t *down, ring3_rbnode_t *up)
{
    const bool up_is_left = down->left == up;
    ring3_rbnode_t **const freed = up_is_left ? &down->left : &down->right;
    ring3_rbnode_t **const taken = up_is_left ? &up->right : &up->left;

    *link_to(tree, down) = up;
    set_parent(up, ring3_rbtree_parent(down));
    *freed = *taken;
    if (*freed)
        set_parent(*freed, down);
    *taken = down;
    set_parent(down, up);
    if (tree->summarise) {
        (void)tree->summarise(down);
        (void)tree->summarise(up);
    }
}

/* `node` is red; its parent may be red too, and nothing else is wrong. */
static void repair_insertion(ring3_rbtree_t *tree, ring3_rbnode_t *node)
{
    ring3_rbnode_t *parent;

    while (is_red(parent = ring3_rbtree_parent(node))) {
        ring3_rbnode_t *const grand = ring3_rbtree_parent(parent); /* a red node is not the root */
        ring3_rbnode_t *const uncle = grand->left == parent ? grand->right : grand->left;

        if (is_red(uncle)) {
            set_black(parent);
            set_black(uncle);
            set_red(grand);
            node = grand;
            continue;
        }
        /* An inner grandchild first turns into an outer one. */
        if ((parent->left == node) != (grand->left == parent)) {
            rotate(tree, parent, node);
            parent = node;
        }
        set_black(parent);
        set_red(grand);
        rotate(tree, grand, parent);
        break;
    }
    set_black(tree->root);
}

/* Paths through `node`, a child of `parent` that may be NULL, lack one black node. */
static void repair_removal(ring3_rbtree_t *tree, ring3_rbnode_t *node, ring3_rbnode_t *parent)
{
    while (parent && !is_red(node)) {
        const bool left = parent->left == node;
        ring3_rbnode_t *sibling = left ? parent->right : parent->left;

        if (is_red(sibling)) {
            set_black(sibling);
            set_red(parent);
            rotate(tree, parent, sibling);
            sibling = left ? parent->right : parent->left;
        }

        ring3_rbnode_t *outer = left ? sibling->right : sibling->left;
        ring3_rbnode_t *const inner = left ? sibling->left : sibling->right;

        if (!is_red(outer) && !is_red(inner)) {
            set_red(sibling);
            node = parent;
            parent = ring3_rbtree_parent(node);
            continue;
        }
        /* An inner red nephew first turns into an outer one; the colours are set below. */
        if (!is_red(outer)) {
            rotate(tree, sibling, inner);
            outer = sibling;
            sibling = inner;
        }
        if (is_red(parent))
            set_red(sibling);
        else
            set_black(sibling);
        set_black(parent);
        set_black(outer);
        rotate(tree, parent, sibling);
        return;
    }
    if (node)
        set_black(node);
}

void ring3_rbtree_insert_at(ring3_rbtree_t *tree, ring3_rbnode_t *node, ring3_rbnode_t *parent,
                            ring3_rbnode_t **link)
{
    node->parent_color = (uintptr_t)parent | RED;
    node->left = NULL;
    node->right = NULL;
    if (!parent || (parent == tree->leftmost && link == &parent->left))
        tree->leftmost = node;
    *link = node;
    summarise_fresh(tree, node);
    repair_insertion(tree, node);
}

void ring3_rbtree_insert(ring3_rbtree_t *tree, ring3_rbnode_t *node, ring3_rbtree_less_t *less)
{
    ring3_rbnode_t **link = &tree->root, *parent = NULL;

    while (*link) {
        parent = *link;
        link = less(node, parent) ? &parent->left : &parent->right;
    }
    ring3_rbtree_insert_at(tree, node, parent, link);
}

/* `heir` (may be NULL) takes the place of `node` under its parent. */
static void inherit(ring3_rbtree_t *tree, const ring3_rbnode_t *node, ring3_rbnode_t *heir)
{
    *link_to(tree, node) = heir;
    if (heir)
        set_parent(heir, ring3_rbtree_parent(node));
}

/* `heir` takes over everything `node` has in the tree: parent, colour and children. */
static void take_over(ring3_rbtree_t *tree, const ring3_rbnode_t *node, ring3_rbnode_t *heir)
{
    *link_to(tree, node) = heir;
    *heir = *node;
    if (heir->left)
        set_parent(heir->left, heir);
    if (heir->right)
        set_parent(heir->right, heir);
}

void ring3_rbtree_remove(ring3_rbtree_t *tree, ring3_rbnode_t *node)
{
    if (tree->leftmost == node)
        tree->leftmost = ring3_rbtree_next(node);

    /* A node with two children gives its place to its successor, which has no left child. `leaver`
     * is the one whose place in the tree goes away. */
    ring3_rbnode_t *const leaver = node->left && node->right ? ring3_rbtree_next(node) : node;
    ring3_rbnode_t *const child = leaver->left ? leaver->left : leaver->right;
    const bool lost_black = !is_red(leaver);
    ring3_rbnode_t *parent = ring3_rbtree_parent(leaver);

    inherit(tree, leaver, child);
    if (leaver != node) {
        take_over(tree, node, leaver);
        if (parent == node)
            parent = leaver;
        else
            summarise_up(tree, parent);
        summarise_fresh(tree, leaver);
    } else {
        summarise_up(tree, parent);
    }
    if (lost_black)
        repair_removal(tree, child, parent);
}

void ring3_rbtree_replace(ring3_rbtree_t *tree, ring3_rbnode_t *old, ring3_rbnode_t *fresh)
{
    if (tree->leftmost == old)
        tree->leftmost = fresh;
    take_over(tree, old, fresh);
    summarise_fresh(tree, fresh);
}

void ring3_rbtree_update(ring3_rbtree_t *tree, ring3_rbnode_t *node)
{
    summarise_up(tree, node);
}

ring3_rbnode_t *ring3_rbtree_last(const ring3_rbtree_t *tree)
{
    ring3_rbnode_t *node = tree->root;

    while (node && node->right)
        node = node->right;
    return node;
}

ring3_rbnode_t *ring3_rbtree_next(const ring3_rbnode_t *node)
{
    if (node->right) {
        ring3_rbnode_t *below = node->right;

        while (below->left)
            below = below->left;
        return below;
    }

    ring3_rbnode_t *above = ring3_rbtree_parent(node);

    while (above && above->right == node) {
        node = above;
        above = ring3_rbtree_parent(node);
    }
    return above;
}

ring3_rbnode_t *ring3_rbtree_prev(const ring3_rbnode_t *node)
{
    if (node->left) {
        ring3_rbnode_t *below = node->left;

        while (below->right)
            below = below->right;
        return below;
    }

    ring3_rbnode_t *above = ring3_rbtree_parent(node);

    while (above && above->left == node) {
        node = above;
        above = ring3_rbtree_parent(node);
    }
    return above;
}

ring3_rbnode_t *ring3_rbtree_lower_bound(const ring3_rbtree_t *tree,
                                         bool (*before)(const ring3_rbnode_t *node,
                                                        const void *key),
                                         const void *key)
{
    ring3_rbnode_t *node = tree->root, *bound = NULL;

    while (node) {
        if (before(node, key)) {
            node = node->right;
        } else {
            bound = node;
            node = node->left;
        }
    }
    return bound;
}

void ring3_rbtree_free(ring3_rbtree_t *tree, void (*release)(ring3_rbnode_t *node, void *context),
                       void *context)
{
    ring3_rbnode_t *node = tree->root;

    tree->root = NULL;
    tree->leftmost = NULL;
    while (node) {
        /* Down to a leaf, cutting each link on the way so that the way back up does not take it
         * again. */
        if (node->left) {
            ring3_rbnode_t *const below = node->left;

            node->left = NULL;
            node = below;
        } else if (node->right) {
            ring3_rbnode_t *const below = node->right;

            node->right = NULL;
            node = below;
        } else {
            ring3_rbnode_t *const above = ring3_rbtree_parent(node);

            release(node, context);
            node = above;
        }
    }
}
