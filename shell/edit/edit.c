/* SPDX-License-Identifier: MIT */
/* The state machine: from bytes to keys to commands, and the frame that follows. */
#include "edit/internal.h"

#include "edit/glyph.h"

#include <errno.h>
#include <utf8proc.h>

static void finish(struct edit *e);

static const char paste_end[] = "\033[201~";

struct edit *edit_new(const struct edit_host *host, void *ctx)
{
    struct edit *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->host = *host;
    e->ctx = ctx;
    edit_set_size(e, 24, 80);
    if (keymap_defaults(e) != 0) {
        edit_free(e);
        return NULL;
    }
    return e;
}

void edit_free(struct edit *e)
{
    if (!e)
        return;
    for (int i = 0; i < MAPS; i++) {
        for (size_t k = 0; k < e->maps[i].count; k++)
            free(e->maps[i].list[k].name);
        free(e->maps[i].list);
    }
    for (int i = 0; i < KILL_RING; i++)
        free(e->kills.entry[i]);
    text_free(&e->text);
    buf_free(&e->prompt);
    buf_free(&e->right);
    buf_free(&e->output);
    buf_free(&e->pending);
    buf_free(&e->search.wanted);
    buf_free(&e->search.vi_wanted);
    buf_free(&e->vi.replay);
    buf_free(&e->vi.last);
    screen_free(&e->screen);
    edit_candidates_free(&e->menu.found);
    free(e->own_line);
    free(e->prefix_text);
    free(e->suggestion);
    free(e->styles);
    free(e);
}

void edit_set_mode(struct edit *e, enum edit_mode mode)
{
    e->mode = mode;
    e->map = mode == EDIT_VI ? MAP_VI_INSERT : MAP_EMACS;
}

enum edit_mode edit_get_mode(const struct edit *e)
{
    return e->mode;
}

void edit_set_size(struct edit *e, int rows, int columns)
{
    e->rows = e->screen.rows = rows > 0 ? rows : 24;
    e->columns = columns > 0 ? columns : 80;
}

struct buf *edit_output(struct edit *e)
{
    if (e->dirty && e->state != EDIT_MORE)
        finish(e);
    else if (e->dirty && !e->hidden)
        edit_redraw(e);
    e->dirty = false;
    return &e->output;
}

const char *edit_text(const struct edit *e)
{
    return text_str(&e->text);
}

size_t edit_length(const struct edit *e)
{
    return e->text.b.len;
}

size_t edit_cursor(const struct edit *e)
{
    return e->text.cursor;
}

void edit_bell(struct edit *e)
{
    buf_addc(&e->output, '\a');
}

/* --- What is shown ---------------------------------------------------------------------------------------------- */

static bool styles_ready(struct edit *e)
{
    const size_t len = e->text.b.len;

    if (len + 1 > e->styles_cap) {
        uint8_t *more = realloc(e->styles, len * 2 + 64);

        if (!more)
            return false;
        e->styles = more;
        e->styles_cap = len * 2 + 64;
    }
    memset(e->styles, EDIT_PLAIN, len + 1);
    if (e->host.highlight && len)
        e->host.highlight(e->ctx, e->text.b.data, len, e->styles);
    return true;
}

static void show_text(struct edit *e, struct frame *f)
{
    const bool styled = styles_ready(e);
    const struct edit_text *t = &e->text;

    for (size_t i = 0; i < t->b.len;) {
        const struct glyph g = glyph_at(t->b.data + i, t->b.len - i);

        if (i == t->cursor)
            frame_put_cursor(f);
        frame_add_glyph(f, t->b.data + i, g.len, g.width,
                        styled && e->styles[i] < EDIT_STYLES ? e->styles[i] : EDIT_PLAIN);
        i += g.len;
    }
    if (t->cursor == t->b.len)
        frame_put_cursor(f);
}

static void show_search(struct edit *e, struct frame *f)
{
    const struct search *s = &e->search;
    const char *title = s->vi        ? (s->forward ? "?" : "/")
                        : s->forward ? "search forward: "
                                     : "search: ";

    frame_new_row(f);
    frame_add(f, title, strlen(title), EDIT_NOTE);
    frame_add(f, buf_str(&s->wanted), s->wanted.len, s->failed ? EDIT_ERROR : EDIT_PLAIN);
}

void edit_update_suggestion(struct edit *e)
{
    const char *more = NULL;

    free(e->suggestion);
    e->suggestion = NULL;
    if (e->host.suggest && e->state == EDIT_MORE && e->text.b.len &&
        e->text.cursor == e->text.b.len && !e->menu.open && !e->search.active &&
        e->map != MAP_VI_COMMAND)
        more = e->host.suggest(e->ctx, e->text.b.data, e->text.b.len);
    if (more && *more)
        e->suggestion = strdup(more);
}

void edit_redraw(struct edit *e)
{
    struct frame next = {0};

    e->hidden = false;
    frame_begin(&next, e->columns);
    frame_add(&next, buf_str(&e->prompt), e->prompt.len, EDIT_PROMPT);
    edit_update_suggestion(e);
    show_text(e, &next);
    if (e->suggestion)
        frame_add(&next, e->suggestion, strlen(e->suggestion), EDIT_SUGGESTION);
    else if (e->right.len)
        frame_add_right(&next, e->right.data, e->right.len, EDIT_PROMPT);
    if (e->search.active)
        show_search(e, &next);
    if (e->menu.open)
        edit_menu_show(e, &next);
    frame_end(&next);
    screen_show(&e->screen, &next, &e->output);
    frame_free(&next);
}

/* The line as it was accepted stays on the screen; what follows begins below it. */
static void finish(struct edit *e)
{
    e->menu.open = false;
    e->search.active = false;
    e->text.cursor = e->text.b.len;
    buf_clear(&e->right);
    edit_redraw(e);
    screen_leave(&e->screen, &e->output);
}

void edit_resize(struct edit *e, int rows, int columns)
{
    edit_set_size(e, rows, columns);
    screen_resized(&e->screen, e->columns, &e->output);
    e->dirty = true;
}

void edit_hide(struct edit *e)
{
    if (e->hidden)
        return;
    screen_resized(&e->screen, e->columns, &e->output); /* goes to the first row and erases */
    e->hidden = true;
}

void edit_set_prompt(struct edit *e, const char *prompt, const char *right)
{
    buf_clear(&e->prompt);
    buf_clear(&e->right);
    buf_adds(&e->prompt, prompt);
    if (right)
        buf_adds(&e->right, right);
    e->dirty = true;
}

void edit_begin(struct edit *e, const char *prompt, const char *right)
{
    e->state = EDIT_MORE;
    e->back = 0;
    free(e->own_line);
    free(e->prefix_text);
    e->own_line = e->prefix_text = NULL;
    e->mark = 0;
    e->prefix = 0;
    e->repeat = 0;
    e->repeat_given = e->quoting = e->pasting = false;
    e->last = e->now = NULL;
    e->search.active = false;
    edit_menu_close(e);
    text_set(&e->text, "", 0);
    edit_set_mode(e, e->mode);
    edit_vi_begin(e);
    edit_set_prompt(e, prompt, right);
    e->hidden = false;
    e->dirty = true;
}

void edit_set_line(struct edit *e, const char *text)
{
    text_mark(&e->text);
    text_replace(&e->text, 0, e->text.b.len, text, strlen(text));
    text_mark(&e->text);
}

void edit_put_text(struct edit *e, const char *text)
{
    edit_set_line(e, text);
}

/* --- Keys --------------------------------------------------------------------------------------------------------- */

size_t edit_key_bytes(edit_key key, char bytes[8])
{
    size_t n = 0;

    if (key >= KEY_BYTE && key <= KEY_BYTE + 255) {
        bytes[0] = (char)(key - KEY_BYTE);
        return 1;
    }
    if (key & KEY_META) {
        bytes[n++] = KEY_ESCAPE;
        key &= ~KEY_META;
    }
    if (key >= KEY_UP)
        return 0;
    return n + (size_t)utf8proc_encode_char((utf8proc_int32_t)key, (utf8proc_uint8_t *)bytes + n);
}

void edit_run(struct edit *e, edit_action *action)
{
    e->now = action;
    action(e);
    e->last = e->now; /* unless it came to nothing */
}

static void run_binding(struct edit *e, const struct binding *b)
{
    if (b->command) {
        edit_run(e, b->command->run);
        return;
    }
    if (!e->host.command || !e->host.command(e->ctx, e, b->name))
        edit_bell(e);
    e->last = NULL;
}

void edit_mapped_key(struct edit *e, edit_key key)
{
    const struct binding *b;

    e->key = key;
    b = keymap_find(&e->maps[e->map], key | e->prefix);
    if (!b && key == KEY_CTRL('x') && !e->prefix && e->map == MAP_EMACS) {
        e->prefix = KEY_CX;
        return;
    }
    e->prefix = 0;
    if (b && edit_vi_takes_literally(e, key))
        edit_insert_key(e, key);
    else if (b)
        run_binding(e, b);
    else if ((key >= 32 && key < KEY_META && key != KEY_BACKSPACE &&
              (key < KEY_UP || key >= KEY_BYTE)))
        edit_run(e, edit_self_insert);
    else
        edit_bell(e);
    if (!e->repeat_given)
        e->repeat = 0;
    e->repeat_given = false;
}

void edit_key_pressed(struct edit *e, edit_key key)
{
    if (key == KEY_UNKNOWN)
        return;
    if (key == KEY_PASTE) {
        edit_menu_close(e);
        text_mark(&e->text);
        e->pasting = true;
        return;
    }
    if (e->quoting) {
        e->quoting = false;
        edit_insert_key(e, key);
        return;
    }
    if ((e->search.active && edit_search_key(e, key)) || (e->menu.open && edit_menu_key(e, key))) {
        e->last = NULL;
        return;
    }
    if (e->map == MAP_VI_COMMAND) {
        edit_vi_key(e, key);
        return;
    }
    if (e->mode == EDIT_VI)
        edit_vi_record(e, key);
    edit_mapped_key(e, key);
}

/* Pasted text is text, whatever it holds. Returns how many bytes were used. */
static size_t paste(struct edit *e, const char *bytes, size_t len)
{
    const size_t end_len = sizeof paste_end - 1;
    const char *end = memmem(bytes, len, paste_end, end_len);
    size_t take = end ? (size_t)(end - bytes) : len;

    if (!end) /* the end may have come in part */
        for (size_t part = end_len - 1; part > 0; part--)
            if (len >= part && memcmp(bytes + len - part, paste_end, part) == 0) {
                take = len - part;
                break;
            }
    for (size_t i = 0; i < take; i++) {
        const char c = bytes[i] == '\r' ? '\n' : bytes[i];
        const char *stop = memchr(bytes + i, '\r', take - i);
        const size_t run = stop ? (size_t)(stop - bytes) - i : take - i;

        if (run) {
            text_insert(&e->text, bytes + i, run);
            i += run - 1;
        } else {
            text_insert(&e->text, &c, 1);
        }
    }
    if (end) {
        e->pasting = false;
        e->last = NULL;
        text_mark(&e->text);
        return take + end_len;
    }
    return take;
}

static void consume(struct edit *e, bool final)
{
    size_t at = 0, n;
    edit_key key;

    while (at < e->pending.len && e->state == EDIT_MORE) {
        const char *bytes = e->pending.data + at;
        const size_t len = e->pending.len - at;
        const bool pasting = e->pasting;

        n = pasting ? paste(e, bytes, len) : key_decode(bytes, len, final, &key);
        if (n == 0)
            break;
        at += n;
        if (pasting)
            continue;
        /* In vi an Escape is an Escape, however soon the next key comes. */
        if (e->mode == EDIT_VI && key & KEY_META && (key & ~KEY_META) < KEY_UP) {
            edit_key_pressed(e, KEY_ESCAPE);
            key &= ~KEY_META;
        }
        edit_key_pressed(e, key);
    }
    memmove(e->pending.data, e->pending.data + at, e->pending.len - at);
    buf_cut(&e->pending, e->pending.len - at);
}

static enum edit_state advance(struct edit *e, bool final)
{
    if (e->state == EDIT_MORE && e->pending.len)
        consume(e, final);
    e->dirty = true;
    return e->state;
}

enum edit_state edit_feed(struct edit *e, const char *bytes, size_t len)
{
    buf_add(&e->pending, bytes, len);
    return advance(e, false);
}

enum edit_state edit_pause(struct edit *e)
{
    return advance(e, !e->pasting);
}

bool edit_pastes(const struct edit *e)
{
    return e->pasting;
}

bool edit_waits(const struct edit *e)
{
    return e->pending.len > 0 && !e->pasting;
}
