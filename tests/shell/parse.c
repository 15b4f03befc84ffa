/* SPDX-License-Identifier: MIT */
/* The lexer and parser: XCU 2.2, 2.3, 2.10. */
#include "lang/parse.h"
#include "ring3_test.h"

#include <stdio.h>
#include <string.h>

struct reports {
    int count;
    struct position at;
    char message[128];
};

static void report(void *context, const char *file, struct position at, const char *line,
                   size_t length, const char *message)
{
    struct reports *const reports = context;

    (void)file;
    (void)line;
    (void)length;
    reports->at = at;
    reports->count++;
    snprintf(reports->message, sizeof reports->message, "%s", message);
}

static const char *alias(void *context, const char *name, size_t length)
{
    (void)context;
    (void)length;
    if (strcmp(name, "say") == 0)
        return "echo ";
    if (strcmp(name, "loop") == 0)
        return "loop x";
    return strcmp(name, "it") == 0 ? "them" : NULL;
}

/* The first complete command of a text. */
static struct program *parse(const char *text, struct reports *reports)
{
    const struct parser_hooks hooks = {.context = reports, .alias = alias, .report = report};
    struct input input = {.name = "test", .line = 1};
    struct parser parser;
    struct program *program = NULL;

    memset(reports, 0, sizeof *reports);
    buf_adds(&input.text, text);
    parser_init(&parser, &input, &hooks);
    if (parse_program(&parser, &program) != PARSE_OK)
        program = NULL;
    parser_free(&parser);
    buf_free(&input.text);
    return program;
}

static const struct simple *first(const struct program *program)
{
    const struct node *const node = program->list->items->command;

    check_eq(node->kind, NODE_SIMPLE);
    return (const struct simple *)node;
}

TEST(parse, makes_words_of_typed_parts)
{
    struct reports reports;
    struct program *const program = parse("echo a'b c'\"$x\"${y:-z}$((1+2))$(d)\n", &reports);
    static const struct {
        enum part_kind kind;
        bool quoted;
    } want[] = {{PART_TEXT, false},      {PART_TEXT, true},        {PART_PARAMETER, true},
                {PART_PARAMETER, false}, {PART_ARITHMETIC, false}, {PART_COMMAND, false}};
    const struct part *part;

    check(program != NULL, "%s", reports.message);
    part = first(program)->words->next->parts;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++, part = part->next) {
        check(part != NULL, "part %zu", i);
        check_eq(part->kind, want[i].kind, "part %zu", i);
        check_eq(part->quoted, want[i].quoted, "part %zu", i);
    }
    check(part == NULL);
    program_drop(program);
}

TEST(parse, knows_what_a_word_without_expansions_becomes)
{
    struct reports reports;
    struct program *const program = parse("a\\ b\"c\"'d' e*\n", &reports);
    const struct word *const word = first(program)->words;

    check_eq(strcmp(word->plain, "a bcd"), 0, "%s", word->plain);
    check(word->next->plain == NULL, "a pattern is not plain");
    program_drop(program);
}

TEST(parse, tells_assignments_from_words)
{
    struct reports reports;
    struct program *const program = parse("x=1 y=$z cmd a=b\n", &reports);
    const struct simple *const simple = first(program);

    check_eq(strcmp(simple->assignments->name, "x"), 0);
    check_eq(strcmp(simple->assignments->next->name, "y"), 0);
    check(simple->assignments->next->next == NULL);
    check_eq(simple->word_count, 2u);
    program_drop(program);
}

TEST(parse, replaces_aliases_and_the_word_after_a_blank)
{
    struct reports reports;
    struct program *program = parse("say it\n", &reports);

    check_eq(strcmp(first(program)->words->plain, "echo"), 0);
    check_eq(strcmp(first(program)->words->next->plain, "them"), 0);
    program_drop(program);

    program = parse("loop it\n", &reports);
    check_eq(strcmp(first(program)->words->plain, "loop"), 0);
    check_eq(first(program)->word_count, 3u);
    check_eq(strcmp(first(program)->words->next->next->plain, "it"), 0);
    program_drop(program);
}

TEST(parse, takes_dollar_parentheses_for_commands_when_they_are_no_arithmetic)
{
    struct reports reports;
    struct program *const program = parse("echo $((a); (b)) $((1))\n", &reports);
    const struct word *const word = first(program)->words->next;

    check_eq(word->parts->kind, PART_COMMAND);
    check_eq(word->next->parts->kind, PART_ARITHMETIC);
    program_drop(program);
}

TEST(parse, reads_here_documents_of_one_line_in_order)
{
    struct reports reports;
    struct program *const program = parse("cat <<A 3<<-'B'\none $x\nA\n\ttwo $x\n\tB\n", &reports);
    const struct redirect *const redirect = first(program)->node.redirects;

    check(program != NULL, "%s", reports.message);
    check(redirect->word->plain == NULL, "the first one expands");
    check_eq(redirect->next->fd, 3);
    check_eq(strcmp(redirect->next->word->plain, "two $x\n"), 0, "%s", redirect->next->word->plain);
    program_drop(program);
}

TEST(parse, says_where_an_error_is)
{
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        {"if true\nfi\n", 2, 1, "'fi' where 'then'"},
        {"echo 'a\nb", 1, 6, "single quote is not closed"},
        {"echo \"a", 1, 7, "double quote is not closed"},
        {"a | | b\n", 1, 5, "unexpected '|'"},
        {"case x in\n", 2, 1, "end of input"},
        {"{ a; )\n", 1, 6, "')' where '}'"},
        {"f() a\n", 1, 5, "compound command"},
        {";;\n", 1, 1, "unexpected ';;'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reports reports;

        check(parse(cases[i].text, &reports) == NULL, "%s", cases[i].text);
        check_eq(reports.count, 1, "%s", cases[i].text);
        check_eq(reports.at.line, cases[i].line, "%s", cases[i].text);
        check_eq(reports.at.column, cases[i].column, "%s", cases[i].text);
        check(strstr(reports.message, cases[i].message) != NULL, "%s: %s", cases[i].text,
              reports.message);
    }
}

TEST(parse, survives_every_beginning_of_a_script)
{
    static const char text[] =
        "f() { if a; then b | c && d; fi; } 2>&1; case $x in (a|b*) `c $(d)`;& *) ;; esac\n"
        "for i in 1 '2' \"3$4\"; do cat <<E >${f:-\"g\"}; done\nx $((1 + $y)) \\\nE\nE\n";

    for (size_t cut = 0; cut < sizeof text; cut++) {
        char part[sizeof text];
        struct reports reports;
        struct program *program;

        memcpy(part, text, cut);
        part[cut] = '\0';
        program = parse(part, &reports);
        if (program)
            program_drop(program);
    }
}
