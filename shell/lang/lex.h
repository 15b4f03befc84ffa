/* SPDX-License-Identifier: MIT */
/*
 * From characters to tokens. Characters come from a stack of sources: the input, read as it is
 * needed, and the values of aliases put on top of it. A word comes out as its typed parts; commands
 * inside a word are parsed by the parser that owns the lexer.
 */
#ifndef R3SH_LEX_H
#define R3SH_LEX_H

#include "lang/ast.h"
#include "lang/buf.h"

/* Where the text of a script comes from. `more` appends at least one byte to text (whole lines, if
 * it can) and returns 1; 0 at the end; a negative errno. NULL: text is all there is. */
struct input {
    const char *name; /* for diagnostics */
    struct buf text;
    int (*more)(struct input *input, bool continued);
    void *context;
    uint32_t line; /* of text's first byte */
};

/* One level of the stack. An alias's keeps the place of the word it replaced. */
struct source {
    struct source *below;
    struct source *origin; /* where the alias's word stood, which may have ended since */
    const char *alias;     /* its name; NULL: the input, or the text of a `…` */
    const char *text;
    size_t length, position; /* position is valid while another is on top */
    bool blank_after;        /* the alias's value ends with a blank */
    struct position at;
};

enum token_kind {
    TOKEN_END,
    TOKEN_NEWLINE,
    TOKEN_WORD,
    TOKEN_NUMBER, /* digits before < or > */
    TOKEN_AND,
    TOKEN_AND_IF,
    TOKEN_OR_IF,
    TOKEN_PIPE,
    TOKEN_SEMICOLON,
    TOKEN_DOUBLE_SEMICOLON,
    TOKEN_SEMICOLON_AND,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_LESS,
    TOKEN_GREATER,
    TOKEN_CLOBBER,
    TOKEN_APPEND,
    TOKEN_LESS_GREATER,
    TOKEN_LESS_AND,
    TOKEN_GREATER_AND,
    TOKEN_HERE,
    TOKEN_HERE_TABS,
    TOKEN_HERE_STRING,
};

struct token {
    uint8_t kind;
    bool after_alias; /* an alias that ends with a blank came just before */
    int number;
    struct word *word;
    struct position at;
    struct source *origin; /* where it began: aliases in use there are not replaced again */
};

struct here_document {
    struct here_document *next;
    struct redirect *redirect;
    const char *delimiter;
    size_t length;
    bool strip_tabs, quoted;
};

struct parser; /* parse.h */

/* Read the next token. 0, or -1 after a report. */
int lex_token(struct parser *p, struct token *token);

/* Read the bodies of the here-documents whose operators stood on the line that just ended. */
int lex_here_documents(struct parser *p);

/* The text of a word as written, if it is one run of unquoted text; or NULL. */
const char *word_bare(const struct word *word);

/* Parse text as a word whose only special characters are those of double quotes: prompts. */
struct word *lex_prompt(struct parser *p, const char *text, size_t length);

#endif
