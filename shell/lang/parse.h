/* SPDX-License-Identifier: MIT */
/*
 * From tokens to trees, by recursive descent, one complete command at a time, because each may
 * define an alias that changes how the next one reads.
 *
 *     struct parser parser;
 *     parser_init(&parser, &input, &hooks);
 *     while ((got = parse_program(&parser, &program)) == PARSE_OK) { …; program_drop(program); }
 *     parser_free(&parser);
 */
#ifndef R3SH_PARSE_H
#define R3SH_PARSE_H

#include "lang/lex.h"

#include <stdarg.h>

/* What the parser asks of its user. */
struct parser_hooks {
    void *context;
    /* The value of an alias, or NULL. May itself be NULL. */
    const char *(*alias)(void *context, const char *name, size_t length);
    /* A syntax error; `line` is the text of the line it is on, of `length` bytes, or NULL. */
    void (*report)(void *context, const char *file, struct position at, const char *line,
                   size_t length, const char *message);
    bool (*too_deep)(void *context); /* the C stack is nearly used up. May be NULL. */
    bool extensions;                 /* what POSIX does not have */
};

enum parse_result { PARSE_OK, PARSE_END, PARSE_ERROR };

struct parser {
    const struct parser_hooks *hooks;
    struct input *input;
    struct arena *arena;
    const char *next, *end; /* in the source on top */
    struct source *source;
    struct source root;
    struct position at; /* of next */
    struct token token; /* looked at, not yet taken */
    bool have_token;
    bool after_alias;    /* the source of an alias that ends with a blank was just left */
    bool spare_reserved; /* in or do may come: not to be replaced by an alias */
    bool expression;     /* the next word is a regular expression of [[ ]] */
    bool failed;         /* a report was made */
    bool at_end;         /* the report was about the end of the input */
    bool continued;      /* in the middle of a command: input is asked for with PS2 */
    int quiet;           /* a trial reading: reports are left out */
    int read_error;
    struct here_document *here, **here_last;
    struct program *program;
};

void parser_init(struct parser *p, struct input *input, const struct parser_hooks *hooks);
void parser_free(struct parser *p);

/* Read one complete command. PARSE_OK with a program to drop (its list may be NULL: an empty line). */
enum parse_result parse_program(struct parser *p, struct program **program);

/* After PARSE_ERROR: leave out the rest of the line, to go on with the next one. */
void parser_resume(struct parser *p);

/* For the lexer: the commands up to `)`, which is taken. */
struct program *parse_substitution(struct parser *p);
/* And the commands of a whole text, for `…`. */
struct program *parse_text(struct parser *p, const char *text, size_t length, struct position at);

__attribute__((format(printf, 3, 4))) int parse_fail(struct parser *p, struct position at,
                                                     const char *fmt, ...);

#endif
