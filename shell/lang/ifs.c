/* SPDX-License-Identifier: MIT */
#include "lang/ifs.h"

#include "lang/mb.h"

#include <errno.h>
#include <string.h>
#include <wctype.h>

int ifs_compile(struct ifs *ifs, const char *value)
{
    const char *const text = value ? value : " \t\n";
    const size_t len = strlen(text);
    size_t size;

    *ifs = (struct ifs){0};
    for (size_t i = 0; i < len; i += size) {
        size = mb_length(text + i, len - i);
        if (size == 1) {
            const bool white = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';

            ifs->byte[(unsigned char)text[i]] = white ? IFS_WHITE : IFS_OTHER;
            continue;
        }
        if (!ifs->wide)
            ifs->wide = malloc(len);
        if (!ifs->wide)
            return -ENOMEM;
        memcpy(ifs->wide + ifs->wide_len, text + i, size);
        ifs->wide_len += size;
    }
    return 0;
}

void ifs_free(struct ifs *ifs)
{
    free(ifs->wide);
    *ifs = (struct ifs){0};
}

enum ifs_class ifs_at(const struct ifs *ifs, const char *text, size_t len, size_t *size)
{
    size_t length;

    *size = 1;
    if ((unsigned char)*text < 0x80 || !ifs->wide)
        return ifs->byte[(unsigned char)*text];
    *size = mb_length(text, len);
    if (*size == 1)
        return ifs->byte[(unsigned char)*text];
    for (size_t i = 0; i < ifs->wide_len; i += length) {
        length = mb_length(ifs->wide + i, ifs->wide_len - i);
        if (length == *size && memcmp(ifs->wide + i, text, length) == 0)
            return IFS_OTHER;
    }
    return IFS_NONE;
}

struct text {
    const struct ifs *ifs;
    const char *text;
    const bool *quoted;
    size_t len;
};

static enum ifs_class class_at(const struct text *t, size_t at, size_t *size)
{
    if (t->quoted && t->quoted[at]) {
        *size = mb_length(t->text + at, t->len - at);
        return IFS_NONE;
    }
    return ifs_at(t->ifs, t->text + at, t->len - at, size);
}

static size_t skip_class(const struct text *t, size_t at, enum ifs_class class)
{
    size_t size;

    while (at < t->len && class_at(t, at, &size) == class)
        at += size;
    return at;
}

/* Behind the separator at `at`: white space, at most one other character, white space. */
static size_t skip_separator(const struct text *t, size_t at)
{
    size_t size;

    at = skip_class(t, at, IFS_WHITE);
    if (at < t->len && class_at(t, at, &size) == IFS_OTHER)
        at = skip_class(t, at + size, IFS_WHITE);
    return at;
}

/* The end of what is not trailing white space. */
static size_t trimmed(const struct text *t, size_t start)
{
    size_t end = start, size;

    for (size_t at = start; at < t->len; at += size)
        if (class_at(t, at, &size) != IFS_WHITE)
            end = at + size;
    return end;
}

size_t ifs_read(const struct ifs *ifs, const char *text, const bool *quoted, size_t len,
                struct ifs_field *fields, size_t want)
{
    const struct text t = {ifs, text, quoted, len};
    size_t at = skip_class(&t, 0, IFS_WHITE), count = 0;

    for (size_t i = 0; i < want; i++)
        fields[i] = (struct ifs_field){len, 0};
    while (at < len && count < want) {
        const size_t end = skip_class(&t, at, IFS_NONE), next = skip_separator(&t, end);
        struct ifs_field *f = &fields[count++];

        f->start = at;
        f->len = (count == want && next < len ? trimmed(&t, at) : end) - at;
        at = next;
    }
    return count;
}
