/* SPDX-License-Identifier: MIT */
/* Compound commands. */
#include "lang/parse_internal.h"

struct node *parse_subshell(struct parser *p)
{
    struct group *const group = new_node(p, NODE_SUBSHELL, sizeof(*group), p->token.at);

    take(p);
    group->body = parse_list(p, true, "(", group->node.at);
    if (!group->body)
        return NULL;
    if (p->token.kind != TOKEN_CLOSE) {
        unexpected(p, "')'");
        return NULL;
    }
    take(p);
    return &group->node;
}

static struct node *parse_group(struct parser *p, struct position at)
{
    struct group *const group = new_node(p, NODE_GROUP, sizeof(*group), at);

    group->body = parse_list(p, true, "{", at);
    if (!group->body || expect(p, RESERVED_CLOSE, "{", at))
        return NULL;
    return &group->node;
}

static struct node *parse_if(struct parser *p, struct position at)
{
    struct if_command *const command = new_node(p, NODE_IF, sizeof(*command), at);
    struct branch **last = &command->branches;

    for (;;) {
        struct branch *const branch = arena_zero(p->arena, sizeof(*branch));
        enum reserved word;

        branch->condition = parse_list(p, true, "if", at);
        if (!branch->condition || expect(p, RESERVED_THEN, "if", at))
            return NULL;
        branch->body = parse_list(p, true, "then", at);
        if (!branch->body)
            return NULL;
        *last = branch;
        last = &branch->next;
        word = reserved_word(&p->token);
        if (word == RESERVED_ELIF) {
            take(p);
            continue;
        }
        if (word == RESERVED_ELSE) {
            take(p);
            command->otherwise = parse_list(p, true, "else", at);
            if (!command->otherwise)
                return NULL;
        }
        return expect(p, RESERVED_FI, "if", at) ? NULL : &command->node;
    }
}

static struct list *parse_do(struct parser *p, const char *opened, struct position at)
{
    struct list *body;

    if (expect(p, RESERVED_DO, opened, at))
        return NULL;
    body = parse_list(p, true, "do", at);
    return !body || expect(p, RESERVED_DONE, opened, at) ? NULL : body;
}

static struct node *parse_while(struct parser *p, bool until, struct position at)
{
    struct while_command *const command = new_node(p, NODE_WHILE, sizeof(*command), at);
    const char *const opened = until ? "until" : "while";

    command->until = until;
    command->condition = parse_list(p, true, opened, at);
    if (!command->condition)
        return NULL;
    command->body = parse_do(p, opened, at);
    return command->body ? &command->node : NULL;
}

static bool is_name(const char *text)
{
    if (!text || !is_name_start((unsigned char)*text))
        return false;
    while (is_name_char((unsigned char)*text))
        text++;
    return *text == '\0';
}

static struct node *parse_for(struct parser *p, struct position at)
{
    struct for_command *const command = new_node(p, NODE_FOR, sizeof(*command), at);
    struct word **last = &command->words;

    if (peek(p))
        return NULL;
    if (p->token.kind != TOKEN_WORD || !is_name(word_bare(p->token.word))) {
        unexpected(p, "a variable's name");
        return NULL;
    }
    command->name = p->token.word->plain;
    command->length = p->token.word->length;
    take(p);
    command->over_arguments = true;
    p->spare_reserved = true;
    if (peek(p))
        return NULL;
    p->spare_reserved = false;
    if (p->token.kind == TOKEN_SEMICOLON) {
        take(p);
        if (skip_newlines(p, false))
            return NULL;
    } else {
        p->spare_reserved = true;
        if (skip_newlines(p, false))
            return NULL;
        p->spare_reserved = false;
        if (reserved_word(&p->token) == RESERVED_IN) {
            command->over_arguments = false;
            take(p);
            while (!peek(p) && p->token.kind == TOKEN_WORD) {
                *last = take_words(p);
                while (*last)
                    last = &(*last)->next;
                if (p->failed)
                    return NULL;
            }
            if (p->failed)
                return NULL;
            if (p->token.kind != TOKEN_SEMICOLON && p->token.kind != TOKEN_NEWLINE) {
                unexpected(p, "';' or a new line");
                return NULL;
            }
            take(p);
            if (skip_newlines(p, false))
                return NULL;
        }
    }
    command->body = parse_do(p, "for", at);
    return command->body ? &command->node : NULL;
}

/* The patterns of one item up to the `)`. 0 or -1. */
static int parse_patterns(struct parser *p, struct case_item *item)
{
    struct word **last = &item->patterns;

    for (;;) {
        if (peek(p))
            return -1;
        if (p->token.kind != TOKEN_WORD)
            return unexpected(p, "a pattern");
        *last = take_word(p);
        last = &(*last)->next;
        if (peek(p))
            return -1;
        if (p->token.kind == TOKEN_CLOSE)
            break;
        if (p->token.kind != TOKEN_PIPE)
            return unexpected(p, "')' behind the pattern");
        take(p);
    }
    take(p);
    return 0;
}

static struct node *parse_case(struct parser *p, struct position at)
{
    struct case_command *const command = new_node(p, NODE_CASE, sizeof(*command), at);
    struct case_item **last = &command->items;

    if (peek(p))
        return NULL;
    if (p->token.kind != TOKEN_WORD) {
        unexpected(p, "a word behind 'case'");
        return NULL;
    }
    command->subject = take_word(p);
    p->spare_reserved = true;
    if (skip_newlines(p, false))
        return NULL;
    p->spare_reserved = false;
    if (expect(p, RESERVED_IN, "case", at))
        return NULL;
    for (;;) {
        struct case_item *item;

        if (skip_newlines(p, false))
            return NULL;
        if (reserved_word(&p->token) == RESERVED_ESAC)
            break;
        if (p->token.kind == TOKEN_OPEN) {
            take(p);
            if (peek(p))
                return NULL;
        }
        if (p->token.kind == TOKEN_END) {
            expect(p, RESERVED_ESAC, "case", at);
            return NULL;
        }
        item = arena_zero(p->arena, sizeof(*item));
        if (parse_patterns(p, item))
            return NULL;
        item->body = parse_list(p, false, "case", at);
        if (!item->body)
            return NULL;
        *last = item;
        last = &item->next;
        if (p->token.kind == TOKEN_DOUBLE_SEMICOLON || p->token.kind == TOKEN_SEMICOLON_AND) {
            item->end = p->token.kind == TOKEN_SEMICOLON_AND ? CASE_FALL_THROUGH : CASE_BREAK;
            take(p);
            continue;
        }
        break;
    }
    return expect(p, RESERVED_ESAC, "case", at) ? NULL : &command->node;
}

struct node *parse_compound(struct parser *p, enum reserved first)
{
    const struct position at = p->token.at;

    take(p);
    switch (first) {
    case RESERVED_OPEN:
        return parse_group(p, at);
    case RESERVED_IF:
        return parse_if(p, at);
    case RESERVED_WHILE:
    case RESERVED_UNTIL:
        return parse_while(p, first == RESERVED_UNTIL, at);
    case RESERVED_FOR:
        return parse_for(p, at);
    default:
        return parse_case(p, at);
    }
}
