/* SPDX-License-Identifier: MIT */
/* Looking for old lines: as one types, by what they begin with, and vi's / and ?. */
#include "edit/internal.h"

#include "lang/pattern.h"

static const char *entry_at(struct edit *e, size_t back)
{
    return back == 0 ? (e->own_line ? e->own_line : "") : e->host.history(e->ctx, back);
}

/* The next entry from `back` on that has what is wanted, or in vi matches it; SIZE_MAX: none. */
static size_t find_matching(struct edit *e, size_t back, bool forward,
                            const struct pattern *pattern)
{
    for (;;) {
        const char *entry = entry_at(e, back);

        if (!entry)
            return SIZE_MAX;
        if (pattern ? pattern_match(pattern, entry, strlen(entry))
                    : strstr(entry, buf_str(&e->search.wanted)) != NULL)
            return back;
        if (forward && back == 0)
            return SIZE_MAX;
        back = forward ? back - 1 : back + 1;
    }
}

/* vi looks for a shell pattern anywhere in the entry, or behind a ^ at its beginning. */
static size_t find(struct edit *e, size_t back, bool forward)
{
    const char *wanted = buf_str(&e->search.wanted);
    struct pattern pattern;
    struct buf text = {0};
    size_t found = SIZE_MAX;

    if (!e->search.vi)
        return find_matching(e, back, forward, NULL);
    buf_addf(&text, "%s%s%s", *wanted == '^' ? "" : "*", wanted + (*wanted == '^'),
             wanted[0] && wanted[strlen(wanted) - 1] == '\\' ? "\\*" : "*");
    if (pattern_compile(&pattern, text.data, text.len) == 0) {
        found = find_matching(e, back, forward, &pattern);
        pattern_free(&pattern);
    }
    buf_free(&text);
    return found;
}

static void show(struct edit *e, size_t back)
{
    const char *hit;

    e->search.failed = back == SIZE_MAX;
    if (e->search.failed)
        return;
    e->search.back = back;
    if (back != e->back)
        edit_show_history(e, back);
    hit = strstr(text_str(&e->text), buf_str(&e->search.wanted));
    if (hit)
        e->text.cursor = (size_t)(hit - text_str(&e->text));
    else if (e->search.vi) /* it was no plain text */
        e->text.cursor = 0;
}

/* To the next one in that direction: C-r and C-s again, vi's n and N. */
static void step(struct edit *e, bool forward)
{
    if (!e->host.history || (forward && e->back == 0)) {
        e->search.failed = true;
        edit_bell(e);
        return;
    }
    show(e, find(e, forward ? e->back - 1 : e->back + 1, forward));
    if (e->search.failed)
        edit_bell(e);
}

static void begin(struct edit *e, bool forward)
{
    struct search *s = &e->search;

    if (!e->host.history) {
        edit_bell(e);
        return;
    }
    if (e->back == 0) {
        free(e->own_line);
        e->own_line = strdup(text_str(&e->text));
    }
    s->active = true;
    s->vi = false;
    s->failed = false;
    s->forward = forward;
    s->back = s->origin_back = e->back;
    buf_clear(&s->wanted);
}

void edit_search_back(struct edit *e)
{
    begin(e, false);
}

void edit_search_forward(struct edit *e)
{
    begin(e, true);
}

void edit_search_begin_vi(struct edit *e, bool forward)
{
    begin(e, forward);
    e->search.vi = true;
}

/* Without a pattern, the one from before is meant. */
static void accept_vi(struct edit *e)
{
    struct search *s = &e->search;

    s->active = false;
    s->vi_forward = s->forward;
    if (s->wanted.len) {
        buf_clear(&s->vi_wanted);
        buf_add(&s->vi_wanted, s->wanted.data, s->wanted.len);
    }
    edit_search_again_vi(e, false);
}

/* n, and in the other direction N. */
void edit_search_again_vi(struct edit *e, bool reverse)
{
    struct search *s = &e->search;

    if (!s->vi_wanted.len) {
        edit_bell(e);
        return;
    }
    buf_clear(&s->wanted);
    buf_add(&s->wanted, s->vi_wanted.data, s->vi_wanted.len);
    s->vi = true;
    step(e, s->vi_forward != reverse);
}

/* A key while searching. False: the search is over, and the key is to be obeyed as any other. */
bool edit_search_key(struct edit *e, edit_key key)
{
    struct search *s = &e->search;
    char bytes[8];

    if (key == KEY_CTRL('g') || (s->vi && (key == KEY_ESCAPE || key == KEY_CTRL('c')))) {
        s->active = false;
        if (e->back != s->origin_back)
            edit_show_history(e, s->origin_back);
        return true;
    }
    if (s->vi && (key == '\r' || key == '\n')) {
        accept_vi(e);
        return true;
    }
    if (!s->vi && (key == KEY_CTRL('r') || key == KEY_CTRL('s'))) {
        s->forward = key == KEY_CTRL('s');
        step(e, s->forward);
        return true;
    }
    if (key == KEY_BACKSPACE || key == KEY_CTRL('h')) {
        struct edit_text wanted = {.b = s->wanted};

        buf_cut(&s->wanted, text_previous(&wanted, wanted.b.len));
    } else if (key >= 32 && key < KEY_UP && key != KEY_BACKSPACE) {
        buf_add(&s->wanted, bytes, edit_key_bytes(key, bytes));
    } else {
        s->active = s->vi;
        return s->vi || key == KEY_ESCAPE;
    }
    if (!s->vi)
        show(e, find(e, s->wanted.len ? s->back : s->origin_back, s->forward));
    return true;
}

/* --- Lines that begin with what was typed -------------------------------------------------------------------------- */

static void prefix_step(struct edit *e, bool forward)
{
    size_t back = e->back, len;

    if (!e->host.history)
        return;
    if (e->back == 0 && !forward) {
        free(e->prefix_text);
        e->prefix_text = strdup(text_str(&e->text));
    }
    if (!e->prefix_text)
        return;
    len = strlen(e->prefix_text);
    while (!forward || back > 1) {
        const char *entry = e->host.history(e->ctx, back = forward ? back - 1 : back + 1);

        if (!entry) {
            edit_bell(e);
            return;
        }
        if (strncmp(entry, e->prefix_text, len) == 0 && strcmp(entry, text_str(&e->text)) != 0) {
            edit_show_history(e, back);
            return;
        }
    }
    edit_show_history(e, 0);
}

void edit_prefix_back(struct edit *e)
{
    prefix_step(e, false);
}

void edit_prefix_forward(struct edit *e)
{
    if (e->back == 0)
        edit_bell(e);
    else
        prefix_step(e, true);
}
