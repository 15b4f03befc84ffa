/* SPDX-License-Identifier: MIT */
/* Workloads of one thread. */
#include "work.h"

/* Small objects that live a short time: a tree walker, an interpreter. 16 to 128 bytes, 1,000
 * alive. */
uint64_t work_small(uint64_t turns)
{
    static struct work_object *alive[1000];
    uint64_t random = 0x9e3779b97f4a7c15;

    for (uint64_t i = 0; i < turns; i++) {
        const uint64_t r = work_random(&random);
        struct work_object **slot = &alive[r % 1000];
        work_free(*slot);
        *slot = work_new(16 + (r >> 32) % 113);
    }
    for (size_t i = 0; i < 1000; i++)
        work_free(alive[i]);
    return turns;
}

/*
 * Phases that leave holes: every phase fills up with objects of one size range, then frees seven of
 * eight at random, and the next phase wants larger ones. What counts is how much memory stays in
 * use besides what is alive.
 */
uint64_t work_churn(uint64_t turns)
{
    enum { SLOTS = 40000, PHASES = 8 };
    static struct work_object *alive[SLOTS];
    uint64_t random = 0xd1342543de82ef95, done = 0;

    for (uint64_t phase = 0; done < turns; phase++) {
        const uint64_t smallest = 24 + 48 * (phase % PHASES);
        for (size_t i = 0; i < SLOTS; i++) {
            if (alive[i])
                continue;
            alive[i] = work_new(smallest + work_random(&random) % smallest);
            done++;
        }
        for (size_t i = 0; i < SLOTS; i++)
            if (work_random(&random) % 8) {
                work_free(alive[i]);
                alive[i] = NULL;
            }
    }
    for (size_t i = 0; i < SLOTS; i++)
        work_free(alive[i]);
    return done;
}

/* Buffers: 32 KiB to 2 MiB, 16 alive, every page written once. */
uint64_t work_large(uint64_t turns)
{
    static struct work_object *alive[16];
    uint64_t random = 0x2545f4914f6cdd1d;

    for (uint64_t i = 0; i < turns; i++) {
        const uint64_t r = work_random(&random);
        struct work_object **slot = &alive[r % 16];
        const uint64_t size = (UINT64_C(32768) << (r >> 8) % 7) - (r >> 32) % 4096;
        work_free(*slot);
        *slot = work_new(size);
        for (uint64_t at = 4096; at < size - 1; at += 4096)
            ((volatile char *)*slot)[at] = 1;
    }
    for (size_t i = 0; i < 16; i++)
        work_free(alive[i]);
    return turns;
}

/* 16 blocks of one size at a time, whose first byte is written: what the fast path costs. */
uint64_t work_pairs(uint64_t turns, uint64_t size)
{
    enum { AT_ONCE = 16 };
    volatile char *block[AT_ONCE];

    for (uint64_t i = 0; i < turns; i += AT_ONCE) {
        for (int k = 0; k < AT_ONCE; k++) {
            block[k] = malloc(size);
            if (!block[k])
                exit(1);
            *block[k] = 1;
        }
        for (int k = 0; k < AT_ONCE; k++)
            free((void *)block[k]);
    }
    return turns;
}
