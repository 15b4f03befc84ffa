/* SPDX-License-Identifier: MIT */
#ifndef RING3_IPC_SPAWN_H
#define RING3_IPC_SPAWN_H

#include "ring3/spawn.h"

/* The fall-back, over posix_spawn. Same contract as ring3_spawn. */
int ring3_spawn_posix(const ring3_spawn_plan_t *plan, ring3_process_t *process);

/* The lowest number that no entry of the plan uses as a target, nor any above it. */
static inline int ring3_spawn_above(const ring3_spawn_plan_t *plan)
{
    int above = 3;

    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i].to >= above)
            above = plan->fds[i].to + 1;
    return above;
}

#endif
