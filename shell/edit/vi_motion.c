/* SPDX-License-Identifier: MIT */
#include "edit/vi_motion.h"

#include "edit/glyph.h"

enum { BLANK, WORD, OTHER };

static int class_at(const struct edit_text *t, size_t at, bool bigword)
{
    const char *text = t->b.data + at;

    if (!glyph_in_word(text, t->b.len - at, true))
        return BLANK;
    return bigword || glyph_in_word(text, t->b.len - at, false) ? WORD : OTHER;
}

static size_t next_word(const struct edit_text *t, size_t at, bool bigword)
{
    const int class = at < t->b.len ? class_at(t, at, bigword) : BLANK;

    while (at < t->b.len && class != BLANK && class_at(t, at, bigword) == class)
        at = text_next(t, at);
    while (at < t->b.len && class_at(t, at, bigword) == BLANK)
        at = text_next(t, at);
    return at;
}

static size_t word_end(const struct edit_text *t, size_t at, bool bigword)
{
    size_t next;
    int class;

    at = text_next(t, at);
    while (at < t->b.len && class_at(t, at, bigword) == BLANK)
        at = text_next(t, at);
    if (at >= t->b.len)
        return text_previous(t, t->b.len);
    class = class_at(t, at, bigword);
    while ((next = text_next(t, at)) < t->b.len && class_at(t, next, bigword) == class)
        at = next;
    return at;
}

static size_t previous_word(const struct edit_text *t, size_t at, bool bigword)
{
    int class;

    while (at > 0 && class_at(t, text_previous(t, at), bigword) == BLANK)
        at = text_previous(t, at);
    if (at == 0)
        return 0;
    class = class_at(t, text_previous(t, at), bigword);
    while (at > 0 && class_at(t, text_previous(t, at), bigword) == class)
        at = text_previous(t, at);
    return at;
}

static size_t first_non_blank(const struct edit_text *t)
{
    size_t at = text_line_start(t, t->cursor);
    const size_t end = text_line_end(t, t->cursor);

    while (at < end && (t->b.data[at] == ' ' || t->b.data[at] == '\t'))
        at++;
    return at;
}

/* f F t T: the count-th place of the character in the line; false if there is none. */
static bool find(const struct edit_text *t, char how, edit_key wanted, int count, size_t *to)
{
    const bool back = how == 'F' || how == 'T';
    char bytes[8];
    const size_t n = edit_key_bytes(wanted, bytes);
    size_t at = t->cursor, before = at;

    while (count > 0) {
        before = at;
        at = back ? text_previous(t, at) : text_next(t, at);
        if (at == before || at >= t->b.len || t->b.data[at] == '\n')
            return false;
        if (t->b.len - at >= n && memcmp(t->b.data + at, bytes, n) == 0)
            count--;
    }
    *to = how == 't' ? before : how == 'T' ? text_next(t, at) : at;
    return true;
}

static char reversed(char how)
{
    return how == 'f' ? 'F' : how == 'F' ? 'f' : how == 't' ? 'T' : 't';
}

bool vi_motion_wants_character(edit_key key)
{
    return key == 'f' || key == 'F' || key == 't' || key == 'T';
}

static bool find_motion(struct edit *e, edit_key key, int count, edit_key argument,
                        struct vi_target *to)
{
    char how = (char)key;

    if (key == ';' || key == ',') {
        if (!e->vi.find)
            return false;
        how = key == ';' ? e->vi.find : reversed(e->vi.find);
        argument = e->vi.find_key;
    } else {
        e->vi.find = how;
        e->vi.find_key = argument;
    }
    to->inclusive = how == 'f' || how == 't';
    return find(&e->text, how, argument, count, &to->at);
}

bool vi_motion(struct edit *e, edit_key key, int count, edit_key argument, struct vi_target *to)
{
    const struct edit_text *t = &e->text;
    const bool bigword = key == 'W' || key == 'B' || key == 'E';
    const int n = count > 0 ? count : 1;

    to->at = t->cursor;
    to->inclusive = false;
    switch (key) {
    case 'f':
    case 'F':
    case 't':
    case 'T':
    case ';':
    case ',':
        return find_motion(e, key, n, argument, to);
    case '0':
    case KEY_HOME:
        to->at = text_line_start(t, t->cursor);
        return true;
    case '^':
        to->at = first_non_blank(t);
        return true;
    case '$':
    case KEY_END:
        to->at = text_line_end(t, t->cursor);
        return true;
    case '|':
        to->at = text_line_start(t, t->cursor);
        for (int i = 1; i < n && to->at < text_line_end(t, t->cursor); i++)
            to->at = text_next(t, to->at);
        return true;
    }
    for (int i = 0; i < n; i++) {
        switch (key) {
        case 'h':
        case KEY_LEFT:
        case KEY_BACKSPACE:
        case KEY_CTRL('h'):
            to->at = text_previous(t, to->at);
            break;
        case 'l':
        case ' ':
        case KEY_RIGHT:
            to->at = text_next(t, to->at);
            break;
        case 'w':
        case 'W':
            to->at = next_word(t, to->at, bigword);
            break;
        case 'e':
        case 'E':
            to->at = word_end(t, to->at, bigword);
            to->inclusive = true;
            break;
        case 'b':
        case 'B':
            to->at = previous_word(t, to->at, bigword);
            break;
        default:
            return false;
        }
    }
    return true;
}
