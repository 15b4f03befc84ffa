/* SPDX-License-Identifier: MIT */
/*
 * Who allocates: call sites, and the sampled blocks of theirs that are in use. Filled by
 * layer_profile.c; written out by profile_write.c; searched for leaks by leaks.c.
 */
#ifndef RING3_PROFILE_H
#define RING3_PROFILE_H

#include "calls.h"

#include "ring3/mutex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_SITES  ((size_t)1 << 14) /* further ones count as one */
#define PROFILE_BLOCKS ((size_t)1 << 21) /* sampled and in use; further ones are not seen */

struct profile_site {
    void *calls[CALLS_MAX];
    uint64_t blocks, bytes;           /* sampled so far */
    uint64_t live_blocks, live_bytes; /* of them in use */
    uint64_t lost_blocks, lost_bytes; /* of them out of reach, as leaks.c found */
};

struct profile_block {
    uintptr_t address; /* 0: empty; 1: was one */
    size_t size;
    uint32_t site;
    bool reached; /* leaks.c */
};

/* Memory of its own, mapped at the start; nothing here allocates. Under `lock`. */
struct profile {
    ring3_mutex_t lock;
    uint64_t rate; /* bytes between samples, on average */
    struct profile_site *sites;
    struct profile_block *blocks;
    size_t unseen; /* samples for which there was no room */
};

extern struct profile ring3_profile; /* of the one heap */

int ring3_profile_start(uint64_t rate);
void ring3_profile_add(const void *block, size_t size, void *const calls[CALLS_MAX]);
/* Without the lock, and at once, for almost every block that was not sampled. */
bool ring3_profile_may_know(const void *block);
void ring3_profile_remove(const void *block);
struct profile_block *ring3_profile_find(uintptr_t address);

/* Write all sites in the text format that pprof reads. 0 or a negative errno. Under the lock. */
int ring3_profile_write(const char *path);

/* At the end of the process: find the blocks that nothing points to, under the lock. */
void ring3_leaks_find(void);

/* Report them on stderr. Not under the lock: this allocates and frees. */
void ring3_leaks_show(void);

#endif
