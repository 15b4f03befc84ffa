/* SPDX-License-Identifier: MIT */
/* ring3 counters: the counters of a running process, as they are. */
#include "remote.h"
#include "verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: ring3 counters PID [PREFIX]\n"
    "\n"
    "Print the counters that ring3 keeps in process PID, one per line: object, name and\n"
    "value; only those whose name begins with PREFIX, if that is given. The process is\n"
    "not stopped, and notices nothing. Needs the rights of a debugger (ptrace(2)).\n"
    "\n"
    "Exit status: 0; 1 if the process cannot be looked into or has no counters; 2 if an\n"
    "argument is wrong.\n";

static int show(void *context, const char *object, const ring3_counters_t *counters)
{
    const char *const prefix = context, *const slash = strrchr(object, '/');

    for (uint32_t i = 0; i < counters->count; i++) {
        const ring3_counter_t *const entry = &counters->entry[i];

        if (!entry->kind || strncmp(entry->name, prefix, strlen(prefix)) != 0)
            continue;
        if (entry->kind == RING3_COUNTER_TABLE)
            printf("%s %.40s %" PRIu32 " rows of %" PRIu64 " bytes\n", slash ? slash + 1 : object,
                   entry->name, entry->rows, entry->row_size);
        else
            printf("%s %.40s %" PRIu64 "\n", slash ? slash + 1 : object, entry->name, entry->value);
    }
    return 0;
}

static int counters(int argc, char **argv)
{
    char all[] = "";

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc < 2 || argc > 3) {
        fputs("ring3 counters: which process? `ring3 counters --help` says more\n", stderr);
        return 2;
    }
    const pid_t pid = remote_pid("counters", argv[1]);

    if (pid < 0)
        return 2;
    const int err = remote_counters(pid, show, argc == 3 ? argv[2] : all);

    return err ? remote_complain("counters", pid, err) : 0;
}

RING3_VERB(counters, "print what ring3 counts in a running process", counters);
