/* SPDX-License-Identifier: MIT */
/* CPU quotas of control groups, version 2: cpu.max of our group and of those above it. */
#include "runtime.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ROOT "/sys/fs/cgroup"

/* "quota period" in microseconds, or "max period". */
static unsigned cpus_of(const char *group)
{
    char path[PATH_MAX + sizeof ROOT "/cpu.max"];
    unsigned long long quota, period;
    unsigned cpus = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, ROOT "%s/cpu.max", group);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period > 0)
        cpus = (unsigned)((quota + period - 1) / period);
    (void)fclose(file);
    return cpus;
}

unsigned size_own_quota(void)
{
    FILE *const file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX] = "";
    unsigned least = 0;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file) && strncmp(line, "0::", 3) != 0)
        line[0] = '\0';
    (void)fclose(file);
    line[strcspn(line, "\n")] = '\0';
    for (char *const group = line + 3; line[0];) {
        const unsigned cpus = cpus_of(group);
        char *const slash = strrchr(group, '/');

        if (cpus && (!least || cpus < least))
            least = cpus;
        if (!slash)
            break;
        *slash = '\0';
    }
    return least;
}
