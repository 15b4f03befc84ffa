/* SPDX-License-Identifier: MIT */
/* Assignments: name=value, and as extensions name+=value, name[subscript]=value, name=( … ). */
#include "lang/parse_internal.h"

static size_t name_length(const struct word *word)
{
    const struct part *const part = word->parts;
    size_t length = 0;

    if (!part || part->kind != PART_TEXT || part->quoted ||
        !is_name_start((unsigned char)*part->text))
        return 0;
    while (length < part->length && is_name_char((unsigned char)part->text[length]))
        length++;
    return length;
}

/* Whether = or += stands at *at of the part; *at moves behind it. */
static bool equals(const struct part *part, size_t *at, bool extensions, bool *append)
{
    *append = extensions && *at + 1 < part->length && part->text[*at] == '+' &&
              part->text[*at + 1] == '=';
    if (!*append && (*at >= part->length || part->text[*at] != '='))
        return false;
    *at += 1 + *append;
    return true;
}

/* The ] that closes the [ at `open` of the word's first part: its part and place. */
static const struct part *closing(const struct word *word, size_t open, size_t *at)
{
    int depth = 0;

    for (const struct part *part = word->parts; part; part = part->next, open = 0) {
        if (part->kind != PART_TEXT || part->quoted)
            continue;
        for (size_t i = open; i < part->length; i++) {
            depth += (part->text[i] == '[') - (part->text[i] == ']');
            if (depth == 0) {
                *at = i;
                return part;
            }
        }
    }
    return NULL;
}

/* [subscript]= from `open` of the word on. NULL: it is none; or the value's word. */
static struct word *split_subscript(struct parser *p, const struct word *word, size_t open,
                                    struct word **subscript, bool *append)
{
    size_t end, at;
    const struct part *const close = closing(word, open, &end);

    if (!close)
        return NULL;
    at = end + 1;
    if (!equals(close, &at, true, append))
        return NULL;
    *subscript = word_slice(p, word, word->parts, open + 1, close, end);
    return word_slice(p, word, close, at, NULL, 0);
}

/* The words of name=( … ); the parenthesis is the token to come. 0 or -1. */
static int parse_elements(struct parser *p, struct assignment *assignment)
{
    struct element **last = &assignment->elements;

    take(p);
    assignment->array = true;
    for (;;) {
        struct word *word;
        bool append;

        if (skip_newlines(p, false))
            return -1;
        if (p->token.kind == TOKEN_CLOSE) {
            take(p);
            return 0;
        }
        if (p->token.kind != TOKEN_WORD)
            return unexpected(p, "a word of the array");
        word = p->token.word;

        const struct part *const part = word->parts;
        struct word *subscript = NULL;
        struct word *const value =
            part && part->kind == PART_TEXT && !part->quoted && part->length && *part->text == '['
                ? split_subscript(p, word, 0, &subscript, &append)
                : NULL;

        if (value)
            take(p);
        else
            word = take_words(p);
        for (struct word *next; word; word = next) {
            struct element *const element = arena_zero(p->arena, sizeof(*element));

            next = value ? NULL : word->next;
            word->next = NULL;
            element->subscript = subscript;
            element->value = value ? value : word;
            *last = element;
            last = &element->next;
        }
        if (p->failed)
            return -1;
    }
}

int parse_declared_array(struct parser *p, struct assignment ***last)
{
    struct word *const word = p->token.word;
    const size_t name = name_length(word);
    const struct token token = p->token;
    struct assignment *assignment;

    if (!p->hooks->extensions || !name || !word->plain || word->length != name + 1 ||
        word->plain[name] != '=' || lex_raw(p) != '(')
        return 0;
    assignment = arena_zero(p->arena, sizeof(*assignment));
    assignment->name = arena_copy(p->arena, word->plain, name);
    assignment->length = (uint32_t)name;
    assignment->value = word_value(p, word, name + 1);
    take(p);
    if (peek(p) || parse_elements(p, assignment))
        return -1;
    **last = assignment;
    *last = &assignment->next;
    p->token = token;
    p->have_token = true;
    p->token.word = arena_zero(p->arena, sizeof(*word));
    p->token.word->plain = assignment->name;
    p->token.word->length = assignment->length;
    p->token.word->at = word->at;
    p->token.word->parts = arena_zero(p->arena, sizeof(*word->parts));
    p->token.word->parts->text = assignment->name;
    p->token.word->parts->length = assignment->length;
    return 1;
}

int parse_assignment(struct parser *p, struct assignment ***last)
{
    struct word *const word = p->token.word;
    const size_t name = name_length(word);
    struct assignment *assignment;
    struct word *subscript = NULL, *value = NULL;
    bool append = false;
    size_t at = name;

    if (!name)
        return 0;
    if (equals(word->parts, &at, p->hooks->extensions, &append))
        value = word_value(p, word, at);
    else if (p->hooks->extensions && name < word->parts->length && word->parts->text[name] == '[')
        value = split_subscript(p, word, name, &subscript, &append);
    if (!value)
        return 0;
    assignment = arena_zero(p->arena, sizeof(*assignment));
    assignment->name = arena_copy(p->arena, word->parts->text, name);
    assignment->length = (uint32_t)name;
    assignment->subscript = subscript;
    assignment->append = append;
    assignment->value = value;
    word_tildes(p, value, 0, true);
    **last = assignment;
    *last = &assignment->next;
    take(p);
    if (p->hooks->extensions && !subscript && !value->parts && lex_raw(p) == '(') {
        if (peek(p) || parse_elements(p, assignment))
            return -1;
    }
    return 1;
}
