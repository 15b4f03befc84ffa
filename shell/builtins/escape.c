/* SPDX-License-Identifier: MIT */
#include "builtins/escape.h"

#include "lang/buf.h"

static size_t octal(const char *text, size_t most, char *byte)
{
    unsigned value = 0;
    size_t n = 0;

    while (n < most && text[n] >= '0' && text[n] <= '7')
        value = value * 8 + (unsigned)(text[n++] - '0');
    *byte = (char)value;
    return n;
}

size_t escape_one(struct buf *to, const char *text, enum escape_style style, bool *stop)
{
    static const char letters[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
    const char *letter;
    size_t n;
    char byte;

    if (*text >= '0' && *text <= '7') {
        n = octal(text, style == ESCAPE_ECHO && *text == '0' ? 4 : 3, &byte);
        buf_addc(to, byte);
        return n;
    }
    if (*text == 'c' && style == ESCAPE_ECHO) {
        *stop = true;
        return 1;
    }
    letter = *text ? strchr(letters, *text) : NULL;
    if (letter) {
        buf_addc(to, values[letter - letters]);
        return 1;
    }
    if (style == ESCAPE_FORMAT && (*text == '"' || *text == '\'')) {
        buf_addc(to, *text);
        return 1;
    }
    buf_addc(to, '\\');
    return 0;
}

bool escape_expand(struct buf *to, const char *text, enum escape_style style)
{
    bool stop = false;

    while (*text && !stop) {
        if (*text == '\\')
            text += 1 + escape_one(to, text + 1, style, &stop);
        else
            buf_addc(to, *text++);
    }
    return !stop;
}
