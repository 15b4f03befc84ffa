/* SPDX-License-Identifier: MIT */
/* The commands that keys are bound to: moving, changing, history, accepting. */
#include "edit/glyph.h"
#include "edit/internal.h"

#include <stdio.h>
#include <utf8proc.h>

static int times(const struct edit *e)
{
    return e->repeat > 0 ? e->repeat : 1;
}

static void move(struct edit *e, size_t to)
{
    text_mark(&e->text);
    e->text.cursor = to;
}

void edit_insert_key(struct edit *e, edit_key key)
{
    char bytes[8];
    const size_t n = edit_key_bytes(key == '\r' ? '\n' : key, bytes);

    text_insert(&e->text, bytes, n);
}

/* Typing is undone by the word: a blank begins something new. */
void edit_self_insert(struct edit *e)
{
    const int n = times(e);

    if (e->last != edit_self_insert || e->key == ' ')
        text_mark(&e->text);
    for (int i = 0; i < n && i < 10000; i++) {
        const size_t at = e->text.cursor;

        if (e->vi.replace && at < e->text.b.len && e->text.b.data[at] != '\n')
            text_replace(&e->text, at, text_next(&e->text, at) - at, "", 0);
        edit_insert_key(e, e->key);
    }
}

static void quoted_insert(struct edit *e)
{
    text_mark(&e->text);
    e->quoting = true;
}

void edit_newline(struct edit *e)
{
    text_mark(&e->text);
    text_insert(&e->text, "\n", 1);
}

void edit_accept(struct edit *e)
{
    if (e->host.is_complete && e->text.b.len &&
        !e->host.is_complete(e->ctx, e->text.b.data, e->text.b.len)) {
        e->text.cursor = text_line_end(&e->text, e->text.cursor);
        edit_newline(e);
        return;
    }
    e->state = EDIT_LINE;
}

static void interrupt(struct edit *e)
{
    e->state = EDIT_INTERRUPTED;
}

/* At the end of the text something more is proposed. */
static bool is_suggested(struct edit *e)
{
    edit_update_suggestion(e);
    return e->suggestion != NULL;
}

static void forward_char(struct edit *e)
{
    if (is_suggested(e)) {
        edit_suggestion_accept(e);
        return;
    }
    for (int i = times(e); i > 0; i--)
        move(e, text_next(&e->text, e->text.cursor));
}

static void backward_char(struct edit *e)
{
    for (int i = times(e); i > 0; i--)
        move(e, text_previous(&e->text, e->text.cursor));
}

/* At the end of the line: one word of what is suggested. */
static void forward_word(struct edit *e)
{
    if (is_suggested(e)) {
        struct edit_text more = {0};
        size_t end;

        text_set(&more, e->suggestion, strlen(e->suggestion));
        end = text_word_end(&more, 0, false);
        text_mark(&e->text);
        text_insert(&e->text, e->suggestion, end);
        text_free(&more);
        return;
    }
    for (int i = times(e); i > 0; i--)
        move(e, text_word_end(&e->text, e->text.cursor, false));
}

static void backward_word(struct edit *e)
{
    for (int i = times(e); i > 0; i--)
        move(e, text_word_start(&e->text, e->text.cursor, false));
}

static void line_start(struct edit *e)
{
    move(e, text_line_start(&e->text, e->text.cursor));
}

static void line_end(struct edit *e)
{
    if (is_suggested(e))
        edit_suggestion_accept(e);
    else
        move(e, text_line_end(&e->text, e->text.cursor));
}

static void text_start(struct edit *e)
{
    move(e, 0);
}

static void text_end(struct edit *e)
{
    move(e, e->text.b.len);
}

void edit_suggestion_accept(struct edit *e)
{
    if (!e->suggestion)
        return;
    text_mark(&e->text);
    e->text.cursor = e->text.b.len;
    text_insert(&e->text, e->suggestion, strlen(e->suggestion));
    free(e->suggestion);
    e->suggestion = NULL;
}

static void delete_char(struct edit *e)
{
    const size_t at = e->text.cursor;
    size_t end = at;

    for (int i = times(e); i > 0; i--)
        end = text_next(&e->text, end);
    if (end == at) {
        edit_bell(e);
        return;
    }
    text_mark(&e->text);
    text_replace(&e->text, at, end - at, "", 0);
}

static void delete_or_eof(struct edit *e)
{
    if (e->text.b.len == 0)
        e->state = EDIT_EOF;
    else
        delete_char(e);
}

static void backward_delete_char(struct edit *e)
{
    const size_t at = e->text.cursor;
    size_t start = at;

    for (int i = times(e); i > 0; i--)
        start = text_previous(&e->text, start);
    if (start == at)
        return;
    if (e->last != e->now)
        text_mark(&e->text);
    text_replace(&e->text, start, at - start, "", 0);
}

static void transpose(struct edit *e, size_t a, size_t a_end, size_t b, size_t b_end)
{
    struct buf swapped = {0};
    const char *text = text_str(&e->text);

    buf_add(&swapped, text + b, b_end - b);
    buf_add(&swapped, text + a_end, b - a_end);
    buf_add(&swapped, text + a, a_end - a);
    text_mark(&e->text);
    if (!swapped.failed)
        text_replace(&e->text, a, b_end - a, swapped.data, swapped.len);
    buf_free(&swapped);
}

static void transpose_chars(struct edit *e)
{
    struct edit_text *t = &e->text;
    size_t at = t->cursor, before;

    if (at == t->b.len)
        at = text_previous(t, at);
    if (at == 0) {
        edit_bell(e);
        return;
    }
    before = text_previous(t, at);
    transpose(e, before, at, at, text_next(t, at));
}

static void transpose_words(struct edit *e)
{
    struct edit_text *t = &e->text;
    const size_t b_end = text_word_end(t, t->cursor, false), b = text_word_start(t, b_end, false);
    const size_t a = text_word_start(t, b, false), a_end = text_word_end(t, a, false);

    if (a_end <= b && a < b)
        transpose(e, a, a_end, b, b_end);
    else
        edit_bell(e);
}

/* Letters of the next word: all up, all down, or the first one up. */
static void change_case(struct edit *e, bool first_up, bool rest_up)
{
    struct edit_text *t = &e->text;
    const size_t end = text_word_end(t, t->cursor, false);
    struct buf word = {0};
    bool first = true;

    for (size_t i = t->cursor; i < end;) {
        utf8proc_uint8_t bytes[4];
        utf8proc_int32_t c;
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)t->b.data + i,
                                                    (utf8proc_ssize_t)(end - i), &c);

        if (n <= 0) {
            buf_addc(&word, t->b.data[i++]);
            continue;
        }
        if (glyph_in_word(t->b.data + i, end - i, false)) {
            c = (first ? first_up : rest_up) ? utf8proc_toupper(c) : utf8proc_tolower(c);
            first = false;
        }
        buf_add(&word, (const char *)bytes, (size_t)utf8proc_encode_char(c, bytes));
        i += (size_t)n;
    }
    text_mark(t);
    if (!word.failed)
        text_replace(t, t->cursor, end - t->cursor, buf_str(&word), word.len);
    buf_free(&word);
}

static void upcase_word(struct edit *e)
{
    change_case(e, true, true);
}

static void downcase_word(struct edit *e)
{
    change_case(e, false, false);
}

static void capitalize_word(struct edit *e)
{
    change_case(e, true, false);
}

static void undo(struct edit *e)
{
    if (!text_undo(&e->text))
        edit_bell(e);
}

static void redo(struct edit *e)
{
    if (!text_redo(&e->text))
        edit_bell(e);
}

static void set_mark(struct edit *e)
{
    e->mark = e->text.cursor;
}

static void exchange_mark(struct edit *e)
{
    const size_t mark = e->mark < e->text.b.len ? e->mark : e->text.b.len;

    e->mark = e->text.cursor;
    move(e, mark);
}

static void clear_screen(struct edit *e)
{
    e->screen.shown.count = e->screen.shown.row_count = 0;
    e->screen.top = e->screen.row = 0;
    buf_adds(&e->output, "\033[H\033[2J");
}

static void digit_argument(struct edit *e)
{
    const edit_key digit = e->key & 0x7f;

    if (digit >= '0' && digit <= '9' && e->repeat < 10000)
        e->repeat = e->repeat * 10 + (int)(digit - '0');
    e->repeat_given = true;
}

/* False: nothing came of it. */
bool edit_elsewhere(struct edit *e, const char *text)
{
    char *const edited = e->host.edit_elsewhere ? e->host.edit_elsewhere(e->ctx, text) : NULL;

    if (edited)
        edit_set_line(e, edited);
    free(edited);
    return edited != NULL;
}

static void elsewhere(struct edit *e)
{
    if (!edit_elsewhere(e, text_str(&e->text)))
        edit_bell(e);
}

/* Every line of it becomes one: none may run. */
static void insert_comment(struct edit *e)
{
    struct edit_text *t = &e->text;

    text_mark(t);
    text_replace(t, 0, 0, "#", 1);
    for (size_t at = 0; at < t->b.len; at++)
        if (t->b.data[at] == '\n')
            text_replace(t, at + 1, 0, "#", 1);
    e->state = EDIT_LINE;
}

/* --- History ------------------------------------------------------------------------------------------------------ */

void edit_show_history(struct edit *e, size_t back)
{
    const char *entry = back == 0         ? e->own_line
                        : e->host.history ? e->host.history(e->ctx, back)
                                          : NULL;

    if (!entry) {
        edit_bell(e);
        return;
    }
    if (e->back == 0 && back != 0) {
        free(e->own_line);
        e->own_line = strdup(text_str(&e->text));
    }
    e->back = back;
    text_set(&e->text, entry, strlen(entry));
}

static void previous_history(struct edit *e)
{
    edit_show_history(e, e->back + (size_t)times(e));
}

static void next_history(struct edit *e)
{
    if (e->back == 0)
        edit_bell(e);
    else
        edit_show_history(e, e->back > (size_t)times(e) ? e->back - (size_t)times(e) : 0);
}

static void oldest_history(struct edit *e)
{
    size_t back = e->back;

    while (e->host.history && e->host.history(e->ctx, back + 1))
        back++;
    if (back != e->back)
        edit_show_history(e, back);
}

static void newest_history(struct edit *e)
{
    if (e->back)
        edit_show_history(e, 0);
}

bool edit_on_first_line(const struct edit *e)
{
    return text_line_start(&e->text, e->text.cursor) == 0;
}

bool edit_on_last_line(const struct edit *e)
{
    return text_line_end(&e->text, e->text.cursor) == e->text.b.len;
}

/* Up: within a text of several lines first; then the history, by what was typed if something was. */
void edit_history_up(struct edit *e)
{
    if (e->back == 0) {
        free(e->prefix_text);
        e->prefix_text = NULL;
    }
    if (!edit_on_first_line(e))
        move(e, text_line_above(&e->text, e->text.cursor));
    else if (e->prefix_text || (e->back == 0 && e->text.b.len))
        edit_prefix_back(e);
    else
        previous_history(e);
}

void edit_history_down(struct edit *e)
{
    if (!edit_on_last_line(e))
        move(e, text_line_below(&e->text, e->text.cursor));
    else if (e->prefix_text)
        edit_prefix_forward(e);
    else
        next_history(e);
}

/* The last word of the entry before; again: of one further back. */
static void yank_last_word(struct edit *e)
{
    struct edit_text entry = {0};
    const char *line;
    size_t start;

    if (e->last != e->now) {
        text_mark(&e->text);
        e->word_back = e->word_length = 0;
    }
    line = e->host.history ? e->host.history(e->ctx, ++e->word_back) : NULL;
    if (!line) {
        edit_bell(e);
        return;
    }
    text_set(&entry, line, strlen(line));
    start = text_word_start(&entry, entry.b.len, true);
    text_replace(&e->text, e->text.cursor - e->word_length, e->word_length, line + start,
                 text_word_end(&entry, start, true) - start);
    e->word_length = text_word_end(&entry, start, true) - start;
    text_free(&entry);
}

const struct edit_command edit_commands[] = {
    {"accept-line", edit_accept},
    {"accept-suggestion", edit_suggestion_accept},
    {"backward-char", backward_char},
    {"backward-delete-char", backward_delete_char},
    {"backward-kill-bigword", edit_kill_bigword_back},
    {"backward-kill-line", edit_kill_line_back},
    {"backward-kill-word", edit_kill_word_back},
    {"backward-word", backward_word},
    {"capitalize-word", capitalize_word},
    {"clear-screen", clear_screen},
    {"complete", edit_complete},
    {"complete-backward", edit_complete_back},
    {"delete-char", delete_char},
    {"delete-char-or-eof", delete_or_eof},
    {"digit-argument", digit_argument},
    {"down-history", edit_history_down},
    {"downcase-word", downcase_word},
    {"edit-elsewhere", elsewhere},
    {"end-of-history", newest_history},
    {"end-of-line", line_end},
    {"end-of-text", text_end},
    {"exchange-mark", exchange_mark},
    {"forward-char", forward_char},
    {"forward-word", forward_word},
    {"insert-comment", insert_comment},
    {"interrupt", interrupt},
    {"kill-line", edit_kill_line},
    {"kill-region", edit_kill_region},
    {"kill-whole-line", edit_kill_whole_line},
    {"kill-word", edit_kill_word},
    {"list-choices", edit_list_choices},
    {"newline", edit_newline},
    {"next-history", next_history},
    {"oldest-history", oldest_history},
    {"prefix-search-backward", edit_prefix_back},
    {"prefix-search-forward", edit_prefix_forward},
    {"previous-history", previous_history},
    {"quoted-insert", quoted_insert},
    {"redo", redo},
    {"search-backward", edit_search_back},
    {"search-forward", edit_search_forward},
    {"self-insert", edit_self_insert},
    {"set-mark", set_mark},
    {"start-of-line", line_start},
    {"start-of-text", text_start},
    {"transpose-chars", transpose_chars},
    {"transpose-words", transpose_words},
    {"undo", undo},
    {"up-history", edit_history_up},
    {"upcase-word", upcase_word},
    {"vi-command-mode", edit_vi_command_mode},
    {"yank", edit_yank},
    {"yank-last-word", yank_last_word},
    {"yank-pop", edit_yank_pop},
    {NULL, NULL},
};

const struct edit_command *edit_find_command(const char *name)
{
    for (const struct edit_command *c = edit_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const char *edit_command_name(size_t index)
{
    return edit_commands[index].name;
}
