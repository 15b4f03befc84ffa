/* SPDX-License-Identifier: MIT */
/*
 * ring3 heap top: the heap of a running process, from the counters that its malloc keeps
 * (figures.h). The process is not stopped, and notices nothing; figures of one line may be some
 * microseconds apart.
 */
#include "heap.h"

#include "arenas.h"
#include "classes.h"
#include "figures.h"
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 heap top [option ...] PID\n"
    "\n"
    "Show what the heap of process PID holds, which must run on ring3's malloc. The process\n"
    "is not stopped, and notices nothing. Needs the rights of a debugger (ptrace(2)).\n"
    "\n"
    "  -n COUNT    show so many times, then end (until interrupted)\n"
    "  -d SECONDS  between them (1)\n"
    "  -c CLASSES  show the so many size classes that hold most (10)\n"
    "\n"
    "Exit status: 0; 1 if the process cannot be looked into or has no ring3 malloc, also\n"
    "when it ends meanwhile; 2 if an argument is wrong.\n";

struct class_figures {
    uint64_t size, bytes, blocks, capacity, taken, given;
};

/* One look. */
struct look {
    pid_t pid;
    char policy[RING3_COUNTER_NAME], object[256];
    uint64_t committed, free, allocations, releases;
    uint64_t resident; /* bytes of the whole process */
    int classes;
    struct class_figures class[CLASS_SLABS];
    int err;
};

static void *copy_table(pid_t pid, const ring3_counter_t *entry, size_t bytes)
{
    void *const copy = calloc(1, bytes + 1);

    if (copy && remote_read(pid, entry->value, copy, bytes) != 0) {
        free(copy);
        return NULL;
    }
    return copy;
}

static void look_at_arenas(struct look *look, const ring3_counter_t *entry)
{
    struct arena *const arenas = copy_table(look->pid, entry, entry->rows * entry->row_size);

    for (uint32_t i = 0; arenas && entry->row_size == sizeof *arenas && i < entry->rows; i++) {
        look->committed += arenas[i].ready;
        look->free += arenas[i].free;
    }
    free(arenas);
}

static void look_at_calls(struct look *look, const ring3_counter_t *entry)
{
    uint64_t calls[2] = {0};

    (void)remote_read(look->pid, entry->value, calls, sizeof calls);
    look->allocations = calls[0];
    look->releases = calls[1];
}

static void look_at_slabs(struct look *look, const ring3_counter_t *classes,
                          const ring3_counter_t *slabs)
{
    const size_t rows = slabs->rows < CLASS_SLABS ? slabs->rows : CLASS_SLABS;
    struct class_info *const infos = copy_table(look->pid, classes, rows * sizeof *infos);
    char *const table =
        copy_table(look->pid, slabs, (rows - 1) * slabs->row_size + sizeof(struct figures_slabs));
    uint64_t in_slabs = 0;

    for (size_t i = 0; infos && table && i < rows; i++) {
        struct class_figures *const class = &look->class[i];
        struct figures_slabs row;

        memcpy(&row, table + i * slabs->row_size, sizeof row);
        *class = (struct class_figures){
            .size = infos[i].size,
            .blocks = row.taken - row.given,
            .bytes = (row.taken - row.given) * infos[i].size,
            .capacity = row.slabs * RING3_CHUNK,
            .taken = row.taken,
            .given = row.given,
        };
        in_slabs += class->capacity - class->bytes;
    }
    look->classes = (int)rows;
    look->free += in_slabs;
    free(infos);
    free(table);
}

static int visit(void *context, const char *object, const ring3_counters_t *counters)
{
    struct look *const look = context;
    const ring3_counter_t *const arenas = remote_find(counters, FIGURES_ARENAS);
    const ring3_counter_t *const calls = remote_find(counters, FIGURES_CALLS);
    const ring3_counter_t *const classes = remote_find(counters, FIGURES_CLASSES);
    const ring3_counter_t *const slabs = remote_find(counters, FIGURES_SLABS);

    for (uint32_t i = 0; i < counters->count; i++)
        if (strncmp(counters->entry[i].name, FIGURES_POLICY, sizeof FIGURES_POLICY - 1) == 0)
            snprintf(look->policy, sizeof look->policy, "%s",
                     counters->entry[i].name + sizeof FIGURES_POLICY - 1);
    if (!look->policy[0])
        return 0;
    snprintf(look->object, sizeof look->object, "%s", object);
    if (arenas)
        look_at_arenas(look, arenas);
    if (calls)
        look_at_calls(look, calls);
    if (classes && slabs)
        look_at_slabs(look, classes, slabs);
    return 1;
}

static void look_at_memory(struct look *look)
{
    char path[64];
    FILE *file;
    uint64_t pages = 0;

    snprintf(path, sizeof path, "/proc/%d/statm", look->pid);
    file = fopen(path, "r");
    if (file && fscanf(file, "%*u %" SCNu64, &pages) == 1)
        look->resident = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (file)
        fclose(file);
}

static int look_once(pid_t pid, struct look *look)
{
    *look = (struct look){.pid = pid};

    const int found = remote_counters(pid, visit, look);

    look_at_memory(look);
    return found == 1 ? 0 : found ? found : -ENOENT;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static int by_bytes(const void *a, const void *b)
{
    const struct class_figures *const left = a, *const right = b;

    return left->capacity < right->capacity ? 1 : left->capacity > right->capacity ? -1 : 0;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

static void show(struct look *now, const struct look *before, double seconds, int classes)
{
    const uint64_t used = now->committed > now->free ? now->committed - now->free : 0;

    /* `before` is in the order of classes, so rates first. */
    for (int i = 0; i < now->classes; i++) {
        now->class[i].taken = (uint64_t)rate(now->class[i].taken, before->class[i].taken, seconds);
        now->class[i].given = (uint64_t)rate(now->class[i].given, before->class[i].given, seconds);
    }
    printf("policy %s   resident %.1f MiB   committed %.1f   in use %.1f   free %.1f\n",
           now->policy, mib(now->resident), mib(now->committed), mib(used), mib(now->free));
    printf("%s per second: %.0f out, %.0f back\n", now->classes ? "spans" : "blocks",
           rate(now->allocations, before->allocations, seconds),
           rate(now->releases, before->releases, seconds));
    if (now->classes) {
        qsort(now->class, (size_t)now->classes, sizeof now->class[0], by_bytes);
        printf("%10s %12s %10s %10s %12s %12s\n", "size", "blocks", "MiB", "of MiB", "out/s",
               "back/s");
    }
    for (int i = 0; i < now->classes && i < classes && now->class[i].capacity; i++)
        printf("%10" PRIu64 " %12" PRIu64 " %10.2f %10.2f %12" PRIu64 " %12" PRIu64 "\n",
               now->class[i].size, now->class[i].blocks, mib(now->class[i].bytes),
               mib(now->class[i].capacity), now->class[i].taken, now->class[i].given);
    putchar('\n');
    fflush(stdout);
}

static int top(pid_t pid, long count, double delay, int classes)
{
    static struct look before, now, kept; /* large */
    const struct timespec pause = {(time_t)delay, (long)((delay - (double)(time_t)delay) * 1e9)};
    int err = look_once(pid, &before);

    for (long i = 0; !err && (count == 0 || i < count); i++) {
        (void)nanosleep(&pause, NULL);
        err = look_once(pid, &now);
        if (err)
            break;
        kept = now;
        show(&now, &before, delay, classes);
        before = kept;
    }
    return err;
}

int heap_top(int argc, char **argv)
{
    long count = 0, classes = 10;
    double delay = 1;
    int option;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "n:d:c:")) != -1) {
        char *end = NULL;

        if (option == 'n')
            count = strtol(optarg, &end, 10);
        else if (option == 'd')
            delay = strtod(optarg, &end);
        else if (option == 'c')
            classes = strtol(optarg, &end, 10);
        if (!end || *end || count < 0 || classes < 0 || !(delay >= 0.01 && delay <= 86400))
            return fputs("ring3 heap top: wrong option; `ring3 heap top --help` lists them\n",
                         stderr),
                   2;
    }
    if (optind != argc - 1)
        return fputs("ring3 heap top: which process? `ring3 heap top --help` says more\n", stderr),
               2;

    const pid_t pid = remote_pid("heap top", argv[optind]);

    if (pid < 0)
        return 2;

    const int err = top(pid, count, delay, (int)classes);

    if (err == -ENOENT)
        return fprintf(stderr, "ring3 heap top: process %d does not run on ring3's malloc\n", pid),
               1;
    return err ? remote_complain("heap top", pid, err) : 0;
}
