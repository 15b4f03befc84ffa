/* SPDX-License-Identifier: MIT */
/* kill: -s NAME, -NAME, -NUMBER, -l; processes, process groups and, through the host, jobs. */
#include "builtins/builtin.h"
#include "lang/signame.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

static const char usage[] = "usage: kill [-s signal | -signal] pid|%job... or kill -l [status...]";

static int list_all(struct builtin_io *io)
{
    char name[SIGNAME_MAX];

    for (int n = 1; n <= SIGRTMAX; n++)
        if (*signal_name(n, name))
            out_printf(io->out, "%s\n", name);
    return 0;
}

/* A number is a signal's, or the exit status of what it ended; a name gives its number. */
static int list_one(struct builtin_io *io, const char *operand)
{
    char name[SIGNAME_MAX], *end;
    const long number = strtol(operand, &end, 10);

    if (end == operand) {
        const int n = signal_number(operand);

        if (n < 0)
            return builtin_fail(io, "kill", "%s: no such signal", operand);
        out_printf(io->out, "%d\n", n);
        return 0;
    }
    if (*end || number < 0 || number > INT_MAX ||
        !*signal_name((int)(number > 128 ? number - 128 : number), name))
        return builtin_fail(io, "kill", "%s: no such signal", operand);
    out_printf(io->out, "%s\n", name);
    return 0;
}

static int list(struct builtin_io *io, int argc, char **argv)
{
    int status = 0;

    if (argc == 0)
        return list_all(io);
    for (int i = 0; i < argc; i++)
        status |= list_one(io, argv[i]);
    return status;
}

static int target(struct builtin_io *io, const char *operand, pid_t *pid)
{
    char *end;
    long value;

    if (*operand == '%')
        return io->host && io->host->job ? io->host->job(io->shell, operand, pid) : -ESRCH;
    errno = 0;
    value = strtol(operand, &end, 10);
    if (end == operand || *end || errno || value != (pid_t)value)
        return -EINVAL;
    *pid = (pid_t)value;
    return 0;
}

static int send_one(struct builtin_io *io, const char *operand, int signo)
{
    pid_t pid = 0;
    int err = target(io, operand, &pid);

    if (err == -EINVAL)
        return builtin_fail(io, "kill", "%s: neither a process id nor a job", operand);
    if (err == 0 && kill(pid, signo) != 0)
        err = -errno;
    if (err == 0 && *operand == '%' && io->host->signalled)
        io->host->signalled(io->shell, operand, signo);
    return err ? builtin_fail(io, "kill", "%s: %s", operand,
                              err == -ESRCH && *operand == '%' ? "no such job" : strerror(-err))
               : 0;
}

/* The signal among the options; the index of the first operand, 0 if they are wrong. */
static int parse(struct builtin_io *io, int argc, char **argv, int *signo, bool *listing)
{
    const char *name = NULL;
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *option = argv[i];

        if (strcmp(option, "--") == 0)
            return i + 1;
        if (name) /* the second one is a process group */
            return i;
        if (strcmp(option, "-l") == 0) {
            *listing = true;
        } else if (option[1] == 's' || option[1] == 'n') {
            const int attached = option[2] != '\0' ? signal_number(option + 1) : -1;

            if (attached >= 0) /* -segv, -stop */
                name = option + 1;
            else
                name = option[2] ? option + 2 : i + 1 < argc ? argv[++i] : "";
        } else {
            name = option + 1;
        }
        if (*listing)
            continue;
        *signo = signal_number(name);
        if (*signo < 0 || (*signo == 0 && strcmp(name, "0") != 0)) {
            builtin_fail(io, "kill", "%s: no such signal", *name ? name : option);
            return 0;
        }
    }
    return i;
}

int builtin_kill(struct builtin_io *io, int argc, char **argv)
{
    int signo = SIGTERM, status = 0;
    bool listing = false;
    const int first = parse(io, argc, argv, &signo, &listing);

    if (first == 0)
        return 1;
    if (listing)
        return list(io, argc - first, argv + first);
    if (first >= argc) {
        builtin_fail(io, "kill", "%s", usage);
        return BUILTIN_USAGE;
    }
    for (int i = first; i < argc; i++)
        status |= send_one(io, argv[i], signo);
    return status;
}
