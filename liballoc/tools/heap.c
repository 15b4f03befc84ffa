/* SPDX-License-Identifier: MIT */
/* ring3 heap: look into heaps, and compare them. */
#include "heap.h"
#include "verb.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: ring3 heap top [option ...] PID\n"
    "       ring3 heap compare [option ...] -- PROGRAM [argument ...]\n"
    "       ring3 heap replay [option ...] FILE\n"
    "       ring3 heap map [option ...] FILE\n"
    "       ring3 heap profile [option ...] FILE\n"
    "\n"
    "  top      what the heap of a running process holds, and what goes in and out\n"
    "  compare  run a program under every policy and every allocator that is installed\n"
    "  replay   do again what RING3_MALLOC=trace=FILE recorded, under every policy\n"
    "  map      show where blocks and holes lie, under every policy\n"
    "  profile  show who allocates, as RING3_MALLOC=profile=FILE recorded it\n"
    "\n"
    "`ring3 heap VERB --help` says more about one of them. Exit status: 0; 1 if it cannot\n"
    "be done; 2 if an argument is wrong.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"top", heap_top}, {"compare", heap_compare}, {"replay", heap_replay},
    {"map", heap_map}, {"profile", heap_profile},
};

static int heap(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "ring3 heap: unknown verb \"%s\"\n", argv[1]);
    fputs(usage, stderr);
    return 2;
}

RING3_VERB(heap, "look into heaps, and compare them", heap);
