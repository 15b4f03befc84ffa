/* SPDX-License-Identifier: MIT */
/*
 * Leaks: blocks in use at the end of the process that nothing points to, directly or by way of other
 * blocks. Every aligned word of writable memory outside of the heap is taken for a pointer if it
 * points into a block, also to its inside; so are the words of every block so reached. A number that
 * looks like a pointer hides a leak; a leak is reported for what it is.
 *
 * Memory is read by process_vm_readv, because parts of a mapping may be guarded or gone.
 *
 * Source: Boehm and Weiser 1988, "Garbage Collection in an Uncooperative Environment".
 */
#include "layers.h"

#include "cache.h"
#include "front.h"
#include "number.h"
#include "profile.h"
#include "slab.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN_MAX 20 /* call sites in the report */

static uintptr_t window[4096 / sizeof(uintptr_t)]; /* what is being looked at */

/* Blocks that were reached and not yet looked into. */
static struct profile_block **pending;
static size_t pending_count;

/* What we keep for ourselves: our tables, and the allocator's places for free blocks, where those
 * that were handed out have left their addresses. */
static bool is_own_note(uintptr_t at)
{
    const struct profile *const own = &ring3_profile;
    const void *const p = (const void *)at;

    return at - (uintptr_t)own->blocks < PROFILE_BLOCKS * sizeof *own->blocks ||
           at - (uintptr_t)pending < PROFILE_BLOCKS * sizeof *pending ||
           at - (uintptr_t)window < sizeof window || ring3_caches_slot(p) || ring3_slabs_store(p);
}

static void reach(uintptr_t word, uintptr_t at)
{
    const void *const p = (const void *)word;
    void *const owner = ring3_owner_of(p);
    const struct ring3_policy *const policy = ring3_front();
    struct profile_block *block;

    if (!owner)
        return;
    block = ring3_profile_find(word & ~(uintptr_t)15);
    if (!block)
        block = ring3_profile_find((uintptr_t)policy->covering(owner, p));
    if (!block || block->reached || is_own_note(at))
        return;
    block->reached = true;
    pending[pending_count++] = block;
}

static void look_at(uintptr_t from, uintptr_t to)
{
    for (from = (from + 7) & ~(uintptr_t)7; from < to; from += sizeof window) {
        const size_t length = to - from < sizeof window ? to - from : sizeof window;
        const struct iovec here = {window, length}, there = {(void *)from, length};
        const ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

        for (ssize_t i = 0; i < got / (ssize_t)sizeof window[0]; i++)
            reach(window[i], from + (size_t)i * sizeof window[0]);
    }
}

static void look_into_blocks(void)
{
    while (pending_count) {
        const struct profile_block *const block = pending[--pending_count];

        look_at(block->address, block->address + block->size);
    }
}

static bool overlaps(uintptr_t from, uintptr_t to, const void *start, size_t size)
{
    return from < (uintptr_t)start + size && to > (uintptr_t)start;
}

/* The heap itself is no root. */
static bool is_heap(uintptr_t from, uintptr_t to)
{
    for (uint32_t i = 0; i < ring3_heap_pages.count; i++)
        if (overlaps(from, to, ring3_heap_pages.regions[i].base, ring3_heap_pages.regions[i].size))
            return true;
    return false;
}

/* A line of /proc/self/maps: "from-to rwxp …". */
static void look_at_mapping(const char *line)
{
    char *end;
    const uintptr_t from = strtoul(line, &end, 16);
    const uintptr_t to = *end == '-' ? strtoul(end + 1, &end, 16) : 0;

    if (to > from && end[1] == 'r' && end[2] == 'w' && end[4] == 'p' && !is_heap(from, to))
        look_at(from, to);
}

/* Line by line, without stdio. */
static void look_at_mappings(void)
{
    const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    static char text[8192];
    size_t length = 0;
    ssize_t got;

    while (maps >= 0 && (got = read(maps, text + length, sizeof text - 1 - length)) > 0) {
        char *line = text, *newline;

        length += (size_t)got;
        text[length] = '\0';
        while ((newline = strchr(line, '\n'))) {
            look_at_mapping(line);
            line = newline + 1;
        }
        length -= (size_t)(line - text);
        memmove(text, line, length);
    }
    if (maps >= 0)
        close(maps);
}

/* Pointers in registers go to the stack, which is a mapping. */
static void look_at_roots(void)
{
    jmp_buf registers;

    (void)setjmp(registers);
    look_at_mappings();
}

static void count_lost(uint64_t *blocks, uint64_t *bytes)
{
    for (size_t i = 0; i < PROFILE_BLOCKS; i++) {
        const struct profile_block *const block = &ring3_profile.blocks[i];
        struct profile_site *const site = &ring3_profile.sites[block->site];

        if (block->address <= 1 || block->reached)
            continue;
        site->lost_blocks++;
        site->lost_bytes += block->size;
        ++*blocks;
        *bytes += block->size;
    }
}

/* --- The report --------------------------------------------------------------------------------- */

static void say(const char *before, uint64_t bytes, uint64_t blocks, const char *after)
{
    char first[NUMBER_MAX], second[NUMBER_MAX];
    const char *const parts[] = {before,
                                 number_text(bytes, 10, first),
                                 " bytes in ",
                                 number_text(blocks, 10, second),
                                 blocks == 1 ? " block" : " blocks",
                                 after};

    ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
}

static struct profile_site *worst(void)
{
    struct profile_site *most = NULL;

    for (size_t i = 0; i < PROFILE_SITES; i++) {
        struct profile_site *const site = &ring3_profile.sites[i];

        if (site->lost_blocks && (!most || site->lost_bytes > most->lost_bytes))
            most = site;
    }
    return most;
}

static uint64_t lost_blocks, lost_bytes;

void ring3_leaks_find(void)
{
    pending = mmap(NULL, PROFILE_BLOCKS * sizeof *pending, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pending == MAP_FAILED)
        return;
    look_at_roots();
    look_into_blocks();
    count_lost(&lost_blocks, &lost_bytes);
}

void ring3_leaks_show(void)
{
    struct profile_site *site;

    if (!lost_blocks)
        return;
    say("ring3 malloc: lost: ", lost_bytes, lost_blocks, "");
    for (int shown = 0; shown < SHOWN_MAX && (site = worst()); shown++) {
        say("  ", site->lost_bytes, site->lost_blocks, " allocated");
        ring3_calls_show_lines(site->calls);
        site->lost_blocks = 0;
    }
}
