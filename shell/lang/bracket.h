/* SPDX-License-Identifier: MIT */
/* Bracket expressions of patterns: [abc], [!a-z], [[:alpha:][.-.][=e=]] (XBD 9.3.5, with ! for ^). */
#ifndef R3SH_BRACKET_H
#define R3SH_BRACKET_H

#include "lang/mb.h"

#include <stdint.h>
#include <wctype.h>

struct bracket_range {
    wint_t first, last;
};

struct bracket {
    uint32_t bytes[8]; /* what matches, by byte: ASCII, and in a single-byte locale all */
    bool negated;
    struct bracket_range *ranges; /* characters above 127, and raw bytes */
    size_t range_count;
    wctype_t *classes;
    size_t class_count;
};

/*
 * The expression behind the [ at text[-1]. Returns its length including the ], 0 if it has no end and so is
 * none, or -ENOMEM. Free what it filled in.
 */
ptrdiff_t bracket_parse(struct bracket *set, const char *text, size_t len);
/* The same length, without building anything. */
size_t bracket_length(const char *text, size_t len);
void bracket_free(struct bracket *set);

/* Whether the character of this value matches; for MB_NONE, `byte` tells which byte it is. */
bool bracket_has(const struct bracket *set, wint_t value, unsigned char byte);

static inline bool bracket_has_byte(const struct bracket *set, unsigned char byte)
{
    return set->bytes[byte / 32] >> (byte % 32) & 1;
}

#endif
