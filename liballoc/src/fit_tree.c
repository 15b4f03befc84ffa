/* SPDX-License-Identifier: MIT */
/* A treap of holes: see fit_tree.h. Functions that change a subtree return its new root. */
#include "fit_tree.h"

static void summarise(const ring3_fit_t *fit, struct fit_hole *hole)
{
    const uint32_t left = fit_tree_largest(fit, hole->left);
    const uint32_t right = fit_tree_largest(fit, hole->right);
    uint32_t largest = fit_units(&hole->tag);

    if (left > largest)
        largest = left;
    if (right > largest)
        largest = right;
    hole->tag.before = largest;
}

/* True if the key stands before the hole. */
static bool before(const ring3_fit_t *fit, enum fit_tree_order order, struct fit_key key,
                   const struct fit_hole *hole)
{
    const uint32_t units = fit_units(&hole->tag);

    if (order == FIT_BY_SIZE && key.units != units)
        return key.units < units;
    return key.unit < fit_unit_of(fit, &hole->tag);
}

/* Marsaglia's xorshift: all that matters is that nobody's addresses depend on it. */
static uint32_t draw(ring3_fit_t *fit)
{
    uint32_t x = fit->drawn ? fit->drawn : 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return fit->drawn = x;
}

/* Cut a subtree in two: what stands before the key, and what does not. */
static void split(ring3_fit_t *fit, enum fit_tree_order order, uint32_t node, struct fit_key key,
                  uint32_t *low, uint32_t *high)
{
    struct fit_hole *hole;

    if (!node) {
        *low = *high = 0;
        return;
    }
    hole = fit_hole_at(fit, node);
    if (before(fit, order, key, hole)) {
        *high = node;
        split(fit, order, hole->left, key, low, &hole->left);
    } else {
        *low = node;
        split(fit, order, hole->right, key, &hole->right, high);
    }
    summarise(fit, hole);
}

/* All of `low` stands before all of `high`. */
static uint32_t join(ring3_fit_t *fit, uint32_t low, uint32_t high)
{
    struct fit_hole *a, *b;

    if (!low || !high)
        return low | high;
    a = fit_hole_at(fit, low);
    b = fit_hole_at(fit, high);
    if (a->priority >= b->priority) {
        a->right = join(fit, a->right, high);
        summarise(fit, a);
        return low;
    }
    b->left = join(fit, low, b->left);
    summarise(fit, b);
    return high;
}

static uint32_t insert(ring3_fit_t *fit, enum fit_tree_order order, uint32_t node,
                       struct fit_hole *fresh, struct fit_key key)
{
    struct fit_hole *const hole = node ? fit_hole_at(fit, node) : NULL;

    if (!hole || hole->priority < fresh->priority) {
        uint32_t low, high;

        split(fit, order, node, key, &low, &high);
        fresh->left = low;
        fresh->right = high;
        summarise(fit, fresh);
        return key.unit;
    }
    if (before(fit, order, key, hole))
        hole->left = insert(fit, order, hole->left, fresh, key);
    else
        hole->right = insert(fit, order, hole->right, fresh, key);
    summarise(fit, hole);
    return node;
}

void fit_tree_insert(ring3_fit_t *fit, enum fit_tree_order order, struct fit_hole *hole)
{
    const struct fit_key key = {fit_units(&hole->tag), fit_unit_of(fit, &hole->tag)};

    hole->priority = draw(fit);
    fit->root = insert(fit, order, fit->root, hole, key);
}

static uint32_t removed(ring3_fit_t *fit, enum fit_tree_order order, uint32_t node,
                        struct fit_key key)
{
    struct fit_hole *const hole = fit_hole_at(fit, node);

    if (node == key.unit)
        return join(fit, hole->left, hole->right);
    if (before(fit, order, key, hole))
        hole->left = removed(fit, order, hole->left, key);
    else
        hole->right = removed(fit, order, hole->right, key);
    summarise(fit, hole);
    return node;
}

void fit_tree_remove(ring3_fit_t *fit, enum fit_tree_order order, struct fit_key key)
{
    fit->root = removed(fit, order, fit->root, key);
}

static uint32_t moved(ring3_fit_t *fit, uint32_t node, uint32_t from, uint32_t to)
{
    struct fit_hole *hole = fit_hole_at(fit, node);

    if (node == from) {
        struct fit_hole *const there = fit_hole_at(fit, to);

        there->left = hole->left;
        there->right = hole->right;
        there->priority = hole->priority;
        summarise(fit, there);
        return to;
    }
    if (from < node)
        hole->left = moved(fit, hole->left, from, to);
    else
        hole->right = moved(fit, hole->right, from, to);
    summarise(fit, hole);
    return node;
}

void fit_tree_move(ring3_fit_t *fit, uint32_t from, uint32_t to)
{
    fit->root = moved(fit, fit->root, from, to);
}

static void visit(const ring3_fit_t *fit, uint32_t node, uint32_t units,
                  void (*visitor)(struct fit_hole *hole, void *context), void *context)
{
    struct fit_hole *hole;
    uint32_t right;

    if (!node || fit_tree_largest(fit, node) < units)
        return;
    hole = fit_hole_at(fit, node);
    right = hole->right;
    visit(fit, hole->left, units, visitor, context);
    if (fit_units(&hole->tag) >= units)
        visitor(hole, context);
    visit(fit, right, units, visitor, context);
}

void fit_tree_visit(const ring3_fit_t *fit, uint32_t units,
                    void (*visitor)(struct fit_hole *hole, void *context), void *context)
{
    visit(fit, fit->root, units, visitor, context);
}
