/* SPDX-License-Identifier: MIT */
#include "core/expand.h"

#include "lang/arith.h"
#include "lang/mb.h"
#include "lang/pattern.h"

#include <errno.h>
#include <stdio.h>

void add_segment(struct expansion *x, const char *text, size_t length, unsigned flags)
{
    if (x->count == x->room) {
        struct segment *const more = arena_alloc(&x->sh->arena, 2 * x->room * sizeof(*more));

        memcpy(more, x->segments, x->count * sizeof(*more));
        x->segments = more;
        x->room *= 2;
    }
    x->segments[x->count++] = (struct segment){text, length, flags};
}

/* set -o strict: what an expansion gives is one field, as if it were quoted. */
static bool is_whole(const struct expansion *x)
{
    return x->splitting && option_on(x->sh, OPTION_STRICT);
}

void add_value(struct expansion *x, const char *text, size_t length, bool quoted)
{
    if (!x->steady)
        text = arena_copy(&x->sh->arena, text, length);
    add_segment(x, text, length, quoted || is_whole(x) ? SEGMENT_QUOTED : SEGMENT_SPLIT);
}

/* --- Arithmetic ------------------------------------------------------------------------------ */

static const char *arithmetic_get(void *ctx, const char *name, size_t length)
{
    struct shell *const sh = ctx;
    struct variable *v;

    if (name[length - 1] == ']') {
        struct subscript at;
        size_t size;

        return array_reference(sh, name, length, &v, &at) ? array_get(v, at, &size) : NULL;
    }
    v = variable_intern(sh, name, length);

    if (v == sh->lineno && sh->lineno->text) {
        char number[16];

        variable_set(sh, v, number, (size_t)snprintf(number, sizeof number, "%u", sh->line));
    }
    return variable_value(v);
}

static size_t format_number(char *to, long long value)
{
    char digits[24];
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    size_t count = 0, length = 0;

    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        to[length++] = '-';
    while (count)
        to[length++] = digits[--count];
    to[length] = '\0';
    return length;
}

static int arithmetic_set(void *ctx, const char *name, size_t length, long long value)
{
    struct shell *const sh = ctx;
    char text[24];
    const size_t size = format_number(text, value);
    struct variable *v;
    struct subscript at;

    if (name[length - 1] != ']')
        return variable_set(sh, variable_intern(sh, name, length), text, size);
    if (!array_reference(sh, name, length, &v, &at))
        return -EPERM;
    return array_set(sh, v, at, text, size) ? -EPERM : 0;
}

static struct arith_env environment(struct shell *sh)
{
    return (struct arith_env){.ctx = sh,
                              .get = arithmetic_get,
                              .set = arithmetic_set,
                              .nounset = option_on(sh, OPTION_NOUNSET)};
}

/* Arrays are no part of the standard's arithmetic. */
static int refuse_subscripts(struct shell *sh, const char *text, size_t length)
{
    if (!in_posix_mode(sh) || !memchr(text, '[', length))
        return 0;
    complain(sh, "arithmetic: unexpected '['");
    return -1;
}

int expand_arithmetic_text(struct shell *sh, const char *text, size_t length, long long *value)
{
    const struct arith_env env = environment(sh);
    struct arith_error error = {0};
    int err;

    if (stack_is_low(sh)) {
        complain(sh, "arithmetic: nested too deeply");
        return -1;
    }
    if (refuse_subscripts(sh, text, length))
        return -1;
    err = r3sh_arith(&env, text, length, value, &error);
    if (err && err != -EPERM)
        complain(sh, "arithmetic: %s", error.what);
    return err ? -1 : 0;
}

int expand_arithmetic(struct shell *sh, struct arithmetic *arithmetic, long long *value)
{
    const struct arith_env env = environment(sh);
    struct arith_error error = {0};
    size_t length;
    char *text;
    int err;

    if (arithmetic->text->plain) {
        if (!arithmetic->compiled) {
            struct arith_program *program;

            if (refuse_subscripts(sh, arithmetic->text->plain, arithmetic->text->length))
                return -1;
            err =
                arith_compile(&program, arithmetic->text->plain, arithmetic->text->length, &error);
            if (!err)
                arithmetic->compiled = program;
        } else {
            err = 0;
        }
        if (!err)
            err = arith_run(arithmetic->compiled, &env, value, &error);
    } else {
        text = expand_string(sh, arithmetic->text, &length);
        if (!text || refuse_subscripts(sh, text, length))
            return -1;
        err = r3sh_arith(&env, text, length, value, &error);
    }
    if (err && err != -EPERM)
        complain_at(sh, arithmetic->text->at, "arithmetic: %s", error.what);
    return err ? -1 : 0;
}

/* --- Parts ----------------------------------------------------------------------------------- */

/* The home directory of a user, from the password file read as text: no name service in this process. */
static char *home_of(struct shell *sh, const char *user, size_t length)
{
    FILE *const file = fopen("/etc/passwd", "re");
    char *line = NULL, *home = NULL;
    size_t room = 0;

    while (file && !home && getline(&line, &room, file) > 0) {
        char *at = line + length;

        if (strncmp(line, user, length) != 0 || *at != ':')
            continue;
        for (int colon = 0; at && colon < 4; colon++) {
            at = strchr(at + 1, ':');
        }
        if (at)
            home = arena_copy(&sh->arena, at + 1, strcspn(at + 1, ":\n"));
    }
    free(line);
    if (file)
        fclose(file);
    return home;
}

static void expand_tilde(struct expansion *x, const struct part *part)
{
    const char *home = variable_value(x->sh->home);

    if (part->length)
        home = home_of(x->sh, part->text, part->length);
    if (home) {
        size_t length = strlen(home);

        /* ~/x with a home of / is /x. */
        if (length && home[length - 1] == '/' && part->next && part->next->kind == PART_TEXT &&
            part->next->length && *part->next->text == '/')
            length--;
        add_value(x, home, length, true);
    } else {
        add_segment(x, "~", 1, SEGMENT_QUOTED);
        add_segment(x, part->text, part->length, SEGMENT_QUOTED);
    }
}

int expand_parts(struct expansion *x, const struct part *part)
{
    for (; part; part = part->next) {
        const unsigned flags = part->quoted || is_whole(x) ? SEGMENT_QUOTED
                               : x->splitting              ? SEGMENT_SPLIT
                                                           : 0;
        char *text;
        size_t length;
        long long value;

        switch (part->kind) {
        case PART_TEXT:
            add_segment(x, part->text, part->length,
                        part->quoted ? SEGMENT_QUOTED
                        : x->operand ? flags
                                     : 0);
            break;
        case PART_PARAMETER:
            if (expand_parameter(x, part))
                return -1;
            break;
        case PART_COMMAND:
            switch (run_substitution(x->sh, part->command, &text, &length)) {
            case FLOW_NEXT:
                break;
            default:
                return -1;
            }
            add_segment(x, text, length, flags);
            break;
        case PART_ARITHMETIC:
            if (expand_arithmetic(x->sh, part->arithmetic, &value))
                return -1;
            text = arena_alloc(&x->sh->arena, 24);
            length = format_number(text, value);
            add_segment(x, text, length, flags);
            break;
        case PART_TILDE:
            expand_tilde(x, part);
            break;
        case PART_PROCESS:
            text = process_substitution(x->sh, part);
            if (!text)
                return -1;
            add_segment(x, text, strlen(text), SEGMENT_QUOTED);
            break;
        }
    }
    return 0;
}

/* --- Words ----------------------------------------------------------------------------------- */

static void begin(struct expansion *x, struct shell *sh, const struct word *word, bool splitting)
{
    x->sh = sh;
    x->segments = x->few;
    x->count = 0;
    x->room = sizeof x->few / sizeof *x->few;
    x->splitting = splitting;
    x->steady = !(word->flags & WORD_EFFECTS);
    x->operand = false;
}

int expand_fields(struct fields *fields, const struct word *word)
{
    struct expansion x;

    if (word->plain) {
        fields_add(fields, (char *)word->plain);
        return 0;
    }
    if (word->flags & WORD_ASSIGNS) {
        char *text = expand_string(fields->sh, word, NULL);

        if (text)
            fields_add(fields, text);
        return text ? 0 : -1;
    }
    begin(&x, fields->sh, word, true);
    if (expand_parts(&x, word->parts))
        return -1;
    return expand_fields_of(fields, &x);
}

static size_t total(const struct expansion *x)
{
    size_t length = 0;

    for (uint32_t i = 0; i < x->count; i++)
        length += x->segments[i].length + (x->segments[i].flags & SEGMENT_BREAK);
    return length;
}

char *expand_string(struct shell *sh, const struct word *word, size_t *length)
{
    struct expansion x;
    char *text, *to;

    if (word->plain) {
        if (length)
            *length = word->length;
        return (char *)word->plain;
    }
    begin(&x, sh, word, false);
    if (expand_parts(&x, word->parts))
        return NULL;
    text = to = arena_alloc(&sh->arena, total(&x) + 1);
    for (uint32_t i = 0; i < x.count; i++) {
        if (x.segments[i].flags & SEGMENT_BREAK)
            *to++ = ' ';
        if (x.segments[i].length)
            memcpy(to, x.segments[i].text, x.segments[i].length);
        to += x.segments[i].length;
    }
    *to = '\0';
    if (length)
        *length = (size_t)(to - text);
    return text;
}

int expand_segments(struct expansion *x, struct shell *sh, const struct word *word)
{
    begin(x, sh, word, false);
    return expand_parts(x, word->parts);
}

int expand_pattern(struct shell *sh, const struct word *word, struct buf *to)
{
    struct expansion x;

    if (expand_segments(&x, sh, word))
        return -1;
    for (uint32_t i = 0; i < x.count; i++) {
        const struct segment *const segment = &x.segments[i];

        if (segment->flags & SEGMENT_BREAK)
            buf_addc(to, ' ');
        else if (segment->flags & SEGMENT_QUOTED)
            pattern_quote(to, segment->text, segment->length);
        else
            buf_add(to, segment->text, segment->length);
    }
    return 0;
}

char *expand_prompt(struct shell *sh, const char *text)
{
    struct parser_hooks hooks = parser_hooks_for(sh);
    struct input input = {.name = "prompt"};
    struct parser parser;
    const struct word *word;
    char *result = NULL;

    if (!strpbrk(text, "$`\\"))
        return arena_copy(&sh->arena, text, strlen(text));
    parser_init(&parser, &input, &hooks);
    parser.arena = &sh->arena;
    parser.quiet = 1;
    word = lex_prompt(&parser, text, strlen(text));
    if (word)
        result = expand_string(sh, word, NULL);
    return result ? result : arena_copy(&sh->arena, text, strlen(text));
}
