/* SPDX-License-Identifier: MIT */
/* Absolute CLOCK_MONOTONIC deadlines for calls that count down. */
#ifndef RING3_IPC_DEADLINE_H
#define RING3_IPC_DEADLINE_H

#include "ring3/wait.h"

#include <errno.h>

/*
 * Writes the time until `deadline` to *left, {0, 0} once it has passed.
 * Returns 0, -ETIMEDOUT when it has passed, -EINVAL if it is malformed.
 */
static inline int ring3_deadline_left(const struct timespec *deadline, struct timespec *left)
{
    struct timespec now;

    *left = (struct timespec){0, 0};
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > deadline->tv_sec ||
        (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
        return -ETIMEDOUT;
    left->tv_sec = deadline->tv_sec - now.tv_sec;
    left->tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += RING3_SECOND_NS;
    }
    return 0;
}

#endif
