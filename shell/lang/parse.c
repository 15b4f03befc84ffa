/* SPDX-License-Identifier: MIT */
/* The parser from the outside in: programs, lists, and-or lists, pipelines. */
#include "lang/parse_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct program *program_new(const char *file)
{
    struct arena arena = {0};
    struct program *const program = arena_zero(&arena, sizeof(*program));

    program->arena = arena;
    program->references = 1;
    program->file = file;
    return program;
}

void program_keep(struct program *program)
{
    program->references++;
}

void program_drop(struct program *program)
{
    if (--program->references == 0) {
        struct arena arena = program->arena;

        arena_free(&arena);
    }
}

void parser_init(struct parser *p, struct input *input, const struct parser_hooks *hooks)
{
    *p = (struct parser){.hooks = hooks, .input = input};
    p->source = &p->root;
    p->next = buf_str(&input->text);
    p->end = p->next + input->text.len;
    p->at = (struct position){input->line ? input->line : 1, 1};
    p->here_last = &p->here;
}

void parser_free(struct parser *p)
{
    p->arena = NULL;
}

/* The line of the input that a place is on. */
static const char *line_at(struct parser *p, struct position at, size_t *length)
{
    const char *line = buf_str(&p->input->text);
    const char *const end = line + p->input->text.len;
    const char *newline;

    for (uint32_t n = p->input->line ? p->input->line : 1; n < at.line; n++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return NULL;
        line++;
    }
    newline = memchr(line, '\n', (size_t)(end - line));
    *length = (size_t)((newline ? newline : end) - line);
    return line;
}

int parse_fail(struct parser *p, struct position at, const char *fmt, ...)
{
    char message[256];
    va_list args;
    size_t length = 0;

    if (p->quiet || p->failed) {
        p->failed |= !p->quiet;
        return -1;
    }
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    p->failed = true;

    const char *const line = line_at(p, at, &length);

    p->hooks->report(p->hooks->context, p->input->name, at, line, length, message);
    return -1;
}

void take(struct parser *p)
{
    p->have_token = false;
}

enum reserved reserved_word(const struct token *token)
{
    static const struct {
        const char *name;
        enum reserved word;
    } words[] = {
        {"!", RESERVED_BANG},      {"case", RESERVED_CASE},   {"do", RESERVED_DO},
        {"done", RESERVED_DONE},   {"elif", RESERVED_ELIF},   {"else", RESERVED_ELSE},
        {"esac", RESERVED_ESAC},   {"fi", RESERVED_FI},       {"for", RESERVED_FOR},
        {"if", RESERVED_IF},       {"in", RESERVED_IN},       {"then", RESERVED_THEN},
        {"until", RESERVED_UNTIL}, {"while", RESERVED_WHILE}, {"{", RESERVED_OPEN},
        {"}", RESERVED_CLOSE},
    };
    const char *text = token->kind == TOKEN_WORD ? word_bare(token->word) : NULL;

    if (!text || token->word->length > 5 || !strchr("!cdefituw{}", *text))
        return NOT_RESERVED;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].name) == 0)
            return words[i].word;
    return NOT_RESERVED;
}

static bool in_use(const struct source *source, const char *alias)
{
    for (; source; source = source->origin)
        if (source->alias && strcmp(source->alias, alias) == 0)
            return true;
    return false;
}

/* Put the value of the alias in the place of the word to come. */
static bool replace_alias(struct parser *p)
{
    const char *const name = p->token.kind == TOKEN_WORD ? word_bare(p->token.word) : NULL;
    const char *value;
    struct source *source;
    size_t length;

    if (!name || !p->hooks->alias)
        return false;
    value = p->hooks->alias(p->hooks->context, name, p->token.word->parts->length);
    if (!value || in_use(p->token.origin, name))
        return false;
    length = strlen(value);
    source = arena_zero(p->arena, sizeof(*source));
    source->alias = name;
    source->origin = p->token.origin;
    source->blank_after = length && (value[length - 1] == ' ' || value[length - 1] == '\t');
    lex_enter(p, source, arena_copy(p->arena, value, length), length, p->token.at);
    take(p);
    return true;
}

static bool is_spared(const struct token *token)
{
    const enum reserved word = reserved_word(token);

    return word == RESERVED_IN || word == RESERVED_DO;
}

/* A word anywhere is replaced behind an alias that ends with a blank; and so is what that gives. */
int peek(struct parser *p)
{
    bool aliases = false;

    while (!p->have_token) {
        if (lex_token(p, &p->token))
            return -1;
        p->have_token = true;
        aliases |= p->token.after_alias;
        if (aliases && !(p->spare_reserved && is_spared(&p->token)))
            replace_alias(p);
    }
    return 0;
}

int peek_command(struct parser *p)
{
    do {
        if (peek(p))
            return -1;
    } while (reserved_word(&p->token) == NOT_RESERVED && replace_alias(p));
    return 0;
}

int skip_newlines(struct parser *p, bool command)
{
    for (;;) {
        if (command ? peek_command(p) : peek(p))
            return -1;
        if (p->token.kind != TOKEN_NEWLINE)
            return 0;
        take(p);
    }
}

static const char *token_text(const struct token *token, char *room, size_t size)
{
    static const char *const names[] = {
        [TOKEN_END] = "end of input",
        [TOKEN_NEWLINE] = "end of line",
        [TOKEN_AND] = "'&'",
        [TOKEN_AND_IF] = "'&&'",
        [TOKEN_OR_IF] = "'||'",
        [TOKEN_PIPE] = "'|'",
        [TOKEN_SEMICOLON] = "';'",
        [TOKEN_DOUBLE_SEMICOLON] = "';;'",
        [TOKEN_SEMICOLON_AND] = "';&'",
        [TOKEN_OPEN] = "'('",
        [TOKEN_CLOSE] = "')'",
        [TOKEN_LESS] = "'<'",
        [TOKEN_GREATER] = "'>'",
        [TOKEN_CLOBBER] = "'>|'",
        [TOKEN_APPEND] = "'>>'",
        [TOKEN_LESS_GREATER] = "'<>'",
        [TOKEN_LESS_AND] = "'<&'",
        [TOKEN_GREATER_AND] = "'>&'",
        [TOKEN_HERE] = "'<<'",
        [TOKEN_HERE_TABS] = "'<<-'",
        [TOKEN_HERE_STRING] = "'<<<'",
        [TOKEN_NUMBER] = "number",
    };

    if (token->kind != TOKEN_WORD)
        return names[token->kind];
    if (!word_bare(token->word))
        return "word";
    snprintf(room, size, "'%.40s'", word_bare(token->word));
    return room;
}

int unexpected(struct parser *p, const char *wanted)
{
    char room[64];
    const char *const text = token_text(&p->token, room, sizeof room);

    p->at_end |= p->token.kind == TOKEN_END;
    if (wanted)
        return parse_fail(p, p->token.at, "syntax error: %s where %s was expected", text, wanted);
    return parse_fail(p, p->token.at, "syntax error: unexpected %s", text);
}

int expect(struct parser *p, enum reserved word, const char *opened, struct position at)
{
    static const char *const names[] = {
        [RESERVED_CLOSE] = "}",   [RESERVED_DO] = "do",     [RESERVED_DONE] = "done",
        [RESERVED_ESAC] = "esac", [RESERVED_FI] = "fi",     [RESERVED_THEN] = "then",
        [RESERVED_IN] = "in",     [RESERVED_ELIF] = "elif", [RESERVED_ELSE] = "else",
    };
    char wanted[80];

    if (peek_command(p))
        return -1;
    if (reserved_word(&p->token) == word) {
        take(p);
        return 0;
    }
    snprintf(wanted, sizeof wanted, "'%s' (for '%s' on line %u)", names[word], opened, at.line);
    return unexpected(p, wanted);
}

struct word *take_word(struct parser *p)
{
    struct word *const word = p->token.word;

    take(p);
    if (word->parts && word->parts->kind == PART_TEXT && *word->parts->text == '~')
        word_tildes(p, word, 0, false);
    return word;
}

struct word *take_words(struct parser *p)
{
    struct word *word = p->token.word, *last = NULL;

    if (!(word->flags & WORD_BRACES) || !p->hooks->extensions)
        return take_word(p);
    word = word_braces(p, word);
    for (struct word *one = word; one; one = one->next) {
        p->token.word = one;
        take_word(p);
        last = one;
    }
    if (last)
        p->token.word = last;
    return word;
}

void *new_node(struct parser *p, enum node_kind kind, size_t size, struct position at)
{
    struct node *const node = arena_zero(p->arena, size);

    node->kind = (uint8_t)kind;
    node->at = at;
    return node;
}

/* --- Commands -------------------------------------------------------------------------------- */

/* A word that is reserved where the extensions are on. */
static bool is_extension(const struct parser *p, const char *word)
{
    const char *const text =
        p->hooks->extensions && p->token.kind == TOKEN_WORD ? word_bare(p->token.word) : NULL;

    return text && strcmp(text, word) == 0;
}

static struct node *parse_command(struct parser *p)
{
    struct node *node;
    struct redirect **last;

    if (p->hooks->too_deep && p->hooks->too_deep(p->hooks->context)) {
        p->at_end = true;
        parse_fail(p, p->at, "nested too deeply");
        return NULL;
    }
    if (peek_command(p))
        return NULL;

    const enum reserved first = reserved_word(&p->token);

    if (p->token.kind == TOKEN_OPEN)
        node = parse_subshell(p);
    else if (first > RESERVED_BANG && first < RESERVED_ENDS)
        node = parse_compound(p, first);
    else if (is_extension(p, "[["))
        node = parse_test(p);
    else if (first == NOT_RESERVED || first == RESERVED_IN)
        return parse_simple(p);
    else {
        unexpected(p, NULL);
        return NULL;
    }
    if (!node)
        return NULL;
    last = &node->redirects;
    return parse_redirects(p, last) ? NULL : node;
}

static struct node *parse_pipeline(struct parser *p)
{
    struct node *stages[64], **all = stages;
    uint32_t count = 0, room = 64;
    bool negated = false, timed, plain_times = false;
    struct pipeline *pipeline;
    struct position at;

    if (peek_command(p))
        return NULL;
    at = p->token.at;
    timed = is_extension(p, "time");
    if (timed) {
        take(p);
        if (peek_command(p))
            return NULL;
        plain_times = is_extension(p, "-p");
        if (plain_times)
            take(p);
        if (peek_command(p))
            return NULL;
    }
    if (reserved_word(&p->token) == RESERVED_BANG) {
        negated = true;
        take(p);
    }
    for (;;) {
        struct node *const stage = parse_command(p);

        if (!stage || peek(p))
            return NULL;
        if (count == room) {
            struct node **const more = arena_alloc(p->arena, 2 * room * sizeof(*more));

            memcpy(more, all, room * sizeof(*more));
            all = more;
            room *= 2;
        }
        all[count++] = stage;
        if (p->token.kind != TOKEN_PIPE)
            break;
        take(p);
        if (skip_newlines(p, true))
            return NULL;
    }
    if (count == 1 && !negated && !timed)
        return all[0];
    pipeline = new_node(p, NODE_PIPELINE, sizeof(*pipeline), at);
    pipeline->negated = negated;
    pipeline->timed = timed;
    pipeline->plain_times = plain_times;
    pipeline->count = count;
    pipeline->stages = arena_alloc(p->arena, count * sizeof(*all));
    memcpy(pipeline->stages, all, count * sizeof(*all));
    return &pipeline->node;
}

static struct node *parse_and_or(struct parser *p)
{
    struct node *const first = parse_pipeline(p);
    struct and_or *chain = NULL;
    struct and_or_link **last = NULL;

    if (!first)
        return NULL;
    for (;;) {
        struct and_or_link *link;

        if (peek(p))
            return NULL;
        if (p->token.kind != TOKEN_AND_IF && p->token.kind != TOKEN_OR_IF)
            return chain ? &chain->node : first;
        if (!chain) {
            chain = new_node(p, NODE_AND_OR, sizeof(*chain), first->at);
            chain->first = first;
            last = &chain->links;
        }
        link = arena_zero(p->arena, sizeof(*link));
        link->on_success = p->token.kind == TOKEN_AND_IF;
        take(p);
        if (skip_newlines(p, true))
            return NULL;
        link->command = parse_pipeline(p);
        if (!link->command)
            return NULL;
        *last = link;
        last = &link->next;
    }
}

static bool begins_command(struct parser *p)
{
    switch (p->token.kind) {
    case TOKEN_WORD: {
        const enum reserved word = reserved_word(&p->token);

        return word < RESERVED_ENDS || word == RESERVED_IN;
    }
    case TOKEN_NUMBER:
    case TOKEN_OPEN:
        return true;
    default:
        return p->token.kind >= TOKEN_LESS;
    }
}

/* `line`: the list ends with the line (a complete command); otherwise newlines separate. */
static struct list *parse_items(struct parser *p, bool line)
{
    struct list *list = NULL;
    struct list_item **last = NULL;

    for (;;) {
        struct list_item *item;

        if (line ? peek_command(p) : skip_newlines(p, true))
            return NULL;
        if (!begins_command(p) && list)
            return list;
        if (!begins_command(p))
            return new_node(p, NODE_LIST, sizeof(struct list), p->token.at);
        if (!list) {
            list = new_node(p, NODE_LIST, sizeof(*list), p->token.at);
            last = &list->items;
        }
        item = arena_zero(p->arena, sizeof(*item));
        item->command = parse_and_or(p);
        if (!item->command || peek(p))
            return NULL;
        *last = item;
        last = &item->next;
        switch (p->token.kind) {
        case TOKEN_AND:
            item->background = true;
            take(p);
            break;
        case TOKEN_SEMICOLON:
            take(p);
            break;
        case TOKEN_NEWLINE:
            if (line)
                return list;
            break;
        default:
            return list;
        }
    }
}

struct list *parse_list(struct parser *p, bool required, const char *opened, struct position at)
{
    struct list *const list = parse_items(p, false);
    char wanted[80];

    if (list && !list->items && required) {
        snprintf(wanted, sizeof wanted, "a command (in '%s' from line %u)", opened, at.line);
        unexpected(p, wanted);
        return NULL;
    }
    return list;
}

enum parse_result parse_program(struct parser *p, struct program **result)
{
    struct program *const program = program_new(p->input->name);

    p->arena = &program->arena;
    p->program = program;
    p->failed = p->at_end = p->continued = p->have_token = false;
    p->after_alias = p->spare_reserved = false;
    p->here = NULL;
    p->here_last = &p->here;
    if (peek_command(p))
        goto fail;
    if (p->token.kind == TOKEN_END) {
        program_drop(program);
        return PARSE_END;
    }
    p->continued = true;
    if (p->token.kind != TOKEN_NEWLINE) {
        if (!begins_command(p)) {
            unexpected(p, NULL);
            goto fail;
        }
        program->list = parse_items(p, true);
        if (!program->list)
            goto fail;
        if (p->token.kind != TOKEN_NEWLINE && p->token.kind != TOKEN_END) {
            unexpected(p, NULL);
            goto fail;
        }
    }
    p->have_token = false;
    *result = program;
    return PARSE_OK;

fail:
    /* What aliases put on top lives in the arena. */
    while (p->source->below) {
        p->next = p->end;
        p->source->blank_after = false;
        p->source = p->source->below;
        p->next = buf_str(&p->input->text) + p->source->position;
        p->end = buf_str(&p->input->text) + p->input->text.len;
    }
    program_drop(program);
    return PARSE_ERROR;
}

void parser_resume(struct parser *p)
{
    int c;

    if (p->have_token && p->token.kind == TOKEN_NEWLINE) {
        p->have_token = false;
        return;
    }
    p->have_token = false;
    while ((c = lex_raw(p)) != LEX_END) {
        lex_take(p);
        if (c == '\n')
            return;
    }
}
