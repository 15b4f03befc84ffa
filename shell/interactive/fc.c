/* SPDX-License-Identifier: MIT */
/* fc: lists commands of the history, or runs them again, edited or with one text replaced. */
#include "interactive/session.h"
#include "intrinsics/intrinsics.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct range {
    size_t first, last; /* indexes in the history */
};

/* The number of entries that fc may see: itself, the newest, is left out when the line was recorded. */
static size_t visible(struct session *s)
{
    const size_t count = history_count(s->history);

    return count > 0 && s->sequence ? count - 1 : count;
}

/* A number, a negative one counted from the end, or how an entry begins. False: there is none. */
static bool find(struct session *s, const char *text, bool lists, size_t *index)
{
    const size_t count = visible(s);
    char *end;
    const long number = strtol(text, &end, 10);

    if (*end == '\0' && end != text) {
        const long at =
            number > 0 ? number - 1 : (long)count + number - (number == 0 && !lists ? 1 : 0);

        if (count == 0 || (number > 0 && !lists && (size_t)number > count))
            return false;
        *index = at < 0 ? 0 : (size_t)at < count ? (size_t)at : count - 1;
        return true;
    }
    for (size_t i = count; i-- > 0;) {
        if (strncmp(history_at(s->history, i)->text, text, strlen(text)) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool find_range(struct shell *sh, struct session *s, int argc, char **argv, bool lists,
                       struct range *range)
{
    const size_t count = visible(s);

    if (count == 0) {
        intrinsic_fail(sh, 1, "fc: the history is empty");
        return false;
    }
    range->last = count - 1;
    range->first = lists ? (count > 16 ? count - 16 : 0) : range->last;
    for (int i = 0; i < argc && i < 2; i++) {
        if (!find(s, argv[i], lists, i == 0 ? &range->first : &range->last)) {
            intrinsic_fail(sh, 1, "fc: %s: not in the history", argv[i]);
            return false;
        }
    }
    if (argc == 1 && !lists)
        range->last = range->first;
    return true;
}

static void list(struct session *s, struct out *out, struct range range, bool numbers, bool reverse)
{
    const bool down = (range.first > range.last) != reverse;
    const size_t low = range.first < range.last ? range.first : range.last,
                 high = range.first + range.last - low;

    for (size_t i = 0; i <= high - low; i++) {
        const size_t at = down ? high - i : low + i;

        if (numbers)
            out_printf(out, "%zu", at + 1);
        out_putc(out, '\t');
        for (const char *c = history_at(s->history, at)->text; *c; c++) {
            out_putc(out, *c);
            if (*c == '\n')
                out_putc(out, '\t');
        }
        out_putc(out, '\n');
    }
}

/* Shows the commands, records them in the place of fc, and runs them. */
static int run_again(struct shell *sh, struct session *s, const char *text)
{
    struct timespec now;

    out_printf(&sh->err, "%s\n", text);
    out_flush(&sh->err);
    clock_gettime(CLOCK_REALTIME, &now);
    if (s->history)
        history_add(s->history, text, variable_get(sh, "PWD") ? variable_get(sh, "PWD") : "",
                    now.tv_sec);
    sh->flow = run_text(sh, "eval", text, strlen(text), 0);
    return sh->status;
}

/* -s [old=new] [command] */
static int substitute(struct shell *sh, struct session *s, int argc, char **argv)
{
    const char *const equals = argc > 0 ? strchr(argv[0], '=') : NULL;
    struct buf text = {0};
    struct range range;
    const char *entry, *hit = NULL;
    int status;

    if (!find_range(sh, s, argc - (equals != NULL), argv + (equals != NULL), false, &range))
        return 1;
    entry = history_at(s->history, range.first)->text;
    if (equals && equals > argv[0])
        hit = memmem(entry, strlen(entry), argv[0], (size_t)(equals - argv[0]));
    if (hit) {
        buf_add(&text, entry, (size_t)(hit - entry));
        buf_adds(&text, equals + 1);
        buf_adds(&text, hit + (equals - argv[0]));
    } else {
        buf_adds(&text, entry);
    }
    status = run_again(sh, s, buf_str(&text));
    buf_free(&text);
    return status;
}

static bool write_range(struct session *s, FILE *file, struct range range, bool reverse)
{
    const bool down = (range.first > range.last) != reverse;
    const size_t low = range.first < range.last ? range.first : range.last,
                 high = range.first + range.last - low;

    for (size_t i = 0; i <= high - low; i++)
        fprintf(file, "%s\n", history_at(s->history, down ? high - i : low + i)->text);
    return fclose(file) == 0;
}

static int edit_and_run(struct shell *sh, struct session *s, struct range range, const char *editor,
                        bool reverse)
{
    char path[] = "/tmp/r3sh-fc-XXXXXX";
    const int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    struct buf text = {0};
    int c, status = 1;

    if (!file || !write_range(s, file, range, reverse))
        return intrinsic_fail(sh, 1, "fc: cannot write %s", path);
    buf_addf(&text, "%s %s", editor, path);
    sh->flow = run_text(sh, "eval", buf_str(&text), text.len, 0);
    buf_clear(&text);
    file = sh->status == 0 ? fopen(path, "re") : NULL;
    while (file && (c = getc(file)) != EOF)
        buf_addc(&text, (char)c);
    if (file)
        fclose(file);
    unlink(path);
    while (text.len && text.data[text.len - 1] == '\n')
        buf_cut(&text, text.len - 1);
    if (file && text.len)
        status = run_again(sh, s, text.data);
    buf_free(&text);
    return status;
}

/* -5 is an operand. */
static bool is_negative(const struct builtin_options *o, char **argv)
{
    const char *const next = argv[o->index ? o->index : 1];

    return !(o->within && *o->within) && next && next[0] == '-' && next[1] >= '0' && next[1] <= '9';
}

int intrinsic_fc(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct session *const s = sh->session;
    bool lists = false, numbers = true, reverse = false, again = false;
    const char *editor = variable_get(sh, "FCEDIT");
    struct builtin_options o = {0};
    struct range range;
    int letter;

    while (!is_negative(&o, argv)) {
        letter = builtin_option(&o, argc, argv, "e:lnrs");
        if (letter == -1)
            break;
        if (letter == 'e')
            editor = o.value;
        else if (letter == 'l')
            lists = true;
        else if (letter == 'n')
            numbers = false;
        else if (letter == 'r')
            reverse = true;
        else if (letter == 's')
            again = true;
        else
            return intrinsic_usage(sh, "fc", &o);
    }
    if (o.index == 0)
        o.index = 1;
    if (!s)
        return intrinsic_fail(sh, 1, "fc: there is no history");
    if (again || (editor && strcmp(editor, "-") == 0))
        return substitute(sh, s, argc - o.index, argv + o.index);
    if (!find_range(sh, s, argc - o.index, argv + o.index, lists, &range))
        return 1;
    if (lists) {
        list(s, io->out, range, numbers, reverse);
        return 0;
    }
    return edit_and_run(sh, s, range, editor ? editor : "ed", reverse);
}
