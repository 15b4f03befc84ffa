/* SPDX-License-Identifier: MIT */
/*
 * Once: run an initialiser exactly once, and have everybody else wait until it is done.
 *
 *     static ring3_once_t once = RING3_ONCE_INIT;       (all-zero has not run)
 *     ring3_once(&once, start, NULL);
 *
 * word
 *     bits  name     set by                                  cleared by
 *     0-1   stage    0 not run, 1 running, 2 done; the one that runs it
 *     2     waiters  a waiter, before it sleeps              the one that ran it
 *
 * An initialiser that fails leaves the object as if it had never run, and the next caller, or one
 * that is waiting, tries again. The same happens when its thread is cancelled or exits inside it.
 * An initialiser that calls ring3_once on the same object waits for itself for ever. For threads of
 * one process. In a child of fork an initialiser that another thread was running counts as never
 * finished: initialise the object again.
 *
 * Order: what the initialiser did happens before the return of every call.
 */
#ifndef RING3_ONCE_H
#define RING3_ONCE_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_once_word {
    uint32_t word;
} ring3_once_t;

#define RING3_ONCE_DONE 2u

#define RING3_ONCE_INIT                                                                            \
    {                                                                                              \
        0                                                                                          \
    }

int ring3_once_slow(ring3_once_t *once, int (*start)(void *context), void *context);

/**
 * Run `start(context)` unless that has succeeded already.
 *
 * @return 0 once it has succeeded, here or elsewhere; else what `start` returned here
 */
static inline int ring3_once(ring3_once_t *once, int (*start)(void *context), void *context)
{
    /* Pairs with the release in once.c's leave. */
    return ring3_likely(ring3_load(&once->word, RING3_ACQUIRE) == RING3_ONCE_DONE)
               ? 0
               : ring3_once_slow(once, start, context);
}

RING3_API_END

#endif
