/* SPDX-License-Identifier: MIT */
/* Parameter expansion (XCU 2.6.2). */
#include "core/expand.h"
#include "core/jobs.h"
#include "core/slice.h"

#include "lang/mb.h"
#include "lang/pattern.h"

#include <stdio.h>

struct value {
    const char *text; /* NULL: unset */
    size_t length;
};

static struct value number(struct shell *sh, long n)
{
    char text[24];
    const size_t length = (size_t)snprintf(text, sizeof text, "%ld", n);

    return (struct value){arena_copy(&sh->arena, text, length), length};
}

static struct variable *variable_of(struct shell *sh, struct parameter *parameter)
{
    if (!parameter->cache)
        parameter->cache = variable_intern(sh, parameter->name, parameter->length);
    return parameter->cache;
}

/* What $@, $* or an array's [@] stand for, one by one. */
struct row {
    char **list;
    int count;
};

static struct row row_of(struct shell *sh, struct parameter *parameter)
{
    struct row row = {sh->arguments->list, sh->arguments->count};
    const struct variable *v;

    if (parameter->kind == PARAMETER_SPECIAL)
        return row;
    v = variable_of(sh, parameter);
    row.count = (int)array_count(v);
    row.list = arena_alloc(&sh->arena, ((size_t)row.count + 1) * sizeof(char *));
    for (int i = 0; i < row.count; i++) {
        size_t length;
        struct subscript at;
        const char *const text = array_nth(v, (size_t)i, &at, &length);

        if (!parameter->indices)
            row.list[i] = arena_copy(&sh->arena, text, length);
        else if (at.key)
            row.list[i] = arena_copy(&sh->arena, at.key, at.key_length);
        else
            row.list[i] = (char *)(uintptr_t)number(sh, at.index).text;
    }
    return row;
}

/* Joined by the first character of IFS, as by $*; or by a space, as by $@. */
static struct value joined(struct shell *sh, struct row row, bool star)
{
    const char *ifs = variable_value(sh->ifs);
    size_t gap = ifs ? (*ifs ? 1 : 0) : 1, length = 0;
    char *text, *to;

    if (!star || !ifs) {
        ifs = " ";
        gap = 1;
    } else if (*ifs & 0x80) {
        locale_need(sh);
        gap = mb_length(ifs, strlen(ifs));
    }
    for (int i = 0; i < row.count; i++)
        length += strlen(row.list[i]) + gap;
    text = to = arena_alloc(&sh->arena, length + 1);
    for (int i = 0; i < row.count; i++) {
        if (i)
            to = (char *)memcpy(to, ifs, gap) + gap;
        length = strlen(row.list[i]);
        to = (char *)memcpy(to, row.list[i], length) + length;
    }
    *to = '\0';
    return (struct value){text, (size_t)(to - text)};
}

static struct value special(struct shell *sh, uint32_t which)
{
    switch (which) {
    case '?':
        return number(sh, sh->status);
    case '$':
        return number(sh, sh->pid);
    case '#':
        return number(sh, sh->arguments->count);
    case '!':
        return sh->last_background ? number(sh, sh->last_background) : (struct value){NULL, 0};
    case '0':
        return (struct value){sh->name, strlen(sh->name)};
    case '-': {
        char *const text = arena_alloc(&sh->arena, OPTION_COUNT + 1);

        options_letters(sh, text);
        return (struct value){text, strlen(text)};
    }
    default:
        return joined(sh, (struct row){sh->arguments->list, sh->arguments->count}, which == '*');
    }
}

/* The statuses of the last pipeline, as the elements of an array. */
static void refresh_statuses(struct shell *sh, struct variable *v)
{
    char text[16];

    if (array_clear(sh, v))
        return;
    for (int i = 0; i < sh->stage_count; i++)
        array_set(sh, v, (struct subscript){.index = i}, text,
                  (size_t)snprintf(text, sizeof text, "%d", sh->stage_status[i]));
    if (!sh->stage_count)
        array_set(sh, v, (struct subscript){.index = 0}, text,
                  (size_t)snprintf(text, sizeof text, "%d", sh->status));
}

/* ${x[…]}, and the variable that is made of what the shell knows. *err: after a message. */
static struct value element_of(struct shell *sh, struct parameter *parameter, int *err)
{
    struct variable *const v = variable_of(sh, parameter);
    struct value value = {NULL, 0};
    const char *subscript;
    struct subscript at;
    size_t length;

    if (!in_posix_mode(sh) && strcmp(parameter->name, "PIPESTATUS") == 0)
        refresh_statuses(sh, v);
    if (parameter->range != RANGE_INDEX)
        return joined(sh, row_of(sh, parameter), parameter->range == RANGE_JOINED);
    subscript = expand_string(sh, parameter->subscript, &length);
    *err = !subscript || array_subscript(sh, v, subscript, length, &at);
    if (!*err)
        value.text = array_get(v, at, &value.length);
    return value;
}

static struct value value_of(struct shell *sh, struct parameter *parameter, int *err)
{
    struct variable *v;

    switch (parameter->kind) {
    case PARAMETER_VARIABLE:
        if (parameter->range != RANGE_ONE)
            return element_of(sh, parameter, err);
        v = variable_of(sh, parameter);
        if (v == sh->lineno && v->text)
            return number(sh, sh->line);
        return (struct value){variable_value(v), v->length};
    case PARAMETER_POSITIONAL:
        if (parameter->number > (uint32_t)sh->arguments->count)
            return (struct value){NULL, 0};
        return (struct value){sh->arguments->list[parameter->number - 1],
                              strlen(sh->arguments->list[parameter->number - 1])};
    default:
        return special(sh, parameter->number);
    }
}

static bool is_row(const struct parameter *parameter)
{
    return parameter->range >= RANGE_FIELDS ||
           (parameter->kind == PARAMETER_SPECIAL &&
            (parameter->number == '@' || parameter->number == '*'));
}

static bool is_star(const struct parameter *parameter)
{
    return parameter->range ? parameter->range == RANGE_JOINED : parameter->number == '*';
}

static const char *name_for(struct shell *sh, const struct parameter *parameter)
{
    char *text;

    if (parameter->kind == PARAMETER_VARIABLE)
        return parameter->name;
    text = arena_alloc(&sh->arena, 16);
    if (parameter->kind == PARAMETER_POSITIONAL)
        snprintf(text, 16, "%u", parameter->number);
    else
        snprintf(text, 16, "%c", (int)parameter->number);
    return text;
}

/* $@ and $*, and all elements of an array, where they are not one string. */
static void add_row(struct expansion *x, const struct part *part, struct row row)
{
    struct shell *const sh = x->sh;

    if (is_star(part->parameter) && (part->quoted || !x->splitting)) {
        const struct value value = joined(sh, row, true);

        add_segment(x, value.text, value.length, part->quoted ? SEGMENT_QUOTED : 0);
        return;
    }
    for (int i = 0; i < row.count; i++) {
        if (i)
            add_segment(x, "", 0, SEGMENT_BREAK);
        add_value(x, row.list[i], strlen(row.list[i]), part->quoted);
    }
}

static void expand_row(struct expansion *x, const struct part *part)
{
    add_row(x, part, row_of(x->sh, part->parameter));
}

/* ${@:offset:length} counts from $1, with $0 before it; ${x[@]:offset:length} by the indices. */
static int slice_row(struct expansion *x, const struct part *part)
{
    struct shell *const sh = x->sh;
    struct row row = row_of(sh, part->parameter);
    const struct variable *const v = part->parameter->range ? part->parameter->cache : NULL;
    const bool keys = v && v->flags & VARIABLE_KEYS; /* then only the order counts */
    struct slice slice;
    int first = 0;

    if (slice_read(sh, part, keys ? row.count : v ? array_end(v) : row.count + 1, &slice))
        return -1;
    if (slice.from < 0 || slice.length < 0) {
        row.count = 0;
    } else if (keys) {
        first = slice.from < row.count ? (int)slice.from : row.count;
    } else if (v) {
        struct subscript at;
        size_t length;

        while (first < row.count &&
               (array_nth(v, (size_t)first, &at, &length), at.index < slice.from))
            first++;
    } else if (slice.from > 0) {
        first = slice.from - 1 < row.count ? (int)slice.from - 1 : row.count;
    } else {
        char **const all = arena_alloc(&sh->arena, ((size_t)row.count + 1) * sizeof(char *));

        all[0] = (char *)(uintptr_t)sh->name;
        if (row.count)
            memcpy(all + 1, row.list, (size_t)row.count * sizeof(char *));
        row = (struct row){all, row.count + 1};
    }
    row.list += first;
    row.count -= first;
    if (slice.length < row.count)
        row.count = (int)slice.length;
    add_row(x, part, row);
    return 0;
}

static int replace(struct expansion *x, const struct part *part, struct value value)
{
    struct replacement how;
    struct row row;

    if (replacement_read(x->sh, part, &how))
        return -1;
    if (!is_row(part->parameter)) {
        const char *const text = replacement_make(x->sh, &how, value.text, &value.length);

        add_value(x, text, value.length, part->quoted);
    } else {
        row = row_of(x->sh, part->parameter);
        /* The list of $@ is not ours to change. */
        row.list = memcpy(arena_alloc(&x->sh->arena, ((size_t)row.count + 1) * sizeof(char *)),
                          row.list, (size_t)row.count * sizeof(char *));
        for (int i = 0; i < row.count; i++) {
            size_t length = strlen(row.list[i]);

            row.list[i] = (char *)(uintptr_t)replacement_make(x->sh, &how, row.list[i], &length);
        }
        add_row(x, part, row);
    }
    pattern_free(&how.pattern);
    return 0;
}

static int slice(struct expansion *x, const struct part *part, struct value value)
{
    const char *const text = slice_text(x->sh, part, value.text, &value.length);

    if (!text)
        return -1;
    add_value(x, text, value.length, part->quoted);
    return 0;
}

static int unset_error(struct shell *sh, const struct part *part)
{
    complain_at(sh, part->at, "%s: parameter not set", name_for(sh, part->parameter));
    return -1;
}

static int assign(struct expansion *x, const struct part *part)
{
    struct parameter *const parameter = part->parameter;
    size_t length;
    char *text;

    if (parameter->kind != PARAMETER_VARIABLE) {
        complain_at(x->sh, part->at, "%s: cannot be assigned to", name_for(x->sh, parameter));
        return -1;
    }
    if (parameter->range != RANGE_ONE) {
        complain_at(x->sh, part->at, "%s: an element cannot be assigned to here", parameter->name);
        return -1;
    }
    text = expand_string(x->sh, parameter->operand, &length);
    if (!text || variable_set(x->sh, variable_of(x->sh, parameter), text, length))
        return -1;
    add_segment(x, text, length, part->quoted ? SEGMENT_QUOTED : SEGMENT_SPLIT);
    return 0;
}

static int fail(struct shell *sh, const struct part *part, bool was_null)
{
    const struct word *const operand = part->parameter->operand;
    const char *text = operand->parts ? expand_string(sh, operand, NULL) : NULL;

    if (operand->parts && !text)
        return -1;
    if (!text)
        text = was_null ? "parameter null or not set" : "parameter not set";
    complain_at(sh, part->at, "%s: %s", name_for(sh, part->parameter), text);
    return -1;
}

static struct value trimmed(const struct pattern *pattern, enum parameter_op op, struct value value)
{
    const bool longest = op == OP_PREFIX_LONG || op == OP_SUFFIX_LONG;
    ssize_t at;

    if (op < OP_SUFFIX) {
        at = pattern_prefix(pattern, value.text, value.length, longest);
        if (at > 0) {
            value.text += at;
            value.length -= (size_t)at;
        }
    } else {
        at = pattern_suffix(pattern, value.text, value.length, longest);
        if (at >= 0)
            value.length = (size_t)at;
    }
    return value;
}

/* Each element of an array by itself. */
static void trim_row(struct expansion *x, const struct part *part, const struct pattern *pattern)
{
    const struct row row = row_of(x->sh, part->parameter);

    for (int i = 0; i < row.count; i++) {
        const struct value value =
            trimmed(pattern, part->parameter->op, (struct value){row.list[i], strlen(row.list[i])});

        if (i)
            add_segment(x, "", 0, SEGMENT_BREAK);
        add_value(x, value.text, value.length, part->quoted);
    }
}

static int trim(struct expansion *x, const struct part *part, struct value value)
{
    struct shell *const sh = x->sh;
    const struct parameter *const parameter = part->parameter;
    struct pattern pattern;
    struct buf text = {0};

    if (expand_pattern(sh, parameter->operand, &text)) {
        buf_free(&text);
        return -1;
    }
    if (!mb_is_ascii(value.text, value.length) || !mb_is_ascii(buf_str(&text), text.len))
        locale_need(sh);
    if (pattern_compile(&pattern, buf_str(&text), text.len)) {
        buf_free(&text);
        complain_at(sh, part->at, "out of memory");
        return -1;
    }
    buf_free(&text);
    if (parameter->range == RANGE_FIELDS) {
        trim_row(x, part, &pattern);
    } else {
        value = trimmed(&pattern, parameter->op, value);
        add_value(x, value.text, value.length, part->quoted);
    }
    pattern_free(&pattern);
    return 0;
}

static int length_of(struct expansion *x, const struct part *part, struct value value)
{
    size_t length = value.length;

    if (is_row(part->parameter)) {
        length = (size_t)row_of(x->sh, part->parameter).count;
    } else if (!mb_is_ascii(value.text, value.length)) {
        locale_need(x->sh);
        length = mb_count(value.text, value.length);
    }
    value = number(x->sh, (long)length);
    add_segment(x, value.text, value.length, part->quoted ? SEGMENT_QUOTED : SEGMENT_SPLIT);
    return 0;
}

/* The word behind - or +: its own quoting counts, and what is unquoted may be split. */
static int expand_operand(struct expansion *x, const struct part *part)
{
    const bool operand = x->operand;
    int err;

    x->operand = !part->quoted && x->splitting;
    if (!part->parameter->operand->parts && part->quoted)
        add_segment(x, "", 0, SEGMENT_QUOTED);
    err = expand_parts(x, part->parameter->operand->parts);
    x->operand = operand;
    return err;
}

int expand_parameter(struct expansion *x, const struct part *part)
{
    struct shell *const sh = x->sh;
    struct parameter *const parameter = part->parameter;
    int err = 0;
    const struct value value = value_of(sh, parameter, &err);
    const bool arguments = is_row(parameter);
    const bool set = !arguments         ? value.text != NULL
                     : parameter->range ? array_count(parameter->cache) > 0
                                        : sh->arguments->count > 0;
    const bool null = !set || (parameter->colon && value.length == 0);

    if (err)
        return -1;
    switch (parameter->op) {
    case OP_BAD:
        complain_at(sh, part->at, "bad substitution");
        return -1;
    case OP_DEFAULT:
        if (null)
            return expand_operand(x, part);
        break;
    case OP_ALTERNATE:
        if (!null)
            return expand_operand(x, part);
        if (part->quoted)
            add_segment(x, "", 0, SEGMENT_QUOTED);
        return 0;
    case OP_ASSIGN:
        if (null)
            return assign(x, part);
        break;
    case OP_ERROR:
        if (null)
            return fail(sh, part, parameter->colon);
        break;
    default:
        if (!set && !arguments && option_on(sh, OPTION_NOUNSET))
            return unset_error(sh, part);
        if (parameter->op == OP_LENGTH)
            return length_of(x, part, value.text ? value : (struct value){"", 0});
        if (parameter->op == OP_SLICE && arguments)
            return slice_row(x, part);
        if (parameter->op == OP_SLICE)
            return slice(x, part, set ? value : (struct value){"", 0});
        if (parameter->op >= OP_REPLACE && set)
            return replace(x, part, value);
        if (parameter->op != OP_NONE && set)
            return trim(x, part, value);
    }
    if (arguments)
        expand_row(x, part);
    else
        add_value(x, set ? value.text : "", set ? value.length : 0, part->quoted);
    return 0;
}
