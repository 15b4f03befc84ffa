/* SPDX-License-Identifier: MIT */
/* From the frame on the screen to the next one, with few bytes. */
#include "edit/frame.h"

#include <stdio.h>

static const char *const looks[EDIT_STYLES] = {
    [EDIT_PLAIN] = "",       [EDIT_COMMAND] = "32",    [EDIT_UNKNOWN] = "31",
    [EDIT_KEYWORD] = "1;34", [EDIT_QUOTED] = "33",     [EDIT_EXPANSION] = "36",
    [EDIT_OPERATOR] = "35",  [EDIT_COMMENT] = "90",    [EDIT_PATH] = "4",
    [EDIT_ERROR] = "1;31",   [EDIT_SUGGESTION] = "90", [EDIT_SELECTED] = "7",
    [EDIT_NOTE] = "90",      [EDIT_PROMPT] = "",
};

static void set_style(struct buf *out, enum edit_style *now, enum edit_style next)
{
    if (*now == next)
        return;
    if (*now == EDIT_PROMPT || *looks[*now])
        buf_adds(out, "\033[m");
    if (*looks[next])
        buf_addf(out, "\033[%sm", looks[next]);
    *now = next;
}

/* To the start of a row of the frame that is on the screen; rows below the last one come into being. */
static void go_to_row(struct screen *s, struct buf *out, size_t row, size_t last)
{
    buf_addc(out, '\r');
    if (row < s->row)
        buf_addf(out, "\033[%zuA", s->row - row);
    else if (row > s->row && last > s->row)
        buf_addf(out, "\033[%zuB", (row < last ? row : last) - s->row);
    for (size_t i = s->row > last ? s->row : last; i < row; i++)
        buf_addc(out, '\n');
    s->row = row;
}

static void go_to_column(struct buf *out, int column)
{
    if (column > 0)
        buf_addf(out, "\033[%dC", column);
}

static bool same_cell(const struct frame *a, const struct cell *x, const struct frame *b,
                      const struct cell *y)
{
    return x->len == y->len && x->style == y->style && x->width == y->width &&
           memcmp(a->text.data + x->at, b->text.data + y->at, x->len) == 0;
}

/* How many cells at the start of the row are right already. Prompts are drawn whole: their looks carry over. */
static size_t same_start(const struct frame *old, size_t old_row, const struct frame *new,
                         size_t new_row)
{
    const size_t old_count = old->rows[old_row + 1] - old->rows[old_row];
    const size_t new_count = new->rows[new_row + 1] - new->rows[new_row];
    size_t n = 0;

    while (n < old_count && n < new_count &&
           same_cell(old, &old->cells[old->rows[old_row] + n], new,
                     &new->cells[new->rows[new_row] + n]))
        n++;
    if (n < new_count && new->cells[new->rows[new_row] + n].style == EDIT_PROMPT)
        return 0;
    return n;
}

/* Writes the cells of a row from the given one on; the cursor is where that one goes. */
static int write_cells(const struct frame *f, size_t row, size_t first, struct buf *out)
{
    enum edit_style style = EDIT_PLAIN;
    int columns = 0;

    for (size_t i = f->rows[row] + first; i < f->rows[row + 1]; i++) {
        const struct cell *c = &f->cells[i];

        set_style(out, &style, c->style);
        buf_add(out, f->text.data + c->at, c->len);
        columns += c->width;
    }
    set_style(out, &style, EDIT_PLAIN);
    return columns;
}

static int width_of(const struct frame *f, size_t row, size_t cells)
{
    int width = 0;

    for (size_t i = f->rows[row]; i < f->rows[row] + cells; i++)
        width += f->cells[i].width;
    return width;
}

/* One row of the next frame over row `old_row` of the shown one, or over nothing. */
static void draw_row(struct screen *s, const struct frame *next, size_t row, bool was_there,
                     size_t old_row, size_t last, struct buf *out)
{
    const struct frame *old = &s->shown;
    const size_t count = next->rows[row + 1] - next->rows[row];
    size_t same = 0;
    int at, end;

    if (was_there) {
        same = same_start(old, old_row, next, row);
        if (same == count && old->rows[old_row + 1] - old->rows[old_row] == count)
            return;
    }
    go_to_row(s, out, row, last);
    at = width_of(next, row, same);
    go_to_column(out, at);
    end = at + write_cells(next, row, same, out);
    /* In the last column the cursor stands on what was just written: erasing would take it away. */
    if (end < next->columns && was_there && frame_row_width(old, old_row) > at)
        buf_adds(out, "\033[K");
}

/* Which rows of the frame fit, so that the cursor's is among them. */
static size_t top_for(const struct screen *s, const struct frame *next)
{
    const size_t rows = s->rows > 0 ? (size_t)s->rows : 1;
    size_t top = s->top;

    if (next->row_count <= rows)
        return 0;
    if (next->cursor_row < top)
        top = next->cursor_row;
    if (next->cursor_row >= top + rows)
        top = next->cursor_row - rows + 1;
    if (top + rows > next->row_count)
        top = next->row_count - rows;
    return top;
}

/*
 * Rows are counted from the top of what is visible: visible row i of the shown frame is where visible row i
 * of the next one will be.
 */
void screen_show(struct screen *s, struct frame *next, struct buf *out)
{
    const size_t rows = s->rows > 0 ? (size_t)s->rows : 1, top = top_for(s, next);
    const size_t shown = s->shown.row_count - s->top, old_visible = shown < rows ? shown : rows;
    const size_t rest = next->row_count - top, visible = rest < rows ? rest : rows;
    size_t last = old_visible ? s->top + old_visible - 1 : s->top;
    const struct frame kept = s->shown;
    const size_t old_top = s->top;

    if (next->text.failed || !next->row_count)
        return;
    /* From here on the screen's rows have the numbers of the next frame. */
    s->row = s->row - old_top + top;
    last = last - old_top + top;
    for (size_t i = 0; i < visible; i++) {
        draw_row(s, next, top + i, i < old_visible, old_top + i, last, out);
        if (s->row > last)
            last = s->row;
    }
    if (old_visible > visible) {
        go_to_row(s, out, top + visible, last);
        buf_adds(out, "\033[J");
    }
    go_to_row(s, out, next->cursor_row, last);
    go_to_column(out, next->cursor_column);
    s->shown = *next;
    s->top = top;
    *next = kept;
    next->count = next->row_count = 0;
}

/*
 * Most terminals wrap rows that became too long, and the cursor moves along. We go up by what the rows above
 * take now, erase, and begin anew.
 */
void screen_resized(struct screen *s, int columns, struct buf *out)
{
    size_t above = 0;

    if (s->shown.row_count == 0)
        return;
    for (size_t row = s->top; row < s->row; row++) {
        const int width = frame_row_width(&s->shown, row);

        above += width > columns ? (size_t)((width + columns - 1) / columns) : 1;
    }
    if (s->shown.cursor_column >= columns)
        above += (size_t)(s->shown.cursor_column / columns);
    buf_addc(out, '\r');
    if (above)
        buf_addf(out, "\033[%zuA", above);
    buf_adds(out, "\033[J");
    s->shown.count = s->shown.row_count = 0;
    s->top = s->row = 0;
}

void screen_leave(struct screen *s, struct buf *out)
{
    const size_t rows = s->rows > 0 ? (size_t)s->rows : 1;
    size_t last;

    if (s->shown.row_count == 0)
        return;
    last = s->shown.row_count - 1;
    if (last >= s->top + rows)
        last = s->top + rows - 1;
    go_to_row(s, out, last, last);
    buf_adds(out, "\r\n");
    s->shown.count = s->shown.row_count = 0;
    s->top = s->row = 0;
}

void screen_free(struct screen *s)
{
    frame_free(&s->shown);
}
