/* SPDX-License-Identifier: MIT */
/* What the files of the lexer share: taking characters, and building words. */
#ifndef R3SH_LEX_INTERNAL_H
#define R3SH_LEX_INTERNAL_H

#include "lang/parse.h"

#define LEX_END (-1)

/* The next source, or more input. LEX_END, or the next character, not taken. */
int lex_underflow(struct parser *p);

/* The next character as it stands. */
static inline int lex_raw(struct parser *p)
{
    return p->next < p->end ? (unsigned char)*p->next : lex_underflow(p);
}

int lex_joined(struct parser *p);

/* The next character after taking out backslash-newline pairs. */
static inline int lex_peek(struct parser *p)
{
    const int c = lex_raw(p);

    return c == '\\' ? lex_joined(p) : c;
}

static inline void lex_take(struct parser *p)
{
    if (p->source == &p->root) {
        if (*p->next == '\n')
            p->at = (struct position){p->at.line + 1, 1};
        else
            p->at.column++;
    }
    p->next++;
}

/* A place to come back to. */
struct lex_place {
    struct source *source;
    size_t position;
    struct position at;
};
struct lex_place lex_here(struct parser *p);
void lex_back(struct parser *p, struct lex_place place);

/* Reads from text alone until lex_leave; characters are at `at` for diagnostics. */
void lex_enter(struct parser *p, struct source *source, const char *text, size_t length,
               struct position at);

enum word_mode {
    IN_WORD,          /* ends before a blank or an operator */
    IN_QUOTES,        /* "…": ends before the quote */
    IN_HERE,          /* a here-document: ends with the text */
    IN_BRACES,        /* ${x-…}: ends before the brace */
    IN_QUOTED_BRACES, /* the same inside double quotes */
    IN_ARITHMETIC,    /* $((…)): ends before the )) */
    IN_SUBSCRIPT,     /* ${x[…]}: ends before the ] */
    IN_EXPRESSION,    /* behind =~ in [[ ]]: ends before a blank */
};

struct word_builder {
    struct parser *p;
    struct part *first, **last;
    struct buf text; /* of the part being built */
    bool quoted;     /* of text */
    bool started;    /* there is a text part, be it empty */
    unsigned flags;
    struct position at;
};

/* Add one character to the word, quoted or not. */
void word_put(struct word_builder *w, int c, bool quoted);
/* End the part of text being built, if any. */
void word_flush(struct word_builder *w);
struct part *word_part(struct word_builder *w, enum part_kind kind, bool quoted,
                       struct position at);

/* The next character begins a process substitution. */
bool begins_process(struct parser *p, int c);
/* Reads parts until the mode's end. 0 or -1. */
int lex_parts(struct word_builder *w, enum word_mode mode, bool quoted);
/* Reads what follows a $ (taken). 0 or -1. */
int lex_dollar(struct word_builder *w, enum word_mode mode, bool quoted, struct position at);
int lex_backquote(struct word_builder *w, enum word_mode mode, bool quoted, struct position at);
/* Reads a word of that mode, its closing characters not included. NULL after a report. */
struct word *lex_word(struct parser *p, enum word_mode mode, bool quoted);
struct word *word_finish(struct word_builder *w, struct position at);

/* The words that braces make of one: {a,b} and {1..9}. NULL after a report. */
struct word *word_braces(struct parser *p, struct word *word);
/* The text between two places of a word as a word; `end` NULL: to its end. */
struct word *word_slice(struct parser *p, const struct word *word, const struct part *begin,
                        size_t from, const struct part *end, size_t to);

/* The part of a word behind its first `offset` bytes, as the value of an assignment. */
struct word *word_value(struct parser *p, const struct word *word, size_t offset);

static inline bool is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_name_char(int c)
{
    return is_name_start(c) || is_digit(c);
}

/* A ~ at the start of a word, or after = and : in an assignment, becomes a part. */
void word_tildes(struct parser *p, struct word *word, size_t start, bool assignment);

#endif
