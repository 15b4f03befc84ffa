/* SPDX-License-Identifier: MIT */
/*
 * Allocation patterns for comparing mallocs by LD_PRELOAD: malloc-work WORKLOAD TURNS
 *
 * Each workload does a fixed amount of work, the same sequence under every malloc, writes to each
 * object and looks at what it wrote when it frees it. Prints the number of allocations. Exit status
 * 1 if memory ran out or an object changed in between.
 */
#include "work.h"

#include <stdio.h>
#include <string.h>

static const struct workload {
    const char *name;
    uint64_t (*run)(uint64_t turns);
} workloads[] = {
    {"small", work_small}, {"mix", work_mix},     {"handoff", work_handoff},
    {"churn", work_churn}, {"large", work_large}, {"threads", work_threads},
    {"idle", work_idle},
};

/* `pair-BYTES`. */
static uint64_t run(const char *name, uint64_t turns)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(name, workloads[i].name) == 0)
            return workloads[i].run(turns);
    if (strncmp(name, "pair-", 5) == 0)
        return work_pairs(turns, strtoull(name + 5, NULL, 10));
    fprintf(stderr, "malloc-work: no workload \"%s\"\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: malloc-work "
                        "small|mix|handoff|churn|large|threads|idle|pair-BYTES TURNS\n");
        return 2;
    }
    printf("%llu\n", (unsigned long long)run(argv[1], strtoull(argv[2], NULL, 10)));
    return 0;
}
