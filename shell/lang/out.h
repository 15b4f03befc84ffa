/* SPDX-License-Identifier: MIT */
/*
 * Output of a built-in: to a file descriptor through a buffer, or to memory, so that $(printf …) needs no
 * process and no pipe. The first error is kept: the built-in goes on writing, and its caller asks once, at
 * the flush, whether all of it arrived (ENOSPC, EPIPE, EBADF).
 */
#ifndef R3SH_OUT_H
#define R3SH_OUT_H

#include "lang/buf.h"

#include <stdint.h>

#define OUT_MEMORY (-1) /* the fd of an output to memory */

struct out {
    int fd;
    int error; /* negative errno of the first failure, or 0 */
    bool unbuffered;
    struct buf text; /* not yet written; to memory: all of it */
};

static inline void out_init(struct out *o, int fd)
{
    *o = (struct out){.fd = fd};
}

void out_write(struct out *o, const char *text, size_t len);
void out_puts(struct out *o, const char *text);
__attribute__((format(printf, 2, 3))) void out_printf(struct out *o, const char *fmt, ...);

static inline void out_putc(struct out *o, char c)
{
    out_write(o, &c, 1);
}

/* `text` so that a shell reads it back as one word: in quotes where it needs them. */
void out_quoted(struct out *o, const char *text);

/* Writes what is pending. 0, or the first error since the last flush, which it clears. To memory: writes nothing. */
int out_flush(struct out *o);
void out_free(struct out *o);

#endif
