/* SPDX-License-Identifier: MIT */
/*
 * What the editor shows, as rows of cells, and how to get there from what the screen shows now. Only what
 * differs is written. A row is never written into the terminal's own wrapping: each begins with a carriage
 * return, so nothing depends on what a terminal does in its last column.
 */
#ifndef R3SH_FRAME_H
#define R3SH_FRAME_H

#include "lang/buf.h"

#include <stdint.h>

/* How a piece of text looks. */
enum edit_style {
    EDIT_PLAIN,
    EDIT_COMMAND,   /* a command that can be run */
    EDIT_UNKNOWN,   /* one that cannot */
    EDIT_KEYWORD,   /* if, done, … */
    EDIT_QUOTED,    /* text in quotes */
    EDIT_EXPANSION, /* $x, $(…) */
    EDIT_OPERATOR,  /* |, ;, > */
    EDIT_COMMENT,
    EDIT_PATH,       /* names a file that is there */
    EDIT_ERROR,      /* a quote that is not closed, a word that cannot stand here */
    EDIT_SUGGESTION, /* not yet typed */
    EDIT_SELECTED,   /* the choice in the menu */
    EDIT_NOTE,       /* descriptions, search prompts */
    EDIT_PROMPT,     /* brings its own looks */
    EDIT_STYLES
};

struct cell {
    uint32_t at, len; /* bytes in `text`; a wide glyph is one cell */
    uint8_t width, style;
};

struct frame {
    struct buf text;
    struct cell *cells;
    size_t count, cap;
    size_t *rows; /* index of the first cell of each row; rows[row_count] is count */
    size_t row_count, row_cap;
    int columns; /* of the terminal */
    int column;  /* where the next cell goes */
    size_t cursor_row;
    int cursor_column;
};

void frame_begin(struct frame *f, int columns);
/* Adds text; it wraps at the last column and at newlines. A prompt's escape sequences take no room. */
void frame_add(struct frame *f, const char *text, size_t len, enum edit_style style);
/* Adds one glyph, shown as it should be. */
void frame_add_glyph(struct frame *f, const char *text, size_t len, int width,
                     enum edit_style style);
void frame_new_row(struct frame *f);
/* The cursor is where the next cell goes. */
void frame_put_cursor(struct frame *f);
/* Adds text at the right end of the first row, if there is room for it and a blank. Comes last. */
void frame_add_right(struct frame *f, const char *text, size_t len, enum edit_style style);
void frame_end(struct frame *f);
int frame_row_width(const struct frame *f, size_t row);
void frame_free(struct frame *f);

/* The screen: the frame it shows, and where its cursor is within that. */
struct screen {
    struct frame shown;
    size_t top; /* first row of the frame on the screen */
    size_t row; /* of the cursor, in the frame */
    int rows;   /* of the terminal */
};

/* Adds to `out` what makes the screen show `next`, and keeps it; `next` is empty afterwards. */
void screen_show(struct screen *s, struct frame *next, struct buf *out);
/* The terminal got another size: what was shown is drawn anew at the next screen_show. */
void screen_resized(struct screen *s, int columns, struct buf *out);
/* Moves below all that is shown and forgets it: other programs may write. */
void screen_leave(struct screen *s, struct buf *out);
void screen_free(struct screen *s);

#endif
