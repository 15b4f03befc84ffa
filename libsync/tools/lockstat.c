/* SPDX-License-Identifier: MIT */
/* ring3 lockstat: the contention profile of a running process, once or like top. */
#include "remote.h"
#include "verb.h"

#include "lockstat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: ring3 lockstat [--json | --html] [--most=N] PID\n"
    "       ring3 lockstat --top[=SECONDS] [--most=N] PID\n"
    "\n"
    "Show which locks of process PID are waited for, and by whom. The process must have\n"
    "been started with RING3_LOCKS=stat and libring3-locks.so preloaded:\n"
    "\n"
    "  ring3 run --locks=stat -- PROGRAM\n"
    "\n"
    "It is not stopped, and notices nothing. Needs the rights of a debugger (ptrace(2)).\n"
    "\n"
    "  --top[=SECONDS]  again every 2 (or SECONDS) seconds, until the process ends\n"
    "  --json, --html   the whole report, to standard output\n"
    "  --most=N         at most so many locks (20)\n"
    "\n"
    "Exit status: 0; 1 if the process cannot be looked into or keeps no profile; 2 if an\n"
    "argument is wrong.\n";

struct request {
    pid_t pid;
    enum lockstat_format format;
    unsigned seconds; /* 0: once */
    size_t most;
};

/* Copies of the tables of the process. */
struct copy {
    struct lockstat_lock *locks;
    struct lockstat_site *sites;
    struct lockstat_view view;
};

static int copy_table(pid_t pid, const ring3_counter_t *entry, size_t row_size, void **copy)
{
    void *const rows = entry->row_size == row_size ? malloc(entry->rows * row_size) : NULL;
    int err;

    if (!rows)
        return entry->row_size == row_size ? -ENOMEM : -EPROTO;
    err = remote_read(pid, entry->value, rows, entry->rows * row_size);
    if (err) {
        free(rows);
        return err;
    }
    *copy = rows;
    return 0;
}

/* 1 when the tables have been found and copied; 0 to look on. */
static int visit(void *context, const char *object, const ring3_counters_t *counters)
{
    struct copy *const copy = context;
    const ring3_counter_t *const locks = remote_find(counters, LOCKSTAT_LOCKS_NAME),
                                 *const sites = remote_find(counters, LOCKSTAT_SITES_NAME);
    void *rows;
    int err;

    (void)object;
    if (!locks || !sites)
        return 0;
    err = copy_table(copy->view.pid, locks, sizeof *copy->locks, &rows);
    if (err)
        return err;
    copy->locks = rows;
    err = copy_table(copy->view.pid, sites, sizeof *copy->sites, &rows);
    if (err)
        return err;
    copy->sites = rows;
    copy->view.locks = copy->locks;
    copy->view.sites = copy->sites;
    copy->view.lock_count = locks->rows;
    copy->view.site_count = sites->rows;
    return 1;
}

static int show_once(const struct request *request)
{
    struct copy copy = {.view = {.pid = request->pid, .most = request->most}};
    int err = remote_counters(request->pid, visit, &copy);

    if (err == 0)
        err = -ENOENT;
    if (err == 1) {
        copy.view.ns_per_cycle = ring3_lockstat_calibrate();
        ring3_lockstat_report(STDOUT_FILENO, &copy.view, request->format);
        err = 0;
    }
    free(copy.locks);
    free(copy.sites);
    return err;
}

static int show(const struct request *request)
{
    int err = show_once(request);

    if (err)
        return remote_complain("lockstat", request->pid, err);
    while (request->seconds) {
        sleep(request->seconds);
        /* Home, and clear what is below; on a terminal only. */
        if (isatty(STDOUT_FILENO) && write(STDOUT_FILENO, "\033[H\033[J", 6) < 0)
            return 1;
        if (show_once(request) != 0)
            return 0;
    }
    return 0;
}

/* False if the argument is none of ours. */
static int read_option(struct request *request, const char *argument)
{
    if (strcmp(argument, "--json") == 0)
        request->format = LOCKSTAT_JSON;
    else if (strcmp(argument, "--html") == 0)
        request->format = LOCKSTAT_HTML;
    else if (strcmp(argument, "--top") == 0)
        request->seconds = 2;
    else if (strncmp(argument, "--top=", 6) == 0)
        request->seconds = (unsigned)strtoul(argument + 6, NULL, 10);
    else if (strncmp(argument, "--most=", 7) == 0)
        request->most = (size_t)strtoul(argument + 7, NULL, 10);
    else
        return 0;
    return 1;
}

static int lockstat(int argc, char **argv)
{
    struct request request = {.pid = -1, .most = 20};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (read_option(&request, argv[i]))
            continue;
        if (argv[i][0] == '-' || request.pid > 0) {
            fprintf(stderr, "ring3 lockstat: unknown option %s; `ring3 lockstat --help`\n",
                    argv[i]);
            return 2;
        }
        request.pid = remote_pid("lockstat", argv[i]);
        if (request.pid < 0)
            return 2;
    }
    if (request.pid < 0) {
        fputs("ring3 lockstat: which process? `ring3 lockstat --help` says more\n", stderr);
        return 2;
    }
    return show(&request);
}

RING3_VERB(lockstat, "show which locks of a running program are waited for", lockstat);
