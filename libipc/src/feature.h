/* SPDX-License-Identifier: MIT */
/*
 * A kernel feature with a fall-back. It is used until the kernel says that it does not know it, or
 * from the start not at all when RING3_DISABLE names it.
 *
 *     static ring3_feature_t splicing = {"splice", 0};
 *     if (ring3_feature_usable(&splicing)) …
 *
 * state is written by any thread, always towards the same answer, and guards no other data:
 * relaxed.
 */
#ifndef RING3_IPC_FEATURE_H
#define RING3_IPC_FEATURE_H

#include "ring3/atomic.h"
#include "ring3/env.h"

#include <stdint.h>

typedef struct ring3_feature {
    const char *name; /* as in RING3_DISABLE */
    uint32_t state;   /* enum ring3_feature_state */
} ring3_feature_t;

enum ring3_feature_state { RING3_FEATURE_UNASKED, RING3_FEATURE_USABLE, RING3_FEATURE_ABSENT };

static inline void ring3_feature_set_absent(ring3_feature_t *feature)
{
    ring3_store(&feature->state, RING3_FEATURE_ABSENT, RING3_RELAXED);
}

static inline bool ring3_feature_usable(ring3_feature_t *feature)
{
    uint32_t state = ring3_load(&feature->state, RING3_RELAXED);

    if (state == RING3_FEATURE_UNASKED) {
        state = ring3_env_disabled(feature->name) ? RING3_FEATURE_ABSENT : RING3_FEATURE_USABLE;
        ring3_store(&feature->state, state, RING3_RELAXED);
    }
    return state == RING3_FEATURE_USABLE;
}

#endif
