/* SPDX-License-Identifier: MIT */
/* ring3 heap replay: the calls of a trace again, under any policy (heap_run.h). */
#include "heap.h"
#include "heap_run.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 heap replay [option ...] FILE\n"
    "\n"
    "Do again what RING3_MALLOC=trace=FILE recorded, under every policy, and show time,\n"
    "memory and fragmentation of each.\n"
    "\n"
    "  -p POLICY  under this one, or settings as RING3_MALLOC takes them; may be given\n"
    "             again; `libc` is libc's malloc (all policies and libc)\n"
    "  -s FILE    write a chart of memory and fragmentation over time, as SVG\n"
    "\n"
    "Exit status: 0; 1 if there is no such trace, or a replay failed; 2 if an argument is\n"
    "wrong.\n";

static int show(const struct steps *steps, const struct result *results, int count)
{
    const struct point *last;
    int bad = 0;

    printf("%zu calls, %u blocks; asked for: %.1f MiB at most, %.1f MiB at the end\n", steps->count,
           steps->objects, (double)steps->peak / (1 << 20), (double)steps->live / (1 << 20));
    if (steps->strangers)
        printf("%zu releases of blocks from before the trace left out\n", steps->strangers);
    printf("\n%-24s %9s %12s %12s %9s %9s\n", "policy", "CPU s", "peak MiB", "of asked", "internal",
           "external");
    for (int i = 0; i < count; i++) {
        const struct result *const result = &results[i];

        if (result->failed) {
            printf("%-24s failed: %s\n", result->name, replay_failure(result));
            bad = 1;
            continue;
        }
        last = result->points ? &result->point[result->points - 1] : &result->point[0];
        printf("%-24s %9.3f %12.1f %12.2f %9.2f %9.2f\n", result->name, result->seconds,
               (double)result->peak_resident / (1 << 20),
               steps->peak ? (double)result->peak_resident / (double)steps->peak : 0,
               internal_fragmentation(last), external_fragmentation(last));
    }
    chart_text(results, count);
    return bad;
}

int heap_replay(int argc, char **argv)
{
    struct result *const results = mmap(NULL, RESULTS_MAX * sizeof *results, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *chosen[RESULTS_MAX], *svg = NULL;
    struct steps steps;
    int option, count = 0, bad;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "p:s:")) != -1) {
        if (option == 'p' && count < RESULTS_MAX)
            chosen[count++] = optarg;
        else if (option == 's')
            svg = optarg;
        else
            return 2;
    }
    if (optind != argc - 1) {
        fputs("ring3 heap replay: which trace? `ring3 heap replay --help` says more\n", stderr);
        return 2;
    }
    if (results == MAP_FAILED || trace_read(argv[optind], &steps) != 0)
        return 1;
    if (count == 0) {
        count = replay_choose_all(chosen);
        chosen[count++] = "libc";
    }
    for (int i = 0; i < count; i++)
        replay_under(&steps, &results[i], chosen[i], NULL);
    bad = show(&steps, results, count);
    if (svg && chart_svg(svg, results, count) != 0)
        bad = 1;
    return bad;
}
