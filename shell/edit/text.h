/* SPDX-License-Identifier: MIT */
/* The text being edited: a string, a place in it, and how to take changes back. */
#ifndef R3SH_EDIT_TEXT_H
#define R3SH_EDIT_TEXT_H

#include "lang/buf.h"

struct text_change {
    size_t at, cursor; /* where; and the cursor before */
    char *old, *new;   /* what was there, and what is */
    size_t old_len, new_len;
    bool joined; /* undone together with the one before */
};

struct edit_text {
    struct buf b;
    size_t cursor;
    struct text_change *changes;
    size_t done, count, cap; /* changes[done … count) are undone */
    bool open;               /* the next change joins the last */
};

/* Replaces bytes [at, at + len), as far as there are such, and puts the cursor behind the new ones. Out of memory: nothing changes. */
void text_replace(struct edit_text *t, size_t at, size_t len, const char *with, size_t with_len);
void text_insert(struct edit_text *t, const char *with, size_t len);
/* A new text without history. */
void text_set(struct edit_text *t, const char *with, size_t len);
/* The next change begins something to be undone on its own; changes until then join. */
void text_mark(struct edit_text *t);
bool text_undo(struct edit_text *t);
bool text_redo(struct edit_text *t);
void text_free(struct edit_text *t);

static inline const char *text_str(const struct edit_text *t)
{
    return buf_str(&t->b);
}

/* Places: by glyph, word (bigword: between blanks), line. They stop at the ends. */
size_t text_next(const struct edit_text *t, size_t at);
size_t text_previous(const struct edit_text *t, size_t at);
size_t text_word_end(const struct edit_text *t, size_t at,
                     bool bigword); /* behind the word at or after */
size_t text_word_start(const struct edit_text *t, size_t at, bool bigword); /* of the word before */
size_t text_line_start(const struct edit_text *t, size_t at);
size_t text_line_end(const struct edit_text *t, size_t at);
/* The same column in the line above or below; `at` itself if there is none. */
size_t text_line_above(const struct edit_text *t, size_t at);
size_t text_line_below(const struct edit_text *t, size_t at);

#endif
