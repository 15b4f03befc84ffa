/* SPDX-License-Identifier: MIT */
/* Who waits for whom: each waits for one other at most, so a deadlock is a chain that comes back. */
#ifndef WAITFOR_H
#define WAITFOR_H

#include <stddef.h>

/*
 * One on the cycle that the chain from `start` runs into, or NULL if it ends. `next` says for whom one
 * waits, or NULL.
 */
static inline const void *waitfor_cycle(const void *start, const void *(*next)(const void *one))
{
    const void *slow = start, *fast = start;

    /* Floyd: if the chain comes back, they meet. */
    do {
        slow = slow ? next(slow) : NULL;
        fast = fast ? next(fast) : NULL;
        fast = fast ? next(fast) : NULL;
    } while (fast && slow && slow != fast);
    return fast && slow ? slow : NULL;
}

#endif
