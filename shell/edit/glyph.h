/* SPDX-License-Identifier: MIT */
/* What stands together on the screen: a grapheme of UTF-8, a byte that is none, a control character. */
#ifndef R3SH_GLYPH_H
#define R3SH_GLYPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct glyph {
    size_t len; /* bytes of the text it takes */
    int width;  /* columns of what is shown for it */
    bool plain; /* shown as it is; otherwise as ^X or \xNN */
};

/* The glyph at the start of the text, which is not empty. A newline is one of width 0. */
struct glyph glyph_at(const char *text, size_t len);
/* Where the glyph before `at` begins, 0 < at <= len. */
size_t glyph_before(const char *text, size_t at);
/* The columns of a text without newlines. */
int glyph_columns(const char *text, size_t len);
/* What to show for a glyph that is not plain. */
size_t glyph_show(const char *text, char shown[8]);
/* Whether words consist of such: letters, digits and _ (or, bigword, all but blanks). */
bool glyph_in_word(const char *text, size_t len, bool bigword);

#endif
