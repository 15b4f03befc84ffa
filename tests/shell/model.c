/* SPDX-License-Identifier: MIT */
/*
 * The editor against a model of what it should show: the text is laid out anew after each key by a few plain rules
 * that share nothing with it, and the small screen must have come to the same rows with the cursor in the same place.
 */
#include "edit/edit.h"
#include "ring3_test.h"
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_ROWS 512
#define PROMPT     "$ "

struct model {
    char row[MODEL_ROWS][512];
    int width, columns, last; /* of the last row; of the terminal; the last row */
    int cursor_row, cursor_column;
};

static struct edit *e;
static struct test_screen screen;
static struct model model;

static const char *history(void *ctx, size_t back)
{
    static const char *const entries[] = {"newest \xe4\xb8\xad", "one\ntwo three\nfour", "",
                                          "a long one that goes over many columns and rows"};

    (void)ctx;
    return back >= 1 && back <= 4 ? entries[back - 1] : NULL;
}

static void new_row(struct model *m)
{
    check_lt(m->last + 1, MODEL_ROWS);
    m->row[++m->last][0] = '\0';
    m->width = 0;
}

static void add(struct model *m, const char *text, size_t len)
{
    char *const row = m->row[m->last];
    const size_t size = strlen(row);

    check_lt(size + len, sizeof m->row[0]);
    memcpy(row + size, text, len);
    row[size + len] = '\0';
}

static void place(struct model *m, const char *text, size_t len, int width)
{
    if (m->width + width > m->columns)
        new_row(m);
    add(m, text, len);
    m->width += width;
}

static void put_cursor(struct model *m)
{
    if (m->width == m->columns)
        new_row(m);
    m->cursor_row = m->last;
    m->cursor_column = m->width;
}

/* One of the characters that the keys below can bring in. */
static size_t lay_out(struct model *m, const char *text, bool stands)
{
    const unsigned char c = (unsigned char)*text;
    char shown[8];

    if (c == '\n') {
        new_row(m);
        return 1;
    }
    if (c == 0xcc) { /* a combining mark */
        if (stands)
            add(m, text, 2);
        else
            place(m, "?", 1, 1);
        return 2;
    }
    if (c >= 32 && c < 127) {
        place(m, text, 1, 1);
    } else if (c == 0xc3) {
        place(m, text, 2, 1);
        return 2;
    } else if (c == 0xe4) {
        place(m, text, 3, 2);
        return 3;
    } else {
        snprintf(shown, sizeof shown, c < 32 || c == 127 ? "^%c" : "\\x%02x",
                 c < 32 || c == 127 ? c ^ 64 : c);
        for (const char *s = shown; *s; s++)
            place(m, s, 1, 1);
    }
    return 1;
}

static void expect(struct model *m, int columns)
{
    const char *const text = edit_text(e);
    const size_t len = edit_length(e), cursor = edit_cursor(e);
    bool stands = false;
    size_t n;

    m->last = m->width = 0;
    m->columns = columns;
    strcpy(m->row[0], "");
    for (const char *p = PROMPT; *p; p++)
        place(m, p, 1, 1);
    for (size_t i = 0; i < len; i += n) {
        const unsigned char c = (unsigned char)text[i];

        if (i == cursor)
            put_cursor(m);
        n = lay_out(m, text + i, stands);
        stands = (c >= 32 && c < 127) || c == 0xc3 || c == 0xe4 || (c == 0xcc && stands);
    }
    if (cursor == len)
        put_cursor(m);
}

static const char *without_trailing_blanks(char *row)
{
    size_t len = strlen(row);

    while (len && row[len - 1] == ' ')
        len--;
    row[len] = '\0';
    return row;
}

static void compare(int rows, int columns)
{
    expect(&model, columns);
    check_eq(screen.column, model.cursor_column);
    check_str_eq(screen_row(&screen, screen.row),
                 without_trailing_blanks(model.row[model.cursor_row]));
    if (model.last >= rows) /* a window of it is shown, with the cursor in it */
        return;
    const int top = screen.row - model.cursor_row;

    check_ge(top, 0);
    for (int i = 0; i <= model.last; i++)
        check_str_eq(screen_row(&screen, top + i), without_trailing_blanks(model.row[i]));
    for (int i = top + model.last + 1; i < rows; i++)
        check_str_eq(screen_row(&screen, i), ""); /* nothing is left behind */
}

static void show(void)
{
    struct buf *const out = edit_output(e);

    screen_write(&screen, buf_str(out), out->len);
    buf_clear(out);
    check_str_eq(screen.unknown, "");
}

static void play(enum edit_mode mode, const char *const *keys, size_t count, int presses)
{
    static const struct edit_host host = {.history = history};
    const int rows = 4 + rand() % 12, columns = 6 + rand() % 40;

    e = edit_new(&host, NULL);
    screen_start(&screen, rows, columns);
    edit_set_size(e, rows, columns);
    edit_set_mode(e, mode);
    edit_begin(e, PROMPT, NULL);
    for (int i = 0; i < presses; i++) {
        const char *const key = keys[(size_t)rand() % count];
        const enum edit_state state = edit_feed(e, key, strlen(key));

        show();
        if (state != EDIT_MORE || edit_pause(e) != EDIT_MORE || edit_length(e) > 400) {
            edit_free(e);
            return;
        }
        show();
        compare(rows, columns);
    }
    edit_free(e);
}

TEST(shell_model, shows_what_the_model_does_with_emacs_keys, 120)
{
    static const char *const keys[] = {
        "a",      "bc ",    "\xc3\xa9", "\xe4\xb8\xad", "e\xcc\x81", "\001",   "\005",     "\002",
        "\006",   "\177",   "\004",     "\027",         "\031",      "\013",   "\025",     "\017",
        "\033[A", "\033[B", "\033[C",   "\033[D",       "\037",      "\033t",  "\024",     "\033b",
        "\033f",  "\033d",  "\xff",     "\026\002",     "\033u",     "x y z ", "\033[3~",  "\033y",
        "\033c",  "\033l",  "\033<",    "\033>",        "\0333",     "\033.",  "\030\022", "\033_"};

    srand(11);
    for (long round = scaled(200, 20000); round-- > 0;)
        play(EDIT_EMACS, keys, sizeof keys / sizeof *keys, 80);
}

TEST(shell_model, shows_what_the_model_does_with_vi_keys, 120)
{
    static const char *const keys[] = {"ia\033",    "Abc \033",
                                       "i\xc3\xa9", "a\xe4\xb8\xad\033",
                                       "\033",      "h",
                                       "l",         "w",
                                       "b",         "e",
                                       "W",         "B",
                                       "E",         "0",
                                       "$",         "^",
                                       "3",         "2",
                                       "d",         "c",
                                       "y",         "p",
                                       "P",         "x",
                                       "X",         "D",
                                       "C",         "S",
                                       "s",         "u",
                                       "U",         ".",
                                       "~",         "rz",
                                       "fa",        "tb",
                                       "Fa",        "T ",
                                       ";",         ",",
                                       "|",         "k",
                                       "j",         "G",
                                       "_",         "R",
                                       "Y",         "yy",
                                       "dd",        "Ione two \033",
                                       "\177",      "\\",
                                       "=",         "*",
                                       "n",         "@m"};

    srand(12);
    for (long round = scaled(200, 20000); round-- > 0;)
        play(EDIT_VI, keys, sizeof keys / sizeof *keys, 120);
}
