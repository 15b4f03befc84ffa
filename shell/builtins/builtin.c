/* SPDX-License-Identifier: MIT */
/* What built-ins share, and those that do nothing. */
#include "builtins/builtin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int builtin_fail(struct builtin_io *io, const char *name, const char *fmt, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);
    if (io->prefix)
        out_puts(io->err, io->prefix);
    out_puts(io->err, name);
    out_puts(io->err, ": ");
    if (len >= 0)
        out_write(io->err, text, (size_t)len);
    out_putc(io->err, '\n');
    if (len >= 0)
        free(text);
    return 1;
}

int builtin_option(struct builtin_options *o, int argc, char **argv, const char *letters)
{
    const char *known;
    char letter;

    if (o->index == 0)
        o->index = 1;
    if (!o->within || !*o->within) {
        const char *arg = o->index < argc ? argv[o->index] : NULL;

        if (!arg || arg[0] != '-' || arg[1] == '\0')
            return -1;
        o->index++;
        if (arg[1] == '-' && arg[2] == '\0')
            return -1;
        o->within = arg + 1;
    }
    letter = *o->within++;
    known = letter == ':' ? NULL : strchr(letters, letter);
    if (!known) {
        o->value = o->within - 1;
        return '?';
    }
    if (known[1] != ':')
        return letter;
    if (*o->within)
        o->value = o->within;
    else if (o->index < argc)
        o->value = argv[o->index++];
    else
        return ':';
    o->within = NULL;
    return letter;
}

int builtin_true(struct builtin_io *io, int argc, char **argv)
{
    (void)io, (void)argc, (void)argv;
    return 0;
}

int builtin_colon(struct builtin_io *io, int argc, char **argv)
{
    return builtin_true(io, argc, argv);
}

int builtin_false(struct builtin_io *io, int argc, char **argv)
{
    (void)io, (void)argc, (void)argv;
    return 1;
}
