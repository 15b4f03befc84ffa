/* SPDX-License-Identifier: MIT */
/*
 * Two tables with open addressing: sites by their calls, blocks by address. `filter` has a count for
 * each hash of an address in the table of blocks, so that a free of any other block looks at one
 * byte.
 */
#include "profile.h"

#include "ring3/atomic.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define FILTER    ((size_t)1 << 18)
#define SPREAD    UINT64_C(0x9e3779b97f4a7c15)
#define SATURATED UINT8_MAX /* counts end here, and then stay */

struct profile ring3_profile;

static uint8_t *filter;
static size_t filled; /* entries of the table of blocks that are not empty */

static void *map(size_t size)
{
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int ring3_profile_start(uint64_t rate)
{
    ring3_profile.rate = rate;
    ring3_profile.sites = map(PROFILE_SITES * sizeof *ring3_profile.sites);
    ring3_profile.blocks = map(PROFILE_BLOCKS * sizeof *ring3_profile.blocks);
    filter = map(FILTER);
    return ring3_profile.sites && ring3_profile.blocks && filter ? 0 : -ENOMEM;
}

static size_t hash(uintptr_t address)
{
    return (address >> 4) * SPREAD >> 32;
}

/* The site with these calls; the first of all, which has none, when there are too many. */
static uint32_t site_of(void *const calls[CALLS_MAX])
{
    struct profile_site *const sites = ring3_profile.sites;
    uint64_t sum = 0;
    size_t at;

    for (int i = 0; i < CALLS_MAX && calls[i]; i++)
        sum = (sum ^ (uintptr_t)calls[i]) * SPREAD;
    at = sum >> 40;
    for (size_t tried = 0; tried < PROFILE_SITES / 2; tried++, at++) {
        struct profile_site *const site = &sites[at % PROFILE_SITES];

        if (at % PROFILE_SITES == 0)
            continue;
        if (!site->calls[0])
            memcpy(site->calls, calls, sizeof site->calls);
        if (memcmp(site->calls, calls, sizeof site->calls) == 0)
            return (uint32_t)(at % PROFILE_SITES);
    }
    return 0;
}

/* Where the address is, or would be entered. */
static struct profile_block *place_of(uintptr_t address)
{
    struct profile_block *const blocks = ring3_profile.blocks;
    struct profile_block *vacant = NULL;
    size_t at = hash(address) % PROFILE_BLOCKS;

    for (; blocks[at].address; at = (at + 1) % PROFILE_BLOCKS) {
        if (blocks[at].address == address)
            return &blocks[at];
        if (blocks[at].address == 1 && !vacant)
            vacant = &blocks[at];
    }
    return vacant ? vacant : &blocks[at];
}

struct profile_block *ring3_profile_find(uintptr_t address)
{
    struct profile_block *const block = place_of(address);

    return block->address == address ? block : NULL;
}

void ring3_profile_add(const void *address, size_t size, void *const calls[CALLS_MAX])
{
    const uint32_t number = site_of(calls);
    struct profile_site *const site = &ring3_profile.sites[number];
    struct profile_block *const block = place_of((uintptr_t)address);
    uint8_t *const count = &filter[hash((uintptr_t)address) % FILTER];

    site->blocks++;
    site->bytes += size;
    if (filled >= PROFILE_BLOCKS / 4 * 3 && block->address == 0) {
        ring3_profile.unseen++;
        return;
    }
    filled += block->address == 0;
    *block = (struct profile_block){(uintptr_t)address, size, number, false};
    site->live_blocks++;
    site->live_bytes += size;
    /* Relaxed, here and below: who frees the block got it after this. */
    if (*count != SATURATED)
        ring3_store(count, (uint8_t)(*count + 1), RING3_RELAXED);
}

bool ring3_profile_may_know(const void *block)
{
    return ring3_load(&filter[hash((uintptr_t)block) % FILTER], RING3_RELAXED) != 0;
}

void ring3_profile_remove(const void *address)
{
    struct profile_block *const block = ring3_profile_find((uintptr_t)address);
    uint8_t *const count = &filter[hash((uintptr_t)address) % FILTER];

    if (!block)
        return;
    ring3_profile.sites[block->site].live_blocks--;
    ring3_profile.sites[block->site].live_bytes -= block->size;
    block->address = 1;
    if (*count != SATURATED)
        ring3_store(count, (uint8_t)(*count - 1), RING3_RELAXED);
}
