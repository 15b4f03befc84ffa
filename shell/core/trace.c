/* SPDX-License-Identifier: MIT */
/* set -x: plain text, or one JSON object a line with where, how deep and how long. */
#include "core/expand.h"
#include "core/jobs.h"
#include "intrinsics/intrinsics.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

/* --- Plain ----------------------------------------------------------------------------------- */

static void begin_line(struct shell *sh)
{
    const char *const ps4 = variable_value(sh->ps4);
    const int status = sh->status;
    const uint32_t options = sh->options;
    const bool substituted = sh->substituted;

    sh->options &= ~(1u << OPTION_XTRACE); /* the prompt may run commands */
    out_puts(&sh->err, ps4 ? expand_prompt(sh, ps4) : "");
    sh->options = options;
    sh->status = status;
    sh->substituted = substituted;
}

static void trace_assignment(struct shell *sh, const struct assignment *one)
{
    const struct variable *const v = variable_intern(sh, one->name, one->length);
    const char *const value = variable_value(v);

    if (one->array) {
        print_variable_value(&sh->err, v);
        return;
    }
    out_printf(&sh->err, "%s=", one->name);
    if (value && *value)
        out_quoted(&sh->err, value);
}

static void trace_plain(struct shell *sh, const struct assignment *assignments, int argc,
                        char **argv)
{
    begin_line(sh);
    for (const struct assignment *one = assignments; one; one = one->next) {
        trace_assignment(sh, one);
        if (one->next || argc)
            out_putc(&sh->err, ' ');
    }
    for (int i = 0; i < argc; i++) {
        if (i)
            out_putc(&sh->err, ' ');
        out_quoted(&sh->err, argv[i]);
    }
    out_putc(&sh->err, '\n');
    out_flush(&sh->err);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static bool trace_is_json(struct shell *sh)
{
    const char *const format = in_posix_mode(sh) ? NULL : variable_get(sh, "XTRACE_FORMAT");

    return format && strcmp(format, "json") == 0;
}

/* Bytes that are no UTF-8 come out as the characters of the same number. */
static void json_string(struct buf *to, const char *text)
{
    const char *const end = text + strlen(text);

    buf_addc(to, '"');
    while (text < end) {
        const unsigned char c = (unsigned char)*text;
        utf8proc_int32_t character;
        const utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)text, end - text, &character);

        if (c == '"' || c == '\\')
            buf_addf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || size <= 0)
            buf_addf(to, "\\u%04x", c);
        else
            buf_add(to, text, (size_t)size);
        text += size > 0 ? size : 1;
    }
    buf_addc(to, '"');
}

static void json_assignments(struct shell *sh, struct buf *to, const struct assignment *one)
{
    buf_adds(to, ",\"assignments\":{");
    for (; one; one = one->next) {
        const struct variable *const v = variable_intern(sh, one->name, one->length);
        const size_t count = one->array ? array_count(v) : 1;

        json_string(to, one->name);
        buf_adds(to, one->array ? ":[" : ":");
        for (size_t i = 0; i < count; i++) {
            struct subscript at;
            size_t length;

            if (i)
                buf_addc(to, ',');
            json_string(to, array_count(v) ? array_nth(v, i, &at, &length) : "");
        }
        if (one->array)
            buf_addc(to, ']');
        if (one->next)
            buf_addc(to, ',');
    }
    buf_addc(to, '}');
}

static int trace_fd(struct shell *sh)
{
    const char *const text = variable_get(sh, "XTRACE_FD");
    const long fd = text ? intrinsic_number(text) : -1;

    return fd >= 0 && fd < 1 << 20 ? (int)fd : STDERR_FILENO;
}

static void trace_json(struct shell *sh, const struct trace *trace, int argc, char **argv)
{
    struct buf line = {0};

    buf_addf(&line, "{\"time\":%.6f,\"pid\":%d,\"file\":", trace->clock, (int)getpid());
    json_string(&line, trace->file ? trace->file : "");
    buf_addf(&line, ",\"line\":%u,\"column\":%u,\"depth\":%d", trace->at.line, trace->at.column,
             sh->trace_depth);
    if (trace->assignments)
        buf_add(&line, trace->assigned.data, trace->assigned.len);
    buf_adds(&line, ",\"command\":[");
    for (int i = 0; i < argc; i++) {
        if (i)
            buf_addc(&line, ',');
        json_string(&line, argv[i]);
    }
    buf_addf(&line, "],\"status\":%d,\"seconds\":%.6f}\n", sh->status, time_now() - trace->began);
    out_flush(&sh->err);
    /* One write, so that lines of several processes do not mix. Who closed the descriptor wants no trace. */
    if (write(trace_fd(sh), line.data, line.len) < 0)
        errno = 0;
    buf_free(&line);
}

/* --- Both ------------------------------------------------------------------------------------ */

void trace_begin(struct shell *sh, struct trace *trace, const struct assignment *assignments,
                 int argc, char **argv)
{
    struct timespec now;

    *trace = (struct trace){.json = trace_is_json(sh), .at = sh->at, .file = sh->file};
    if (!trace->json) {
        trace_plain(sh, assignments, argc, argv);
        return;
    }
    if (assignments) {
        trace->assignments = true;
        json_assignments(sh, &trace->assigned, assignments);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    trace->clock = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    trace->began = time_now();
    sh->trace_depth++;
}

void trace_end(struct shell *sh, struct trace *trace, int argc, char **argv)
{
    if (!trace->json)
        return;
    sh->trace_depth--;
    if (!sh->handed_over) /* else the process that took over has told it */
        trace_json(sh, trace, argc, argv);
    buf_free(&trace->assigned);
}

void trace_node(struct shell *sh, const struct node *node)
{
    struct trace trace;
    struct buf text = {0};
    char *words[] = {NULL, NULL};

    print_node(&text, node);
    words[0] = arena_copy(&sh->arena, buf_str(&text), text.len);
    buf_free(&text);
    if (trace_is_json(sh)) {
        trace_begin(sh, &trace, NULL, 1, words);
        trace_end(sh, &trace, 1, words);
        return;
    }
    begin_line(sh);
    out_puts(&sh->err, words[0]);
    out_putc(&sh->err, '\n');
    out_flush(&sh->err);
}
