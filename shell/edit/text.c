/* SPDX-License-Identifier: MIT */
#include "edit/text.h"

#include "edit/glyph.h"

#include <stdlib.h>

static void drop_changes(struct edit_text *t, size_t from)
{
    for (size_t i = from; i < t->count; i++) {
        free(t->changes[i].old);
        free(t->changes[i].new);
    }
    t->count = from;
    if (t->done > from)
        t->done = from;
}

static char *copy(const char *text, size_t len)
{
    char *to = malloc(len + 1);

    if (to && len)
        memcpy(to, text, len);
    return to;
}

/* Puts new bytes in the place of old ones; there is room. */
static void splice(struct edit_text *t, size_t at, size_t len, const char *with, size_t with_len)
{
    memmove(t->b.data + at + with_len, t->b.data + at + len, t->b.len - at - len + 1);
    if (with_len)
        memcpy(t->b.data + at, with, with_len);
    t->b.len = t->b.len - len + with_len;
}

static bool record(struct edit_text *t, size_t at, size_t len, const char *with, size_t with_len)
{
    struct text_change *c;

    drop_changes(t, t->done);
    if (t->count == t->cap) {
        const size_t cap = t->cap ? t->cap * 2 : 32;

        c = realloc(t->changes, cap * sizeof *c);
        if (!c)
            return false;
        t->changes = c;
        t->cap = cap;
    }
    c = &t->changes[t->count];
    *c = (struct text_change){
        at,       t->cursor, copy(buf_str(&t->b) + at, len), copy(with, with_len), len,
        with_len, t->open};
    if (!c->old || !c->new) {
        free(c->old);
        free(c->new);
        return false;
    }
    t->done = ++t->count;
    t->open = true;
    return true;
}

void text_replace(struct edit_text *t, size_t at, size_t len, const char *with, size_t with_len)
{
    at = at < t->b.len ? at : t->b.len;
    len = len < t->b.len - at ? len : t->b.len - at;
    if ((len == 0 && with_len == 0) || buf_reserve(&t->b, with_len) != 0 ||
        !record(t, at, len, with, with_len))
        return;
    splice(t, at, len, t->changes[t->count - 1].new, with_len);
    t->cursor = at + with_len;
}

void text_insert(struct edit_text *t, const char *with, size_t len)
{
    text_replace(t, t->cursor, 0, with, len);
}

void text_set(struct edit_text *t, const char *with, size_t len)
{
    char *const kept = copy(with, len); /* it may be part of the old text */

    drop_changes(t, 0);
    t->open = false;
    buf_cut(&t->b, 0);
    if (kept)
        buf_add(&t->b, kept, len);
    free(kept);
    t->cursor = t->b.len;
}

void text_mark(struct edit_text *t)
{
    t->open = false;
}

bool text_undo(struct edit_text *t)
{
    bool joined = true, any = false;

    while (joined && t->done > 0) {
        const struct text_change *c = &t->changes[t->done - 1];

        if (buf_reserve(&t->b, c->old_len) != 0)
            break;
        t->done--;
        splice(t, c->at, c->new_len, c->old, c->old_len);
        t->cursor = c->cursor;
        joined = c->joined;
        any = true;
    }
    t->open = false;
    return any;
}

bool text_redo(struct edit_text *t)
{
    bool any = false;

    while (t->done < t->count && (!any || t->changes[t->done].joined)) {
        const struct text_change *c = &t->changes[t->done];

        if (buf_reserve(&t->b, c->new_len) != 0)
            break;
        t->done++;
        splice(t, c->at, c->old_len, c->new, c->new_len);
        t->cursor = c->at + c->new_len;
        any = true;
    }
    t->open = false;
    return any;
}

void text_free(struct edit_text *t)
{
    drop_changes(t, 0);
    free(t->changes);
    buf_free(&t->b);
    *t = (struct edit_text){0};
}

size_t text_next(const struct edit_text *t, size_t at)
{
    return at < t->b.len ? at + glyph_at(t->b.data + at, t->b.len - at).len : at;
}

size_t text_previous(const struct edit_text *t, size_t at)
{
    return at > 0 ? glyph_before(t->b.data, at) : 0;
}

static bool in_word(const struct edit_text *t, size_t at, bool bigword)
{
    return glyph_in_word(t->b.data + at, t->b.len - at, bigword);
}

size_t text_word_end(const struct edit_text *t, size_t at, bool bigword)
{
    while (at < t->b.len && !in_word(t, at, bigword))
        at = text_next(t, at);
    while (at < t->b.len && in_word(t, at, bigword))
        at = text_next(t, at);
    return at;
}

size_t text_word_start(const struct edit_text *t, size_t at, bool bigword)
{
    while (at > 0 && !in_word(t, text_previous(t, at), bigword))
        at = text_previous(t, at);
    while (at > 0 && in_word(t, text_previous(t, at), bigword))
        at = text_previous(t, at);
    return at;
}

size_t text_line_start(const struct edit_text *t, size_t at)
{
    while (at > 0 && t->b.data[at - 1] != '\n')
        at--;
    return at;
}

size_t text_line_end(const struct edit_text *t, size_t at)
{
    while (at < t->b.len && t->b.data[at] != '\n')
        at++;
    return at;
}

static size_t at_column(const struct edit_text *t, size_t line, int column)
{
    while (line < t->b.len && t->b.data[line] != '\n') {
        const struct glyph g = glyph_at(t->b.data + line, t->b.len - line);

        if (column < g.width)
            break;
        column -= g.width;
        line += g.len;
    }
    return line;
}

size_t text_line_above(const struct edit_text *t, size_t at)
{
    const size_t start = text_line_start(t, at);

    if (start == 0)
        return at;
    return at_column(t, text_line_start(t, start - 1),
                     glyph_columns(t->b.data + start, at - start));
}

size_t text_line_below(const struct edit_text *t, size_t at)
{
    const size_t start = text_line_start(t, at), end = text_line_end(t, at);

    if (end == t->b.len)
        return at;
    return at_column(t, end + 1, glyph_columns(t->b.data + start, at - start));
}
