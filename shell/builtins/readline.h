/* SPDX-License-Identifier: MIT */
/*
 * Reading one line for `read`, and not a byte more: what follows belongs to whoever reads next. A file that can
 * seek is read in blocks, and only read_source_sync puts its position back: it must be called before anyone
 * else may look at the descriptor (a child, a redirection, another built-in that reads). Pipes and terminals
 * are read byte by byte.
 */
#ifndef R3SH_READLINE_H
#define R3SH_READLINE_H

#include "lang/buf.h"

#include <sys/types.h>

#define READ_BLOCK 4096

struct read_source {
    int fd; /* -1: none */
    bool seeks;
    size_t at, len; /* what of the block is not yet taken */
    char block[READ_BLOCK];
};

struct read_line {
    struct buf text; /* without backslashes that quote, and without the delimiter */
    bool *quoted;    /* quoted[i]: byte i was behind a backslash; NULL: none was */
    size_t quoted_cap;
};

/* Points the source at a descriptor, after syncing the one before. */
void read_source_open(struct read_source *s, int fd);
void read_source_sync(struct read_source *s);

/*
 * Reads up to the delimiter (0: a NUL byte). Unless `raw`, a backslash quotes the next byte, and one before
 * a newline joins the next line; `continued` is then called, for a prompt (may be NULL).
 * 1: a line; 0: end of file came first, the text is what there was; negative errno (-EINTR: a signal came).
 */
int read_source_line(struct read_source *s, struct read_line *line, char delimiter, bool raw,
                     void (*continued)(void *), void *ctx);
void read_line_free(struct read_line *line);

#endif
