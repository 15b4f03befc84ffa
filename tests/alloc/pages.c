/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static ring3_pages_t pages; /* all-zero: empty */

/* Resident bytes among the pages from `p` on. */
static size_t resident(void *p, size_t length)
{
    const size_t page = ring3_pages_size();
    unsigned char map[4096];
    size_t count = 0;

    check_eq(mincore(p, length, map), 0);
    for (size_t i = 0; i < length / page; i++)
        count += map[i] & 1;
    return count * page;
}

TEST(pages, reserves_address_space_aligned_to_its_size)
{
    ring3_region_t *region;

    check_eq(ring3_pages_reserve(&pages, 4 * GIB, RING3_CHUNK, &region), 0);
    if (!slow_machine())
        check_eq(region->size, 4 * GIB);
    check_eq((uintptr_t)region->base % RING3_CHUNK, 0);
    if (region->size == 4 * GIB)
        check_eq((uintptr_t)region->base % (4 * GIB), 0);
}

TEST(pages, knows_the_owner_of_every_chunk)
{
    ring3_region_t *region;
    int one, two, local = 0;

    check(!ring3_pages_owner(&pages, &local), "nothing reserved yet");
    check_eq(ring3_pages_reserve(&pages, 16 * MIB, 16 * MIB, &region), 0);
    check_eq(ring3_pages_commit(region, region->base, RING3_CHUNK, &one), 0);
    check_eq(ring3_pages_commit(region, region->base + RING3_CHUNK, 3 * RING3_CHUNK, &two), 0);
    check_eq(ring3_pages_owner(&pages, region->base) == &one, 1);
    check_eq(ring3_pages_owner(&pages, region->base + RING3_CHUNK - 1) == &one, 1);
    check_eq(ring3_pages_owner(&pages, region->base + RING3_CHUNK) == &two, 1);
    check_eq(ring3_pages_owner(&pages, region->base + 4 * RING3_CHUNK - 1) == &two, 1);
    check(!ring3_pages_owner(&pages, region->base + 4 * RING3_CHUNK), "not committed");
    check(!ring3_pages_owner(&pages, region->base - 1));
    check(!ring3_pages_owner(&pages, region->base + region->size));
    check(!ring3_pages_owner(&pages, &local));
    check(!ring3_pages_owner(&pages, NULL));
    check(!ring3_pages_owner(&pages, (void *)UINTPTR_MAX));
}

TEST(pages, commits_lazily_purges_and_decommits)
{
    ring3_region_t *region;
    int owner;

    check_eq(ring3_pages_reserve(&pages, 16 * MIB, 16 * MIB, &region), 0);
    check_eq(ring3_pages_commit(region, region->base, MIB, &owner), 0);
    check_eq(resident(region->base, MIB), 0, "nothing touched, nothing resident");
    memset(region->base, 1, MIB);
    check_eq(resident(region->base, MIB), MIB);
    check_eq(ring3_pages_purge(region->base + 1, MIB - 2), MIB - 2 * ring3_pages_size(),
             "whole pages only");
    check_eq(region->base[0], 1);
    check_eq(region->base[MIB - 1], 1);
    check_eq(region->base[MIB / 2], 0);
    check_eq(ring3_pages_decommit(region, region->base, MIB), 0);
    check(!ring3_pages_owner(&pages, region->base));
    check_eq(ring3_pages_commit(region, region->base, MIB, &owner), 0);
    check_eq(region->base[0], 0, "committed anew, it is zero");
}

static void touch_decommitted(void)
{
    ring3_region_t *region;

    if (ring3_pages_reserve(&pages, MIB, MIB, &region) == 0 &&
        ring3_pages_commit(region, region->base, MIB, region) == 0 &&
        ring3_pages_decommit(region, region->base + RING3_CHUNK, RING3_CHUNK) == 0)
        *(volatile char *)(region->base + RING3_CHUNK) = 1;
}

TEST(pages, become_a_huge_one_when_they_are_almost_all_there)
{
    enum { PAGE = 4096 };
    ring3_region_t *region;
    int result;

    if (ring3_pages_size() != PAGE)
        return;
    check_eq(ring3_pages_reserve(&pages, 2 * RING3_HUGE_PAGE, 2 * RING3_HUGE_PAGE, &region), 0);
    check_eq((uintptr_t)region->base % RING3_HUGE_PAGE, 0);
    check_eq(ring3_pages_commit(region, region->base, RING3_HUGE_PAGE, &pages), 0);
    for (size_t at = 0; at < RING3_HUGE_PAGE / 100 * 89; at += PAGE)
        region->base[at] = (char)(at / PAGE);
    check_eq(ring3_pages_collapse(region->base, 90), 0, "a tenth is missing, and more");
    for (size_t at = 0; at < RING3_HUGE_PAGE / 100 * 95; at += PAGE)
        region->base[at] = (char)(at / PAGE);
    result = ring3_pages_collapse(region->base, 90);
    check(result == 1 || result == -ENOTSUP || result == -EAGAIN, "%d", result);
    for (size_t at = 0; at < RING3_HUGE_PAGE / 100 * 95; at += PAGE)
        check_eq(region->base[at], (char)(at / PAGE));
    check_eq(region->base[RING3_HUGE_PAGE - 1], 0);
}

TEST(pages, cannot_be_touched_when_decommitted)
{
    char text[4096];
    const int status = run_in_child(touch_decommitted, text, sizeof text);

    check(WIFSIGNALED(status) || WEXITSTATUS(status) != 0, "status %x", status);
}

TEST(pages, keeps_errno_and_reports_by_result)
{
    ring3_region_t *region;

    errno = 77;
    check_eq(ring3_pages_reserve(&pages, (size_t)1 << 60, (size_t)1 << 60, &region), -ENOMEM);
    check_eq(ring3_pages_reserve(&pages, SIZE_MAX, SIZE_MAX, &region), -ENOMEM);
    check_eq(errno, 77);
    check_eq(pages.count, 0);
}

TEST(pages, stops_at_the_number_of_regions)
{
    ring3_region_t *region;

    for (int i = 0; i < RING3_PAGES_REGIONS; i++) {
        check_eq(ring3_pages_reserve(&pages, MIB, MIB, &region), 0);
        check_eq(ring3_pages_commit(region, region->base, 1, region), 0);
    }
    check_eq(ring3_pages_reserve(&pages, MIB, MIB, &region), -ENOSPC);
    for (int i = 0; i < RING3_PAGES_REGIONS; i++)
        check_eq(ring3_pages_owner(&pages, pages.regions[i].base) == &pages.regions[i], 1);
}

/* Address space in use, in bytes. */
static size_t address_space(void)
{
    size_t total = 0;
    FILE *const file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%zu", &total) != 1)
        _exit(3);
    fclose(file);
    return total * ring3_pages_size();
}

static void reserve_under_a_limit(void)
{
    const size_t room = 64 * MIB;
    const struct rlimit limit = {address_space() + room, RLIM_INFINITY};
    ring3_region_t *region;
    size_t total = 0;

    if (setrlimit(RLIMIT_AS, &limit) != 0)
        _exit(4);
    if (ring3_pages_reserve(&pages, 16 * GIB, MIB, &region) != 0)
        _exit(5);
    if (region->size > room / 4)
        _exit(6); /* greedy */
    total = region->size;
    while (ring3_pages_reserve(&pages, 16 * GIB, MIB, &region) == 0) {
        if (ring3_pages_commit(region, region->base, region->size, region) != 0)
            _exit(7);
        region->base[region->size - 1] = 1;
        total += region->size;
    }
    _exit(total > room * 3 / 4 ? 0 : 8);
}

TEST(pages, shares_what_a_limit_leaves_and_comes_back_for_the_rest)
{
    char text[4096];

    if (slow_machine())
        return; /* sanitizers reserve terabytes */
    check_eq(run_in_child(reserve_under_a_limit, text, sizeof text), 0, "%s", text);
}
