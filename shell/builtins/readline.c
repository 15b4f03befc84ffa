/* SPDX-License-Identifier: MIT */
#include "builtins/readline.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void read_source_sync(struct read_source *s)
{
    if (s->fd >= 0 && s->at < s->len)
        lseek(s->fd, -(off_t)(s->len - s->at), SEEK_CUR);
    s->at = s->len = 0;
}

void read_source_open(struct read_source *s, int fd)
{
    if (s->fd == fd && s->at < s->len)
        return;
    read_source_sync(s);
    s->fd = fd;
    s->seeks = lseek(fd, 0, SEEK_CUR) >= 0 && !isatty(fd);
}

/* The next byte, or 0 at the end of the file; 1: there is one. */
static int next_byte(struct read_source *s, char *c)
{
    ssize_t n;

    if (s->at == s->len) {
        s->at = s->len = 0;
        n = read(s->fd, s->block, s->seeks ? sizeof s->block : 1);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        s->len = (size_t)n;
    }
    *c = s->block[s->at++];
    return 1;
}

static int mark_quoted(struct read_line *line, size_t at)
{
    if (at >= line->quoted_cap) {
        const size_t cap = at * 2 + 64;
        bool *more = realloc(line->quoted, cap * sizeof *more);

        if (!more)
            return -ENOMEM;
        memset(more + line->quoted_cap, 0, (cap - line->quoted_cap) * sizeof *more);
        line->quoted = more;
        line->quoted_cap = cap;
    }
    line->quoted[at] = true;
    return 0;
}

/* Long runs without a delimiter or backslash, as the block has them. */
static int take_plain(struct read_source *s, struct read_line *line, char delimiter, bool raw)
{
    size_t end = s->at;

    while (end < s->len && s->block[end] != delimiter && s->block[end] &&
           (raw || s->block[end] != '\\'))
        end++;
    if (end == s->at)
        return 0;
    if (buf_add(&line->text, s->block + s->at, end - s->at) != 0)
        return -ENOMEM;
    s->at = end;
    return 0;
}

/* The mask covers the whole text, or is not there. */
static int finish(struct read_line *line, bool any_quoted, int result)
{
    if (!any_quoted) {
        free(line->quoted);
        line->quoted = NULL;
        line->quoted_cap = 0;
    } else if (line->quoted_cap <= line->text.len) {
        const int err = mark_quoted(line, line->text.len); /* behind the end: of no effect */

        return err ? err : result;
    }
    return result;
}

int read_source_line(struct read_source *s, struct read_line *line, char delimiter, bool raw,
                     void (*continued)(void *), void *ctx)
{
    bool any_quoted = false;
    int got, err = 0;
    char c;

    buf_clear(&line->text);
    if (line->quoted)
        memset(line->quoted, 0, line->quoted_cap * sizeof *line->quoted);
    for (;;) {
        err = take_plain(s, line, delimiter, raw);
        if (err)
            return err;
        got = next_byte(s, &c);
        if (got < 0)
            return got;
        if (got == 0 || c == delimiter)
            return finish(line, any_quoted, got);
        if (c == '\\' && !raw) {
            got = next_byte(s, &c);
            if (got < 0)
                return got;
            if (got == 0) /* a backslash at the very end quotes nothing and stays out */
                return finish(line, any_quoted, 0);
            if (c == '\n') {
                if (continued)
                    continued(ctx);
                continue;
            }
            any_quoted = true;
            err = mark_quoted(line, line->text.len);
        }
        if (!err && c != '\0') /* no variable can hold a NUL byte */
            err = buf_addc(&line->text, c);
        if (err)
            return err;
    }
}

void read_line_free(struct read_line *line)
{
    buf_free(&line->text);
    free(line->quoted);
    *line = (struct read_line){0};
}
