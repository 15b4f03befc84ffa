/* SPDX-License-Identifier: MIT */
/* The first calls of ring3_once; the word is described in ring3/once.h. */
#include "ring3/once.h"

#include "ring3/wait.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>

static_assert(sizeof(ring3_once_t) == 4, "a once object is one word");

enum { NOT_RUN, RUNNING, WAITERS = 4 };

static void leave(ring3_once_t *once, uint32_t stage)
{
    /* Pairs with the acquires in ring3_once and ring3_once_slow. */
    if (ring3_exchange(&once->word, stage, RING3_RELEASE) & WAITERS)
        ring3_word_wake(&once->word, INT_MAX, RING3_PRIVATE);
}

static void give_up(void *once)
{
    leave(once, NOT_RUN);
}

static int run(ring3_once_t *once, int (*start)(void *context), void *context)
{
    int result;

    /* The thread may be cancelled, or exit, inside `start`. */
    pthread_cleanup_push(give_up, once);
    result = start(context);
    pthread_cleanup_pop(0);
    leave(once, result == 0 ? RING3_ONCE_DONE : NOT_RUN);
    return result;
}

int ring3_once_slow(ring3_once_t *once, int (*start)(void *context), void *context)
{
    for (;;) {
        uint32_t seen = ring3_load(&once->word, RING3_ACQUIRE);

        if (seen == RING3_ONCE_DONE)
            return 0;
        if (seen == NOT_RUN) {
            /* The acquire pairs with the release of an attempt that failed. */
            if (ring3_cas_try(&once->word, &seen, RUNNING, RING3_ACQUIRE))
                return run(once, start, context);
            continue;
        }
        if (seen == RUNNING && !ring3_cas_try(&once->word, &seen, RUNNING | WAITERS, RING3_RELAXED))
            continue;
        (void)ring3_word_wait(&once->word, RUNNING | WAITERS, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    }
}
