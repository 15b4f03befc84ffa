/* SPDX-License-Identifier: MIT */
/* Messages. */
#include "core/vars.h"

#include <stdarg.h>
#include <stdio.h>

/* What is kept free of the C stack for the deepest call and the signal handlers. */
#define STACK_RESERVE ((size_t)256 << 10)

static void vcomplain(struct shell *sh, struct position at, bool column, const char *fmt,
                      va_list args)
{
    char *text = NULL;
    const int length = vasprintf(&text, fmt, args);

    out_flush(&sh->out);
    out_printf(&sh->err, "%s:", sh->file ? sh->file : sh->name);
    if (at.line)
        out_printf(&sh->err, "%u:", at.line);
    if (column)
        out_printf(&sh->err, "%u:", at.column);
    if (length >= 0)
        out_printf(&sh->err, " %s\n", text);
    free(text);
}

void complain(struct shell *sh, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vcomplain(sh, (struct position){sh->line, 0}, false, fmt, args);
    va_end(args);
    out_flush(&sh->err);
}

/* Tabs stay tabs, so that the caret stands under its character. */
static void show_line(struct out *out, const char *line, size_t length, uint32_t column)
{
    const size_t shown = length > 200 ? 200 : length;

    out_write(out, "    ", 4);
    out_write(out, line, shown);
    out_write(out, "\n    ", 5);
    for (size_t i = 0; i + 1 < column && i < shown; i++)
        if ((line[i] & 0xc0) != 0x80)
            out_putc(out, line[i] == '\t' ? '\t' : ' ');
    out_write(out, "^\n", 2);
}

/* The line of the text being read, when it is still there. */
static const char *line_of(struct shell *sh, uint32_t number, size_t *length)
{
    const struct input *const input = sh->parser ? sh->parser->input : NULL;
    const char *line, *end, *newline;

    if (!input || !input->text.data || number < input->line || input->name != sh->file)
        return NULL;
    line = input->text.data;
    end = line + input->text.len;
    for (uint32_t n = input->line ? input->line : 1; n < number; n++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return NULL;
        line++;
    }
    if (line >= end)
        return NULL;
    newline = memchr(line, '\n', (size_t)(end - line));
    *length = (size_t)((newline ? newline : end) - line);
    return line;
}

void complain_at(struct shell *sh, struct position at, const char *fmt, ...)
{
    const char *line;
    va_list args;
    size_t length;

    va_start(args, fmt);
    vcomplain(sh, at, true, fmt, args);
    va_end(args);
    line = line_of(sh, at.line, &length);
    if (line)
        show_line(&sh->err, line, length, at.column);
    out_flush(&sh->err);
}

bool stack_is_low(const struct shell *sh)
{
    const char here = 0;
    const char *const top = &here;
    const size_t used = (size_t)(sh->stack_base - top);

    return used + STACK_RESERVE > sh->stack_limit;
}

/* --- For the parser -------------------------------------------------------------------------- */

static const char *alias_value(void *context, const char *name, size_t length)
{
    struct shell *const sh = context;
    const struct alias *const alias = sh->aliases.count ? alias_find(sh, name) : NULL;

    (void)length;
    return alias ? alias->value : NULL;
}

static void report(void *context, const char *file, struct position at, const char *line,
                   size_t length, const char *message)
{
    struct shell *const sh = context;

    out_flush(&sh->out);
    out_printf(&sh->err, "%s:%u:%u: %s\n", file, at.line, at.column, message);
    if (line)
        show_line(&sh->err, line, length, at.column);
    out_flush(&sh->err);
}

static bool too_deep(void *context)
{
    return stack_is_low(context);
}

struct parser_hooks parser_hooks_for(struct shell *sh)
{
    return (struct parser_hooks){.context = sh,
                                 .alias = alias_value,
                                 .report = report,
                                 .too_deep = too_deep,
                                 .extensions = !in_posix_mode(sh)};
}
