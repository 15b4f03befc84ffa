/* SPDX-License-Identifier: MIT */
/* Latches; the word is described in ring3/latch.h. */
#include "ring3/latch.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

static_assert(sizeof(ring3_latch_t) == 4, "a latch is one word");

int ring3_latch_init(ring3_latch_t *latch, uint32_t count, int shared)
{
    if (count > RING3_LATCH_MAX)
        return -EINVAL;
    ring3_store(&latch->word, count | (shared == RING3_SHARED ? RING3_LATCH_SHARED : 0),
                RING3_RELAXED);
    return 0;
}

int ring3_latch_count_down(ring3_latch_t *latch, uint32_t count)
{
    uint32_t seen = ring3_load(&latch->word, RING3_RELAXED);

    do {
        if (count > (seen & RING3_LATCH_MAX))
            return -EOVERFLOW;
        /*
         * The release pairs with the acquire in ring3_latch_is_open. Earlier count-downs are part
         * of the release sequence that ends here, so a waiter sees what came before them too.
         */
    } while (!ring3_cas_weak(&latch->word, &seen, seen - count, RING3_RELEASE));
    if ((seen & RING3_LATCH_MAX) == count && seen & RING3_LATCH_WAITERS)
        ring3_word_wake(&latch->word, INT_MAX,
                        seen & RING3_LATCH_SHARED ? RING3_SHARED : RING3_PRIVATE);
    return 0;
}

int ring3_latch_clockwait(ring3_latch_t *latch, clockid_t clock, const struct timespec *deadline)
{
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    while (!ring3_latch_is_open(latch)) {
        uint32_t seen = ring3_load(&latch->word, RING3_RELAXED);

        if ((seen & RING3_LATCH_MAX) == 0)
            continue;
        if (!(seen & RING3_LATCH_WAITERS)) {
            (void)ring3_cas_try(&latch->word, &seen, seen | RING3_LATCH_WAITERS, RING3_RELAXED);
            continue;
        }
        if (ring3_word_wait(&latch->word, seen, seen & RING3_LATCH_SHARED ? 1 : 0, clock,
                            deadline) == -ETIMEDOUT)
            return ring3_latch_is_open(latch) ? 0 : -ETIMEDOUT;
    }
    return 0;
}
