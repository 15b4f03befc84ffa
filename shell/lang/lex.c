/* SPDX-License-Identifier: MIT */
/* Tokens, and the bodies of here-documents. */
#include "lang/lex_internal.h"

static int skip_blanks(struct parser *p)
{
    for (;;) {
        int c = lex_peek(p);

        if (c == ' ' || c == '\t') {
            lex_take(p);
        } else if (c == '#') {
            while ((c = lex_raw(p)) != LEX_END && c != '\n')
                lex_take(p);
        } else {
            return c;
        }
    }
}

static enum token_kind one_of(struct parser *p, int second, enum token_kind with,
                              enum token_kind without)
{
    if (lex_peek(p) != second)
        return without;
    lex_take(p);
    return with;
}

static enum token_kind less(struct parser *p)
{
    switch (lex_peek(p)) {
    case '<':
        lex_take(p);
        if (lex_peek(p) == '-') {
            lex_take(p);
            return TOKEN_HERE_TABS;
        }
        if (p->hooks->extensions && lex_peek(p) == '<') {
            lex_take(p);
            return TOKEN_HERE_STRING;
        }
        return TOKEN_HERE;
    case '&':
        lex_take(p);
        return TOKEN_LESS_AND;
    case '>':
        lex_take(p);
        return TOKEN_LESS_GREATER;
    default:
        return TOKEN_LESS;
    }
}

static enum token_kind greater(struct parser *p)
{
    switch (lex_peek(p)) {
    case '>':
        lex_take(p);
        return TOKEN_APPEND;
    case '&':
        lex_take(p);
        return TOKEN_GREATER_AND;
    case '|':
        lex_take(p);
        return TOKEN_CLOBBER;
    default:
        return TOKEN_GREATER;
    }
}

static bool io_number(struct parser *p, const struct word *word, int *number)
{
    const char *digits = word_bare(word);
    const int c = digits && is_digit(*digits) ? lex_peek(p) : 0;
    long value = 0;

    if (c != '<' && c != '>')
        return false;
    for (; is_digit(*digits); digits++)
        value = value > 100000000 ? value : value * 10 + (*digits - '0');
    *number = (int)value;
    return *digits == '\0';
}

static int lex_operator(struct parser *p, int c, struct token *token)
{
    lex_take(p);
    switch (c) {
    case '&':
        token->kind = (uint8_t)one_of(p, '&', TOKEN_AND_IF, TOKEN_AND);
        return 0;
    case '|':
        token->kind = (uint8_t)one_of(p, '|', TOKEN_OR_IF, TOKEN_PIPE);
        return 0;
    case ';':
        token->kind = (uint8_t)one_of(p, ';', TOKEN_DOUBLE_SEMICOLON, TOKEN_SEMICOLON);
        if (token->kind == TOKEN_SEMICOLON)
            token->kind = (uint8_t)one_of(p, '&', TOKEN_SEMICOLON_AND, TOKEN_SEMICOLON);
        return 0;
    case '(':
        token->kind = TOKEN_OPEN;
        return 0;
    case ')':
        token->kind = TOKEN_CLOSE;
        return 0;
    case '<':
        token->kind = (uint8_t)less(p);
        return 0;
    case '>':
        token->kind = (uint8_t)greater(p);
        return 0;
    default:
        token->kind = TOKEN_NEWLINE;
        return lex_here_documents(p);
    }
}

static int lex_plain_word(struct parser *p, struct token *token)
{
    p->continued = true;
    token->kind = TOKEN_WORD;
    token->word = lex_word(p, p->expression ? IN_EXPRESSION : IN_WORD, false);
    if (!token->word)
        return -1;
    if (!p->expression && io_number(p, token->word, &token->number))
        token->kind = TOKEN_NUMBER;
    return 0;
}

int lex_token(struct parser *p, struct token *token)
{
    const int c = skip_blanks(p);

    *token = (struct token){.at = p->at, .origin = p->source, .after_alias = p->after_alias};
    p->after_alias = false;
    if (begins_process(p, c) || (p->expression && c != LEX_END && c != '\n'))
        return lex_plain_word(p, token);
    switch (c) {
    case LEX_END:
        token->kind = TOKEN_END;
        return lex_here_documents(p);
    case '&':
    case '|':
    case ';':
    case '(':
    case ')':
    case '<':
    case '>':
    case '\n':
        return lex_operator(p, c, token);
    default:
        return lex_plain_word(p, token);
    }
}

/* --- Here-documents -------------------------------------------------------------------------- */

/* Adds one line without its newline. false at the end of the input, with nothing read. */
static bool read_line(struct parser *p, struct buf *line, bool *newline)
{
    int c = lex_raw(p);

    *newline = false;
    if (c == LEX_END)
        return false;
    for (; c != LEX_END; c = lex_raw(p)) {
        lex_take(p);
        if (c == '\n') {
            *newline = true;
            break;
        }
        buf_addc(line, (char)c);
    }
    return true;
}

static bool ends_in_backslash(const struct buf *line)
{
    size_t count = 0;

    while (count < line->len && line->data[line->len - 1 - count] == '\\')
        count++;
    return count % 2;
}

static void collect(struct parser *p, const struct here_document *here, struct buf *body)
{
    struct buf line = {0};
    bool newline;

    for (;;) {
        const char *text;
        size_t length;

        buf_cut(&line, 0);
        if (!read_line(p, &line, &newline)) {
            if (!p->quiet)
                p->hooks->report(p->hooks->context, p->input->name, p->at, NULL, 0,
                                 "here-document is ended by the end of the input");
            break;
        }
        /* Lines are joined before they are compared. */
        while (!here->quoted && newline && ends_in_backslash(&line)) {
            buf_cut(&line, line.len - 1);
            if (!read_line(p, &line, &newline))
                break;
        }
        text = buf_str(&line);
        length = line.len;
        while (here->strip_tabs && *text == '\t') {
            text++;
            length--;
        }
        if (length == here->length && memcmp(text, here->delimiter, length) == 0)
            break;
        buf_add(body, text, length);
        if (newline)
            buf_addc(body, '\n');
    }
    buf_free(&line);
}

static struct word *literal(struct parser *p, const struct buf *body, struct position at)
{
    struct word_builder w = {.p = p};

    w.last = &w.first;
    w.started = w.quoted = true;
    buf_add(&w.text, buf_str(body), body->len);
    return word_finish(&w, at);
}

static struct word *expanding(struct parser *p, const struct buf *body, struct position at)
{
    struct input input = {.name = p->input->name, .line = at.line};
    struct parser inner;
    struct word *word;

    buf_add(&input.text, buf_str(body), body->len);
    parser_init(&inner, &input, p->hooks);
    inner.arena = p->arena;
    inner.program = p->program;
    inner.at = at;
    inner.quiet = p->quiet;
    word = lex_word(&inner, IN_HERE, true);
    if (!word) {
        p->failed = true;
        p->at_end = inner.at_end;
    }
    buf_free(&input.text);
    return word;
}

int lex_here_documents(struct parser *p)
{
    int err = 0;

    while (p->here) {
        struct here_document *const here = p->here;
        const struct position at = p->at;
        struct buf body = {0};

        p->here = here->next;
        collect(p, here, &body);
        here->redirect->word = here->quoted ? literal(p, &body, at) : expanding(p, &body, at);
        buf_free(&body);
        if (!here->redirect->word)
            err = -1;
    }
    p->here_last = &p->here;
    return err;
}
