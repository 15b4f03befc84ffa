/* SPDX-License-Identifier: MIT */
/* What the workloads share: a generator of numbers, and objects that notice corruption. */
#ifndef RING3_BENCH_MALLOC_WORK_H
#define RING3_BENCH_MALLOC_WORK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Each returns the number of allocations it made. */
uint64_t work_small(uint64_t turns);
uint64_t work_mix(uint64_t turns);
uint64_t work_handoff(uint64_t turns);
uint64_t work_churn(uint64_t turns);
uint64_t work_large(uint64_t turns);
uint64_t work_pairs(uint64_t turns, uint64_t size);
uint64_t work_threads(uint64_t turns);
uint64_t work_idle(uint64_t turns);

/* Marsaglia's xorshift64: fixed seeds make every run the same. */
static inline uint64_t work_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* An object of `size` bytes (8 at least): knows its size, and is marked at its end. */
struct work_object {
    uint64_t size;
};

static inline unsigned char work_mark(uint64_t size)
{
    return (unsigned char)(size ^ 0x5a);
}

static inline struct work_object *work_new(uint64_t size)
{
    struct work_object *object = malloc(size);

    if (!object) {
        fprintf(stderr, "malloc-work: out of memory\n");
        exit(1);
    }
    object->size = size;
    if (size > sizeof *object)
        ((unsigned char *)object)[size - 1] = work_mark(size);
    return object;
}

static inline void work_free(struct work_object *object)
{
    if (!object)
        return;
    if (object->size > sizeof *object &&
        ((unsigned char *)object)[object->size - 1] != work_mark(object->size)) {
        fprintf(stderr, "malloc-work: an object changed while it was in use\n");
        exit(1);
    }
    free(object);
}

#endif
