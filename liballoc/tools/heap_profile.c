/* SPDX-License-Identifier: MIT */
/*
 * ring3 heap profile: what RING3_MALLOC=profile=FILE wrote, by function and line, as a table or as
 * collapsed stacks for a flame graph; or the difference of two such files from one process.
 *
 * Counts of a sampled profile are scaled up: a block of s bytes is noted with a chance of s / rate.
 */
#include "heap.h"
#include "heap_symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 heap profile [option ...] FILE\n"
    "\n"
    "Show the profile that RING3_MALLOC=profile=FILE wrote: who allocated what is in use.\n"
    "\n"
    "  -a       all that was allocated so far, instead of what is in use\n"
    "  -b BASE  only what came since BASE, an earlier profile of the same process\n"
    "  -c       collapsed stacks: outermost;...;innermost bytes, for flame graphs\n"
    "  -n ROWS  show so many call sites (20)\n"
    "\n"
    "Functions and lines come from addr2line, of binutils. pprof reads the same file.\n"
    "Exit status: 0; 1 if there is no such profile; 2 if an argument is wrong.\n";

enum { CALLS = 32 };

struct site {
    int64_t blocks, bytes;
    int calls;
    uint64_t call[CALLS]; /* innermost first */
};

struct profile {
    struct site *sites;
    size_t count, room;
    uint64_t rate;
};

/* --- Reading ------------------------------------------------------------------------------------ */

static bool add_site(struct profile *profile, const struct site *site)
{
    if (profile->count == profile->room) {
        const size_t room = profile->room ? 2 * profile->room : 256;
        struct site *const larger = reallocarray(profile->sites, room, sizeof *larger);

        if (!larger)
            return false;
        profile->sites = larger;
        profile->room = room;
    }
    profile->sites[profile->count++] = *site;
    return true;
}

static void scale(struct site *site, uint64_t rate)
{
    const int64_t size = site->blocks ? site->bytes / site->blocks : 0;

    if (size > 0 && (uint64_t)size < rate) {
        site->blocks = (int64_t)((double)site->blocks * (double)rate / (double)size);
        site->bytes = site->blocks * size;
    }
}

/* "1: 100 [2: 200] @ 0x… 0x…" */
static bool parse_site(char *line, bool all, struct site *site)
{
    int64_t live_blocks, live_bytes, blocks, bytes;
    char *at = strchr(line, '@');

    if (!at || sscanf(line, "%" SCNd64 ": %" SCNd64 " [%" SCNd64 ": %" SCNd64 "]", &live_blocks,
                      &live_bytes, &blocks, &bytes) != 4)
        return false;
    *site = (struct site){.blocks = all ? blocks : live_blocks, .bytes = all ? bytes : live_bytes};
    for (at++; site->calls < CALLS; site->calls++) {
        char *end;
        const uint64_t call = strtoull(at, &end, 16);

        if (end == at || !call)
            break;
        site->call[site->calls] = call;
        at = end;
    }
    return true;
}

static int read_profile(const char *path, bool all, struct profile *profile)
{
    FILE *const file = fopen(path, "r");
    bool mappings = false;
    char *line = NULL, *rate;
    size_t size = 0;

    if (!file)
        return fprintf(stderr, "ring3 heap profile: %s: %s\n", path, strerror(errno)), 1;
    if (getline(&line, &size, file) > 0 && (rate = strstr(line, "heap_v2/")))
        profile->rate = strtoull(rate + strlen("heap_v2/"), NULL, 10);
    while (profile->rate && getline(&line, &size, file) > 0) {
        struct site site;

        if (strncmp(line, "MAPPED_LIBRARIES:", 17) == 0)
            mappings = true;
        else if (mappings)
            symbols_add_mapping(line);
        else if (parse_site(line, all, &site)) {
            scale(&site, profile->rate);
            if (!add_site(profile, &site))
                break;
        }
    }
    free(line);
    fclose(file);
    if (!profile->rate)
        return fprintf(stderr, "ring3 heap profile: %s is no heap profile\n", path), 1;
    return 0;
}

static void subtract(struct profile *profile, const struct profile *base)
{
    for (size_t i = 0; i < base->count; i++)
        for (size_t k = 0; k < profile->count; k++) {
            struct site *const site = &profile->sites[k];

            if (memcmp(site->call, base->sites[i].call, sizeof site->call) != 0)
                continue;
            site->blocks -= base->sites[i].blocks;
            site->bytes -= base->sites[i].bytes;
            break;
        }
}

/* --- Showing ------------------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    const struct site *const left = a, *const right = b;

    return left->bytes < right->bytes ? 1 : left->bytes > right->bytes ? -1 : 0;
}

/* A call's address is the one after it. */
static const struct symbol *caller(const struct site *site, int call)
{
    return symbols_find(site->call[call] - 1);
}

/* The frames of the allocator itself come first, and are passed over. */
static int first_of_interest(const struct site *site)
{
    int first = 0;

    while (first < site->calls - 1 && strstr(caller(site, first)->object, "libring3-"))
        first++;
    return first;
}

static void show_table(const struct profile *profile, size_t rows)
{
    int64_t blocks = 0, bytes = 0;

    for (size_t i = 0; i < profile->count; i++) {
        blocks += profile->sites[i].blocks;
        bytes += profile->sites[i].bytes;
    }
    printf("%" PRId64 " bytes in %" PRId64 " blocks\n", bytes, blocks);
    for (size_t i = 0; i < profile->count && i < rows; i++) {
        const struct site *const site = &profile->sites[i];

        if (site->bytes == 0)
            continue;
        printf("\n%" PRId64 " bytes in %" PRId64 " blocks\n", site->bytes, site->blocks);
        for (int call = first_of_interest(site); call < site->calls; call++)
            printf("    %s  %s\n", caller(site, call)->function, caller(site, call)->place);
    }
}

static void show_collapsed(const struct profile *profile)
{
    for (size_t i = 0; i < profile->count; i++) {
        const struct site *const site = &profile->sites[i];
        const int first = first_of_interest(site);

        if (site->bytes <= 0 || !site->calls)
            continue;
        for (int call = site->calls - 1; call >= first; call--)
            printf("%s%s", caller(site, call)->function, call > first ? ";" : "");
        printf(" %" PRId64 "\n", site->bytes);
    }
}

static void look_up(const struct profile *profile)
{
    for (size_t i = 0; i < profile->count; i++)
        for (int call = 0; call < profile->sites[i].calls; call++)
            symbols_want(profile->sites[i].call[call] - 1);
    symbols_resolve();
}

int heap_profile(int argc, char **argv)
{
    struct profile profile = {0}, base = {0};
    bool all = false, collapsed = false;
    const char *base_path = NULL;
    unsigned long rows = 20;
    int option;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "ab:cn:")) != -1) {
        if (option == 'a')
            all = true;
        else if (option == 'b')
            base_path = optarg;
        else if (option == 'c')
            collapsed = true;
        else if (option == 'n')
            rows = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (optind != argc - 1) {
        fputs("ring3 heap profile: which file? `ring3 heap profile --help` says more\n", stderr);
        return 2;
    }
    if (read_profile(argv[optind], all, &profile) != 0 ||
        (base_path && read_profile(base_path, all, &base) != 0))
        return 1;
    subtract(&profile, &base);
    qsort(profile.sites, profile.count, sizeof *profile.sites, by_bytes);
    look_up(&profile);
    if (collapsed)
        show_collapsed(&profile);
    else
        show_table(&profile, rows);
    return 0;
}
