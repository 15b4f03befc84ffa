/* SPDX-License-Identifier: MIT */
/* [[ … ]], an extension: conditions whose words are not split, with &&, || and parentheses. */
#include "lang/parse_internal.h"

static struct condition *parse_or(struct parser *p);

static struct condition *new_condition(struct parser *p, enum condition_kind kind)
{
    struct condition *const condition = arena_zero(p->arena, sizeof(*condition));

    condition->kind = (uint8_t)kind;
    return condition;
}

static const char *bare(const struct parser *p)
{
    const char *const text = p->token.kind == TOKEN_WORD ? word_bare(p->token.word) : NULL;

    return text ? text : "";
}

static bool is_unary(const char *text)
{
    return text[0] == '-' && text[1] && !text[2] && strchr("bcdefghkLnopruStvwxzGO", text[1]);
}

static const char *binary_of(const struct parser *p)
{
    static const char *const operators[] = {"=",   "==",  "!=",  "=~",  "-eq", "-ne", "-lt",
                                            "-le", "-gt", "-ge", "-nt", "-ot", "-ef"};

    if (p->token.kind == TOKEN_LESS)
        return "<";
    if (p->token.kind == TOKEN_GREATER)
        return ">";
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(bare(p), operators[i]) == 0)
            return operators[i];
    return NULL;
}

/* The word to come. A number before < or > counts as one. */
static struct word *operand(struct parser *p)
{
    if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_NUMBER) {
        unexpected(p, "a word for the condition");
        return NULL;
    }
    return take_word(p);
}

static struct condition *parse_words(struct parser *p)
{
    struct condition *condition;
    const char *const first = arena_copy(p->arena, bare(p), strlen(bare(p)));
    struct word *const word = operand(p);

    if (!word || peek(p))
        return NULL;
    if (is_unary(first) && (p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_NUMBER) &&
        strcmp(bare(p), "]]") != 0) {
        condition = new_condition(p, CONDITION_UNARY);
        condition->operator= first;
        condition->a = operand(p);
        return condition->a ? condition : NULL;
    }
    condition = new_condition(p, CONDITION_WORD);
    condition->a = word;
    condition->operator= binary_of(p);
    if (!condition->operator)
        return condition;
    condition->kind = CONDITION_BINARY;
    p->expression = strcmp(condition->operator, "=~") == 0;
    take(p);
    if (peek(p))
        return NULL;
    p->expression = false;
    condition->b = operand(p);
    return condition->b ? condition : NULL;
}

static struct condition *parse_not(struct parser *p)
{
    struct condition *condition;

    if (p->hooks->too_deep && p->hooks->too_deep(p->hooks->context)) {
        p->at_end = true;
        parse_fail(p, p->at, "nested too deeply");
        return NULL;
    }
    if (skip_newlines(p, false))
        return NULL;
    if (p->token.kind == TOKEN_OPEN) {
        take(p);
        condition = parse_or(p);
        if (!condition)
            return NULL;
        if (p->token.kind != TOKEN_CLOSE) {
            unexpected(p, "')'");
            return NULL;
        }
        take(p);
    } else if (strcmp(bare(p), "!") == 0) {
        take(p);
        condition = new_condition(p, CONDITION_NOT);
        condition->left = parse_not(p);
        if (!condition->left)
            return NULL;
    } else if (strcmp(bare(p), "]]") == 0) {
        unexpected(p, "a condition");
        return NULL;
    } else {
        condition = parse_words(p);
        if (!condition)
            return NULL;
    }
    return skip_newlines(p, false) ? NULL : condition;
}

static struct condition *parse_chain(struct parser *p, enum token_kind link,
                                     enum condition_kind kind,
                                     struct condition *(*parse)(struct parser *))
{
    struct condition *condition = parse(p);

    while (condition && p->token.kind == link) {
        struct condition *const chain = new_condition(p, kind);

        take(p);
        chain->left = condition;
        chain->right = parse(p);
        condition = chain->right ? chain : NULL;
    }
    return condition;
}

static struct condition *parse_and(struct parser *p)
{
    return parse_chain(p, TOKEN_AND_IF, CONDITION_AND, parse_not);
}

static struct condition *parse_or(struct parser *p)
{
    return parse_chain(p, TOKEN_OR_IF, CONDITION_OR, parse_and);
}

struct node *parse_test(struct parser *p)
{
    struct test_command *const test = new_node(p, NODE_TEST, sizeof(*test), p->token.at);

    take(p);
    test->condition = parse_or(p);
    if (!test->condition)
        return NULL;
    if (strcmp(bare(p), "]]") != 0) {
        unexpected(p, "']]'");
        return NULL;
    }
    take(p);
    return &test->node;
}
