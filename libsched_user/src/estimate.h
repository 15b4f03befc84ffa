/* SPDX-License-Identifier: MIT */
/* How long will the next CPU burst be? The bursts so far, and what is made of them. */
#ifndef ESTIMATE_H
#define ESTIMATE_H

#include "ring3/policy.h"

struct estimate {
    double average; /* exponential average, ns */
    uint32_t bursts;
    uint32_t recent[RING3_POLICY_WINDOW]; /* the latest first, in microseconds */
};

/* A burst has ended. */
static inline void estimate_add(struct estimate *of, const ring3_policy_params_t *params,
                                int64_t burst)
{
    const double before = of->bursts ? of->average : (double)params->first;
    const int64_t us = burst / 1000;

    of->average = params->alpha * (double)burst + (1 - params->alpha) * before;
    for (int i = RING3_POLICY_WINDOW - 1; i > 0; i--)
        of->recent[i] = of->recent[i - 1];
    of->recent[0] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    if (of->bursts < UINT32_MAX)
        of->bursts++;
}

/* The length to expect, ns. */
static inline int64_t estimate_next(const struct estimate *of, const ring3_policy_params_t *params)
{
    const uint32_t known = of->bursts < params->window ? of->bursts : params->window;
    int64_t sum = 0;

    if (of->bursts == 0)
        return params->first;
    if (params->estimate == RING3_ESTIMATE_LAST)
        return (int64_t)of->recent[0] * 1000;
    if (params->estimate != RING3_ESTIMATE_WINDOW)
        return (int64_t)of->average;
    for (uint32_t i = 0; i < known; i++)
        sum += of->recent[i];
    return sum * 1000 / known;
}

#endif
