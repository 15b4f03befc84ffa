/* SPDX-License-Identifier: MIT */
/* Taking text away so that it can be put back: the kill ring. */
#include "edit/internal.h"

const char *edit_killed(const struct edit *e, size_t back)
{
    const struct kill_ring *k = &e->kills;

    return back < k->count ? k->entry[(k->newest + KILL_RING - back) % KILL_RING] : NULL;
}

static bool is_kill(edit_action *action)
{
    return action == edit_kill_line || action == edit_kill_line_back ||
           action == edit_kill_whole_line || action == edit_kill_word ||
           action == edit_kill_word_back || action == edit_kill_bigword_back;
}

void edit_keep(struct edit *e, const char *text, size_t len, bool before)
{
    struct kill_ring *k = &e->kills;
    struct buf entry = {0};
    const bool joins = k->count > 0 && is_kill(e->last) && is_kill(e->now);
    char *made;

    if (joins && !before)
        buf_adds(&entry, k->entry[k->newest]);
    buf_add(&entry, text, len);
    if (joins && before)
        buf_adds(&entry, k->entry[k->newest]);
    made = buf_take(&entry);
    if (!made)
        return;
    if (!joins) {
        k->newest = (k->newest + 1) % KILL_RING;
        k->count += k->count < KILL_RING;
    }
    free(k->entry[k->newest]);
    k->entry[k->newest] = made;
}

/* Takes [from, to) away; `before`: it stood before the cursor. */
void edit_kill(struct edit *e, size_t from, size_t to, bool before)
{
    if (from >= to)
        return;
    edit_keep(e, e->text.b.data + from, to - from, before);
    text_mark(&e->text);
    text_replace(&e->text, from, to - from, "", 0);
}

/* At the end of a line that is not the last one: the newline. */
void edit_kill_line(struct edit *e)
{
    const size_t at = e->text.cursor, end = text_line_end(&e->text, at);

    edit_kill(e, at, end > at ? end : text_next(&e->text, at), false);
}

void edit_kill_line_back(struct edit *e)
{
    edit_kill(e, text_line_start(&e->text, e->text.cursor), e->text.cursor, true);
}

void edit_kill_whole_line(struct edit *e)
{
    edit_kill(e, 0, e->text.b.len, false);
}

void edit_kill_word(struct edit *e)
{
    edit_kill(e, e->text.cursor, text_word_end(&e->text, e->text.cursor, false), false);
}

void edit_kill_word_back(struct edit *e)
{
    edit_kill(e, text_word_start(&e->text, e->text.cursor, false), e->text.cursor, true);
}

void edit_kill_bigword_back(struct edit *e)
{
    edit_kill(e, text_word_start(&e->text, e->text.cursor, true), e->text.cursor, true);
}

void edit_kill_region(struct edit *e)
{
    const size_t at = e->text.cursor, mark = e->mark < e->text.b.len ? e->mark : e->text.b.len;

    edit_kill(e, at < mark ? at : mark, at < mark ? mark : at, false);
}

void edit_yank(struct edit *e)
{
    const char *text = edit_killed(e, 0);

    if (!text) {
        e->now = NULL;
        edit_bell(e);
        return;
    }
    e->kills.shown = 0;
    e->kills.yank_start = e->text.cursor;
    e->kills.yank_length = strlen(text);
    text_mark(&e->text);
    text_insert(&e->text, text, e->kills.yank_length);
}

void edit_yank_pop(struct edit *e)
{
    struct kill_ring *k = &e->kills;
    const char *text;

    if ((e->last != edit_yank && e->last != edit_yank_pop) || k->count == 0) {
        edit_bell(e);
        return;
    }
    k->shown = (k->shown + 1) % k->count;
    text = edit_killed(e, k->shown);
    text_mark(&e->text);
    text_replace(&e->text, k->yank_start, k->yank_length, text, strlen(text));
    k->yank_length = strlen(text);
}
