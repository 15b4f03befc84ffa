/* SPDX-License-Identifier: MIT */
/*
 * What the files of the front end share: the policy that serves, and fork.
 */
#ifndef RING3_FRONT_H
#define RING3_FRONT_H

#include "policy.h"

#include "ring3/atomic.h"

/* The policy that serves, or NULL while there is none. */
extern const struct ring3_policy *ring3_serving;

/* Acquire pairs with the release in ring3_front_start: the policy's settings are made. */
static inline const struct ring3_policy *ring3_front(void)
{
    return ring3_load(&ring3_serving, RING3_ACQUIRE);
}

/* Choose the policy if none serves yet. */
const struct ring3_policy *ring3_front_start(void);

#endif
