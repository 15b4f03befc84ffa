/* SPDX-License-Identifier: MIT */
/* A reader of ring3/seqlock.h that met a writer. */
#include "ring3/seqlock.h"

#include "ring3/wait.h"

#include <assert.h>

static_assert(sizeof(ring3_seqcount_t) == 4 && sizeof(ring3_seqlock_t) == 8,
              "the sizes are part of the interface");

uint32_t ring3_seqcount_wait(const ring3_seqcount_t *count)
{
    ring3_pause_t pause = {0};
    uint32_t seen;

    while (!ring3_seqcount_try(count, &seen))
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    return seen;
}
