/* SPDX-License-Identifier: MIT */
/*
 * Where tasks wait that were submitted without the pool's lock, until somebody takes the lock. One word:
 *
 *     0      HUNGRY: a worker sleeps, or could be started, that nobody has called: whoever brings work has to
 *     3-47   the task that came last, and behind it the others (link.next)
 *     48-63  how many more may come: the room in the queue, when that was looked at last
 *
 * Whoever takes the lock moves the tasks to the queue first. So under the lock everything is as if they had
 * been submitted just then, and no decision is made without those whose submission has returned.
 *
 * A push is possible while there is room and nobody to call. Who holds the lock writes the room and HUNGRY:
 * before it lets go, and only to a word without tasks if they would be wrong for those. Closing a pool is to
 * leave no room. After the compare-and-swap of a push its thread touches neither the task nor the pool.
 *
 *     push: compare-and-swap, release    pairs with the acquire of inbox_take
 *
 * Under the lock: `granted` is the room when the word had no tasks last, so there are granted - room now.
 */
#ifndef RING3_POOL_INBOX_H
#define RING3_POOL_INBOX_H

#include "ring3/container.h"
#include "ring3/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define INBOX_HUNGRY    UINT64_C(1)
#define INBOX_ROOM      (UINT64_C(1) << 48)
#define INBOX_ROOM_MOST UINT64_C(0xffff)
#define INBOX_TASKS     (INBOX_ROOM - 8)

struct inbox {
    uint64_t word;
    uint64_t granted;
};

static inline ring3_list_t *inbox_last(uint64_t word)
{
    return (ring3_list_t *)(uintptr_t)(word & INBOX_TASKS);
}

static inline uint64_t inbox_look(const struct inbox *inbox)
{
    return ring3_load(&inbox->word, RING3_RELAXED);
}

static inline bool inbox_is_open(uint64_t word)
{
    return word >= INBOX_ROOM && !(word & INBOX_HUNGRY);
}

/* False if the lock is needed. */
static inline bool inbox_push(struct inbox *inbox, ring3_list_t *link)
{
    const uint64_t last = (uint64_t)(uintptr_t)link;
    uint64_t word = inbox_look(inbox), next;

    if (last & ~INBOX_TASKS)
        return false;
    do {
        if (!inbox_is_open(word))
            return false;
        link->next = inbox_last(word);
        next = ((word & ~INBOX_TASKS) | last) - INBOX_ROOM;
    } while (!ring3_cas_weak(&inbox->word, &word, next, RING3_RELEASE));
    return true;
}

/* With the lock held: all tasks, in the order in which they came, chained by link.next. */
static inline ring3_list_t *inbox_take(struct inbox *inbox)
{
    uint64_t word = inbox_look(inbox);
    ring3_list_t *first = NULL, *link;

    while (inbox_last(word) &&
           !ring3_cas_weak(&inbox->word, &word, word & ~INBOX_TASKS, RING3_ACQUIRE))
        continue;
    inbox->granted = word / INBOX_ROOM;
    link = inbox_last(word);
    while (link) {
        ring3_list_t *const next = link->next;

        link->next = first;
        first = link;
        link = next;
    }
    return first;
}

/* The same, and nothing can be pushed until inbox_set. */
static inline ring3_list_t *inbox_close(struct inbox *inbox)
{
    uint64_t word = inbox_look(inbox);

    while (!ring3_cas_weak(&inbox->word, &word, word & (INBOX_TASKS | INBOX_HUNGRY), RING3_RELAXED))
        continue;
    return inbox_take(inbox);
}

/* Likewise: write both, if the word is still `seen`, which has no tasks. */
static inline bool inbox_set(struct inbox *inbox, uint64_t seen, uint64_t room, bool hungry)
{
    const uint64_t wanted = (room * INBOX_ROOM) | (hungry ? INBOX_HUNGRY : 0);

    /* Relaxed: what matters to others is under the lock. */
    if (ring3_cas(&inbox->word, seen, wanted, RING3_RELAXED) != seen)
        return false;
    inbox->granted = room;
    return true;
}

#endif
