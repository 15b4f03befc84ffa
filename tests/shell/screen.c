/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static void clear_cells(struct test_screen *s, int row, int from, int to)
{
    for (int i = from; i < to; i++)
        strcpy(s->cell[row][i], " ");
}

void screen_start(struct test_screen *s, int rows, int columns)
{
    memset(s, 0, sizeof *s);
    s->rows = rows;
    s->columns = columns;
    for (int row = 0; row < rows; row++)
        clear_cells(s, row, 0, columns);
}

static void line_feed(struct test_screen *s)
{
    if (s->row + 1 < s->rows) {
        s->row++;
        return;
    }
    memmove(s->cell[0], s->cell[1], sizeof s->cell[0] * (size_t)(s->rows - 1));
    clear_cells(s, s->rows - 1, 0, s->columns);
}

static int at_least(int value, int least)
{
    return value < least ? least : value;
}

static int at_most(int value, int most)
{
    return value > most ? most : value;
}

static void erase_below(struct test_screen *s)
{
    clear_cells(s, s->row, s->column, s->columns);
    for (int row = s->row + 1; row < s->rows; row++)
        clear_cells(s, row, 0, s->columns);
}

static void control_sequence(struct test_screen *s, const char *text, char final)
{
    const int number = atoi(text), n = number ? number : 1;

    s->wrap = s->wrap && final == 'm';
    switch (final) {
    case 'm':
        break;
    case 'A':
        s->row = at_least(s->row - n, 0);
        break;
    case 'B':
        s->row = at_most(s->row + n, s->rows - 1);
        break;
    case 'C':
        s->column = at_most(s->column + n, s->columns - 1);
        break;
    case 'H':
        s->row = s->column = 0;
        break;
    case 'K':
        clear_cells(s, s->row, s->column, s->columns);
        break;
    case 'J':
        if (number == 2)
            for (int row = 0; row < s->rows; row++)
                clear_cells(s, row, 0, s->columns);
        else
            erase_below(s);
        break;
    case 'h':
    case 'l':
        if (strncmp(text, "?2004", 5) == 0)
            break;
        /* fall through */
    default:
        if (!*s->unknown)
            snprintf(s->unknown, sizeof s->unknown, "%.50s%c", text, final);
    }
}

static void glyph(struct test_screen *s, const char *bytes, size_t len, utf8proc_int32_t c)
{
    const int width = utf8proc_charwidth(c);

    if (width == 0) { /* joins the glyph before */
        int column = s->wrap ? s->column : s->column - 1;

        while (column > 0 && !*s->cell[s->row][column])
            column--;
        if (column >= 0 && strlen(s->cell[s->row][column]) + len < sizeof s->cell[0][0])
            strncat(s->cell[s->row][column], bytes, len);
        return;
    }
    if (s->wrap || s->column + width > s->columns) {
        s->column = s->wrap = 0;
        line_feed(s);
    }
    snprintf(s->cell[s->row][s->column], sizeof s->cell[0][0], "%.*s", (int)len, bytes);
    if (width == 2)
        s->cell[s->row][s->column + 1][0] = '\0';
    s->column += width;
    if (s->column >= s->columns) {
        s->column = s->columns - 1;
        s->wrap = 1;
    }
}

/* One unit at the start: its length, 0 when more bytes are needed. */
static size_t unit(struct test_screen *s, const char *bytes, size_t len)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n;
    size_t i;

    switch (*bytes) {
    case '\r':
        s->column = s->wrap = 0;
        return 1;
    case '\n': /* the terminal driver adds a carriage return */
        s->column = s->wrap = 0;
        line_feed(s);
        return 1;
    case '\a':
        return 1;
    case '\033':
        if (len < 2)
            return 0;
        for (i = 2; i < len && ((bytes[1] == '[' && (unsigned char)bytes[i] < 0x40) ||
                                (bytes[1] == ']' && bytes[i] != '\a'));)
            i++;
        if (i == len)
            return 0;
        if (bytes[1] == '[') {
            char text[64];

            snprintf(text, sizeof text, "%.*s", (int)(i - 2), bytes + 2);
            control_sequence(s, text, bytes[i]);
        }
        return i + 1;
    }
    n = utf8proc_iterate((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)len, &c);
    if (n <= 0)
        return len < 4 ? 0 : 1;
    if (c < 32 && !*s->unknown)
        snprintf(s->unknown, sizeof s->unknown, "control %d", (int)c);
    glyph(s, bytes, (size_t)n, c);
    return (size_t)n;
}

void screen_write(struct test_screen *s, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = sizeof s->pending - s->pending_len, take = len < room ? len : room, at = 0, n;

        memcpy(s->pending + s->pending_len, bytes, take);
        s->pending_len += take;
        bytes += take;
        len -= take;
        while (at < s->pending_len && (n = unit(s, s->pending + at, s->pending_len - at)))
            at += n;
        memmove(s->pending, s->pending + at, s->pending_len - at);
        s->pending_len -= at;
        if (at == 0 && s->pending_len == sizeof s->pending)
            abort();
    }
}

const char *screen_row(struct test_screen *s, int row)
{
    static char text[SCREEN_COLUMNS * 64];
    size_t len = 0, used = 0;

    for (int i = 0; i < s->columns; i++) {
        const size_t n = strlen(s->cell[row][i]);

        memcpy(text + len, s->cell[row][i], n);
        len += n;
        if (strcmp(s->cell[row][i], " ") != 0)
            used = len;
    }
    text[used] = '\0';
    return text;
}

const char *screen_text(struct test_screen *s)
{
    static char text[SCREEN_ROWS * (SCREEN_COLUMNS * 4 + 1)];
    size_t len = 0, used = 0;

    for (int row = 0; row < s->rows; row++) {
        const char *line = screen_row(s, row);

        len += (size_t)snprintf(text + len, sizeof text - len, "%s|", line);
        if (*line)
            used = len;
    }
    text[used] = '\0';
    return text;
}
