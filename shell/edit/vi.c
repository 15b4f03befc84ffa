/* SPDX-License-Identifier: MIT */
/* vi's command mode (XCU sh, "Command Line Editing"): [count] command, or operator and [count] motion. */
#include "edit/internal.h"
#include "edit/vi_motion.h"

#include "edit/glyph.h"

#include <utf8proc.h>

void edit_vi_begin(struct edit *e)
{
    struct vi_state *v = &e->vi;

    v->count = v->operator_count = 0;
    v->pending = 0;
    v->operator= 0;
    v->recording = v->replaying = v->replace = false;
    buf_clear(&v->replay);
}

/* Keys of the command under way, for `.`. */
void edit_vi_record(struct edit *e, edit_key key)
{
    char bytes[8];

    if (!e->vi.replaying)
        buf_add(&e->vi.replay, bytes, edit_key_bytes(key, bytes));
}

/* The command that ends here changed something: it is what `.` repeats. */
static void remember(struct edit *e)
{
    struct vi_state *v = &e->vi;

    if (v->replaying)
        return;
    buf_clear(&v->last);
    buf_add(&v->last, buf_str(&v->replay), v->replay.len);
}

static void clamp(struct edit *e)
{
    struct edit_text *t = &e->text;

    if (t->cursor > text_line_start(t, t->cursor) && t->cursor == text_line_end(t, t->cursor))
        t->cursor = text_previous(t, t->cursor);
}

void edit_vi_command_mode(struct edit *e)
{
    e->map = MAP_VI_COMMAND;
    e->vi.replace = false;
    if (e->vi.recording)
        remember(e);
    e->vi.recording = false;
    if (e->text.cursor > text_line_start(&e->text, e->text.cursor))
        e->text.cursor = text_previous(&e->text, e->text.cursor);
    text_mark(&e->text);
}

static void insert_mode(struct edit *e)
{
    e->map = MAP_VI_INSERT;
    e->vi.recording = true;
    text_mark(&e->text);
}

static void operate(struct edit *e, edit_key operator, size_t from, size_t to)
{
    e->now = NULL;
    if (operator== 'y') {
        if (from < to)
            edit_keep(e, e->text.b.data + from, to - from, false);
        e->text.cursor = from;
        return;
    }
    edit_kill(e, from, to, false);
    e->text.cursor = from;
    if (operator== 'c')
        insert_mode(e);
    else
        remember(e);
}

static void run_operator(struct edit *e, edit_key operator, edit_key motion, int count,
                         edit_key argument)
{
    struct edit_text *t = &e->text;
    struct vi_target to;
    size_t from = t->cursor, end;

    if (motion == operator) {
        operate(e, operator, 0, t->b.len);
        if (operator== 'y') /* of the whole line: the cursor stays */
            t->cursor = from;
        return;
    }
    if (operator== 'c' &&(motion == 'w' || motion == 'W') && from < t->b.len &&
        glyph_in_word(t->b.data + from, t->b.len - from, true)) {
        /* cw changes to the end of the word and leaves the blank behind it. */
        if (count <= 1 &&
            (text_next(t, from) == t->b.len ||
             !glyph_in_word(t->b.data + text_next(t, from), t->b.len - text_next(t, from), true))) {
            operate(e, operator, from, text_next(t, from));
            return;
        }
        motion = motion == 'w' ? 'e' : 'E';
    }
    if (!vi_motion(e, motion, count, argument, &to)) {
        edit_bell(e);
        return;
    }
    end = to.at;
    if (end < from) {
        end = from;
        from = to.at;
    } else if (to.inclusive) {
        end = text_next(t, end);
    }
    operate(e, operator, from, end);
}

static void put(struct edit *e, bool after, int count)
{
    struct edit_text *t = &e->text;
    const char *text = edit_killed(e, 0);

    if (!text) {
        edit_bell(e);
        return;
    }
    text_mark(t);
    if (after)
        t->cursor = text_next(t, t->cursor);
    for (int i = 0; i < count; i++)
        text_insert(t, text, strlen(text));
    t->cursor = text_previous(t, t->cursor);
    remember(e);
}

/* r: over count glyphs. ~: their case. */
static void replace_glyphs(struct edit *e, int count, edit_key with)
{
    struct edit_text *t = &e->text;
    char bytes[8];

    if (t->cursor == t->b.len) {
        edit_bell(e);
        return;
    }
    text_mark(t);
    for (int i = 0; i < count && t->cursor < t->b.len; i++) {
        const size_t next = text_next(t, t->cursor);
        size_t n = 0;

        if (with) {
            n = edit_key_bytes(with, bytes);
        } else {
            utf8proc_int32_t c;

            if (utf8proc_iterate((const utf8proc_uint8_t *)t->b.data + t->cursor,
                                 (utf8proc_ssize_t)(next - t->cursor), &c) <= 0) {
                t->cursor = next;
                continue;
            }
            c = utf8proc_tolower(c) == c ? utf8proc_toupper(c) : utf8proc_tolower(c);
            n = (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)bytes);
        }
        text_replace(t, t->cursor, next - t->cursor, bytes, n);
    }
    if (with)
        t->cursor = text_previous(t, t->cursor);
    remember(e);
}

/* _: the count-th word of the entry before, or its last. */
static void append_old_word(struct edit *e, int count)
{
    const char *line = e->host.history ? e->host.history(e->ctx, e->back + 1) : NULL;
    struct edit_text entry = {0};
    size_t end = 0, start;

    if (!line) {
        edit_bell(e);
        return;
    }
    text_set(&entry, line, strlen(line));
    if (count == 0)
        end = text_word_end(&entry, text_word_start(&entry, entry.b.len, true), true);
    for (int i = 0; i < count; i++) {
        if (end == entry.b.len) { /* it has fewer words */
            edit_bell(e);
            text_free(&entry);
            return;
        }
        end = text_word_end(&entry, end, true);
    }
    start = text_word_start(&entry, end, true);
    insert_mode(e);
    e->text.cursor = text_next(&e->text, e->text.cursor);
    text_insert(&e->text, " ", 1);
    text_insert(&e->text, line + start, end - start);
    text_free(&entry);
}

/* `text` as if it were typed. */
static void replay(struct edit *e, const char *text, size_t len)
{
    edit_key key;
    size_t n;

    if (e->vi.replaying) /* a macro within a macro ends here */
        return;
    e->vi.replaying = true;
    for (size_t i = 0; i < len && e->state == EDIT_MORE; i += n) {
        n = key_decode(text + i, len - i, true, &key);
        edit_key_pressed(e, key);
    }
    e->vi.replaying = false;
}

static size_t digits(const char *keys)
{
    return *keys >= '1' && *keys <= '9' ? strspn(keys, "0123456789") : 0;
}

/* .: a count takes the place of the one that the command had, and of its motion's, from now on. */
static void repeat_last(struct edit *e, int count)
{
    struct buf keys = {0};
    const char *last = buf_str(&e->vi.last);

    if (!*last) {
        edit_bell(e);
        return;
    }
    if (count > 0) {
        last += digits(last);
        buf_addf(&keys, "%d%c", count, *last);
        if (strchr("cdy", *last))
            last += digits(last + 1);
        buf_adds(&keys, last + 1);
        buf_clear(&e->vi.last);
        buf_add(&e->vi.last, buf_str(&keys), keys.len);
    } else {
        buf_adds(&keys, last);
    }
    replay(e, buf_str(&keys), keys.len);
    if (e->vi.recording) /* the insertion it began ended without an Escape */
        e->vi.recording = false;
    buf_free(&keys);
}

static void run_macro(struct edit *e, edit_key letter)
{
    const char *text = e->host.macro && letter < 128 ? e->host.macro(e->ctx, (char)letter) : NULL;
    char *const copy = text ? strdup(text) : NULL;

    if (!copy) {
        edit_bell(e);
        return;
    }
    replay(e, copy, strlen(copy));
    free(copy);
}

/* The entry with that number (0: the oldest), as steps back; 0 if there is none. */
static size_t steps_to(struct edit *e, int number)
{
    size_t oldest = 0;

    if (number > 0)
        return e->host.numbered ? e->host.numbered(e->ctx, (size_t)number) : 0;
    while (e->host.history && e->host.history(e->ctx, oldest + 1))
        oldest++;
    return oldest;
}

static void go_to_history(struct edit *e, int number)
{
    const size_t back = steps_to(e, number);

    if (!back) {
        edit_bell(e);
        return;
    }
    edit_show_history(e, back);
    e->text.cursor = 0;
}

/* v: what the editor leaves is run; a number means that entry of the history. */
static void edit_and_run(struct edit *e, int number)
{
    const size_t back = number ? steps_to(e, number) : 0;
    char *const text = number == 0 ? strdup(text_str(&e->text))
                       : back      ? strdup(e->host.history(e->ctx, back))
                                   : NULL;

    if (text && edit_elsewhere(e, text))
        e->state = EDIT_LINE;
    else
        edit_bell(e);
    free(text);
}

static void history_steps(struct edit *e, bool older, int count)
{
    const size_t n = (size_t)count;

    if (!older && e->back == 0)
        edit_bell(e);
    else
        edit_show_history(e, older ? e->back + n : e->back > n ? e->back - n : 0);
    e->text.cursor = 0;
}

static void run_named(struct edit *e, const char *name)
{
    edit_run(e, edit_find_command(name)->run);
}

/* Commands that end in insertion. False: the key is none of them. */
static bool begin_insertion(struct edit *e, edit_key key, int n)
{
    struct edit_text *t = &e->text;
    size_t end = t->cursor;

    switch (key) {
    case 'i':
        break;
    case 'I':
        t->cursor = text_line_start(t, t->cursor);
        break;
    case 'a':
        t->cursor = text_next(t, t->cursor);
        break;
    case 'A':
        t->cursor = text_line_end(t, t->cursor);
        break;
    case 'R':
        e->vi.replace = true;
        break;
    case 's':
        for (int i = 0; i < n; i++)
            end = text_next(t, end);
        edit_kill(e, t->cursor, end, false);
        break;
    case 'S':
        edit_kill(e, 0, t->b.len, false);
        break;
    case 'C':
        edit_kill(e, t->cursor, text_line_end(t, t->cursor), false);
        break;
    default:
        return false;
    }
    insert_mode(e);
    return true;
}

static bool change(struct edit *e, edit_key key, int n)
{
    struct edit_text *t = &e->text;
    size_t at = t->cursor;

    switch (key) {
    case 'x':
    case KEY_DELETE:
        for (int i = 0; i < n; i++)
            at = text_next(t, at);
        if (at == t->cursor)
            edit_bell(e);
        edit_kill(e, t->cursor, at, false);
        break;
    case 'X':
        for (int i = 0; i < n; i++)
            at = text_previous(t, at);
        if (at == t->cursor)
            edit_bell(e);
        edit_kill(e, at, t->cursor, true);
        break;
    case 'D':
        edit_kill(e, at, text_line_end(t, at), false);
        break;
    case 'p':
    case 'P':
        put(e, key == 'p', n);
        return true;
    case '~':
        replace_glyphs(e, n, 0);
        return true;
    default:
        return false;
    }
    remember(e);
    return true;
}

static void other(struct edit *e, edit_key key, int count)
{
    const int n = count > 0 ? count : 1;

    switch (key) {
    case 'Y':
        run_operator(e, 'y', '$', 1, 0);
        break;
    case 'u':
        run_named(e, "undo");
        break;
    case KEY_CTRL('r'):
        run_named(e, "redo");
        break;
    case 'U':
        while (text_undo(&e->text))
            ;
        break;
    case '.':
        repeat_last(e, count);
        break;
    case 'k':
    case '-':
    case KEY_UP:
        if (key == KEY_UP && !edit_on_first_line(e))
            run_named(e, "up-history");
        else
            history_steps(e, true, n);
        break;
    case 'j':
    case '+':
    case KEY_DOWN:
        if (key == KEY_DOWN && !edit_on_last_line(e))
            run_named(e, "down-history");
        else
            history_steps(e, false, n);
        break;
    case 'G':
        go_to_history(e, count);
        break;
    case '/':
    case '?':
        edit_search_begin_vi(e, key == '?');
        break;
    case 'n':
    case 'N':
        edit_search_again_vi(e, key == 'N');
        break;
    case '#':
        run_named(e, "insert-comment");
        break;
    case '=':
        run_named(e, "list-choices");
        break;
    case '\\':
        e->text.cursor = text_next(&e->text, e->text.cursor);
        e->map = MAP_VI_INSERT;
        run_named(e, "complete");
        break;
    case '*':
        e->text.cursor = text_next(&e->text, e->text.cursor);
        e->map = MAP_VI_INSERT;
        edit_insert_all_choices(e);
        break;
    case '_':
        append_old_word(e, count);
        break;
    case 'v':
        edit_and_run(e, count);
        break;
    case '\r':
    case '\n':
        run_named(e, "accept-line");
        break;
    case KEY_CTRL('c'):
        run_named(e, "interrupt");
        break;
    case KEY_CTRL('l'):
        run_named(e, "clear-screen");
        break;
    case KEY_CTRL('d'):
        if (e->text.b.len == 0)
            e->state = EDIT_EOF;
        break;
    case KEY_ESCAPE:
        break;
    default:
        edit_bell(e);
    }
}

/* A key that completes a command; `argument` is the character it waited for, if it did. */
static void execute(struct edit *e, edit_key key, int count, edit_key argument)
{
    const edit_key operator= e->vi.operator;
    struct vi_target to;

    e->vi.operator= 0;
    e->key = key;
    e->now = NULL;
    if (operator) {
        run_operator(e, operator, key, count, argument);
    } else if (key == 'r') {
        replace_glyphs(e, count > 0 ? count : 1, argument);
    } else if (key == '@') {
        run_macro(e, argument);
    } else if (vi_motion(e, key, count, argument, &to)) {
        const size_t from = e->text.cursor;

        e->text.cursor = to.at;
        clamp(e);
        if (e->text.cursor == from && key < 128 && strchr("hl wWbBeE", (int)key))
            edit_bell(e);
    } else if (!begin_insertion(e, key, count > 0 ? count : 1) &&
               !change(e, key, count > 0 ? count : 1)) {
        other(e, key, count);
    }
    e->last = NULL;
}

/* A backslash makes the next erase or kill character text. */
bool edit_vi_takes_literally(struct edit *e, edit_key key)
{
    struct edit_text *t = &e->text;

    if (e->map != MAP_VI_INSERT || e->last != edit_self_insert || t->cursor == 0 ||
        t->b.data[t->cursor - 1] != '\\' ||
        (key != KEY_BACKSPACE && key != KEY_CTRL('h') && key != KEY_CTRL('u')))
        return false;
    text_replace(t, t->cursor - 1, 1, "", 0);
    e->last = NULL;
    return true;
}

static int product(int a, int b)
{
    const long n = (long)(a > 0 ? a : 1) * (b > 0 ? b : 1);

    return a == 0 && b == 0 ? 0 : n < 10000 ? (int)n : 10000;
}

void edit_vi_key(struct edit *e, edit_key key)
{
    struct vi_state *v = &e->vi;
    const struct binding *bound = keymap_find(&e->maps[MAP_VI_COMMAND], key);
    edit_key command;
    int count;

    if (bound && !v->pending && !v->operator) {
        if (bound->command)
            edit_run(e, bound->command->run);
        else if (!e->host.command || !e->host.command(e->ctx, e, bound->name))
            edit_bell(e);
        return;
    }
    if (!v->pending && !v->operator&& !v->count && !v->replaying)
        buf_clear(&v->replay);
    edit_vi_record(e, key);
    if (!v->pending && ((key >= '1' && key <= '9') || (key == '0' && v->count))) {
        v->count = v->count < 1000 ? v->count * 10 + (int)(key - '0') : v->count;
        return;
    }
    if (!v->pending && !v->operator&&(key == 'c' || key == 'd' || key == 'y')) {
        v->operator= key;
        v->operator_count = v->count;
        v->count = 0;
        return;
    }
    if (!v->pending &&
        (vi_motion_wants_character(key) || (!v->operator&&(key == 'r' || key == '@')))) {
        v->pending = (char)key;
        return;
    }
    command = v->pending ? (edit_key)(unsigned char)v->pending : key;
    count = product(v->operator_count, v->count);
    if (v->pending && key == KEY_ESCAPE) {
        edit_vi_begin(e);
        return;
    }
    v->pending = 0;
    v->count = v->operator_count = 0;
    execute(e, command, count, key);
    if (e->map == MAP_VI_COMMAND && e->state == EDIT_MORE)
        clamp(e);
}
