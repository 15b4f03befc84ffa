/* SPDX-License-Identifier: MIT */
/* Who forks: see guard.h. */
#include "guard.h"

const void *ring3_guard_forking;

const void *ring3_guard_thread(void)
{
    static __thread char here;

    return &here;
}

void guard_passes(bool on)
{
    ring3_store(&ring3_guard_forking, on ? ring3_guard_thread() : NULL, RING3_RELAXED);
}
