/* SPDX-License-Identifier: MIT */
/* Simple commands, redirections and function definitions. */
#include "lang/parse_internal.h"

/* The length of the name in name=…, or 0. */
static size_t assignment_name(const struct word *word)
{
    const struct part *const part = word->parts;
    size_t length = 0;

    if (!part || part->kind != PART_TEXT || part->quoted ||
        !is_name_start((unsigned char)*part->text))
        return 0;
    while (length < part->length && is_name_char((unsigned char)part->text[length]))
        length++;
    return length < part->length && part->text[length] == '=' ? length : 0;
}

int parse_redirect(struct parser *p, struct redirect ***last)
{
    static const int kinds[] = {
        [TOKEN_LESS] = REDIRECT_INPUT,        [TOKEN_GREATER] = REDIRECT_OUTPUT,
        [TOKEN_CLOBBER] = REDIRECT_CLOBBER,   [TOKEN_APPEND] = REDIRECT_APPEND,
        [TOKEN_LESS_GREATER] = REDIRECT_BOTH, [TOKEN_LESS_AND] = REDIRECT_DUP_INPUT,
        [TOKEN_GREATER_AND] = REDIRECT_DUP,   [TOKEN_HERE] = REDIRECT_HERE,
        [TOKEN_HERE_TABS] = REDIRECT_HERE,    [TOKEN_HERE_STRING] = REDIRECT_STRING,
    };
    struct redirect *redirect;
    int fd = -1, kind;

    if (peek(p))
        return -1;
    if (p->token.kind == TOKEN_NUMBER) {
        fd = p->token.number;
        take(p);
        if (peek(p))
            return -1;
    }
    kind = p->token.kind;
    if (kind < TOKEN_LESS)
        return 0;
    redirect = arena_zero(p->arena, sizeof(*redirect));
    redirect->kind = (uint8_t)kinds[kind];
    redirect->at = p->token.at;
    if (fd < 0)
        fd = kind == TOKEN_GREATER || kind == TOKEN_CLOBBER || kind == TOKEN_APPEND ||
             kind == TOKEN_GREATER_AND;
    redirect->fd = fd;
    take(p);
    if (peek(p))
        return -1;
    /* Digits directly before another redirection are its number: `< 2>x` has no file. */
    if (p->token.kind != TOKEN_WORD)
        return unexpected(p, "a word for the redirection");
    if (redirect->kind == REDIRECT_HERE) {
        struct here_document *const here = arena_zero(p->arena, sizeof(*here));
        struct buf text = {0};

        for (const struct part *part = p->token.word->parts; part; part = part->next) {
            here->quoted |= part->quoted;
            if (part->kind != PART_TEXT) {
                buf_free(&text);
                return parse_fail(p, part->at, "the word after << may hold no expansion");
            }
            buf_add(&text, part->text, part->length);
        }
        here->redirect = redirect;
        here->strip_tabs = kind == TOKEN_HERE_TABS;
        here->delimiter = arena_copy(p->arena, buf_str(&text), text.len);
        here->length = text.len;
        buf_free(&text);
        *p->here_last = here;
        p->here_last = &here->next;
        take(p);
    } else {
        redirect->word = take_word(p);
    }
    **last = redirect;
    *last = &redirect->next;
    return 1;
}

int parse_redirects(struct parser *p, struct redirect **last)
{
    int got;

    while ((got = parse_redirect(p, &last)) > 0)
        ;
    return got;
}

static bool is_declaration(const char *name)
{
    return strcmp(name, "export") == 0 || strcmp(name, "readonly") == 0 ||
           strcmp(name, "local") == 0 || strcmp(name, "declare") == 0 ||
           strcmp(name, "typeset") == 0;
}

static struct word *declared_word(struct parser *p)
{
    struct word *const word = p->token.word;
    const size_t name = assignment_name(word);

    if (!name)
        return take_word(p);
    take(p);
    word->flags |= WORD_ASSIGNS;
    word_tildes(p, word, name + 1, true);
    return word;
}

struct node *parse_simple(struct parser *p)
{
    struct simple *const simple = new_node(p, NODE_SIMPLE, sizeof(*simple), p->token.at);
    struct assignment **last_assignment = &simple->assignments;
    struct assignment **last_array = &simple->arrays;
    struct redirect **last_redirect = &simple->node.redirects;
    struct word **last_word = &simple->words;
    bool declares = false, may_declare = true;

    for (;;) {
        const int redirected = parse_redirect(p, &last_redirect);

        if (redirected < 0)
            return NULL;
        if (redirected)
            continue;
        if (simple->words ? peek(p) : peek_command(p))
            return NULL;
        if (p->token.kind >= TOKEN_LESS || p->token.kind == TOKEN_NUMBER)
            continue; /* an alias brought a redirection */
        if (p->token.kind == TOKEN_OPEN && simple->word_count == 1 && !simple->assignments &&
            !simple->node.redirects)
            return parse_function(p, simple->words);
        if (p->token.kind != TOKEN_WORD)
            break;
        if (!simple->words) {
            const int assigned = parse_assignment(p, &last_assignment);

            if (assigned < 0)
                return NULL;
            if (assigned)
                continue;
        }

        if (declares && parse_declared_array(p, &last_array) < 0)
            return NULL;

        struct word *const word = declares ? declared_word(p) : take_words(p);

        if (!word)
            return NULL;
        if (may_declare) {
            declares = word->plain && is_declaration(word->plain);
            may_declare = word->plain && strcmp(word->plain, "command") == 0;
        }
        for (*last_word = word; *last_word; last_word = &(*last_word)->next) {
            simple->processes |= ((*last_word)->flags & WORD_PROCESS) != 0;
            simple->word_count++;
        }
    }
    simple->declares = declares;
    if (!simple->words && !simple->assignments && !simple->node.redirects) {
        unexpected(p, NULL);
        return NULL;
    }
    return &simple->node;
}

struct node *parse_function(struct parser *p, struct word *name)
{
    struct function_command *function;
    struct node *body;

    if (!(name->flags & WORD_BARE) || name->flags & WORD_GLOB) {
        parse_fail(p, name->at, "syntax error: not a name for a function");
        return NULL;
    }
    for (const char *c = name->plain; *c; c++) {
        if (c == name->plain
                ? !is_name_start((unsigned char)*c) && !p->hooks->extensions
                : !is_name_char((unsigned char)*c) && *c != '-' && *c != '.' && *c != ':') {
            parse_fail(p, name->at, "syntax error: '%.60s' is not a name for a function",
                       name->plain);
            return NULL;
        }
    }
    function = new_node(p, NODE_FUNCTION, sizeof(*function), name->at);
    function->name = name->plain;
    function->length = name->length;
    function->program = p->program;
    take(p);
    if (peek(p))
        return NULL;
    if (p->token.kind != TOKEN_CLOSE) {
        unexpected(p, "')'");
        return NULL;
    }
    take(p);
    if (skip_newlines(p, true))
        return NULL;

    const enum reserved first = reserved_word(&p->token);

    if (p->token.kind == TOKEN_OPEN)
        body = parse_subshell(p);
    else if (first > RESERVED_BANG && first < RESERVED_ENDS)
        body = parse_compound(p, first);
    else {
        unexpected(p, "a compound command as the function's body");
        return NULL;
    }
    if (!body || parse_redirects(p, &body->redirects))
        return NULL;
    function->body = body;
    return &function->node;
}
