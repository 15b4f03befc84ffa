/* SPDX-License-Identifier: MIT */
#include "lang/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* One write of a page or more costs little per byte; a pipe takes at least this much at once. */
#define OUT_CHUNK 4096

static void out_drain(struct out *o)
{
    size_t done = 0;

    while (done < o->text.len && o->error == 0) {
        const ssize_t n = write(o->fd, o->text.data + done, o->text.len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            o->error = -errno;
    }
    buf_cut(&o->text, 0);
}

void out_write(struct out *o, const char *text, size_t len)
{
    if (buf_add(&o->text, text, len) != 0 && o->error == 0)
        o->error = -ENOMEM;
    if (o->fd != OUT_MEMORY && (o->unbuffered || o->text.len >= OUT_CHUNK))
        out_drain(o);
}

void out_puts(struct out *o, const char *text)
{
    out_write(o, text, strlen(text));
}

void out_printf(struct out *o, const char *fmt, ...)
{
    char small[256];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len < sizeof small) {
        out_write(o, small, (size_t)len);
        return;
    }
    if (buf_reserve(&o->text, (size_t)len) != 0) {
        o->error = o->error ? o->error : -ENOMEM;
        return;
    }
    va_start(args, fmt);
    vsnprintf(o->text.data + o->text.len, (size_t)len + 1, fmt, args);
    va_end(args);
    o->text.len += (size_t)len;
    out_write(o, "", 0);
}

void out_quoted(struct out *o, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./,:@%^";

    if (*text && text[strspn(text, plain)] == '\0') {
        out_puts(o, text);
        return;
    }
    out_putc(o, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            out_puts(o, "'\\''");
        else
            out_putc(o, *text);
    }
    out_putc(o, '\'');
}

int out_flush(struct out *o)
{
    int err;

    if (o->fd != OUT_MEMORY)
        out_drain(o);
    err = o->error;
    o->error = 0;
    return err;
}

void out_free(struct out *o)
{
    buf_free(&o->text);
    o->error = 0;
}
