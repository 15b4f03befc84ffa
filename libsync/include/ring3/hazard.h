/* SPDX-License-Identifier: MIT */
/*
 * Hazard pointers: a reader says which object it is looking at, and what is removed is freed when
 * nobody says so any more. Unlike RCU, a reader that sleeps keeps back only what it protects.
 *
 *     reading:   node = ring3_hazard_protect(0, &stack->top);
 *                … node->… …
 *                ring3_hazard_clear(0);
 *
 *     removing:  (node is no longer reachable)
 *                ring3_hazard_retire(&node->retired, node, free_node);
 *
 * The slots 0 to 7 are the context's own. Protecting costs a store and a second look, and no fence:
 * whoever frees pays for both (membarrier), once for many objects.
 *
 * Async-signal-safe except ring3_hazard_retire and ring3_hazard_flush, as long as a handler leaves
 * the slots of the code it interrupts alone. In a child of fork only the forking context's slots
 * protect; what was retired is still freed there, except what a scan in another thread had in hand.
 *
 * Sources: Michael 2004; the fence as in Dice, Herlihy and Kogan 2016 and folly.
 */
#ifndef RING3_HAZARD_H
#define RING3_HAZARD_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/reader.h"

#include <stdbool.h>
#include <stdint.h>

RING3_API_BEGIN

/** Protect `pointer`, if it is still reachable: the caller looks now whether it is. */
static inline void ring3_hazard_set(unsigned slot, const void *pointer)
{
    /* The release pairs with the acquire of a scan that finds this instead of our last clear. */
    ring3_store(&ring3_reader()->hazard[slot], (void *)pointer, RING3_RELEASE);
    /* Pairs with the heavy fence before a scan: it sees the slot, or we see that the object is
     * gone. */
    ring3_fence_light();
}

/**
 * What the pointer variable *place points to, protected until the slot is cleared or used again.
 * Lock-free: each further turn of the loop means that somebody changed *place. The acquire pairs
 * with the release that published the object.
 */
#define ring3_hazard_protect(slot, place)                                                          \
    (__extension__({                                                                               \
        __typeof__(*(place)) ring3_seen_;                                                          \
        do {                                                                                       \
            ring3_seen_ = ring3_load(place, RING3_RELAXED);                                        \
            ring3_hazard_set(slot, ring3_seen_);                                                   \
        } while (ring3_unlikely(ring3_load(place, RING3_ACQUIRE) != ring3_seen_));                 \
        ring3_seen_;                                                                               \
    }))

/** End the protection. */
static inline void ring3_hazard_clear(unsigned slot)
{
    /* Pairs with the acquire of a scan: what we read may be freed from here on. */
    ring3_store(&((ring3_reader_t *)ring3_self_known()->reader)->hazard[slot], (void *)NULL,
                RING3_RELEASE);
}

/* Lies in the object that is to be freed. */
typedef struct ring3_retired {
    struct ring3_retired *next;
    void *object; /* what readers protect: the address of the object */
    void (*done)(void *object);
} ring3_retired_t;

/**
 * Have `done(object)` called when nobody protects the object, which is no longer reachable. That
 * may be at once, for this object and others, or by a later call in any thread. `done` may retire.
 *
 * After every 64 retired objects, or as many as could be protected if that is more, one scan frees
 * all but those that are. Not async-signal-safe.
 */
void ring3_hazard_retire(ring3_retired_t *retired, void *object, void (*done)(void *object));

/** Free what can be freed now; returns how many objects remain retired. */
long ring3_hazard_flush(void);

RING3_API_END

#endif
