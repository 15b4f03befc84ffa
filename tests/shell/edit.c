/* SPDX-License-Identifier: MIT */
/* The line editor without a terminal: keys go in, and a small screen shows what comes out. */
#include "edit/edit.h"
#include "edit/glyph.h"
#include "ring3_test.h"
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct edit *e;
static struct test_screen screen;

static const char *const entries[] = {"echo newest", "ls -l /tmp", "echo middle one", "make all",
                                      "oldest"};

static const char *history(void *ctx, size_t back)
{
    (void)ctx;
    return back >= 1 && back <= sizeof entries / sizeof *entries ? entries[back - 1] : NULL;
}

/* As fc -l would number them: the oldest is 1. */
static size_t numbered(void *ctx, size_t number)
{
    const size_t count = sizeof entries / sizeof *entries;

    (void)ctx;
    return number <= count ? count + 1 - number : 0;
}

static char *edit_elsewhere(void *ctx, const char *text)
{
    char *edited = NULL;

    (void)ctx;
    return asprintf(&edited, "<%s>", text) < 0 ? NULL : edited;
}

static const char *macro(void *ctx, char letter)
{
    (void)ctx;
    return letter == 'm' ? "0iM\033" : NULL;
}

/* A line that ends in a backslash goes on. */
static bool is_complete(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    return text[len - 1] != '\\';
}

static const char *suggest(void *ctx, const char *text, size_t len)
{
    static const char known[] = "git status --short";

    (void)ctx;
    return len >= 3 && strncmp(known, text, len) == 0 ? known + len : NULL;
}

/* Words that begin with what stands before the cursor since the last blank. */
static void complete(void *ctx, const char *text, size_t len, size_t cursor,
                     struct edit_candidates *to)
{
    static const char *const words[] = {"alpha", "alphabet", "beta", "bézier", "bézout"};
    size_t start = cursor;

    (void)ctx, (void)len;
    while (start > 0 && text[start - 1] != ' ')
        start--;
    to->start = start;
    to->end = cursor;
    for (size_t i = 0; i < 5; i++)
        if (strncmp(words[i], text + start, cursor - start) == 0)
            edit_candidate_add(to, words[i], NULL, i < 2 ? "a letter" : NULL);
}

static void show(void)
{
    struct buf *out = edit_output(e);

    screen_write(&screen, buf_str(out), out->len);
    buf_clear(out);
}

static void start(int rows, int columns)
{
    static const struct edit_host host = {
        .is_complete = is_complete,
        .history = history,
        .numbered = numbered,
        .edit_elsewhere = edit_elsewhere,
        .macro = macro,
        .suggest = suggest,
        .complete = complete,
    };

    e = edit_new(&host, NULL);
    screen_start(&screen, rows, columns);
    edit_set_size(e, rows, columns);
    edit_begin(e, "$ ", NULL);
    show();
}

static enum edit_state type(const char *keys)
{
    const enum edit_state state = edit_feed(e, keys, strlen(keys));

    show();
    return state;
}

/* The keys end; then this is the text, with a | where the cursor is. */
static void check_text(const char *expected)
{
    static char text[4096];
    const int cursor = (int)edit_cursor(e);

    snprintf(text, sizeof text, "%.*s|%s", cursor, edit_text(e), edit_text(e) + cursor);
    check_str_eq(text, expected);
}

/* Each row: keys from an empty line, and what they make. */
static void check_keys(const char *const (*rows)[2], size_t count, enum edit_mode mode)
{
    for (size_t i = 0; i < count; i++) {
        edit_set_mode(e, mode);
        edit_begin(e, "$ ", NULL);
        type(rows[i][0]);
        edit_pause(e);
        show();
        check_text(rows[i][1]);
    }
}
#define CHECK_KEYS(rows, mode) check_keys(rows, sizeof(rows) / sizeof *(rows), mode)

TEST(shell_edit, obeys_emacs_keys)
{
    static const char *const rows[][2] = {
        {"hello", "hello|"},
        {"hello\001X", "X|hello"},
        {"hello\001\005!", "hello!|"},
        {"hello\002\002X", "helX|lo"},
        {"hello\033[D\033[D\033[C\177", "hel|o"},
        {"one two\033b\033b\033f", "one| two"},
        {"one two\001\033d", "| two"},
        {"one two\027", "one |"},
        {"one two\027\027\031", "one two|"},
        {"one two\001\013\031\031", "one twoone two|"},
        {"one\025two\025\031\033y", "one|"},
        {"ab\024", "ba|"},
        {"one two\033t", "two one|"},
        {"one\001\033u two", "ONE two|"},
        {"one\001\033c", "One|"},
        {"one two\037", "one|"},
        {"one two\037\037", "|"},
        {"one two\037\030\022", "one two|"},
        {"one\001\004", "|ne"},
        {"a\0261\026\001", "a1\001|"},
        {"\0333x", "xxx|"},
        {"\033[200~a\rb\033[201~c", "a\nbc|"},
        {"\033[200~\001\033[2\033[201~", "\001\033[2|"},
        {"a\017b\033[AX", "aX|\nb"},
        {"\033[A", "echo newest|"},
        {"\033[A\033[A", "ls -l /tmp|"},
        {"\033[A\033[A\033[B\033[B", "|"},
        {"echo\033[A\033[A", "echo middle one|"},
        {"echo\033[A\033[A\033[B\033[B", "echo|"},
        {"\022mid\033x", "echo |middle one"},
        {"\022e\022\022\001X", "X|make all"},
        {"\022zzz\007", "|"},
        {"x\033.", "xnewest|"},
        {"\xc3\xa9\xe4\xb8\xad\002\002X", "X|\xc3\xa9\xe4\xb8\xad"},
        {"e\xcc\x81x\002\002X", "X|e\xcc\x81x"},
        {"git\005", "git status --short|"},
        {"git\033f", "git status|"},
        {"al\t", "alpha|"},
        {"al\t\t", "alpha|"},
        {"al\t\t\t", "alphabet|"},
        {"al\t\033[Z\r.", "alphabet .|"},
        {"b\xc3\xa9z\t\t", "b\xc3\xa9zier|"},
        {"bet\t", "beta |"},
        {"\xff"
         "a\002\177",
         "|a"},
    };

    start(24, 80);
    CHECK_KEYS(rows, EDIT_EMACS);
    edit_free(e);
}

TEST(shell_edit, obeys_vi_keys)
{
    static const char *const rows[][2] = {
        {"hello\033", "hell|o"},
        {"hello\0330x", "|ello"},
        {"hello\0330iX\033", "|Xhello"},
        {"hello\033bAx", "hellox|"},
        {"one two three\0330wcwTWO\033", "one TW|O three"},
        {"one two three\0330dw", "|two three"},
        {"one two three\0330d2w", "|three"},
        {"one two three\0332bdw.", "one| "},
        {"one two three\033dd", "|"},
        {"one two\033ddp", "one tw|o"},
        {"one two\0330fwx", "one t|o"},
        {"one two\0330dtw", "|wo"},
        {"a.b.c\0330f.;D", "a.|b"},
        {"a.b.c\0330f.;,x", "a|b.c"},
        {"hello\0330rJ", "|Jello"},
        {"hello\0330~~", "HE|llo"},
        {"hello\0330xxp", "l|elo"},
        {"hello\0330xu", "|hello"},
        {"one two\0330wRabc\033", "one ab|c"},
        {"one\0330ywA \033p", "one on|e"},
        {"hello\0330x..", "|lo"},
        {"ab\0330aX\033.", "aX|Xb"},
        {"one two\0330C!", "!|"},
        {"hello\033S!", "!|"},
        {"hello\0330sJ", "J|ello"},
        {"hello\0335|x", "hel|l"},
        {"hello\0332X", "he|o"},
        {"\033k", "|echo newest"},
        {"\033kj", "|"},
        {"\033/mid\r", "echo |middle one"},
        {"\033/echo\rn", "|echo middle one"},
        {"\033G", "|oldest"},
        {"a,b\0330dW", "|"},
        {"one\033xU", "|"},
        {"al\033\\", "alpha|"},
        {"x\033_", "x newest|"},
        {"x\0331_", "x echo|"},
        {"x\0339_y", "|x"},
        {"x\033@m", "|Mx"},
        {"hello\0330x2.", "|lo"},
        {"a b c d e f\0330dw2..", "|f"},
        {"a b c d e f\0330d2w1.", "|d e f"},
        {"hello\0330dfz", "|hello"},
        {"hello\0330cfzx", "|ello"},
        {"hello\03303sX\033$p", "Xlohe|l"},
        {"one two\033yy0p", "oone tw|one two"},
        {"one two\033ybP", "one t|wtwo"},
        {"one two\0330ywP", "one| one two"},
        {"a(b)c\0330wx", "a|b)c"},
        {"a(b)c d\0330Wx", "a(b)c| "},
        {"a(b)c d\033BBEx", "a(b)| d"},
        {"one two\0330ex", "on| two"},
        {"one two\033bx", "one |wo"},
        {"  one\033^x", "  |ne"},
        {"  one\033^0x", "| one"},
        {"one\0330$x", "o|n"},
        {"one\0330lx h\010i.\033", "|.oe"},
        {"one two\0330tox", "one t|o"},
        {"one two\033Fox", "|ne two"},
        {"one two\033Tox", "o|e two"},
        {"one two one\0330fo2;x", "one tw| one"},
        {"one two one\0330foct x\033", "one tw|x one"},
        {"one two\0332byw$p", "one twoone| "},
        {"one\033Y$p", "one|e"},
        {"one\0330D", "|"},
        {"one two\033bDu", "one |two"},
        {"one\033Ithe \033", "the| one"},
        {"hello\03303~", "HEL|lo"},
        {"hello\03302rx", "x|xllo"},
        {"ab\0330x2p", "ba|a"},
        {"ab\0330xP", "|ab"},
        {"\0332k", "|ls -l /tmp"},
        {"\0333k2j", "|echo newest"},
        {"\0332-+", "|echo newest"},
        {"\0332G", "|make all"},
        {"x\0339G", "|x"},
        {"\033kxxU", "|echo newest"},
        {"\033kdwuA!", "echo newest!|"},
        {"\033/e*all\r", "|make all"},
        {"\033/^[lm]\r", "|ls -l /tmp"},
        {"\033/^[lm]\rn", "|make all"},
        {"\033/^[lm]\rnN", "|ls -l /tmp"},
        {"\033/^[lm]\r/\r", "|make all"},
        {"\033G?echo\r", "|echo middle one"},
        {"\033G?^echo\rn", "|echo newest"},
        {"x\033n", "|x"},
        {"x\033/nothing\r", "|x"},
        {"bet\033*x", "beta x|"},
        {"al\033*", "alpha alphabet |"},
        {"al\033=x", "|a"},
        {"one\033v", "<one>|"},
        {"\0332v", "<make all>|"},
        {"one\033#", "#one|"},
        {"\033[200~a\nb\033[201~\033#", "#a\n#b|"},
        {"a\\\177", "a\177|"},
        {"a\\\025b", "a\025b|"},
        {"a\\b\177", "a\\|"},
        {"one two\0332hiX\033", "one |Xtwo"},
        {"\xc3\xa9x\0330~", "\xc3\x89|x"},
    };

    start(24, 80);
    CHECK_KEYS(rows, EDIT_VI);
    edit_free(e);
}

TEST(shell_edit, ends_lines_as_it_should)
{
    start(24, 80);
    check_eq(type("one\r"), EDIT_LINE);
    check_str_eq(edit_text(e), "one");
    edit_begin(e, "$ ", NULL);
    check_eq(type("one\\\r"), EDIT_MORE);
    check_eq(type("two\r"), EDIT_LINE);
    check_str_eq(edit_text(e), "one\\\ntwo");
    edit_begin(e, "$ ", NULL);
    check_eq(type("x\003"), EDIT_INTERRUPTED);
    edit_begin(e, "$ ", NULL);
    check_eq(type("x\004"), EDIT_MORE);
    check_eq(type("\177\004"), EDIT_EOF);
    edit_begin(e, "$ ", NULL);
    check_eq(type("first\rsecond"), EDIT_LINE);
    edit_begin(e, "$ ", NULL);
    check_eq(type(""), EDIT_MORE);
    check_text("second|");
    edit_free(e);
}

TEST(shell_edit, shows_what_is_typed)
{
    start(6, 10);
    type("hello");
    check_str_eq(screen_text(&screen), "$ hello|");
    check_eq(screen.column, 7);
    type("\002\002X");
    check_str_eq(screen_text(&screen), "$ helXlo|");
    check_eq(screen.column, 6);
    type("\005"
         "567890");
    check_str_eq(screen_text(&screen), "$ helXlo56|7890|");
    check_eq(screen.row, 1);
    type("\025");
    check_str_eq(screen_text(&screen), "$|");
    type("12345678");
    check_eq(screen.row, 1);
    check_eq(screen.column, 0);
    type("\r");
    check_str_eq(screen_text(&screen), "$ 12345678|");
    check_eq(screen.column, 0);
    check_str_eq(screen.unknown, "");
    edit_free(e);
}

TEST(shell_edit, shows_wide_and_odd_characters)
{
    start(6, 10);
    type("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad");
    check_str_eq(screen_text(&screen),
                 "$ \xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87|\xe4\xb8\xad|");
    check_eq(screen.column, 2);
    type("\001X");
    check_str_eq(screen_text(&screen),
                 "$ X\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad|\xe6\x96\x87\xe4\xb8\xad|");
    type("\025\013\026\001\xff");
    check_str_eq(screen_text(&screen), "$ ^A\\xff|");
    type("\025e\xcc\x81z");
    check_str_eq(screen_text(&screen), "$ e\xcc\x81z|");
    edit_free(e);
}

TEST(shell_edit, shows_a_window_of_what_is_too_long)
{
    start(4, 10);
    for (int i = 0; i < 6; i++) {
        const char line[] = {(char)('a' + i), '\017', '\033', '[', 'F', '\0'};

        type(line);
        type("\033[B");
    }
    check_str_eq(screen_text(&screen), "d|e|f|");
    check_eq(screen.row, 3);
    type("\033<");
    edit_begin(e, "$ ", NULL);
    show();
    edit_free(e);
}

TEST(shell_edit, takes_the_menu_away_again)
{
    start(10, 40);
    type("al\t");
    check_str_eq(screen_text(&screen), "$ alpha|alpha     a letter|alphabet  a letter|");
    type("\t");
    type("\007x");
    check_str_eq(screen_text(&screen), "$ alphax|");
    type(" b\xc3\xa9\t");
    check_str_eq(screen_text(&screen), "$ alphax b\xc3\xa9z|b\xc3\xa9zier  b\xc3\xa9zout|");
    type("\003");
    check_str_eq(screen_text(&screen), "$ alphax b\xc3\xa9z|");
    edit_free(e);
}

TEST(shell_edit, shows_prompts_with_looks_and_on_the_right)
{
    start(5, 20);
    edit_begin(e, "\033[1;32muser\033[m\n\001\033]0;title\a\002> ", "12:00");
    show();
    type("x");
    screen_start(&screen, 5, 20);
    edit_begin(e, "\033[32m>\033[m ", "12:00");
    edit_hide(e);
    edit_redraw(e);
    show();
    check_str_eq(screen_row(&screen, screen.row), ">             12:00");
    type("ab");
    check_str_eq(screen_row(&screen, screen.row), "> ab          12:00");
    type("cdefghijklmn");
    check_str_eq(screen_row(&screen, screen.row), "> abcdefghijklmn");
    check_str_eq(screen.unknown, "");
    edit_free(e);
}

static void complete_with_others(void *ctx, const char *text, size_t len, size_t cursor,
                                 struct edit_candidates *to)
{
    (void)ctx, (void)text, (void)len;
    to->start = 0;
    to->end = cursor;
    edit_candidate_add(to, "a", NULL, NULL);
    edit_candidate_add(to, "b", NULL, NULL);
}

TEST(shell_edit, keeps_a_word_when_the_choices_share_nothing_with_it)
{
    const struct edit_host host = {.complete = complete_with_others};

    e = edit_new(&host, NULL);
    screen_start(&screen, 10, 40);
    edit_set_size(e, 10, 40);
    edit_begin(e, "$ ", NULL);
    type("longer word\t");
    check_text("longer word|");
    type("\t");
    check_text("a|");
    edit_free(e);
}

TEST(shell_edit, gives_way_to_messages)
{
    start(6, 20);
    type("abc");
    edit_hide(e);
    show();
    check_str_eq(screen_text(&screen), "");
    screen_write(&screen, "done\n", 5);
    edit_redraw(e);
    show();
    check_str_eq(screen_text(&screen), "done|$ abc|");
    edit_free(e);
}

static void count_binding(void *ctx, const char *key, const char *command)
{
    *(int *)ctx += strcmp(key, "C-x C-t") == 0 && strcmp(command, "kill-whole-line") == 0;
}

TEST(shell_edit, binds_keys_by_name)
{
    int found = 0;

    start(6, 20);
    check_eq(edit_bind(e, "emacs", "C-x C-t", "kill-whole-line"), 0);
    check_eq(edit_bind(e, "emacs", "F5", "upcase-word"), 0);
    check_eq(edit_bind(e, "emacs", "\xc3\xa4", "start-of-line"), 0);
    check_lt(edit_bind(e, "nosuch", "C-a", "undo"), 0);
    check_lt(edit_bind(e, "emacs", "Nokey", "undo"), 0);
    type("abc\001\033[15~");
    check_text("ABC|");
    type("\xc3\xa4x");
    check_text("x|ABC");
    type("\030\024");
    check_text("|");
    edit_bindings(e, "emacs", count_binding, &found);
    check_eq(found, 1);
    edit_free(e);
}

/* The same line on an empty screen. */
static void draw_anew(int rows, int columns)
{
    edit_hide(e);
    show();
    check_str_eq(screen.unknown, "");
    screen_start(&screen, rows, columns);
    edit_redraw(e);
    show();
}

TEST(shell_edit, shows_the_same_however_it_came_about, 120)
{
    static const char *const keys[] = {
        "a",      "bc ",      "\xc3\xa9", "\xe4\xb8\xad", "e\xcc\x81", "\001", "\005",     "\002",
        "\006",   "\177",     "\004",     "\027",         "\031",      "\013", "\025",     "\017",
        "\033[A", "\033[B",   "\033[C",   "\033[D",       "\t",        "\037", "\033t",    "\024",
        "\022o",  "\007",     "\033b",    "\033f",        "\033d",     "\xff", "\026\002", "\033[Z",
        "\033u",  "x y z w ", "\033y",    "git",          "\033[3~"};
    static char drawn[sizeof screen.cell / 8];

    srand(7);
    for (long round = scaled(60, 2000); round-- > 0;) {
        const int rows = 3 + rand() % 10, columns = 6 + rand() % 40;

        start(rows, columns);
        for (int i = 0; i < 60; i++) {
            if (type(keys[(size_t)rand() % (sizeof keys / sizeof *keys)]) != EDIT_MORE) {
                edit_begin(e, "$ ", NULL);
                show();
            }
            check_str_eq(screen.unknown, "");
        }
        snprintf(drawn, sizeof drawn, "%s", screen_row(&screen, screen.row));
        const int column = screen.column;

        draw_anew(rows, columns);
        check_str_eq(drawn, screen_row(&screen, screen.row));
        check_eq(column, screen.column);
        edit_free(e);
    }
}
