/* SPDX-License-Identifier: MIT */
/*
 * Two run queues that most policies are made of: first come first served, and sorted by a key.
 *
 * A sorted queue uses the first two of an entity's own words. Among equal keys the earlier comes
 * first; who is put at the head goes before all its equals.
 */
#ifndef QUEUES_H
#define QUEUES_H

#include "ring3/policy.h"

typedef bool may_leave_t(const ring3_entity_t *entity, void *arg);

/* What a policy keeps in entity->own; `type` must fit. */
#define OWN(entity, type)       ((type *)(void *)(entity)->own)
#define OWN_CONST(entity, type) ((const type *)(const void *)(entity)->own)
#define OWN_FITS(type)                                                                             \
    _Static_assert(sizeof(type) <= sizeof(((ring3_entity_t *)0)->own), "own words are too few")

static inline uint32_t weight_of(const ring3_entity_t *entity)
{
    return entity->weight ? entity->weight : 1;
}

/* --- First come, first served ----------------------------------------------------------------- */

#define entity_of_link(at) ring3_container_of(at, ring3_entity_t, link)
#define entity_of_node(at) ring3_container_of(at, ring3_entity_t, node)

static inline ring3_entity_t *fifo_pop(ring3_list_t *queue)
{
    ring3_list_t *const first = ring3_list_pop(queue);

    return first ? entity_of_link(first) : NULL;
}

/* The last that may leave. */
static inline ring3_entity_t *fifo_give(ring3_list_t *queue, may_leave_t *may_leave, void *arg)
{
    for (ring3_list_t *at = queue->prev; at != queue; at = at->prev)
        if (may_leave(entity_of_link(at), arg)) {
            ring3_list_remove(at);
            return entity_of_link(at);
        }
    return NULL;
}

/* --- Sorted ----------------------------------------------------------------------------------- */

struct sorted {
    ring3_rbtree_t tree;
    int64_t back, front; /* the next place behind, and before, all equals */
};

struct place {
    int64_t key, order;
};

static inline struct place *place_of(ring3_entity_t *entity)
{
    return OWN(entity, struct place);
}

static inline const struct place *place_of_node(const ring3_rbnode_t *node)
{
    return OWN_CONST(entity_of_node((uintptr_t)node), struct place);
}

static inline bool place_less(const ring3_rbnode_t *a, const ring3_rbnode_t *b)
{
    const struct place *const left = place_of_node(a), *const right = place_of_node(b);

    return left->key != right->key ? left->key < right->key : left->order < right->order;
}

static inline void sorted_put_back(struct sorted *queue, ring3_entity_t *entity)
{
    ring3_rbtree_insert(&queue->tree, &entity->node, place_less);
}

static inline void sorted_add(struct sorted *queue, ring3_entity_t *entity, int64_t key, bool head)
{
    *place_of(entity) = (struct place){key, head ? --queue->front : queue->back++};
    sorted_put_back(queue, entity);
}

static inline ring3_entity_t *sorted_first(const struct sorted *queue)
{
    ring3_rbnode_t *const first = ring3_rbtree_first(&queue->tree);

    return first ? entity_of_node(first) : NULL;
}

static inline void sorted_remove(struct sorted *queue, ring3_entity_t *entity)
{
    ring3_rbtree_remove(&queue->tree, &entity->node);
}

static inline ring3_entity_t *sorted_pop(struct sorted *queue)
{
    ring3_entity_t *const first = sorted_first(queue);

    if (first)
        sorted_remove(queue, first);
    return first;
}

/* The last of a tree that may leave. */
static inline ring3_entity_t *tree_give(ring3_rbtree_t *tree, may_leave_t *may_leave, void *arg)
{
    for (ring3_rbnode_t *at = ring3_rbtree_last(tree); at; at = ring3_rbtree_prev(at))
        if (may_leave(entity_of_node(at), arg)) {
            ring3_rbtree_remove(tree, at);
            return entity_of_node(at);
        }
    return NULL;
}

/* --- Turns ------------------------------------------------------------------------------------ */

/* Charge `ran` to what was used of a turn; true if it is used up, and then the next one begins. */
static inline bool turn_over(int64_t *used, int64_t ran, int64_t quantum)
{
    *used += ran;
    if (quantum <= 0 || *used < quantum)
        return false;
    *used = 0;
    return true;
}

static inline int64_t turn_left(int64_t used, int64_t quantum)
{
    if (quantum <= 0)
        return RING3_UNLIMITED;
    return used < quantum ? quantum - used : 1;
}

#endif
