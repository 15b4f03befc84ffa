/* SPDX-License-Identifier: MIT */
/*
 * A counter with a part for each CPU: adding touches no line that another CPU writes, and costs no
 * locked instruction where restartable sequences exist (rseq(2): x86-64 with glibc 2.35 or later).
 * Elsewhere each part is added to atomically.
 *
 *     static ring3_counter_t requests;              (all-zero is 0)
 *     ring3_counter_add(&requests, 1);
 *     total = ring3_counter_sum(&requests);
 *
 * part  of CPU n; written by whoever runs on it
 * rest  of CPUs beyond the last part, and of threads that were interrupted again and again
 *
 * 4160 bytes. Adding is async-signal-safe. For threads of one process; a child of fork has a copy.
 * Source: Desnoyers, "restartable sequences", Linux 4.18.
 */
#ifndef RING3_COUNTER_H
#define RING3_COUNTER_H

#include "ring3/api.h"
#include "ring3/arch.h"

#include <stdint.h>

RING3_API_BEGIN

#define RING3_COUNTER_PARTS 64

struct ring3_counter_part {
    uint64_t count;
} RING3_CACHE_ALIGNED;

typedef struct ring3_counter {
    struct ring3_counter_part part[RING3_COUNTER_PARTS], rest;
} ring3_counter_t;

/** Add `value` (modulo 2^64: a negative one subtracts). Order: none. */
void ring3_counter_add(ring3_counter_t *counter, int64_t value);

/** The sum of all additions that happened before; of others, some. Costs a look at each part. */
int64_t ring3_counter_sum(const ring3_counter_t *counter);

RING3_API_END

#endif
