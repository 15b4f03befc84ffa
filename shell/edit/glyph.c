/* SPDX-License-Identifier: MIT */
#include "edit/glyph.h"

#include <stdio.h>
#include <utf8proc.h>

/* Joined emoji are no longer than this; more combining marks start a glyph of their own. */
#define MAX_GLYPH 64

static utf8proc_int32_t decode(const char *text, size_t len, size_t *size)
{
    utf8proc_int32_t value = -1;
    const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text,
                                                (utf8proc_ssize_t)(len < 4 ? len : 4), &value);

    *size = n > 0 ? (size_t)n : 1;
    return n > 0 ? value : -1;
}

static bool is_control(utf8proc_int32_t c)
{
    return c < 32 || (c >= 127 && c < 160);
}

struct glyph glyph_at(const char *text, size_t len)
{
    struct glyph g = {1, 1, true};
    utf8proc_int32_t c, next, state = 0;
    size_t size;

    if ((unsigned char)*text >= 32 && (unsigned char)*text < 127 &&
        (len == 1 || (unsigned char)text[1] < 128))
        return g;
    c = decode(text, len, &g.len);
    if (c == '\n') {
        g.width = 0;
        return g;
    }
    if (c < 0 || is_control(c)) {
        char shown[8];

        g.plain = false;
        g.width = (int)glyph_show(text, shown);
        return g;
    }
    g.width = utf8proc_charwidth(c);
    while (g.len < len && g.len < MAX_GLYPH) {
        next = decode(text + g.len, len - g.len, &size);
        if (next < 0 || is_control(next) || utf8proc_grapheme_break_stateful(c, next, &state))
            break;
        if (next == 0xfe0f && g.width == 1) /* asks for the emoji form */
            g.width = 2;
        g.len += size;
        c = next;
    }
    if (g.width <= 0) { /* a combining mark with nothing to stand on */
        g.plain = false;
        g.width = 1;
    }
    return g;
}

size_t glyph_show(const char *text, char shown[8])
{
    const unsigned char c = (unsigned char)*text;
    size_t size;

    if (c < 32 || c == 127)
        return (size_t)snprintf(shown, 8, "^%c", c ^ 64);
    if (decode(text, 4, &size) >= 160)
        return (size_t)snprintf(shown, 8, "?");
    return (size_t)snprintf(shown, 8, "\\x%02x", c);
}

/* ASCII other than control begins a glyph wherever it stands, so reading may start there. */
size_t glyph_before(const char *text, size_t at)
{
    size_t start = at - 1, next;

    while (start > 0 && ((unsigned char)text[start] >= 128 || (unsigned char)text[start] < 32))
        start--;
    for (;; start = next) {
        next = start + glyph_at(text + start, at - start).len;
        if (next >= at)
            return start;
    }
}

int glyph_columns(const char *text, size_t len)
{
    int columns = 0;

    for (size_t i = 0; i < len;) {
        const struct glyph g = glyph_at(text + i, len - i);

        columns += g.width;
        i += g.len;
    }
    return columns;
}

bool glyph_in_word(const char *text, size_t len, bool bigword)
{
    const char c = *text;
    size_t size;

    if (bigword)
        return c != ' ' && c != '\t' && c != '\n';
    if ((unsigned char)c < 128)
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    switch (utf8proc_category(decode(text, len, &size))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}
