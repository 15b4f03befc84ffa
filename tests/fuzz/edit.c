/* SPDX-License-Identifier: MIT */
/*
 * Input: two bytes for the size of the screen and the keys' kind, then what a terminal sends. The screen must
 * show the same as when the line is drawn at once, and the cursor must stand where it then does.
 */
#include "edit/edit.h"
#include "screen.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *history(void *ctx, size_t back)
{
    static const char *const entries[] = {"echo one", "echo two\nthree",
                                          "\xe4\xb8\xad\xe6\x96\x87 wide", "last"};

    (void)ctx;
    return back >= 1 && back <= 4 ? entries[back - 1] : NULL;
}

static void complete(void *ctx, const char *text, size_t len, size_t cursor,
                     struct edit_candidates *to)
{
    (void)ctx, (void)text, (void)len;
    to->start = cursor > 2 ? cursor - 2 : 0;
    while (to->start > 0 && ((unsigned char)text[to->start] & 0xc0) == 0x80)
        to->start--;
    to->end = cursor;
    for (size_t i = 0; i < cursor % 5; i++)
        edit_candidate_add(to, (const char *[]){"alpha", "al", "alphabet", "beta"}[i % 4], NULL,
                           cursor % 2 ? "described" : NULL);
}

static const char *suggest(void *ctx, const char *text, size_t len)
{
    (void)ctx, (void)text;
    return len % 3 == 0 ? " and more of it" : NULL;
}

static void show(struct edit *e, struct test_screen *screen)
{
    struct buf *const out = edit_output(e);

    screen_write(screen, buf_str(out), out->len);
    buf_clear(out);
    if (*screen->unknown)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct edit_host host = {
        .history = history, .complete = complete, .suggest = suggest};
    static struct test_screen screen;
    struct edit *e;
    char *row;
    int rows, columns, column;

    if (size < 2 || size > 2000)
        return 0;
    rows = 2 + data[0] % 20;
    columns = 4 + data[1] % 60;
    e = edit_new(&host, NULL);
    if (!e)
        return 0;
    screen_start(&screen, rows, columns);
    edit_set_size(e, rows, columns);
    edit_set_mode(e, data[0] & 128 ? EDIT_VI : EDIT_EMACS);
    edit_begin(e, "$ ", NULL);
    show(e, &screen);
    for (size_t i = 2; i < size; i++) {
        enum edit_state state = edit_feed(e, (const char *)data + i, 1);

        if (i % 7 == 0 && state == EDIT_MORE)
            state = edit_pause(e);
        show(e, &screen);
        if (edit_cursor(e) > edit_length(e))
            abort();
        if (state != EDIT_MORE) {
            edit_begin(e, "$ ", NULL);
            show(e, &screen);
        }
    }
    row = strdup(screen_row(&screen, screen.row));
    column = screen.column;
    edit_hide(e);
    show(e, &screen);
    screen_start(&screen, rows, columns);
    edit_redraw(e);
    show(e, &screen);
    if (row && (strcmp(row, screen_row(&screen, screen.row)) != 0 || column != screen.column))
        abort();
    free(row);
    edit_free(e);
    return 0;
}
