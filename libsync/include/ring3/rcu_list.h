/* SPDX-License-Identifier: MIT */
/*
 * Lists whose readers take no lock: a circular list as in ring3/list.h, and chains for hash tables.
 *
 *     writing (one at a time):  ring3_rcu_list_add(&routes, &route->link);
 *                               ring3_rcu_list_remove(&old->link);
 *                               ring3_rcu_call(&old->head, free_route);
 *
 *     reading:                  ring3_rcu_read_lock();
 *                               ring3_rcu_list_for_each_entry(route, &routes, link) …
 *                               ring3_rcu_read_unlock();
 *
 * A removed element keeps its `next`, so that readers who stand on it find their way; nothing may
 * be written to its link before a grace period (ring3/rcu.h) has passed. Readers go forward only:
 * `prev` belongs to the writers. A reader meets an element that is there all the time exactly once;
 * one that is added or removed meanwhile it may meet or not.
 *
 * Writers exclude each other by a lock of their own. Reading is async-signal-safe. Order: what a
 * writer wrote to an element before adding it, a reader that meets it sees.
 */
#ifndef RING3_RCU_LIST_H
#define RING3_RCU_LIST_H

#include "ring3/atomic.h"
#include "ring3/container.h"
#include "ring3/list.h"

#include <stddef.h>

/* The releases below pair with the acquires in the loops. */

static inline void ring3_rcu_list_insert_between(ring3_list_t *link, ring3_list_t *prev,
                                                 ring3_list_t *next)
{
    link->prev = prev;
    ring3_store(&link->next, next, RING3_RELAXED); /* published by the next store but one */
    next->prev = link;
    ring3_store(&prev->next, link, RING3_RELEASE);
}

/** Add as the first element. Heads are initialised as those of ring3/list.h. */
static inline void ring3_rcu_list_add(ring3_list_t *head, ring3_list_t *link)
{
    ring3_rcu_list_insert_between(link, head, head->next);
}

/** Add as the last element. */
static inline void ring3_rcu_list_add_tail(ring3_list_t *head, ring3_list_t *link)
{
    ring3_rcu_list_insert_between(link, head->prev, head);
}

/** Take the link out; readers may stand on it until a grace period has passed. */
static inline void ring3_rcu_list_remove(ring3_list_t *link)
{
    link->next->prev = link->prev;
    /* A release, because it publishes `next`, which may be younger than the link before us. */
    ring3_store(&link->prev->next, link->next, RING3_RELEASE);
    link->prev = NULL;
}

/** Put `fresh` where `old` was, in one step for readers. */
static inline void ring3_rcu_list_replace(ring3_list_t *old, ring3_list_t *fresh)
{
    ring3_store(&fresh->next, old->next, RING3_RELAXED);
    fresh->prev = old->prev;
    fresh->next->prev = fresh;
    ring3_store(&fresh->prev->next, fresh, RING3_RELEASE);
    old->prev = NULL;
}

/** Visit every element, first to last, inside a read section. */
#define ring3_rcu_list_for_each_entry(entry, head, member)                                         \
    for ((entry) = ring3_container_of(ring3_load(&(head)->next, RING3_ACQUIRE),                    \
                                      __typeof__(*(entry)), member);                               \
         &(entry)->member != (head);                                                               \
         (entry) = ring3_container_of(ring3_load(&(entry)->member.next, RING3_ACQUIRE),            \
                                      __typeof__(*(entry)), member))

/* --- Chains for hash tables: a head is one pointer -------------------------------------------- */

typedef struct ring3_rcu_chain_link {
    struct ring3_rcu_chain_link *next, **place; /* place: what points to us; for writers */
} ring3_rcu_chain_link_t;

typedef struct ring3_rcu_chain {
    ring3_rcu_chain_link_t *first; /* NULL when empty: all-zero is ready for use */
} ring3_rcu_chain_t;

/** Add as the first element. */
static inline void ring3_rcu_chain_add(ring3_rcu_chain_t *chain, ring3_rcu_chain_link_t *link)
{
    ring3_rcu_chain_link_t *const first = chain->first;

    ring3_store(&link->next, first, RING3_RELAXED);
    link->place = &chain->first;
    if (first)
        first->place = &link->next;
    ring3_store(&chain->first, link, RING3_RELEASE);
}

/** Take the link out; readers may stand on it until a grace period has passed. */
static inline void ring3_rcu_chain_remove(ring3_rcu_chain_link_t *link)
{
    if (link->next)
        link->next->place = link->place;
    ring3_store(link->place, link->next, RING3_RELEASE);
    link->place = NULL;
}

/** Visit every element; `cursor` is a link pointer, the element is
 * ring3_container_of(cursor, type, member). */
#define ring3_rcu_chain_for_each(cursor, chain)                                                    \
    for ((cursor) = ring3_load(&(chain)->first, RING3_ACQUIRE); (cursor);                          \
         (cursor) = ring3_load(&(cursor)->next, RING3_ACQUIRE))

#endif
