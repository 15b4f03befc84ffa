/* SPDX-License-Identifier: MIT */
/*
 * Intrusive circular doubly linked list, as in kernels: the link lives inside the element, the head
 * is a link too.
 *
 *     struct job { int id; ring3_list_t link; };
 *     ring3_list_t jobs = RING3_LIST_INIT(jobs);
 *     ring3_list_add_tail(&jobs, &job->link);
 *     ring3_list_for_each_entry(job, &jobs, link) …
 *
 * A head is initialised with RING3_LIST_INIT or ring3_list_init; a link needs no initialisation
 * before it is added, but all-zero links are recognised as "in no list". Every operation is O(1),
 * never allocates and takes no lock. Not thread-safe. Removing the element at hand is safe only in
 * the _safe loops.
 */
#ifndef RING3_LIST_H
#define RING3_LIST_H

#include "ring3/container.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ring3_list {
    struct ring3_list *next, *prev;
} ring3_list_t;

#define RING3_LIST_INIT(head)                                                                      \
    {                                                                                              \
        &(head), &(head)                                                                           \
    }

static inline void ring3_list_init(ring3_list_t *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool ring3_list_empty(const ring3_list_t *head)
{
    return head->next == head;
}

/** True while the link is in a list. Needs a link that started all-zero or came from
 * ring3_list_remove. */
static inline bool ring3_list_linked(const ring3_list_t *link)
{
    return link->next != NULL;
}

static inline void ring3_list_insert_between(ring3_list_t *link, ring3_list_t *prev,
                                             ring3_list_t *next)
{
    link->prev = prev;
    link->next = next;
    prev->next = link;
    next->prev = link;
}

/** Add as the first element (a stack when taken with ring3_list_pop). */
static inline void ring3_list_add(ring3_list_t *head, ring3_list_t *link)
{
    ring3_list_insert_between(link, head, head->next);
}

/** Add as the last element (a queue when taken with ring3_list_pop). */
static inline void ring3_list_add_tail(ring3_list_t *head, ring3_list_t *link)
{
    ring3_list_insert_between(link, head->prev, head);
}

/** Take the link out of its list; it then counts as "in no list". */
static inline void ring3_list_remove(ring3_list_t *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = NULL;
    link->prev = NULL;
}

/** Remove and return the first link, or NULL. */
static inline ring3_list_t *ring3_list_pop(ring3_list_t *head)
{
    ring3_list_t *const first = head->next;

    if (first == head)
        return NULL;
    ring3_list_remove(first);
    return first;
}

/** Move all elements of `from` to the end of `to`; `from` is empty afterwards. */
static inline void ring3_list_splice_tail(ring3_list_t *to, ring3_list_t *from)
{
    if (ring3_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    ring3_list_init(from);
}

#define ring3_list_first_entry(head, type, member) ring3_container_of((head)->next, type, member)
#define ring3_list_last_entry(head, type, member)  ring3_container_of((head)->prev, type, member)

/** Visit every link from first to last. */
#define ring3_list_for_each(cursor, head)                                                          \
    for ((cursor) = (head)->next; (cursor) != (head); (cursor) = (cursor)->next)

/** The same; the link at hand may be removed. `ahead` is another link variable. */
#define ring3_list_for_each_safe(cursor, ahead, head)                                              \
    for ((cursor) = (head)->next, (ahead) = (cursor)->next; (cursor) != (head);                    \
         (cursor) = (ahead), (ahead) = (cursor)->next)

/** Visit every element of the list whose links are the field `member`. */
#define ring3_list_for_each_entry(entry, head, member)                                             \
    for ((entry) = ring3_container_of((head)->next, __typeof__(*(entry)), member);                 \
         &(entry)->member != (head);                                                               \
         (entry) = ring3_container_of((entry)->member.next, __typeof__(*(entry)), member))

/** The same; the element at hand may be removed or freed. `ahead` is another element pointer. */
#define ring3_list_for_each_entry_safe(entry, ahead, head, member)                                 \
    for ((entry) = ring3_container_of((head)->next, __typeof__(*(entry)), member),                 \
        (ahead) = ring3_container_of((entry)->member.next, __typeof__(*(entry)), member);          \
         &(entry)->member != (head); (entry) = (ahead),                                            \
        (ahead) = ring3_container_of((ahead)->member.next, __typeof__(*(ahead)), member))

#endif
