/* SPDX-License-Identifier: MIT */
/* What the files of the parser share. */
#ifndef R3SH_PARSE_INTERNAL_H
#define R3SH_PARSE_INTERNAL_H

#include "lang/lex_internal.h"

enum reserved {
    NOT_RESERVED,
    RESERVED_BANG,
    RESERVED_OPEN,
    RESERVED_CASE,
    RESERVED_FOR,
    RESERVED_IF,
    RESERVED_UNTIL,
    RESERVED_WHILE,
    RESERVED_ENDS, /* those from here on end a list */
    RESERVED_CLOSE = RESERVED_ENDS,
    RESERVED_DO,
    RESERVED_DONE,
    RESERVED_ELIF,
    RESERVED_ELSE,
    RESERVED_ESAC,
    RESERVED_FI,
    RESERVED_THEN,
    RESERVED_IN, /* reserved as the third word of for and case only */
};

/* The token to come; 0 or -1 after a report. */
int peek(struct parser *p);
void take(struct parser *p);
/* The same, where a command may begin: aliases are replaced. */
int peek_command(struct parser *p);
enum reserved reserved_word(const struct token *token);
/* Take newlines; a command, or another word, may follow. */
int skip_newlines(struct parser *p, bool command);
/* "unexpected …" about the token to come. */
int unexpected(struct parser *p, const char *wanted);
/* Take that reserved word, or report. `opened` says what began where. */
int expect(struct parser *p, enum reserved word, const char *opened, struct position at);
/* The word of the token to come, taken; its tilde becomes a part. */
struct word *take_word(struct parser *p);
/* The same after brace expansion: one or more words. NULL after a report. */
struct word *take_words(struct parser *p);
/* 1: the word to come was an assignment and is taken; 0: it is none; -1. */
int parse_assignment(struct parser *p, struct assignment ***last);
/* name=( … ) as an argument: 1, and the word to come is the name alone; 0; -1. */
int parse_declared_array(struct parser *p, struct assignment ***last);
/* [[ … ]], from its first word on. */
struct node *parse_test(struct parser *p);

/* A list up to what cannot begin a command. `required`: at least one. NULL after a report. */
struct list *parse_list(struct parser *p, bool required, const char *opened, struct position at);
struct node *parse_compound(struct parser *p, enum reserved first);
struct node *parse_subshell(struct parser *p);
/* Redirections behind a compound command. 0 or -1. */
int parse_redirects(struct parser *p, struct redirect **last);
/* 1: one redirection was read; 0: there is none; -1. */
int parse_redirect(struct parser *p, struct redirect ***last);
struct node *parse_function(struct parser *p, struct word *name);
struct node *parse_simple(struct parser *p);

void *new_node(struct parser *p, enum node_kind kind, size_t size, struct position at);

#endif
