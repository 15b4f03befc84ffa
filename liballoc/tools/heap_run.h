/* SPDX-License-Identifier: MIT */
/* Replays of a trace, each in a process of its own. */
#ifndef RING3_HEAP_RUN_H
#define RING3_HEAP_RUN_H

#include "heap_chart.h"
#include "heap_trace.h"

#include <stddef.h>

enum { RESULTS_MAX = 16, FAILED_CHOICE = 1, FAILED_MEMORY = 2, FAILED_OTHERWISE = 3 };

/* Look at the heap after so many steps, in the process that replays. */
struct moment {
    size_t step;
    void (*look)(void *context);
    void *context; /* shared memory */
};

/* Replay under a policy, settings as RING3_MALLOC takes them, or `libc`. `result` lies in shared
 * memory; `moment` may be NULL. */
void replay_under(const struct steps *steps, struct result *result, const char *settings,
                  const struct moment *moment);

/* Why there is nothing in a result, in words. */
const char *replay_failure(const struct result *result);

/* The names of all policies but debug, which has no memory to spare for any large trace. Returns how
 * many: room is left for one more. */
int replay_choose_all(const char **chosen);

#endif
