/* SPDX-License-Identifier: MIT */
/* Growing strings and the output of built-ins. */
#include "lang/out.h"
#include "ring3_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

TEST(shell_buf, keeps_what_was_added_in_order)
{
    struct buf b = {0};
    char *text;

    check_str_eq(buf_str(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_addc(&b, (char)('a' + i % 26));
    buf_addf(&b, "<%d>", 42);
    check_eq(b.len, 1004u);
    check_str_eq(b.data + 1000, "<42>");
    check_eq(b.data[999], 'a' + 999 % 26);
    text = buf_take(&b);
    check_eq(b.len, 0u);
    free(text);
}

TEST(shell_buf, takes_an_empty_text_as_a_string)
{
    struct buf b = {0};
    char *text = buf_take(&b);

    check_str_eq(text, "");
    free(text);
}

TEST(shell_buf, refuses_more_than_memory_and_keeps_the_rest)
{
    struct buf b = {0};

    buf_adds(&b, "kept");
    check_eq(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
    check(b.failed);
    check_str_eq(b.data, "kept");
    check(buf_take(&b) == NULL);
}

TEST(shell_out, writes_all_through_a_pipe_in_order)
{
    struct out o;
    char got[64] = "";
    int ends[2];

    check_eq(pipe(ends), 0);
    out_init(&o, ends[1]);
    out_puts(&o, "one ");
    out_printf(&o, "%s %d", "two", 3);
    check_eq(out_flush(&o), 0);
    check_eq(read(ends[0], got, sizeof got - 1), 9);
    check_str_eq(got, "one two 3");
    out_free(&o);
}

TEST(shell_out, formats_texts_of_any_length_to_memory)
{
    struct out o;
    char *long_text = malloc(100001);

    memset(long_text, 'x', 100000);
    long_text[100000] = '\0';
    out_init(&o, OUT_MEMORY);
    out_printf(&o, "%s!", long_text);
    check_eq(o.text.len, 100001u);
    check_eq(o.text.data[100000], '!');
    check_eq(out_flush(&o), 0);
    check_eq(o.text.len, 100001u);
    out_free(&o);
    free(long_text);
}

TEST(shell_out, reports_a_full_device_once)
{
    const int full = open("/dev/full", O_WRONLY);
    struct out o;

    out_init(&o, full);
    out_puts(&o, "lost");
    check_eq(out_flush(&o), -ENOSPC);
    check_eq(out_flush(&o), 0);
    out_free(&o);
}

TEST(shell_out, quotes_what_a_shell_would_split_or_expand)
{
    struct out o;

    out_init(&o, OUT_MEMORY);
    out_quoted(&o, "plain-1.0");
    out_putc(&o, ' ');
    out_quoted(&o, "");
    out_putc(&o, ' ');
    out_quoted(&o, "it's $HOME");
    out_putc(&o, ' ');
    out_quoted(&o, "~root");
    check_str_eq(buf_str(&o.text), "plain-1.0 '' 'it'\\''s $HOME' '~root'");
    out_free(&o);
}
