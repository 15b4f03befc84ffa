/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/rbtree.h"

#include <stdlib.h>
#include <string.h>

/* A hole has a key that orders it and a size; `largest` sums up the subtree below. */
struct hole {
    ring3_rbnode_t node;
    int key, serial;
    int size, largest;
    bool in_tree;
};

static struct hole *hole_of(const ring3_rbnode_t *node)
{
    return ring3_container_of(node, struct hole, node);
}

static bool before(const ring3_rbnode_t *a, const ring3_rbnode_t *b)
{
    return hole_of(a)->key < hole_of(b)->key;
}

static bool below_key(const ring3_rbnode_t *node, const void *key)
{
    return hole_of(node)->key < *(const int *)key;
}

static bool summarise_largest(ring3_rbnode_t *node)
{
    struct hole *const hole = hole_of(node);
    const int old = hole->largest;

    hole->largest = hole->size;
    if (node->left && hole_of(node->left)->largest > hole->largest)
        hole->largest = hole_of(node->left)->largest;
    if (node->right && hole_of(node->right)->largest > hole->largest)
        hole->largest = hole_of(node->right)->largest;
    return hole->largest != old;
}

/* --- What must hold of every node ------------------------------------------------------------ */

static bool red(const ring3_rbnode_t *node)
{
    return node && (node->parent_color & 1);
}

/* Height in black nodes of a subtree in which all is well; the test fails otherwise. */
static int checked_height(const ring3_rbnode_t *node, const ring3_rbnode_t *parent, bool augmented)
{
    if (!node)
        return 0;
    check(ring3_rbtree_parent(node) == parent, "parent link");
    check(!(red(node) && (red(node->left) || red(node->right))), "a red node has a red child");

    const int left = checked_height(node->left, node, augmented);
    const int right = checked_height(node->right, node, augmented);

    check_eq(left, right, "black heights differ");
    if (augmented) {
        int largest = hole_of(node)->size;

        if (node->left && hole_of(node->left)->largest > largest)
            largest = hole_of(node->left)->largest;
        if (node->right && hole_of(node->right)->largest > largest)
            largest = hole_of(node->right)->largest;
        check_eq(hole_of(node)->largest, largest, "largest below key %d", hole_of(node)->key);
    }
    return left + !red(node);
}

static void check_tree(const ring3_rbtree_t *tree)
{
    const ring3_rbnode_t *least = tree->root;

    check(!red(tree->root), "the root is red");
    checked_height(tree->root, NULL, tree->summarise != NULL);
    while (least && least->left)
        least = least->left;
    check(tree->leftmost == least, "the cached leftmost node is not the leftmost");
}

/* --- The model: an array in order ------------------------------------------------------------- */

#define HOLES 64

struct model {
    struct hole *order[HOLES];
    int count;
};

static void model_insert(struct model *model, struct hole *hole)
{
    int at = model->count;

    while (at > 0 && hole->key < model->order[at - 1]->key)
        at--;
    memmove(&model->order[at + 1], &model->order[at],
            (size_t)(model->count - at) * sizeof model->order[0]);
    model->order[at] = hole;
    model->count++;
}

static int model_find(const struct model *model, const struct hole *hole)
{
    int at = 0;

    while (model->order[at] != hole)
        at++;
    return at;
}

static void model_remove(struct model *model, const struct hole *hole)
{
    const int at = model_find(model, hole);

    model->count--;
    memmove(&model->order[at], &model->order[at + 1],
            (size_t)(model->count - at) * sizeof model->order[0]);
}

static void check_same(const ring3_rbtree_t *tree, const struct model *model)
{
    const ring3_rbnode_t *node;
    int at = 0;

    ring3_rbtree_for_each (node, tree) {
        check_lt(at, model->count, "more nodes than inserted");
        check(hole_of(node) == model->order[at], "key %d at place %d", hole_of(node)->key, at);
        at++;
    }
    check_eq(at, model->count, "nodes are lost");
    for (node = ring3_rbtree_last(tree); node; node = ring3_rbtree_prev(node))
        check(hole_of(node) == model->order[--at], "backwards, place %d", at);
    check_eq(at, 0);
    check_eq(ring3_rbtree_empty(tree), model->count == 0);
}

/* Random operations; keys from a small range, so that equal keys are common. */
static void run_random(ring3_rbtree_t *tree, unsigned seed, int steps)
{
    static struct hole pool[HOLES + 1];
    struct model model = {.count = 0};
    struct hole *spare = &pool[HOLES], *holes[HOLES];

    memset(pool, 0xa5, sizeof pool); /* summaries of new nodes start as rubbish */
    for (int i = 0; i < HOLES; i++) {
        holes[i] = &pool[i];
        holes[i]->in_tree = false;
    }
    srand(seed);
    for (int step = 0; step < steps; step++) {
        const int i = rand() % HOLES;
        struct hole *const hole = holes[i];

        if (!hole->in_tree) {
            hole->key = rand() % 40;
            hole->size = rand() % 1000;
            if (rand() % 4 == 0)
                hole->largest = hole->size; /* rubbish that looks right */
            ring3_rbtree_insert(tree, &hole->node, before);
            model_insert(&model, hole);
            hole->in_tree = true;
        } else if (rand() % 4 == 0) {
            hole->size = rand() % 1000;
            ring3_rbtree_update(tree, &hole->node);
        } else if (rand() % 4 == 0) {
            const int at = model_find(&model, hole);

            spare->key = hole->key;
            spare->size = rand() % 1000;
            spare->largest = rand() % 2 ? spare->size : hole->largest;
            ring3_rbtree_replace(tree, &hole->node, &spare->node);
            spare->in_tree = true;
            hole->in_tree = false;
            model.order[at] = spare;
            holes[i] = spare;
            spare = hole;
        } else {
            ring3_rbtree_remove(tree, &hole->node);
            model_remove(&model, hole);
            hole->in_tree = false;
        }
        check_tree(tree);
        check_same(tree, &model);
    }
}

TEST(rbtree, agrees_with_a_sorted_array_after_any_sequence)
{
    for (unsigned seed = 1; seed <= 5; seed++) {
        ring3_rbtree_t tree = {0};

        run_random(&tree, seed, 4000);
    }
}

TEST(rbtree, keeps_the_largest_below_each_node_right)
{
    for (unsigned seed = 11; seed <= 15; seed++) {
        ring3_rbtree_t tree = {.summarise = summarise_largest};

        run_random(&tree, seed, 4000);
    }
}

/* Every order of inserting seven nodes, then every single removal. */
static void permute(struct hole *holes, int *order, int from, int count)
{
    if (from == count) {
        for (int victim = 0; victim < count; victim++) {
            ring3_rbtree_t tree = {.summarise = summarise_largest};

            for (int i = 0; i < count; i++)
                ring3_rbtree_insert(&tree, &holes[order[i]].node, before);
            check_tree(&tree);
            ring3_rbtree_remove(&tree, &holes[victim].node);
            check_tree(&tree);
        }
        return;
    }
    for (int i = from; i < count; i++) {
        const int kept = order[from];

        order[from] = order[i];
        order[i] = kept;
        permute(holes, order, from + 1, count);
        order[i] = order[from];
        order[from] = kept;
    }
}

TEST(rbtree, is_balanced_after_every_order_of_seven_and_every_removal)
{
    struct hole holes[7] = {0};
    int order[7];

    for (int i = 0; i < 7; i++) {
        holes[i].key = i;
        holes[i].size = (i * 5) % 7;
        order[i] = i;
    }
    permute(holes, order, 0, 7);
}

TEST(rbtree, ascending_descending_and_equal_keys_stay_balanced)
{
    static struct hole holes[3000];

    for (int shape = 0; shape < 3; shape++) {
        ring3_rbtree_t tree = {0};

        for (int i = 0; i < 3000; i++) {
            holes[i].key = shape == 0 ? i : shape == 1 ? -i : 0;
            ring3_rbtree_insert(&tree, &holes[i].node, before);
        }
        check_tree(&tree);
        while (!ring3_rbtree_empty(&tree)) {
            ring3_rbtree_remove(&tree, ring3_rbtree_first(&tree));
            if (tree.root && rand() % 64 == 0)
                check_tree(&tree);
        }
    }
}

TEST(rbtree, equal_keys_come_in_the_order_of_insertion)
{
    struct hole holes[50] = {0};
    ring3_rbtree_t tree = {0};
    const ring3_rbnode_t *node;
    int last = -1;

    for (int i = 0; i < 50; i++) {
        holes[i].serial = i;
        ring3_rbtree_insert(&tree, &holes[i].node, before);
    }
    ring3_rbtree_for_each (node, &tree) {
        check_eq(hole_of(node)->serial, last + 1);
        last = hole_of(node)->serial;
    }
}

TEST(rbtree, lower_bound_is_the_first_that_is_not_before)
{
    struct hole holes[40] = {0};
    ring3_rbtree_t tree = {0};

    for (int key = -1; key <= 1; key++)
        check(ring3_rbtree_lower_bound(&tree, below_key, &key) == NULL);
    for (int i = 0; i < 40; i++) {
        holes[i].key = i / 2 * 10; /* two of each */
        ring3_rbtree_insert(&tree, &holes[i].node, before);
    }
    for (int key = -5; key <= 195; key++) {
        const ring3_rbnode_t *const found = ring3_rbtree_lower_bound(&tree, below_key, &key);
        const int place = key <= 0 ? 0 : (key + 9) / 10 * 2;

        if (place >= 40)
            check(!found, "key %d", key);
        else
            check(found == &holes[place].node, "key %d", key);
    }
}

TEST(rbtree, inserts_where_the_callers_search_ended)
{
    struct hole holes[200] = {0};
    struct model model = {.count = 0};
    ring3_rbtree_t tree = {.summarise = summarise_largest};

    for (int i = 0; i < HOLES; i++) {
        ring3_rbnode_t **link = &tree.root, *parent = NULL;

        holes[i].key = i * 37 % HOLES;
        holes[i].size = i;
        while (*link) {
            parent = *link;
            link = holes[i].key < hole_of(parent)->key ? &parent->left : &parent->right;
        }
        ring3_rbtree_insert_at(&tree, &holes[i].node, parent, link);
        model_insert(&model, &holes[i]);
        check_tree(&tree);
        check_same(&tree, &model);
    }
}

struct released {
    int count;
    bool gone[3000], parent_first;
};

static void release(ring3_rbnode_t *node, void *context)
{
    struct released *const seen = context;
    struct hole *const hole = hole_of(node);
    const ring3_rbnode_t *const parent = ring3_rbtree_parent(node);

    seen->count++;
    seen->gone[hole->serial] = true;
    if (parent && seen->gone[hole_of(parent)->serial])
        seen->parent_first = true;
    free(hole);
}

TEST(rbtree, free_hands_over_every_node_once_children_first)
{
    static struct released seen;
    ring3_rbtree_t tree = {0};

    for (int i = 0; i < 3000; i++) {
        struct hole *const hole = calloc(1, sizeof *hole);

        check(hole);
        hole->serial = i;
        hole->key = i * 7919 % 3001;
        ring3_rbtree_insert(&tree, &hole->node, before);
    }
    ring3_rbtree_free(&tree, release, &seen);
    check(ring3_rbtree_empty(&tree));
    check(ring3_rbtree_first(&tree) == NULL);
    check_eq(seen.count, 3000);
    for (int i = 0; i < 3000; i++)
        check(seen.gone[i], "node %d was not handed over", i);
    check(!seen.parent_first);
    ring3_rbtree_free(&tree, release, &seen);
    check_eq(seen.count, 3000);
}

/* A list of a million nodes hung as one tree without any balance: recursion would need a stack
 * frame for each. */
static void count_only(ring3_rbnode_t *node, void *context)
{
    (void)node;
    ++*(int *)context;
}

TEST(rbtree, free_does_not_recurse)
{
    const int depth = 1000000;
    ring3_rbnode_t *const nodes = calloc((size_t)depth, sizeof *nodes);
    ring3_rbtree_t tree = {.root = nodes, .leftmost = nodes};
    int count = 0;

    check(nodes);
    for (int i = 1; i < depth; i++) {
        *(i % 2 ? &nodes[i - 1].left : &nodes[i - 1].right) = &nodes[i];
        nodes[i].parent_color = (uintptr_t)&nodes[i - 1];
    }
    ring3_rbtree_free(&tree, count_only, &count);
    check_eq(count, depth);
    free(nodes);
}
