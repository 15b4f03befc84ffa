/* SPDX-License-Identifier: MIT */
/* Trees back to text, on one line: what jobs and type show. */
#include "core/jobs.h"

#include <stdio.h>

static void print_list(struct buf *to, const struct list *list);

static void print_quoted(struct buf *to, const char *text, size_t length)
{
    buf_addc(to, '\'');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'')
            buf_adds(to, "'\\''");
        else
            buf_addc(to, text[i]);
    }
    buf_addc(to, '\'');
}

static void print_word(struct buf *to, const struct word *word);

static void print_parameter(struct buf *to, const struct parameter *parameter, bool quoted)
{
    static const char *const operators[] = {"",  "",   "-", "=", "?",  "+",  "#",  "##",
                                            "%", "%%", ":", "/", "//", "/#", "/%", ""};

    if (quoted)
        buf_addc(to, '"');
    buf_adds(to, "${");
    if (parameter->op == OP_LENGTH)
        buf_addc(to, '#');
    if (parameter->indices)
        buf_addc(to, '!');
    if (parameter->kind == PARAMETER_VARIABLE)
        buf_add(to, parameter->name, parameter->length);
    else if (parameter->kind == PARAMETER_POSITIONAL)
        buf_addf(to, "%u", parameter->number);
    else
        buf_addc(to, (char)parameter->number);
    if (parameter->range) {
        buf_addc(to, '[');
        if (parameter->subscript)
            print_word(to, parameter->subscript);
        else
            buf_addc(to, parameter->range == RANGE_FIELDS ? '@' : '*');
        buf_addc(to, ']');
    }
    if (parameter->colon)
        buf_addc(to, ':');
    buf_adds(to, operators[parameter->op]);
    if (parameter->operand)
        print_word(to, parameter->operand);
    if (parameter->second) {
        buf_addc(to, parameter->op == OP_SLICE ? ':' : '/');
        print_word(to, parameter->second);
    }
    buf_addc(to, '}');
    if (quoted)
        buf_addc(to, '"');
}

static void print_word(struct buf *to, const struct word *word)
{
    for (const struct part *part = word->parts; part; part = part->next) {
        switch (part->kind) {
        case PART_TEXT:
            if (part->quoted)
                print_quoted(to, part->text, part->length);
            else
                buf_add(to, part->text, part->length);
            break;
        case PART_PARAMETER:
            print_parameter(to, part->parameter, part->quoted);
            break;
        case PART_COMMAND:
            buf_adds(to, part->quoted ? "\"$(" : "$(");
            print_list(to, part->command->list);
            buf_adds(to, part->quoted ? ")\"" : ")");
            break;
        case PART_ARITHMETIC:
            buf_adds(to, "$((");
            for (const struct part *inner = part->arithmetic->text->parts; inner;
                 inner = inner->next) {
                if (inner->kind == PART_TEXT)
                    buf_add(to, inner->text, inner->length);
                else if (inner->kind == PART_PARAMETER)
                    print_parameter(to, inner->parameter, false);
            }
            buf_adds(to, "))");
            break;
        case PART_PROCESS:
            buf_adds(to, part->output ? ">(" : "<(");
            print_list(to, part->command->list);
            buf_addc(to, ')');
            break;
        case PART_TILDE:
            buf_addc(to, '~');
            buf_add(to, part->text, part->length);
            break;
        }
    }
}

static void print_words(struct buf *to, const struct word *word)
{
    for (; word; word = word->next) {
        buf_addc(to, ' ');
        print_word(to, word);
    }
}

static void print_redirects(struct buf *to, const struct redirect *redirect)
{
    static const char *const operators[] = {"<", ">", ">|", ">>", "<>", "<&", ">&", "<<", "<<<"};

    for (; redirect; redirect = redirect->next) {
        buf_addf(to, " %d%s", redirect->fd, operators[redirect->kind]);
        if (redirect->kind == REDIRECT_HERE)
            buf_adds(to, "…");
        else
            print_word(to, redirect->word);
    }
}

static void print_assignment(struct buf *to, const struct assignment *assignment)
{
    buf_adds(to, assignment->name);
    if (assignment->subscript) {
        buf_addc(to, '[');
        print_word(to, assignment->subscript);
        buf_addc(to, ']');
    }
    buf_adds(to, assignment->append ? "+=" : "=");
    if (!assignment->array) {
        print_word(to, assignment->value);
        return;
    }
    buf_addc(to, '(');
    for (const struct element *one = assignment->elements; one; one = one->next) {
        if (one->subscript) {
            buf_addc(to, '[');
            print_word(to, one->subscript);
            buf_adds(to, "]=");
        }
        print_word(to, one->value);
        if (one->next)
            buf_addc(to, ' ');
    }
    buf_addc(to, ')');
}

static void print_condition(struct buf *to, const struct condition *condition)
{
    switch (condition->kind) {
    case CONDITION_AND:
    case CONDITION_OR:
        buf_adds(to, "( ");
        print_condition(to, condition->left);
        buf_adds(to, condition->kind == CONDITION_AND ? " && " : " || ");
        print_condition(to, condition->right);
        buf_adds(to, " )");
        break;
    case CONDITION_NOT:
        buf_adds(to, "! ");
        print_condition(to, condition->left);
        break;
    case CONDITION_UNARY:
        buf_addf(to, "%s ", condition->operator);
        print_word(to, condition->a);
        break;
    default:
        print_word(to, condition->a);
        if (condition->kind == CONDITION_BINARY) {
            buf_addf(to, " %s ", condition->operator);
            print_word(to, condition->b);
        }
    }
}

static void print_simple(struct buf *to, const struct simple *simple)
{
    const size_t start = to->len;

    for (const struct assignment *one = simple->assignments; one; one = one->next) {
        if (to->len > start)
            buf_addc(to, ' ');
        print_assignment(to, one);
    }
    for (const struct word *word = simple->words; word; word = word->next) {
        if (to->len > start)
            buf_addc(to, ' ');
        print_word(to, word);
    }
    for (const struct assignment *one = simple->arrays; one; one = one->next) {
        buf_addc(to, ' ');
        print_assignment(to, one);
    }
}

static void print_list(struct buf *to, const struct list *list)
{
    for (const struct list_item *item = list->items; item; item = item->next) {
        print_node(to, item->command);
        if (item->background)
            buf_adds(to, item->next ? " & " : " &");
        else if (item->next)
            buf_adds(to, "; ");
    }
}

/* A list and what ends it: `; ` unless it ends with & already. */
static void print_body(struct buf *to, const char *before, const struct list *list)
{
    buf_adds(to, before);
    print_list(to, list);
    buf_adds(to, to->len && to->data[to->len - 1] == '&' ? " " : "; ");
}

static void print_if(struct buf *to, const struct if_command *command)
{
    for (const struct branch *branch = command->branches; branch; branch = branch->next) {
        print_body(to, branch == command->branches ? "if " : "elif ", branch->condition);
        print_body(to, "then ", branch->body);
    }
    if (command->otherwise)
        print_body(to, "else ", command->otherwise);
    buf_adds(to, "fi");
}

static void print_case(struct buf *to, const struct case_command *command)
{
    buf_adds(to, "case ");
    print_word(to, command->subject);
    buf_adds(to, " in ");
    for (const struct case_item *item = command->items; item; item = item->next) {
        buf_addc(to, '(');
        for (const struct word *word = item->patterns; word; word = word->next) {
            print_word(to, word);
            if (word->next)
                buf_adds(to, " | ");
        }
        buf_adds(to, ") ");
        print_list(to, item->body);
        buf_adds(to, item->end == CASE_FALL_THROUGH ? " ;& " : " ;; ");
    }
    buf_adds(to, "esac");
}

void print_node(struct buf *to, const struct node *node)
{
    switch (node->kind) {
    case NODE_SIMPLE:
        print_simple(to, (const struct simple *)node);
        break;
    case NODE_PIPELINE: {
        const struct pipeline *const pipeline = (const struct pipeline *)node;

        if (pipeline->timed)
            buf_adds(to, pipeline->plain_times ? "time -p " : "time ");
        if (pipeline->negated)
            buf_adds(to, "! ");
        for (uint32_t i = 0; i < pipeline->count; i++) {
            if (i)
                buf_adds(to, " | ");
            print_node(to, pipeline->stages[i]);
        }
        break;
    }
    case NODE_AND_OR: {
        const struct and_or *const chain = (const struct and_or *)node;

        print_node(to, chain->first);
        for (const struct and_or_link *link = chain->links; link; link = link->next) {
            buf_adds(to, link->on_success ? " && " : " || ");
            print_node(to, link->command);
        }
        break;
    }
    case NODE_LIST:
        print_list(to, (const struct list *)node);
        break;
    case NODE_GROUP:
        print_body(to, "{ ", ((const struct group *)node)->body);
        buf_addc(to, '}');
        break;
    case NODE_SUBSHELL:
        buf_addc(to, '(');
        print_list(to, ((const struct group *)node)->body);
        buf_addc(to, ')');
        break;
    case NODE_IF:
        print_if(to, (const struct if_command *)node);
        break;
    case NODE_WHILE: {
        const struct while_command *const loop = (const struct while_command *)node;

        print_body(to, loop->until ? "until " : "while ", loop->condition);
        print_body(to, "do ", loop->body);
        buf_adds(to, "done");
        break;
    }
    case NODE_FOR: {
        const struct for_command *const loop = (const struct for_command *)node;

        buf_addf(to, "for %s", loop->name);
        if (!loop->over_arguments) {
            buf_adds(to, " in");
            print_words(to, loop->words);
        }
        print_body(to, "; do ", loop->body);
        buf_adds(to, "done");
        break;
    }
    case NODE_CASE:
        print_case(to, (const struct case_command *)node);
        break;
    case NODE_TEST:
        buf_adds(to, "[[ ");
        print_condition(to, ((const struct test_command *)node)->condition);
        buf_adds(to, " ]]");
        break;
    default:
        buf_addf(to, "%s() ", ((const struct function_command *)node)->name);
        print_node(to, ((const struct function_command *)node)->body);
    }
    print_redirects(to, node->redirects);
}
