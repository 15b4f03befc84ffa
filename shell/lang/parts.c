/* SPDX-License-Identifier: MIT */
/* Quoting: how the characters of a word become its parts. */
#include "lang/lex_internal.h"

static bool ends_word(int c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\n':
    case '|':
    case '&':
    case ';':
    case '<':
    case '>':
    case '(':
    case ')':
        return true;
    default:
        return false;
    }
}

static int unterminated(struct parser *p, struct position at, const char *what)
{
    p->at_end = true;
    return parse_fail(p, at, "%s is not closed", what);
}

/* A part without text, so that '' and "" make a field. */
static void start_empty(struct word_builder *w)
{
    if (w->started && w->quoted)
        return;
    word_flush(w);
    w->started = w->quoted = true;
    w->at = w->p->at;
}

static int single_quotes(struct word_builder *w, struct position at)
{
    struct parser *const p = w->p;
    int c;

    start_empty(w);
    while ((c = lex_raw(p)) != '\'') {
        if (c == LEX_END)
            return unterminated(p, at, "single quote");
        word_put(w, c, true);
        lex_take(p);
    }
    lex_take(p);
    return 0;
}

static int double_quotes(struct word_builder *w, struct position at)
{
    struct parser *const p = w->p;
    struct part **const last = w->last;
    const size_t length = w->started ? w->text.len : 0;

    if (lex_parts(w, IN_QUOTES, true))
        return -1;
    if (lex_peek(p) != '"')
        return unterminated(p, at, "double quote");
    lex_take(p);
    if (w->last == last && (!w->started || w->text.len == length))
        start_empty(w);
    return 0;
}

/* A backslash (taken) where everything may be quoted by it. */
static void backslash(struct word_builder *w)
{
    struct parser *const p = w->p;
    const int c = lex_raw(p);

    if (c == LEX_END) {
        word_put(w, '\\', true);
        return;
    }
    word_put(w, c, true);
    lex_take(p);
}

/* A backslash (taken) where it quotes only some characters. */
static void quoted_backslash(struct word_builder *w, enum word_mode mode)
{
    struct parser *const p = w->p;
    const int c = lex_raw(p);

    if (c == '$' || c == '`' || c == '\\' ||
        (c == '"' && mode != IN_HERE && mode != IN_ARITHMETIC) ||
        (c == '}' && mode == IN_QUOTED_BRACES)) {
        word_put(w, c, true);
        lex_take(p);
    } else {
        word_put(w, '\\', true);
    }
}

static bool at_end(enum word_mode mode, int c, int *depth)
{
    switch (mode) {
    case IN_WORD:
        return c == LEX_END || ends_word(c);
    case IN_QUOTES:
        return c == '"';
    case IN_HERE:
        return c == LEX_END;
    case IN_BRACES:
    case IN_QUOTED_BRACES:
        return c == '}';
    case IN_EXPRESSION:
        return c == LEX_END || c == ' ' || c == '\t' || c == '\n';
    case IN_SUBSCRIPT:
        if (c == ']' && *depth == 0)
            return true;
        *depth += (c == '[') - (c == ']');
        return false;
    case IN_ARITHMETIC:
        if (c == ')' && *depth == 0)
            return true;
        *depth += (c == '(') - (c == ')');
        return false;
    }
    return true;
}

/* <( or >( where the extensions are on. */
bool begins_process(struct parser *p, int c)
{
    return (c == '<' || c == '>') && p->hooks->extensions && p->next + 1 < p->end &&
           p->next[1] == '(';
}

static int process(struct word_builder *w, int c, struct position at)
{
    struct parser *const p = w->p;
    struct program *command;
    struct part *part;

    lex_take(p);
    lex_take(p);
    if (p->hooks->too_deep && p->hooks->too_deep(p->hooks->context)) {
        p->at_end = true;
        return parse_fail(p, at, "nested too deeply");
    }
    command = parse_substitution(p);
    if (!command)
        return -1;
    word_flush(w);
    part = word_part(w, PART_PROCESS, true, at);
    part->command = command;
    part->output = c == '>';
    return 0;
}

int lex_parts(struct word_builder *w, enum word_mode mode, bool quoted)
{
    struct parser *const p = w->p;
    const struct position began = p->at;
    /* All kinds of quotes are special. */
    const bool open = mode == IN_WORD || mode == IN_BRACES || mode == IN_EXPRESSION;
    int depth = 0;

    for (;;) {
        const int c = lex_peek(p);
        const struct position at = p->at;
        int err = 0;

        if (mode == IN_WORD && begins_process(p, c)) {
            if (process(w, c, at))
                return -1;
            continue;
        }
        if (at_end(mode, c, &depth))
            return 0;
        if (c == LEX_END)
            return unterminated(p, began,
                                mode == IN_QUOTES       ? "double quote"
                                : mode == IN_ARITHMETIC ? "arithmetic expansion"
                                                        : "parameter expansion");
        lex_take(p);
        if (c == '$')
            err = lex_dollar(w, mode, quoted, at);
        else if (c == '`')
            err = lex_backquote(w, mode, quoted, at);
        else if (c == '\\' && open)
            backslash(w);
        else if (c == '\\')
            quoted_backslash(w, mode);
        else if (c == '\'' && open)
            err = single_quotes(w, at);
        else if (c == '"' && mode != IN_HERE)
            err = double_quotes(w, at);
        else
            word_put(w, c, quoted);
        if (err)
            return err;
    }
}

struct word *lex_word(struct parser *p, enum word_mode mode, bool quoted)
{
    struct word_builder w = {.p = p};
    const struct position at = p->at;

    w.last = &w.first;
    if (lex_parts(&w, mode, quoted)) {
        buf_free(&w.text);
        return NULL;
    }
    return word_finish(&w, at);
}

struct word *lex_prompt(struct parser *p, const char *text, size_t length)
{
    struct source source = {0};

    lex_enter(p, &source, text, length, p->at);
    return lex_word(p, IN_HERE, true);
}
