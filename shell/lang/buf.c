/* SPDX-License-Identifier: MIT */
#include "lang/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Half as much again: appending n bytes one by one copies 2n at most, and a freed block can be used again. */
int buf_reserve(struct buf *b, size_t more)
{
    size_t need, cap;
    char *data;

    if (more < b->cap - b->len)
        return 0;
    if (more > (size_t)PTRDIFF_MAX - b->len - 1)
        goto no_memory;
    need = b->len + more + 1;
    cap = b->cap + b->cap / 2;
    if (cap < need)
        cap = need < 32 ? 32 : need;
    data = realloc(b->data, cap);
    if (!data)
        goto no_memory;
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return 0;

no_memory:
    b->failed = true;
    return -ENOMEM;
}

int buf_add(struct buf *b, const char *text, size_t len)
{
    if (buf_reserve(b, len) != 0)
        return -ENOMEM;
    memcpy(b->data + b->len, text, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_adds(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || buf_reserve(b, (size_t)len) != 0) {
        b->failed = true;
        return -ENOMEM;
    }
    va_start(args, fmt);
    vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    b->len += (size_t)len;
    return 0;
}

char *buf_take(struct buf *b)
{
    char *data = NULL;

    if (!b->failed && buf_reserve(b, 0) == 0)
        data = b->data;
    else
        free(b->data);
    *b = (struct buf){0};
    return data;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
