/* SPDX-License-Identifier: MIT */
/* ulimit (POSIX.1-2024), with Linux's further limits. */
#include "builtins/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

static const struct limit {
    char letter;
    int resource;
    unsigned unit; /* bytes, or 1 */
    const char *text;
} limits[] = {
    {'c', RLIMIT_CORE, 512, "core file size (512-byte blocks)"},
    {'d', RLIMIT_DATA, 1024, "data segment (KiB)"},
    {'e', RLIMIT_NICE, 1, "nice priority"},
    {'f', RLIMIT_FSIZE, 512, "file size (512-byte blocks)"},
    {'i', RLIMIT_SIGPENDING, 1, "pending signals"},
    {'l', RLIMIT_MEMLOCK, 1024, "locked memory (KiB)"},
    {'m', RLIMIT_RSS, 1024, "resident memory (KiB)"},
    {'n', RLIMIT_NOFILE, 1, "open files"},
    {'q', RLIMIT_MSGQUEUE, 1, "message queues (bytes)"},
    {'r', RLIMIT_RTPRIO, 1, "real-time priority"},
    {'s', RLIMIT_STACK, 1024, "stack (KiB)"},
    {'t', RLIMIT_CPU, 1, "CPU time (seconds)"},
    {'u', RLIMIT_NPROC, 1, "processes of this user"},
    {'v', RLIMIT_AS, 1024, "address space (KiB)"},
    {'x', RLIMIT_LOCKS, 1, "file locks"},
};

static const struct limit *limit_of(int letter)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].letter == letter)
            return &limits[i];
    return NULL;
}

static void print_value(struct out *out, const struct limit *l, bool hard)
{
    struct rlimit now;

    getrlimit((__rlimit_resource_t)l->resource, &now);
    if ((hard ? now.rlim_max : now.rlim_cur) == RLIM_INFINITY)
        out_puts(out, "unlimited\n");
    else
        out_printf(out, "%llu\n",
                   (unsigned long long)((hard ? now.rlim_max : now.rlim_cur) / l->unit));
}

static void print_all(struct out *out, bool hard)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        out_printf(out, "-%c: %-34s ", limits[i].letter, limits[i].text);
        print_value(out, &limits[i], hard);
    }
}

static bool parse_value(const char *text, const struct limit *l, const struct rlimit *now,
                        rlim_t *value)
{
    unsigned long long number;
    char *end;

    if (strcmp(text, "unlimited") == 0) {
        *value = RLIM_INFINITY;
    } else if (strcmp(text, "hard") == 0 || strcmp(text, "soft") == 0) {
        *value = *text == 'h' ? now->rlim_max : now->rlim_cur;
    } else {
        errno = 0;
        number = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno ||
            __builtin_mul_overflow(number, l->unit, &number))
            return false;
        *value = number;
    }
    return true;
}

static int set_value(struct builtin_io *io, const struct limit *l, const char *text, bool soft,
                     bool hard)
{
    struct rlimit now;
    rlim_t value;

    getrlimit((__rlimit_resource_t)l->resource, &now);
    if (!parse_value(text, l, &now, &value))
        return builtin_fail(io, "ulimit", "%s: not a limit", text);
    if (soft)
        now.rlim_cur = value;
    if (hard)
        now.rlim_max = value;
    if (setrlimit((__rlimit_resource_t)l->resource, &now) != 0)
        return builtin_fail(io, "ulimit", "-%c %s: %s", l->letter, text, strerror(errno));
    return 0;
}

int builtin_ulimit(struct builtin_io *io, int argc, char **argv)
{
    struct builtin_options o = {0};
    const struct limit *l = limit_of('f');
    bool soft = false, hard = false, all = false;
    int letter;

    while ((letter = builtin_option(&o, argc, argv, "HSacdefilmnqrstuvx")) != -1) {
        if (letter == 'H')
            hard = true;
        else if (letter == 'S')
            soft = true;
        else if (letter == 'a')
            all = true;
        else if (!(l = limit_of(letter))) {
            builtin_fail(io, "ulimit", "-%c: unknown option", *o.value);
            return BUILTIN_USAGE;
        }
    }
    if (argc - o.index > (all ? 0 : 1)) {
        builtin_fail(io, "ulimit", "too many operands");
        return BUILTIN_USAGE;
    }
    if (all)
        print_all(io->out, hard && !soft);
    else if (o.index == argc)
        print_value(io->out, l, hard && !soft);
    else
        return set_value(io, l, argv[o.index], soft || !hard, hard || !soft);
    return 0;
}
