/* SPDX-License-Identifier: MIT */
/*
 * A string that grows. All-zero is empty; the text is always NUL-terminated once anything was added, and may
 * hold NUL bytes. When memory runs out, the failed addition changes nothing and says so, and `failed` stays
 * set: a caller may add many pieces and look once.
 */
#ifndef R3SH_BUF_H
#define R3SH_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
    char *data;
    size_t len, cap; /* cap counts the NUL */
    bool failed;
};

/* Room for `more` bytes and a NUL behind what is there. 0 or -ENOMEM, as all that follow. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const char *text, size_t len);
int buf_adds(struct buf *b, const char *text);
__attribute__((format(printf, 2, 3))) int buf_addf(struct buf *b, const char *fmt, ...);

static inline int buf_addc(struct buf *b, char c)
{
    if (b->len + 1 >= b->cap)
        return buf_add(b, &c, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
    return 0;
}

/* The text as a string, "" when there is none. */
static inline const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

static inline void buf_cut(struct buf *b, size_t len)
{
    if (b->data && len <= b->len)
        b->data[b->len = len] = '\0';
}

static inline void buf_clear(struct buf *b)
{
    buf_cut(b, 0);
    b->failed = false;
}

/* Hands the text over, to be freed with free(); NULL when memory had run out. The buffer is empty afterwards. */
char *buf_take(struct buf *b);
void buf_free(struct buf *b);

#endif
