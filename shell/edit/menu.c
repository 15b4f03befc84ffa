/* SPDX-License-Identifier: MIT */
/* Completion: what all choices have in common at once, then a menu to choose from. */
#include "edit/internal.h"

#include "edit/glyph.h"

#include <stdio.h>

#define MENU_ROWS 10 /* a longer list scrolls, so that the line stays in sight */

int edit_candidate_add(struct edit_candidates *to, const char *text, const char *display,
                       const char *description)
{
    struct edit_candidate *c;

    if (to->count == to->cap) {
        const size_t cap = to->cap ? to->cap * 2 : 32;

        c = realloc(to->list, cap * sizeof *c);
        if (!c)
            return -1;
        to->list = c;
        to->cap = cap;
    }
    c = &to->list[to->count++];
    c->text = strdup(text);
    c->display = display ? strdup(display) : NULL;
    c->description = description ? strdup(description) : NULL;
    return 0;
}

void edit_candidates_free(struct edit_candidates *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].text);
        free(c->list[i].display);
        free(c->list[i].description);
    }
    free(c->list);
    *c = (struct edit_candidates){0};
}

void edit_menu_close(struct edit *e)
{
    edit_candidates_free(&e->menu.found);
    e->menu.open = false;
}

static bool ask(struct edit *e)
{
    struct edit_candidates *found = &e->menu.found;

    edit_menu_close(e);
    if (e->host.complete) {
        found->start = found->end = e->text.cursor;
        e->host.complete(e->ctx, text_str(&e->text), e->text.b.len, e->text.cursor, found);
    }
    if (found->count == 0 || found->start > found->end || found->end > e->text.b.len) {
        edit_menu_close(e);
        edit_bell(e);
        return false;
    }
    e->menu.start = found->start;
    e->menu.length = found->end - found->start;
    e->menu.selected = SIZE_MAX;
    return true;
}

/* What stands for the word in the text becomes this. */
static void put(struct edit *e, const char *text, size_t len)
{
    text_replace(&e->text, e->menu.start, e->menu.length, text, len);
    e->menu.length = len;
}

static size_t common_length(const struct edit_candidates *found)
{
    size_t len = strlen(found->list[0].text);

    for (size_t i = 1; i < found->count; i++) {
        size_t n = 0;

        while (n < len && found->list[i].text[n] == found->list[0].text[n])
            n++;
        len = n;
    }
    while (len > 0 &&
           ((unsigned char)found->list[0].text[len] & 0xc0) == 0x80) /* no half characters */
        len--;
    return len;
}

static void choose(struct edit *e, size_t index)
{
    struct menu *m = &e->menu;

    m->selected = index;
    put(e, m->found.list[index].text, strlen(m->found.list[index].text));
}

void edit_complete(struct edit *e)
{
    struct menu *m = &e->menu;
    size_t common;

    text_mark(&e->text);
    if (!ask(e))
        return;
    if (m->found.count == 1) {
        put(e, m->found.list[0].text, strlen(m->found.list[0].text));
        if (!m->found.open_ended &&
            (e->text.cursor == e->text.b.len || e->text.b.data[e->text.cursor] != ' '))
            text_insert(&e->text, " ", 1);
        edit_menu_close(e);
        return;
    }
    common = common_length(&m->found);
    if (common > 0 && common >= m->length) /* never less than what is there */
        put(e, m->found.list[0].text, common);
    m->open = true;
}

void edit_complete_back(struct edit *e)
{
    edit_complete(e);
    if (e->menu.open)
        choose(e, e->menu.found.count - 1);
}

void edit_list_choices(struct edit *e)
{
    if (ask(e))
        e->menu.open = true;
}

/* vi's *: all of them. */
void edit_insert_all_choices(struct edit *e)
{
    struct buf all = {0};

    text_mark(&e->text);
    if (!ask(e))
        return;
    for (size_t i = 0; i < e->menu.found.count; i++)
        buf_addf(&all, "%s ", e->menu.found.list[i].text);
    put(e, buf_str(&all), all.len);
    buf_free(&all);
    edit_menu_close(e);
}

static void step(struct edit *e, bool back)
{
    struct menu *m = &e->menu;

    if (m->selected == SIZE_MAX)
        choose(e, back ? m->found.count - 1 : 0);
    else
        choose(e, (m->selected + (back ? m->found.count - 1 : 1)) % m->found.count);
}

/* A key while the menu is open. False: the menu is closed, and the key is to be obeyed as any other. */
bool edit_menu_key(struct edit *e, edit_key key)
{
    struct menu *m = &e->menu;

    switch (key) {
    case '\t':
    case KEY_DOWN:
    case KEY_CTRL('n'):
        step(e, false);
        return true;
    case KEY_BACKTAB:
    case KEY_UP:
    case KEY_CTRL('p'):
        step(e, true);
        return true;
    case '\r':
        if (m->selected == SIZE_MAX)
            break;
        if (!m->found.open_ended || e->text.b.data[e->text.cursor - 1] != '/')
            text_insert(&e->text, " ", 1);
        edit_menu_close(e);
        return true;
    case KEY_ESCAPE:
    case KEY_CTRL('g'):
        edit_menu_close(e);
        return true;
    }
    edit_menu_close(e);
    return false;
}

static const char *shown_as(const struct edit_candidate *c)
{
    return c->display ? c->display : c->text;
}

static void pad(struct frame *f, int columns, enum edit_style style)
{
    while (columns-- > 0)
        frame_add(f, " ", 1, style);
}

/* Adds as much of the text as fits into so many columns; returns what is left of them. */
static int add_cut(struct frame *f, const char *text, int columns, enum edit_style style)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len && text[i] != '\n';) {
        const struct glyph g = glyph_at(text + i, len - i);

        if (g.width > columns)
            break;
        frame_add_glyph(f, text + i, g.len, g.width, style);
        columns -= g.width;
        i += g.len;
    }
    return columns;
}

static void show_row(const struct edit *e, struct frame *f, size_t from, size_t per_row, int width)
{
    const struct menu *m = &e->menu;

    for (size_t i = from; i < from + per_row && i < m->found.count; i++) {
        const struct edit_candidate *c = &m->found.list[i];
        const enum edit_style style = i == m->selected ? EDIT_SELECTED : EDIT_PLAIN;
        int left;

        if (i > from)
            pad(f, 2, EDIT_PLAIN);
        left = add_cut(f, shown_as(c), width, style);
        if (per_row == 1 && c->description) {
            pad(f, left + 2, EDIT_PLAIN);
            add_cut(f, c->description, f->columns - f->column - 1, EDIT_NOTE);
        } else if (i + 1 < from + per_row) {
            pad(f, left, style);
        }
    }
}

/* Columns of names; with descriptions, one name a row. */
void edit_menu_show(const struct edit *e, struct frame *f)
{
    const struct menu *m = &e->menu;
    const size_t screen = e->rows > 3 ? (size_t)e->rows - 2 : 1,
                 most = screen < MENU_ROWS ? screen : MENU_ROWS;
    size_t per_row, rows, first = 0;
    bool described = false;
    int width = 1;

    for (size_t i = 0; i < m->found.count; i++) {
        const char *name = shown_as(&m->found.list[i]);
        const int columns = glyph_columns(name, strlen(name));

        width = columns > width ? columns : width;
        described = described || m->found.list[i].description;
    }
    width = width < f->columns - 1 ? width : f->columns - 1;
    per_row = described ? 1 : (size_t)((f->columns + 1) / (width + 2));
    per_row = per_row ? per_row : 1;
    rows = (m->found.count + per_row - 1) / per_row;
    if (m->selected != SIZE_MAX && m->selected / per_row >= most)
        first = m->selected / per_row - most + 1;
    for (size_t row = first; row < rows && row < first + most; row++) {
        frame_new_row(f);
        show_row(e, f, row * per_row, per_row, width);
    }
    if (rows > most) {
        char more[32];

        frame_new_row(f);
        snprintf(more, sizeof more, "%zu of %zu rows", most, rows);
        frame_add(f, more, strlen(more), EDIT_NOTE);
    }
}
