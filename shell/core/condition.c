/* SPDX-License-Identifier: MIT */
/* [[ … ]]: conditions evaluated on words that are neither split nor searched for as files. */
#include "core/expand.h"

#include "core/options.h"
#include "lang/mb.h"
#include "lang/pattern.h"

#include <regex.h>

/* What evaluation gives: a condition that cannot be evaluated is neither. */
enum truth { YES = 0, NO = 1, WRONG = 2 };

static enum truth truth(bool yes)
{
    return yes ? YES : NO;
}

static enum truth matches(struct shell *sh, const struct word *word, const char *subject,
                          size_t length)
{
    struct pattern pattern;
    struct buf text = {0};
    enum truth result = WRONG;

    if (expand_pattern(sh, word, &text) == 0) {
        if (!mb_is_ascii(subject, length) || !mb_is_ascii(buf_str(&text), text.len))
            locale_need(sh);
        if (pattern_compile(&pattern, buf_str(&text), text.len) == 0) {
            result = truth(pattern_match(&pattern, subject, length));
            pattern_free(&pattern);
        }
    }
    buf_free(&text);
    return result;
}

/* Characters of the quoted parts of a regular expression stand for themselves. */
static int expand_regex(struct shell *sh, const struct word *word, struct buf *to)
{
    struct expansion x;

    if (expand_segments(&x, sh, word))
        return -1;
    for (uint32_t i = 0; i < x.count; i++) {
        const struct segment *const segment = &x.segments[i];

        for (size_t at = 0; at < segment->length; at++) {
            if (segment->flags & SEGMENT_QUOTED && strchr("\\.[]{}()*+?^$|", segment->text[at]))
                buf_addc(to, '\\');
            buf_addc(to, segment->text[at]);
        }
    }
    return 0;
}

/* What the expression and its parentheses matched is in the array BASH_REMATCH, where scripts look for it. */
static enum truth matches_regex(struct shell *sh, const struct word *word, const char *subject)
{
    struct variable *const found = variable_intern(sh, "BASH_REMATCH", 12);
    regmatch_t match[10];
    struct buf text = {0};
    enum truth result = WRONG;
    regex_t regex;

    locale_need_for(sh, subject);
    if (expand_regex(sh, word, &text) == 0) {
        if (regcomp(&regex, buf_str(&text), REG_EXTENDED) == 0) {
            result = truth(regexec(&regex, subject, 10, match, 0) == 0);
            if (array_clear(sh, found))
                result = WRONG;
            for (long i = 0; result == YES && i < 10 && i <= (long)regex.re_nsub; i++)
                if (match[i].rm_so >= 0 &&
                    array_set(sh, found, (struct subscript){.index = i}, subject + match[i].rm_so,
                              (size_t)(match[i].rm_eo - match[i].rm_so)))
                    result = WRONG;
            regfree(&regex);
        } else {
            complain_at(sh, word->at, "%s: not a regular expression", buf_str(&text));
        }
    }
    buf_free(&text);
    return result;
}

static enum truth by_test(struct shell *sh, int argc, const char *a, const char *b, const char *c)
{
    char *argv[] = {(char *)"[[", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c,
                    NULL};
    const int status = builtin_test(&sh->io, argc, argv);

    out_flush(&sh->err);
    return status == 0 ? YES : status == 1 ? NO : WRONG;
}

static enum truth compare(struct shell *sh, const char *operator, const char * a, const char *b)
{
    long long left, right;

    if (expand_arithmetic_text(sh, a, strlen(a), &left) ||
        expand_arithmetic_text(sh, b, strlen(b), &right))
        return WRONG;
    switch (operator[1] << 8 | operator[2]) {
    case 'e' << 8 | 'q':
        return truth(left == right);
    case 'n' << 8 | 'e':
        return truth(left != right);
    case 'l' << 8 | 't':
        return truth(left < right);
    case 'l' << 8 | 'e':
        return truth(left <= right);
    case 'g' << 8 | 't':
        return truth(left > right);
    default:
        return truth(left >= right);
    }
}

static enum truth binary(struct shell *sh, const struct condition *condition)
{
    const char *const operator= condition->operator;
    size_t length;
    const char *const a = expand_string(sh, condition->a, &length), *b;

    if (!a)
        return WRONG;
    if (strcmp(operator, "=~") == 0)
        return matches_regex(sh, condition->b, a);
    if (*operator== '=' || * operator== '!') {
        const enum truth result = matches(sh, condition->b, a, length);

        return *operator== '!' && result != WRONG ? !result : result;
    }
    b = expand_string(sh, condition->b, NULL);
    if (!b)
        return WRONG;
    if (*operator== '<' || * operator== '>') {
        locale_need_for(sh, a);
        locale_need_for(sh, b);
        return truth(*operator== '<' ? strcoll(a, b) < 0 : strcoll(a, b) > 0);
    }
    if (strcmp(operator, "-nt") == 0 || strcmp(operator, "-ot") == 0 ||
        strcmp(operator, "-ef") == 0)
        return by_test(sh, 4, a, operator, b);
    return compare(sh, operator, a, b);
}

static enum truth unary(struct shell *sh, const struct condition *condition)
{
    const char *const value = expand_string(sh, condition->a, NULL);
    struct variable *v;
    enum option option;
    struct subscript at;
    size_t length;

    if (!value)
        return WRONG;
    switch (condition->operator[1]) {
    case 'o':
        option = option_of_name(value);
        return truth(option < OPTION_COUNT && option_on(sh, option));
    case 'v':
        if (array_reference(sh, value, strlen(value), &v, &at))
            return truth(array_get(v, at, &length) != NULL);
        return truth(is_name_text(value, strlen(value)) && variable_get(sh, value));
    default:
        return by_test(sh, 3, condition->operator, value, NULL);
    }
}

static enum truth evaluate(struct shell *sh, const struct condition *condition)
{
    enum truth result;
    const char *text;

    switch (condition->kind) {
    case CONDITION_AND:
        result = evaluate(sh, condition->left);
        return result == YES ? evaluate(sh, condition->right) : result;
    case CONDITION_OR:
        result = evaluate(sh, condition->left);
        return result == NO ? evaluate(sh, condition->right) : result;
    case CONDITION_NOT:
        result = evaluate(sh, condition->left);
        return result == WRONG ? WRONG : !result;
    case CONDITION_UNARY:
        return unary(sh, condition);
    case CONDITION_BINARY:
        return binary(sh, condition);
    default:
        text = expand_string(sh, condition->a, NULL);
        return !text ? WRONG : truth(*text != '\0');
    }
}

enum flow run_test(struct shell *sh, const struct test_command *test)
{
    sh->line = test->node.at.line;
    sh->at = test->node.at;
    if (option_on(sh, OPTION_XTRACE))
        trace_node(sh, &test->node);
    sh->status = (int)evaluate(sh, test->condition);
    return FLOW_NEXT;
}
