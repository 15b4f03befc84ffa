/* SPDX-License-Identifier: MIT */
/*
 * Split work-stealing deque: a stack whose owner pushes and pops at the young end and whose older
 * part, the public one, thieves take from at the old end. The younger part is private: pushing and
 * popping there takes neither a fence nor a read-modify-write. Source of the split: van Dijk and van
 * de Pol, "Lace: Non-blocking Split Deque for Work-Stealing", 2014. Here one word holds all that
 * owner and thieves share, and is changed by compare-and-swap or addition only, so no order between
 * two words matters and nothing needs sequential consistency.
 *
 *     0      tail      split      head
 *     | taken | public | private |
 *
 * range   tail (bits 0-15), split (16-31), and a version (32-63) that changes whenever the owner
 *         begins anew on top of taken items: so no old range, seen by a slow thief, comes back
 * asked   1: the next push goes the slow way: fewer items are public than should be, a thief found
 *         none, or the owner holds nothing. Only the owner clears it.
 *
 * Taken items keep their slots: the owner learns from ring3_deque_pop that its youngest item was taken,
 * waits until the thief has done with it (which it therefore has read), and calls ring3_deque_drop.
 * Thieves take the oldest first, so all older ones were taken then, too.
 *
 * The owner keeps a few items public without being asked: it does not hear thieves while it is busy
 * with a long one.
 *
 *     bool offer;
 *     if (!ring3_deque_push(&deque, item, &offer)) … full: run it without        the owner
 *     if (offer) { ring3_deque_offer(&deque); tell sleeping thieves }
 *     item = ring3_deque_pop(&deque);          NULL: taken; when its thief is done, ring3_deque_drop
 *
 *     item = ring3_deque_steal(&victim, NULL);                                   any other thread
 *
 * Nothing here allocates memory, makes a system call or waits. The owner is one thread; its
 * functions are not async-signal-safe. The memory is the caller's, and zero before ring3_deque_init.
 */
#ifndef RING3_DEQUE_H
#define RING3_DEQUE_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

/* Most items at once, taken ones included. Recursion pushes some per level; what finds no room is
 * run by its owner. */
#define RING3_DEQUE_SIZE 1024

/* So many are public without a thief that found none. */
#define RING3_DEQUE_PUBLIC 4

typedef struct ring3_deque {
    uint64_t range RING3_CACHE_ALIGNED;
    uint32_t asked;
    /* The owner's own. */
    uint32_t head RING3_CACHE_ALIGNED;
    uint32_t split;   /* as in range while it holds something; else equal to head */
    uint32_t version; /* as in range */
    bool holding;     /* false: all items below head were taken, and range says so */
    void *items[RING3_DEQUE_SIZE];
} ring3_deque_t;

static inline uint32_t ring3_deque_tail(uint64_t range)
{
    return (uint32_t)range & 0xffff;
}

static inline uint32_t ring3_deque_split(uint64_t range)
{
    return (uint32_t)range >> 16;
}

static inline uint32_t ring3_deque_public(uint64_t range)
{
    return ring3_deque_split(range) - ring3_deque_tail(range);
}

/* Make one who looks for items known to the owner. A request, not a message: relaxed. */
static inline void ring3_deque_ask(ring3_deque_t *deque)
{
    if (!ring3_load(&deque->asked, RING3_RELAXED))
        ring3_store(&deque->asked, 1, RING3_RELAXED);
}

/* True if nothing is public and the next push will go the slow way; hints, ordered by the caller. */
static inline bool ring3_deque_is_barren(const ring3_deque_t *deque)
{
    return !ring3_deque_public(ring3_load(&deque->range, RING3_RELAXED)) &&
           ring3_load(&deque->asked, RING3_RELAXED);
}

/* --- Owner only ------------------------------------------------------------------------------- */

/* Empty. */
static inline void ring3_deque_init(ring3_deque_t *deque)
{
    deque->asked = 1;
}

/* The youngest item, on top of taken ones, becomes public. Thieves leave a range alone that offers
 * nothing, so a store will do. */
static inline void ring3_deque_begin(ring3_deque_t *deque)
{
    deque->holding = true;
    deque->split = deque->head;
    deque->version++;
    /* Pairs with the acquire in ring3_deque_steal: a thief sees the item, and what it says. */
    ring3_store(&deque->range,
                (uint64_t)deque->version << 32 | (uint64_t)deque->split << 16 | (deque->head - 1),
                RING3_RELEASE);
}

/* Make the older half of the private part public. */
static inline void ring3_deque_share(ring3_deque_t *deque)
{
    const uint32_t count = (deque->head - deque->split + 1) / 2;

    ring3_store(&deque->asked, 0, RING3_RELAXED);
    deque->split += count;
    /* As in ring3_deque_begin. */
    const uint64_t range = ring3_fetch_add(&deque->range, (uint64_t)count << 16, RING3_RELEASE);

    if (ring3_deque_public(range) + count < RING3_DEQUE_PUBLIC)
        ring3_deque_ask(deque);
}

/* The slow way of a push. Afterwards sleeping thieves must be told. */
static inline void ring3_deque_offer(ring3_deque_t *deque)
{
    if (deque->holding)
        ring3_deque_share(deque);
    else
        ring3_deque_begin(deque);
}

/* False if the deque is full. If `*offer` then, the caller calls ring3_deque_offer. */
static inline bool ring3_deque_push(ring3_deque_t *deque, void *item, bool *offer)
{
    const uint32_t head = deque->head;

    if (ring3_unlikely(head == RING3_DEQUE_SIZE))
        return false;
    /* Relaxed: published by the release that makes it public. */
    ring3_store(&deque->items[head], item, RING3_RELAXED);
    deque->head = head + 1;
    *offer = ring3_load(&deque->asked, RING3_RELAXED);
    return true;
}

/* Nothing below head is left. What is pushed from now on has nothing to do with what was before: no
 * thief that saw the old range takes it. */
static inline void ring3_deque_renew(ring3_deque_t *deque)
{
    deque->holding = false;
    deque->split = deque->head;
    ring3_deque_ask(deque);
}

/* Take back the younger half of the public part. False if there is none. */
static inline bool ring3_deque_shrink(ring3_deque_t *deque)
{
    /* Relaxed throughout: the items are our own, and thieves read none by a smaller split. */
    uint64_t range = ring3_load(&deque->range, RING3_RELAXED);
    uint32_t count;

    if (!deque->holding)
        return false;
    do {
        count = (ring3_deque_public(range) + 1) / 2;
        if (!count) {
            ring3_deque_renew(deque);
            return false;
        }
    } while (
        !ring3_cas_weak(&deque->range, &range, range - ((uint64_t)count << 16), RING3_RELAXED));
    deque->split -= count;
    ring3_deque_ask(deque);
    return true;
}

/* True if the youngest item is public or taken, or if there is none. */
static inline bool ring3_deque_is_public(const ring3_deque_t *deque)
{
    return deque->head == deque->split;
}

/* The youngest item, which is private. */
static inline void *ring3_deque_pop_private(ring3_deque_t *deque)
{
    deque->head--;
    return ring3_load(&deque->items[deque->head], RING3_RELAXED); /* our own store */
}

/* The youngest item; NULL if that was taken by a thief. The deque is not empty. */
static inline void *ring3_deque_pop(ring3_deque_t *deque)
{
    if (ring3_deque_is_public(deque) && !ring3_deque_shrink(deque))
        return NULL;
    return ring3_deque_pop_private(deque);
}

/* True, and it is popped, if the youngest item is private and this one. */
static inline bool ring3_deque_pop_this(ring3_deque_t *deque, const void *item)
{
    const uint32_t last = deque->head - 1;

    /* Our own stores: relaxed. */
    if (ring3_unlikely(ring3_deque_is_public(deque) ||
                       ring3_load(&deque->items[last], RING3_RELAXED) != item))
        return false;
    deque->head = last;
    return true;
}

/* The youngest item was taken, and its thief has done with it. */
static inline void ring3_deque_drop(ring3_deque_t *deque)
{
    deque->head--;
    ring3_deque_renew(deque);
}

/* --- Any thread ------------------------------------------------------------------------------- */

/*
 * The oldest item, or NULL if none is public, another thread was faster, or `*unless` was not 0.
 * `unless` (may be NULL) is read after the range, with acquire: an item pushed after `*unless`
 * became 1 and the owner renewed the deque is not taken.
 */
static inline void *ring3_deque_steal(ring3_deque_t *deque, const uint32_t *unless)
{
    /* Pairs with the releases in ring3_deque_begin and ring3_deque_share. */
    uint64_t range = ring3_load(&deque->range, RING3_ACQUIRE);
    const uint32_t tail = ring3_deque_tail(range);

    if (ring3_deque_public(range) <= RING3_DEQUE_PUBLIC)
        ring3_deque_ask(deque);
    if (!ring3_deque_public(range))
        return NULL;
    /* Pairs with the release that set it. */
    if (unless && ring3_load(unless, RING3_ACQUIRE))
        return NULL;
    /* Acquire: the same range may have come back since, with another item in the slot. */
    if (!ring3_cas_try(&deque->range, &range, range + 1, RING3_ACQUIRE))
        return NULL;
    /* Relaxed: the range was acquired, and the slot stays until we have done with the item. */
    return ring3_load(&deque->items[tail], RING3_RELAXED);
}

RING3_API_END

#endif
