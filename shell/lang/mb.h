/* SPDX-License-Identifier: MIT */
/*
 * Characters of LC_CTYPE, byte-transparent: a byte that begins no valid character is a character of its own.
 * Encodings with shift states are not supported.
 */
#ifndef R3SH_MB_H
#define R3SH_MB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <wchar.h>

#define MB_NONE ((wint_t)-1) /* the value of a byte that is no character */

/* The length of the character at `text` (1 or more, if len > 0), and its value. */
static inline size_t mb_decode(const char *text, size_t len, wint_t *value)
{
    mbstate_t state = {0};
    wchar_t wide;
    size_t n;

    if ((unsigned char)*text < 0x80) { /* all supported encodings begin characters of ASCII so */
        *value = (wint_t)*text;
        return 1;
    }
    n = mbrtowc(&wide, text, len, &state);
    if (n == 0 || n > len) { /* (size_t)-1 and -2 too */
        *value = MB_NONE;
        return 1;
    }
    *value = (wint_t)wide;
    return n;
}

static inline size_t mb_length(const char *text, size_t len)
{
    wint_t value;

    return mb_decode(text, len, &value);
}

static inline bool mb_is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* How many characters: ${#x}. */
static inline size_t mb_count(const char *text, size_t len)
{
    size_t count = 0;

    if (MB_CUR_MAX == 1)
        return len;
    for (size_t i = 0; i < len; count++)
        i += mb_length(text + i, len - i);
    return count;
}

#endif
