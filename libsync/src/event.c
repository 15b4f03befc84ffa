/* SPDX-License-Identifier: MIT */
/* Events; the word is described in ring3/event.h. */
#include "ring3/event.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

static_assert(sizeof(ring3_event_t) == 4, "an event is one word");

/* Set now, or set since the word read `before`. */
static bool passed(uint32_t now, uint32_t before)
{
    return now & RING3_EVENT_SET || now / RING3_EVENT_COUNT != before / RING3_EVENT_COUNT;
}

static int sharing(uint32_t word)
{
    return word & RING3_EVENT_SHARED ? RING3_SHARED : RING3_PRIVATE;
}

int ring3_event_clockwait(ring3_event_t *event, clockid_t clock, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline);
    /* The acquires here pair with the release in ring3_event_set. */
    const uint32_t before = ring3_load(&event->word, RING3_ACQUIRE);
    uint32_t seen = before;

    if (bad)
        return bad;
    for (; !passed(seen, before); seen = ring3_load(&event->word, RING3_ACQUIRE)) {
        const uint32_t asleep = seen | RING3_EVENT_WAITERS;

        if (seen != asleep && !ring3_cas_try(&event->word, &seen, asleep, RING3_RELAXED))
            continue;
        if (ring3_word_wait(&event->word, asleep, sharing(asleep), clock, deadline) == -ETIMEDOUT)
            return passed(ring3_load(&event->word, RING3_ACQUIRE), before) ? 0 : -ETIMEDOUT;
    }
    return 0;
}

void ring3_event_set(ring3_event_t *event)
{
    uint32_t seen = ring3_load(&event->word, RING3_RELAXED), set;

    do {
        set = ((seen & ~RING3_EVENT_WAITERS) | RING3_EVENT_SET) + RING3_EVENT_COUNT;
        /* Pairs with the acquires in ring3_event_is_set and ring3_event_clockwait. */
    } while (!ring3_cas_weak(&event->word, &seen, set, RING3_RELEASE));
    if (seen & RING3_EVENT_WAITERS)
        ring3_word_wake(&event->word, INT_MAX, sharing(seen));
}

void ring3_event_reset(ring3_event_t *event)
{
    (void)ring3_fetch_and(&event->word, ~RING3_EVENT_SET, RING3_RELAXED);
}
