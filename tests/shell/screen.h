/* SPDX-License-Identifier: MIT */
/* A small terminal: what the bytes of the editor make of a screen. It knows what the editor sends, and fails on more. */
#ifndef R3SH_TEST_SCREEN_H
#define R3SH_TEST_SCREEN_H

#include <stddef.h>

#define SCREEN_ROWS    24
#define SCREEN_COLUMNS 200

struct test_screen {
    int rows, columns, row, column;
    int wrap; /* the last column was written, and the next glyph goes to the next row */
    char cell[SCREEN_ROWS][SCREEN_COLUMNS][64]; /* UTF-8; "" behind a wide one */
    char pending[256];
    size_t pending_len;
    char unknown[64]; /* the first sequence that it did not know */
};

void screen_start(struct test_screen *s, int rows, int columns);
void screen_write(struct test_screen *s, const char *bytes, size_t len);
/* A row without trailing blanks. Valid until the next call. */
const char *screen_row(struct test_screen *s, int row);
/* All rows from the first to the last that is not empty, each ended by a |. */
const char *screen_text(struct test_screen *s);

#endif
