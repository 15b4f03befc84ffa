/* SPDX-License-Identifier: MIT */
/* What begins with a dollar sign or a backquote. */
#include "lang/lex_internal.h"
#include "lang/mb.h"

static bool is_special(int c)
{
    return c == '@' || c == '*' || c == '#' || c == '?' || c == '-' || c == '$' || c == '!';
}

static int bad_substitution(struct parser *p, struct position at)
{
    if (lex_peek(p) == LEX_END) {
        p->at_end = true;
        return parse_fail(p, at, "parameter expansion is not closed");
    }
    return parse_fail(p, at, "bad substitution");
}

/* Reads a parameter's name; `whole` reads all digits of a number. false: there is none. */
static bool read_name(struct parser *p, struct parameter *parameter, bool whole)
{
    int c = lex_peek(p);

    if (is_name_start(c)) {
        struct buf name = {0};

        do {
            buf_addc(&name, (char)c);
            lex_take(p);
            c = lex_peek(p);
        } while (is_name_char(c));
        parameter->kind = PARAMETER_VARIABLE;
        parameter->name = arena_copy(p->arena, name.data, name.len);
        parameter->length = (uint32_t)name.len;
        buf_free(&name);
        return true;
    }
    if (is_digit(c)) {
        uint32_t number = 0;

        do {
            number = number > 100000000 ? number : number * 10 + (uint32_t)(c - '0');
            lex_take(p);
            c = lex_peek(p);
        } while (whole && is_digit(c));
        parameter->kind = PARAMETER_POSITIONAL;
        parameter->number = number;
        if (number == 0) {
            parameter->kind = PARAMETER_SPECIAL;
            parameter->number = '0';
        }
        return true;
    }
    if (!is_special(c))
        return false;
    parameter->kind = PARAMETER_SPECIAL;
    parameter->number = (uint32_t)c;
    lex_take(p);
    return true;
}

/* [ … ] behind the name of an array. 0 or -1. */
static int read_subscript(struct parser *p, struct parameter *parameter)
{
    struct lex_place within;
    int c;

    if (parameter->kind != PARAMETER_VARIABLE || !p->hooks->extensions || lex_peek(p) != '[')
        return 0;
    lex_take(p);
    within = lex_here(p);
    c = lex_peek(p);
    if (c == '@' || c == '*') {
        lex_take(p);
        if (lex_peek(p) == ']') {
            lex_take(p);
            parameter->range = c == '@' ? RANGE_FIELDS : RANGE_JOINED;
            return 0;
        }
        lex_back(p, within);
    }
    parameter->range = RANGE_INDEX;
    parameter->subscript = lex_word(p, IN_SUBSCRIPT, true);
    if (!parameter->subscript)
        return -1;
    lex_take(p);
    return 0;
}

/* ${!x[@]}: the indices of an array. */
static bool read_indices(struct parser *p, struct parameter *parameter)
{
    struct lex_place before;

    if (!p->hooks->extensions || lex_peek(p) != '!')
        return false;
    before = lex_here(p);
    lex_take(p);
    if (is_name_start(lex_peek(p)) && read_name(p, parameter, true) &&
        !read_subscript(p, parameter) && parameter->range >= RANGE_FIELDS) {
        parameter->indices = true;
        return true;
    }
    *parameter = (struct parameter){0};
    lex_back(p, before);
    return false;
}

/* ${# may begin a length, or be the number of arguments with an operator. */
static bool read_length(struct parser *p, struct parameter *parameter)
{
    struct lex_place before;

    if (lex_peek(p) != '#')
        return false;
    before = lex_here(p);
    lex_take(p);
    if (read_name(p, parameter, true) && !read_subscript(p, parameter) && lex_peek(p) == '}') {
        parameter->op = OP_LENGTH;
        return true;
    }
    lex_back(p, before);
    return false;
}

/* ${x/ … */
static bool read_replacement(struct parser *p, struct parameter *parameter)
{
    lex_take(p);
    switch (lex_peek(p)) {
    case '/':
        parameter->op = OP_REPLACE_ALL;
        break;
    case '#':
        parameter->op = OP_REPLACE_PREFIX;
        break;
    case '%':
        parameter->op = OP_REPLACE_SUFFIX;
        break;
    default:
        parameter->op = OP_REPLACE;
        return true;
    }
    lex_take(p);
    return true;
}

/* The operand ends at the first unquoted slash, or at the first colon that belongs neither to a ?: nor to what is in
 * parentheses; what follows is the second. */
static void split_operand(struct parser *p, struct parameter *parameter)
{
    struct word *const whole = parameter->operand;
    const bool slice = parameter->op == OP_SLICE;
    int open = 0;

    for (const struct part *part = whole->parts; part; part = part->next) {
        if (part->kind != PART_TEXT || part->quoted)
            continue;
        for (size_t i = 0; i < part->length; i++) {
            const char c = part->text[i];
            const struct part *last = part;

            if (slice && (c == '(' || c == '?'))
                open++;
            else if (slice && (c == ')' || (c == ':' && open > 0)))
                open--;
            else if (c == (slice ? ':' : '/')) {
                while (last->next)
                    last = last->next;
                parameter->operand = word_slice(p, whole, whole->parts, 0, part, i);
                parameter->second = word_slice(p, whole, part, i + 1, last, last->length);
                return;
            }
        }
    }
}

/* false: it is none. */
static bool read_operator(struct parser *p, struct parameter *parameter)
{
    int c = lex_peek(p);

    if (c == ':') {
        parameter->colon = true;
        lex_take(p);
        c = lex_peek(p);
        if (p->hooks->extensions && c != LEX_END && c != '}' && !strchr("-=?+#%", c)) {
            parameter->colon = false;
            parameter->op = OP_SLICE;
            return true;
        }
    }
    if (c == '/' && !parameter->colon && p->hooks->extensions)
        return read_replacement(p, parameter);
    switch (c) {
    case '-':
        parameter->op = OP_DEFAULT;
        break;
    case '=':
        parameter->op = OP_ASSIGN;
        break;
    case '?':
        parameter->op = OP_ERROR;
        break;
    case '+':
        parameter->op = OP_ALTERNATE;
        break;
    case '#':
        parameter->op = OP_PREFIX;
        break;
    case '%':
        parameter->op = OP_SUFFIX;
        break;
    default:
        return false;
    }
    if (parameter->op >= OP_PREFIX && parameter->colon)
        return false;
    lex_take(p);
    if (parameter->op >= OP_PREFIX && lex_peek(p) == c) {
        lex_take(p);
        parameter->op++;
    }
    return true;
}

/* Scripts for several shells hold what only some understand, behind a test. So that is an error where it is expanded;
 * at once where the extensions are on, since no script for us holds it. */
static int read_bad(struct parser *p, struct parameter *parameter, struct position at)
{
    if (p->hooks->extensions || lex_peek(p) == LEX_END)
        return bad_substitution(p, at);
    parameter->op = OP_BAD;
    parameter->colon = false;
    parameter->operand = lex_word(p, IN_BRACES, false);
    return parameter->operand ? 0 : -1;
}

static int braces(struct word_builder *w, bool quoted, struct position at)
{
    struct parser *const p = w->p;
    struct parameter *const parameter = arena_zero(p->arena, sizeof(*parameter));

    if (!read_length(p, parameter) && !read_indices(p, parameter)) {
        const bool named = read_name(p, parameter, true) && !read_subscript(p, parameter);
        const bool known = named && (lex_peek(p) == '}' || read_operator(p, parameter));

        if (!known) {
            if (read_bad(p, parameter, at))
                return -1;
        } else if (parameter->op != OP_NONE) {
            const bool in_quotes = quoted && parameter->op < OP_PREFIX;

            parameter->operand = lex_word(p, in_quotes ? IN_QUOTED_BRACES : IN_BRACES, in_quotes);
            if (!parameter->operand)
                return -1;
            if (parameter->op >= OP_SLICE)
                split_operand(p, parameter);
            else if (!in_quotes)
                word_tildes(p, parameter->operand, 0, false);
        }
    }
    if (lex_peek(p) != '}')
        return bad_substitution(p, at);
    lex_take(p);
    word_flush(w);
    word_part(w, PART_PARAMETER, quoted, at)->parameter = parameter;
    return 0;
}

/* $((: an expression if it ends with )), else commands that begin with a subshell. 1: it was. */
static int arithmetic(struct word_builder *w, bool quoted, struct position at)
{
    struct parser *const p = w->p;
    const struct lex_place before = lex_here(p);
    struct word *text;

    lex_take(p);
    p->quiet++;
    text = lex_word(p, IN_ARITHMETIC, true);
    p->quiet--;
    if (text) {
        lex_take(p);
        if (lex_peek(p) == ')') {
            struct part *part;

            lex_take(p);
            word_flush(w);
            part = word_part(w, PART_ARITHMETIC, quoted, at);
            part->arithmetic = arena_zero(p->arena, sizeof(*part->arithmetic));
            part->arithmetic->text = text;
            return 1;
        }
        if (lex_peek(p) == LEX_END) { /* undecided to the end: XCU 2.6.3 has it be arithmetic */
            p->at_end = true;
            return parse_fail(p, at, "arithmetic expansion is not closed");
        }
    } else if (p->at_end) {
        return parse_fail(p, at, "arithmetic expansion is not closed");
    }
    lex_back(p, before);
    return 0;
}

static int parentheses(struct word_builder *w, bool quoted, struct position at)
{
    struct parser *const p = w->p;
    struct program *command;

    if (p->hooks->too_deep && p->hooks->too_deep(p->hooks->context)) {
        p->at_end = true;
        return parse_fail(p, at, "nested too deeply");
    }
    if (lex_peek(p) == '(') {
        const int got = arithmetic(w, quoted, at);

        if (got)
            return got < 0 ? -1 : 0;
    }
    command = parse_substitution(p);
    if (!command)
        return -1;
    word_flush(w);
    word_part(w, PART_COMMAND, quoted, at)->command = command;
    return 0;
}

static int hex_value(int c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static unsigned read_digits(struct parser *p, unsigned base, int most)
{
    unsigned value = 0;

    while (most-- > 0) {
        const int digit = hex_value(lex_raw(p));

        if (digit < 0 || digit >= (int)base)
            break;
        value = value * base + (unsigned)digit;
        lex_take(p);
    }
    return value;
}

static void put_utf8(struct word_builder *w, unsigned c)
{
    if (c < 0x80) {
        word_put(w, (int)c, true);
        return;
    }
    if (c >= 0x10000) {
        word_put(w, (int)(0xf0 | c >> 18), true);
        word_put(w, (int)(0x80 | (c >> 12 & 0x3f)), true);
    } else if (c >= 0x800) {
        word_put(w, (int)(0xe0 | c >> 12), true);
    }
    if (c >= 0x800)
        word_put(w, (int)(0x80 | (c >> 6 & 0x3f)), true);
    else
        word_put(w, (int)(0xc0 | c >> 6), true);
    word_put(w, (int)(0x80 | (c & 0x3f)), true);
}

/* One escape of $'…'; the backslash is taken. */
static void escape(struct word_builder *w)
{
    static const char from[] = "abefnrtv", to[] = "\a\b\033\f\n\r\t\v";
    struct parser *const p = w->p;
    const int c = lex_raw(p);
    const char *const simple = c > 0 ? strchr(from, c) : NULL;
    unsigned value = 0;

    if (c >= '0' && c <= '7') {
        value = read_digits(p, 8, 3) & 0xff;
    } else {
        if (c == LEX_END)
            return;
        lex_take(p);
        if (simple)
            value = (unsigned char)to[simple - from];
        else if (c == 'x')
            value = read_digits(p, 16, 2);
        else if (c == 'u' || c == 'U') {
            put_utf8(w, read_digits(p, 16, c == 'u' ? 4 : 8) & 0x1fffff);
            return;
        } else if (c == 'c' && lex_raw(p) != LEX_END) {
            value = (unsigned)lex_raw(p);
            lex_take(p);
            if (value == '\\' && lex_raw(p) == '\\')
                lex_take(p);
            value = value == '?' ? 0x7f : value & 0x1f;
        } else if (c == '"' || c == '\'' || c == '\\' || c == '?')
            value = (unsigned)c;
        else {
            word_put(w, '\\', true);
            value = (unsigned)c;
        }
    }
    if (value)
        word_put(w, (int)value, true);
}

static int dollar_quotes(struct word_builder *w, struct position at)
{
    struct parser *const p = w->p;
    int c;

    if (!w->started || !w->quoted) {
        word_flush(w);
        w->started = w->quoted = true;
        w->at = at;
    }
    lex_take(p);
    while ((c = lex_raw(p)) != '\'') {
        if (c == LEX_END) {
            p->at_end = true;
            return parse_fail(p, at, "$' is not closed");
        }
        lex_take(p);
        if (c == '\\')
            escape(w);
        else
            word_put(w, c, true);
    }
    lex_take(p);
    return 0;
}

int lex_dollar(struct word_builder *w, enum word_mode mode, bool quoted, struct position at)
{
    struct parser *const p = w->p;
    const int c = lex_peek(p);

    if (c == '{') {
        lex_take(p);
        if (p->hooks->too_deep && p->hooks->too_deep(p->hooks->context)) {
            p->at_end = true;
            return parse_fail(p, at, "nested too deeply");
        }
        return braces(w, quoted, at);
    }
    if (c == '(') {
        lex_take(p);
        return parentheses(w, quoted, at);
    }
    if (c == '\'' && (mode == IN_WORD || mode == IN_BRACES))
        return dollar_quotes(w, at);
    if (is_name_start(c) || is_digit(c) || is_special(c)) {
        struct parameter *const parameter = arena_zero(p->arena, sizeof(*parameter));

        read_name(p, parameter, false);
        word_flush(w);
        word_part(w, PART_PARAMETER, quoted, at)->parameter = parameter;
        return 0;
    }
    word_put(w, '$', quoted);
    return 0;
}

int lex_backquote(struct word_builder *w, enum word_mode mode, bool quoted, struct position at)
{
    struct parser *const p = w->p;
    struct buf text = {0};
    struct program *command;
    int c;

    while ((c = lex_raw(p)) != '`') {
        if (c == LEX_END) {
            buf_free(&text);
            p->at_end = true;
            return parse_fail(p, at, "backquote is not closed");
        }
        lex_take(p);
        if (c == '\\') {
            const int escaped = lex_raw(p);

            if (escaped == '$' || escaped == '`' || escaped == '\\' ||
                (escaped == '"' && mode != IN_WORD && quoted)) {
                c = escaped;
                lex_take(p);
            }
        }
        buf_addc(&text, (char)c);
    }
    lex_take(p);
    command = parse_text(p, arena_copy(p->arena, buf_str(&text), text.len), text.len, at);
    buf_free(&text);
    if (!command)
        return -1;
    word_flush(w);
    word_part(w, PART_COMMAND, quoted, at)->command = command;
    return 0;
}
