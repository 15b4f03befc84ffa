/* SPDX-License-Identifier: MIT */
/* ring3 ipc: named shared memory and its owners; channels, watched and measured. */
#include "ring3/shm.h"
#include "verb.h"
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { USAGE = 2 };

static const char usage[] =
    "usage: ring3 ipc ls\n"
    "       ring3 ipc gc [--dry-run]\n"
    "       ring3 ipc top PID [-n COUNT]\n"
    "       ring3 ipc tap PID [-n COUNT]\n"
    "       ring3 ipc bench [SECONDS]\n"
    "\n"
    "Named shared memory made with libring3-ipc (POSIX and System V) carries its\n"
    "maker's identity: process id, start time, boot and process-id namespace.\n"
    "\n"
    "  ls          list it: kind, name or key, bytes, maker, and whether that lives\n"
    "  gc          remove what belongs to processes that no longer live, and only that;\n"
    "              those who still have it mapped keep their memory\n"
    "  --dry-run   only show what would be removed\n"
    "  top         the channels of a process once a second: peer, messages per second, bytes,\n"
    "              sleeps, wakes, what made no sense; COUNT times\n"
    "  tap         the messages that pass through its channels over memory: direction (-> is\n"
    "              sent), peer, kind, bytes, beginning; COUNT of them\n"
    "  bench       measure every transport on this machine, on one CPU and on two, with a\n"
    "              chart, and where mapping overtakes copying; SECONDS for each figure (0.2)\n"
    "  --help      this text\n"
    "\n"
    "top and tap need the rights of a debugger; the process is not stopped and notices nothing.\n"
    "\n"
    "Exit status: 0; 1 if something could not be removed or looked at; 2 if an\n"
    "argument is wrong.\n";

static const char *name_of(const ring3_shm_object_t *object, char *text, size_t size)
{
    if (object->kind == RING3_SHM_POSIX)
        return object->name;
    snprintf(text, size, "0x%08x", (unsigned)object->key);
    return text;
}

static void print_object(const char *state, const ring3_shm_object_t *object)
{
    char text[16];

    printf("%-8s %-6s %12zu %8d  %s\n", state, object->kind == RING3_SHM_POSIX ? "posix" : "sysv",
           object->size, object->owner.pid, name_of(object, text, sizeof text));
}

static int list_one(const ring3_shm_object_t *object, void *context)
{
    (void)context;
    print_object(object->alive == 1 ? "alive" : object->alive == 0 ? "dead" : "unknown", object);
    return 0;
}

static int list(void)
{
    printf("%-8s %-6s %12s %8s  %s\n", "maker", "kind", "bytes", "pid", "name");
    return ring3_shm_each(list_one, NULL);
}

struct collection {
    bool dry_run;
    int failures;
};

static int collect_one(const ring3_shm_object_t *object, void *context)
{
    struct collection *const collection = context;
    const int err = object->alive != 0    ? -EBUSY
                    : collection->dry_run ? 0
                                          : ring3_shm_reclaim(object);
    char text[16];

    if (!err) {
        print_object(collection->dry_run ? "would" : "removed", object);
    } else if (err != -EBUSY) {
        fprintf(stderr, "ring3 ipc gc: %s: %s\n", name_of(object, text, sizeof text),
                strerror(-err));
        collection->failures++;
    }
    return 0;
}

static int report(const char *what, int err)
{
    if (err)
        fprintf(stderr, "ring3 ipc %s: %s\n", what, strerror(-err));
    return err ? 1 : 0;
}

static int ipc(int argc, char **argv)
{
    struct collection collection = {0};

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "top") == 0)
        return ipc_top(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "tap") == 0)
        return ipc_tap(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "bench") == 0)
        return ipc_bench(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "ls") == 0)
        return report("ls", list());
    if (argc == 3 && strcmp(argv[2], "--dry-run") == 0)
        collection.dry_run = true;
    if (argc == 2 + collection.dry_run && strcmp(argv[1], "gc") == 0) {
        const int failed = report("gc", ring3_shm_each(collect_one, &collection));

        return failed || collection.failures ? 1 : 0;
    }
    fprintf(stderr, "ring3 ipc: ls, gc, top, tap or bench? `ring3 ipc --help` says more\n");
    return USAGE;
}

RING3_VERB(ipc, "shared memory and channels: list, collect, watch, measure", ipc);
