/* SPDX-License-Identifier: MIT */
/* Input: a script. Lexer and parser end, report each error within the text, and give all memory back. */
#include "lang/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t lines;

static void report(void *context, const char *file, struct position at, const char *line,
                   size_t length, const char *message)
{
    (void)context, (void)file, (void)line, (void)length;
    if (at.line == 0 || at.line > lines + 1 || !*message)
        abort();
}

/* An alias for each word that begins with a, which names another one, or itself, or ends with a blank. */
static const char *alias(void *context, const char *name, size_t length)
{
    (void)context;
    if (length == 0 || *name != 'a')
        return NULL;
    return length == 1 ? "ab " : length == 2 ? "abc; a" : length == 3 ? "abc x" : NULL;
}

/* Frames of the parser between here and there are what may be too deep. */
static bool too_deep(void *context)
{
    const char here = 0;
    const ptrdiff_t used = (const char *)context - &here;

    return used > (ptrdiff_t)1 << 19 || used < -((ptrdiff_t)1 << 19);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char base = 0;
    const struct parser_hooks hooks = {.context = (void *)&base,
                                       .alias = alias,
                                       .report = report,
                                       .too_deep = too_deep,
                                       .extensions = size % 2};
    struct input input = {.name = "fuzz", .line = 1};
    struct parser parser;
    struct program *program;
    enum parse_result got;
    int errors = 0;

    lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
        if (data[i]) /* no NUL byte gets as far as the parser */
            buf_addc(&input.text, (char)data[i]);
    }
    parser_init(&parser, &input, &hooks);
    while ((got = parse_program(&parser, &program)) != PARSE_END) {
        if (got == PARSE_OK) {
            program_drop(program);
        } else if (++errors > 100 || parser.at_end) {
            break;
        } else {
            parser_resume(&parser);
        }
    }
    parser_free(&parser);
    buf_free(&input.text);
    return 0;
}
