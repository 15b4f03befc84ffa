/* SPDX-License-Identifier: MIT */
/* How many CPUs this process may use. Source: cgroups(7); kernel documentation, cgroup-v2, cpu.max.
 */
#include "ring3/pool.h"

#include "size.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define HIERARCHY "/sys/fs/cgroup"

/* cpu.max holds "quota period" or "max period", in microseconds. */
static unsigned quota_in(const char *file)
{
    FILE *const stream = fopen(file, "re");
    unsigned long long quota, period;
    unsigned cpus = 0;

    if (!stream)
        return 0;
    if (fscanf(stream, "%llu %llu", &quota, &period) == 2 && quota > 0 && period > 0) {
        const unsigned long long whole = (quota - 1) / period + 1;

        cpus = whole < UINT_MAX ? (unsigned)whole : UINT_MAX;
    }
    (void)fclose(stream);
    return cpus;
}

unsigned size_quota(const char *root, const char *path)
{
    char group[PATH_MAX], file[2 * PATH_MAX];
    unsigned least = 0;

    (void)snprintf(group, sizeof group, "%s", path);
    for (;;) {
        (void)snprintf(file, sizeof file, "%s%s/cpu.max", root, group);
        const unsigned cpus = quota_in(file);

        if (cpus && (!least || cpus < least))
            least = cpus;
        char *const last = strrchr(group, '/');

        if (!last)
            return least;
        *last = '\0';
    }
}

/* The line "0::/path" names our place in the version 2 hierarchy. */
static unsigned own_quota(void)
{
    FILE *const stream = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX + 8];
    unsigned cpus = 0;

    if (!stream)
        return 0;
    while (fgets(line, sizeof line, stream))
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = '\0';
            cpus = size_quota(HIERARCHY, line + 3);
        }
    (void)fclose(stream);
    return cpus;
}

unsigned ring3_pool_default_size(void)
{
    const unsigned quota = own_quota();
    unsigned cpus = 1;
    cpu_set_t mask;

    /* Fails on machines with more than CPU_SETSIZE CPUs, which a process rarely wants whole. */
    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        cpus = (unsigned)CPU_COUNT(&mask);
    else
        cpus = CPU_SETSIZE;
    return quota && quota < cpus ? quota : cpus;
}
