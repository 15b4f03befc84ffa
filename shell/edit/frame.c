/* SPDX-License-Identifier: MIT */
#include "edit/frame.h"

#include "edit/glyph.h"

#include <stdlib.h>

void frame_begin(struct frame *f, int columns)
{
    buf_clear(&f->text);
    f->count = f->row_count = 0;
    f->columns = columns > 0 ? columns : 1;
    f->column = 0;
    f->cursor_row = 0;
    f->cursor_column = 0;
    frame_new_row(f);
}

void frame_new_row(struct frame *f)
{
    if (f->row_count + 2 > f->row_cap) {
        const size_t cap = f->row_cap ? f->row_cap * 2 : 16;
        size_t *more = realloc(f->rows, cap * sizeof *more);

        if (!more) {
            f->text.failed = true;
            return;
        }
        f->rows = more;
        f->row_cap = cap;
    }
    f->rows[f->row_count++] = f->count;
    f->column = 0;
}

static void add_cell(struct frame *f, const char *text, size_t len, int width,
                     enum edit_style style)
{
    if (f->count == f->cap) {
        const size_t cap = f->cap ? f->cap * 2 : 256;
        struct cell *more = realloc(f->cells, cap * sizeof *more);

        if (!more) {
            f->text.failed = true;
            return;
        }
        f->cells = more;
        f->cap = cap;
    }
    f->cells[f->count++] =
        (struct cell){(uint32_t)f->text.len, (uint32_t)len, (uint8_t)width, (uint8_t)style};
    buf_add(&f->text, text, len);
    f->column += width;
}

/* A full row ends only when something more comes, or the cursor. */
static void wrap_for(struct frame *f, int width)
{
    if (f->column + width > f->columns && f->column > 0)
        frame_new_row(f);
}

void frame_add_glyph(struct frame *f, const char *text, size_t len, int width,
                     enum edit_style style)
{
    const struct glyph g = glyph_at(text, len);
    char shown[8];
    size_t size;

    if (*text == '\n') {
        frame_new_row(f);
        return;
    }
    if (g.plain && width <= f->columns) {
        wrap_for(f, width);
        add_cell(f, text, len, width, style);
        return;
    }
    size = glyph_show(text, shown);
    for (size_t i = 0; i < size; i++) {
        wrap_for(f, 1);
        add_cell(f, shown + i, 1, 1, style);
    }
}

/* An escape sequence: CSI to its final byte, OSC to BEL or ST, \001 … \002, or two bytes. */
static size_t sequence_length(const char *text, size_t len)
{
    size_t i = 2;

    if (text[0] == '\001') {
        for (i = 1; i < len && text[i] != '\002'; i++)
            ;
        return i < len ? i + 1 : len;
    }
    if (len < 2)
        return len;
    if (text[1] == '[') {
        while (i < len && (unsigned char)text[i] < 0x40)
            i++;
        return i < len ? i + 1 : len;
    }
    if (text[1] == ']') {
        for (; i < len; i++) {
            if (text[i] == '\a')
                return i + 1;
            if (text[i] == '\033' && i + 1 < len && text[i + 1] == '\\')
                return i + 2;
        }
        return len;
    }
    return 2;
}

void frame_add(struct frame *f, const char *text, size_t len, enum edit_style style)
{
    for (size_t i = 0; i < len;) {
        if (style == EDIT_PROMPT && (text[i] == '\033' || text[i] == '\001')) {
            const size_t n = sequence_length(text + i, len - i);
            const size_t marks = text[i] == '\001' && n >= 2 ? 1 : 0;

            add_cell(f, text + i + marks, n - 2 * marks, 0, style);
            i += n;
        } else if (style == EDIT_PROMPT &&
                   (text[i] == '\r' || text[i] == '\a' || text[i] == '\002')) {
            i++;
        } else {
            const struct glyph g = glyph_at(text + i, len - i);

            frame_add_glyph(f, text + i, g.len, g.width, style);
            i += g.len;
        }
    }
}

void frame_put_cursor(struct frame *f)
{
    wrap_for(f, 1);
    f->cursor_row = f->row_count - 1;
    f->cursor_column = f->column;
}

int frame_row_width(const struct frame *f, size_t row)
{
    int width = 0;

    for (size_t i = f->rows[row]; i < f->rows[row + 1]; i++)
        width += f->cells[i].width;
    return width;
}

/* Only when there is a single row: cells can be added at the end only. */
void frame_add_right(struct frame *f, const char *text, size_t len, enum edit_style style)
{
    struct frame probe = {0};
    int width;

    frame_begin(&probe, f->columns);
    frame_add(&probe, text, len, style);
    width = probe.row_count == 1 ? probe.column : f->columns;
    frame_free(&probe);
    if (f->row_count != 1 || f->column + width + 2 > f->columns)
        return;
    while (f->column + width + 1 < f->columns)
        add_cell(f, " ", 1, 1, EDIT_PLAIN);
    frame_add(f, text, len, style);
}

void frame_end(struct frame *f)
{
    f->rows[f->row_count] = f->count;
}

void frame_free(struct frame *f)
{
    buf_free(&f->text);
    free(f->cells);
    free(f->rows);
    *f = (struct frame){0};
}
