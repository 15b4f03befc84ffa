/* SPDX-License-Identifier: MIT */
/*
 * ring3 heap compare: one program under every policy of ring3 and every allocator that is installed.
 * Rounds are interleaved, so that what disturbs the machine for a while disturbs all alike; a row
 * shows medians. Peak memory and faults are the kernel's figures (getrusage) for the program and
 * its children that it waited for.
 */
#include "heap.h"

#include "ring3/malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 heap compare [option ...] -- PROGRAM [argument ...]\n"
    "\n"
    "Run PROGRAM under libc's malloc, every policy of ring3, and every other allocator that\n"
    "is installed (jemalloc, mimalloc, tcmalloc), and print one table. The program must\n"
    "give the same each time; its output is discarded.\n"
    "\n"
    "  -r ROUNDS  run it so often under each (3)\n"
    "  -o         only ring3's policies and libc\n"
    "  -s SETTING run it under RING3_MALLOC=SETTING too; may be given again\n"
    "  -k         keep the program's output\n"
    "\n"
    "Time is CPU time, user and system, and so are the ratios to libc. Exit status: 0; 1 if\n"
    "the program cannot be run, or ended otherwise under one allocator than under libc;\n"
    "2 if an argument is wrong.\n";

enum { ROUNDS_MAX = 99, ROWS_MAX = 32 };

struct run {
    double wall, cpu;
    long peak, faults; /* KiB; number */
};

struct row {
    char name[64], object[PATH_MAX], setting[128];
    struct run runs[ROUNDS_MAX];
    int status; /* of the last run that differed from libc's; of libc's own */
    bool failed;
};

static struct row rows[ROWS_MAX];
static int row_count;

static void add_row(const char *name, const char *object, const char *setting)
{
    struct row *const row = &rows[row_count];

    if (row_count == ROWS_MAX)
        return;
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->object, sizeof row->object, "%s", object);
    snprintf(row->setting, sizeof row->setting, "%s", setting);
    row_count++;
}

/* Our own preload object: beside this program's folder, or where it was to be installed. */
static const char *own_object(void)
{
    static char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    char *slash;

    path[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 2 && (slash = strrchr(path, '/')); up++)
        *slash = '\0';
    strcat(path, "/lib/libring3-malloc.so");
    if (access(path, R_OK) != 0)
        snprintf(path, sizeof path, "%s/libring3-malloc.so", RING3_LIBDIR);
    return path;
}

static void add_setting(const char *setting)
{
    char name[64];

    snprintf(name, sizeof name, "ring3 %.50s", setting);
    add_row(name, own_object(), setting);
}

static const struct {
    const char *name, *files[3];
} peers[] = {
    {"jemalloc", {"libjemalloc.so.2", "libjemalloc.so.1"}},
    {"mimalloc", {"libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so.3"}},
    {"tcmalloc", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"}},
};

static const char *const folders[] = {
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
};

static void add_peers(void)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        bool found = false;

        for (size_t k = 0; k < 3 && peers[i].files[k] && !found; k++)
            for (size_t f = 0; f < sizeof folders / sizeof folders[0] && !found; f++) {
                snprintf(path, sizeof path, "%s/%s", folders[f], peers[i].files[k]);
                found = access(path, R_OK) == 0;
            }
        if (found)
            add_row(peers[i].name, path, "");
    }
}

/* --- Runs --------------------------------------------------------------------------------------- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

_Noreturn static void become(const struct row *row, char **argv, bool keep)
{
    const int null = keep ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0 && (dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0))
        _exit(126);
    if (row->object[0])
        setenv("LD_PRELOAD", row->object, 1);
    else
        unsetenv("LD_PRELOAD");
    if (row->setting[0])
        setenv("RING3_MALLOC", row->setting, 1);
    else
        unsetenv("RING3_MALLOC");
    execvp(argv[0], argv);
    _exit(errno == ENOENT ? 127 : 126);
}

/* The wait status, or -1. */
static int run_once(const struct row *row, struct run *run, char **argv, bool keep)
{
    const double start = now();
    struct rusage usage_of;
    int status = 0;
    const pid_t pid = fork();

    if (pid < 0)
        return -1;
    if (pid == 0)
        become(row, argv, keep);
    while (wait4(pid, &status, 0, &usage_of) < 0)
        if (errno != EINTR)
            return -1;
    *run = (struct run){
        .wall = now() - start,
        .cpu = seconds(usage_of.ru_utime) + seconds(usage_of.ru_stime),
        .peak = usage_of.ru_maxrss,
        .faults = usage_of.ru_minflt + usage_of.ru_majflt,
    };
    return status;
}

/* --- The table ---------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double median_of(const struct row *row, int rounds, double (*value)(const struct run *run))
{
    double values[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++)
        values[i] = value(&row->runs[i]);
    qsort(values, (size_t)rounds, sizeof values[0], by_value);
    return rounds % 2 ? values[rounds / 2] : (values[rounds / 2 - 1] + values[rounds / 2]) / 2;
}

static double wall_of(const struct run *run)
{
    return run->wall;
}

static double cpu_of(const struct run *run)
{
    return run->cpu;
}

static double peak_of(const struct run *run)
{
    return (double)run->peak;
}

static double faults_of(const struct run *run)
{
    return (double)run->faults;
}

static double ratio(double value, double base)
{
    return base > 0 ? value / base : 1;
}

static void show_table(int rounds)
{
    const double cpu = median_of(&rows[0], rounds, cpu_of);
    const double peak = median_of(&rows[0], rounds, peak_of);

    printf("%-28s %9s %9s %7s %10s %7s %10s\n", "allocator", "wall s", "CPU s", "ratio", "peak MiB",
           "ratio", "faults");
    for (int i = 0; i < row_count; i++) {
        const struct row *const row = &rows[i];
        const double own_cpu = median_of(row, rounds, cpu_of);
        const double own_peak = median_of(row, rounds, peak_of);

        printf("%-28s %9.3f %9.3f %7.2f %10.1f %7.2f %10.0f", row->name,
               median_of(row, rounds, wall_of), own_cpu, ratio(own_cpu, cpu), own_peak / 1024,
               ratio(own_peak, peak), median_of(row, rounds, faults_of));
        if (row->failed && WIFSIGNALED(row->status))
            printf("   ended by signal %d", WTERMSIG(row->status));
        else if (row->failed)
            printf("   ended with status %d", WEXITSTATUS(row->status));
        putchar('\n');
    }
    printf("\nMedians of %d runs; ratios are to libc.\n", rounds);
}

static int compare(char **argv, int rounds, bool keep)
{
    int bad = 0;

    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < row_count; i++) {
            const int status = run_once(&rows[i], &rows[i].runs[round], argv, keep);

            if (i == 0 && (status < 0 || (WIFEXITED(status) && WEXITSTATUS(status) >= 126)))
                return fprintf(stderr, "ring3 heap compare: cannot run %s\n", argv[0]), 1;
            if (i == 0)
                rows[0].status = status;
            if (status == rows[0].status)
                continue;
            rows[i].status = status;
            rows[i].failed = true;
            bad = 1;
        }
    show_table(rounds);
    return bad;
}

int heap_compare(int argc, char **argv)
{
    bool only = false, keep = false;
    const char *settings[8];
    int option, count = 0;
    long rounds = 3;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "+r:s:ok")) != -1) {
        if (option == 'r')
            rounds = strtol(optarg, NULL, 10);
        else if (option == 's' && count < 8)
            settings[count++] = optarg;
        else if (option == 'o')
            only = true;
        else if (option == 'k')
            keep = true;
        else
            return 2;
    }
    if (optind >= argc || rounds < 1 || rounds > ROUNDS_MAX) {
        fputs("ring3 heap compare: which program? `ring3 heap compare --help` says more\n", stderr);
        return 2;
    }
    add_row("libc", "", "");
    for (const char *const *policy = ring3_malloc_policies(); *policy; policy++)
        if (strcmp(*policy, "debug") != 0)
            add_setting(*policy);
    for (int i = 0; i < count; i++)
        add_setting(settings[i]);
    if (!only)
        add_peers();
    return compare(argv + optind, (int)rounds, keep);
}
