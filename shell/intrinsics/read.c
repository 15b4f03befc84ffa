/* SPDX-License-Identifier: MIT */
/* read: a line into variables. */
#include "builtins/readline.h"
#include "core/expand.h"
#include "core/redir.h"
#include "core/traps.h"
#include "intrinsics/intrinsics.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void prompt(void *ctx)
{
    struct shell *const sh = ctx;
    const char *const ps2 =
        is_interactive(sh) && isatty(STDIN_FILENO) ? variable_get(sh, "PS2") : NULL;

    if (!ps2)
        return;
    out_puts(&sh->err, expand_prompt(sh, ps2));
    out_flush(&sh->err);
}

void reader_settle(struct shell *sh)
{
    if (sh->reader)
        read_source_sync(sh->reader);
}

void reader_settle_fd(struct shell *sh, int fd)
{
    if (sh->reader && sh->reader->fd == fd) {
        read_source_sync(sh->reader);
        sh->reader->fd = -1;
    }
}

static int assign(struct shell *sh, const char *name, const char *value, size_t length)
{
    return variable_set(sh, variable_intern(sh, name, strlen(name)), value, length);
}

static int distribute(struct shell *sh, const struct read_line *line, int count, char **names)
{
    struct ifs_field few[8], *fields = few;
    const char *const text = buf_str(&line->text);

    if (sh->ifs_stale)
        ifs_refresh(sh);
    if (count > 8)
        fields = arena_alloc(&sh->arena, (size_t)count * sizeof(*fields));
    memset(fields, 0, (size_t)count * sizeof(*fields));
    if (sh->separators.wide_len)
        locale_need(sh);
    ifs_read(&sh->separators, text, line->quoted, line->text.len, fields, (size_t)count);
    for (int i = 0; i < count; i++)
        if (assign(sh, names[i], text + fields[i].start, fields[i].len))
            return 2;
    return 0;
}

int intrinsic_read(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    struct read_line line = {0};
    bool raw = false;
    char delimiter = '\n';
    int letter, got, status;

    while ((letter = builtin_option(&o, argc, argv, "d:p:r")) != -1) {
        if (letter == '?' || letter == ':')
            return intrinsic_usage(sh, "read", &o);
        if (letter == 'r')
            raw = true;
        else if (letter == 'd')
            delimiter = *o.value;
        else {
            out_puts(&sh->err, o.value);
            out_flush(&sh->err);
        }
    }
    if (o.index >= argc)
        return intrinsic_fail(sh, 2, "read: which variable?");
    for (int i = o.index; i < argc; i++)
        if (!is_name_text(argv[i], strlen(argv[i])))
            return intrinsic_fail(sh, 2, "read: %s: not a variable's name", argv[i]);
    if (!sh->reader) {
        sh->reader = must_alloc(sizeof(*sh->reader));
        sh->reader->fd = -1;
        sh->reader->at = sh->reader->len = 0;
    }
    if (sh->reader->fd != STDIN_FILENO)
        read_source_open(sh->reader, STDIN_FILENO);
    do {
        got = read_source_line(sh->reader, &line, delimiter, raw, prompt, sh);
        if (got == -EINTR && signals_any) {
            const enum flow flow = traps_run(sh);

            if (flow != FLOW_NEXT) {
                sh->flow = flow;
                read_line_free(&line);
                return sh->status;
            }
        }
    } while (got == -EINTR);
    if (got < 0) {
        complain(sh, "read: %s", strerror(-got));
        read_line_free(&line);
        return 2;
    }
    status = distribute(sh, &line, argc - o.index, argv + o.index);
    read_line_free(&line);
    return status ? status : got == 0;
}
