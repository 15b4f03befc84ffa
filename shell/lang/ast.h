/* SPDX-License-Identifier: MIT */
/*
 * What the parser makes and the evaluator walks. A tree lives in the arena of its program and is
 * never changed after parsing, but for the caches that say so.
 *
 * A word is a list of typed parts: quoting is a property of a part, not a byte in a string.
 */
#ifndef R3SH_AST_H
#define R3SH_AST_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct position {
    uint32_t line, column; /* from 1; column counts bytes */
};

/* --- Words ----------------------------------------------------------------------------------- */

enum part_kind {
    PART_TEXT,
    PART_PARAMETER,
    PART_COMMAND,
    PART_ARITHMETIC,
    PART_TILDE,
    PART_PROCESS, /* <( … ), >( … ) */
};

struct part {
    struct part *next;
    uint8_t kind;
    bool quoted;
    bool output; /* PART_PROCESS: >( … ) */
    struct position at;
    union {
        struct {
            const char *text; /* PART_TEXT; PART_TILDE: the user's name */
            size_t length;
        };
        struct parameter *parameter;
        struct program *command;
        struct arithmetic *arithmetic;
    };
};

#define WORD_COMMANDS 0x01u /* holds a command substitution */
#define WORD_BARE     0x02u /* one run of unquoted text: may be a reserved word, alias, name */
#define WORD_GLOB     0x04u /* unquoted text holds * ? or [ */
#define WORD_EFFECTS  0x08u /* expanding it may change a variable or fail */
#define WORD_ASSIGNS  0x10u /* name=value as an argument of export and its like */
#define WORD_PROCESS  0x40u /* holds a process substitution */
#define WORD_BRACES   0x20u /* unquoted text holds { */

struct word {
    struct word *next;
    struct part *parts;
    const char *plain; /* the one field it becomes, if expansion cannot change that; or NULL */
    uint32_t length;   /* of plain */
    uint8_t flags;
    struct position at;
};

enum parameter_kind { PARAMETER_VARIABLE, PARAMETER_POSITIONAL, PARAMETER_SPECIAL };

enum parameter_op {
    OP_NONE,
    OP_LENGTH,         /* ${#x} */
    OP_DEFAULT,        /* ${x-word} */
    OP_ASSIGN,         /* ${x=word} */
    OP_ERROR,          /* ${x?word} */
    OP_ALTERNATE,      /* ${x+word} */
    OP_PREFIX,         /* ${x#word} */
    OP_PREFIX_LONG,    /* ${x##word} */
    OP_SUFFIX,         /* ${x%word} */
    OP_SUFFIX_LONG,    /* ${x%%word} */
    OP_SLICE,          /* ${x:offset:length}, an extension */
    OP_REPLACE,        /* ${x/word/text}; likewise below: the first match */
    OP_REPLACE_ALL,    /* ${x//word/text} */
    OP_REPLACE_PREFIX, /* ${x/#word/text} */
    OP_REPLACE_SUFFIX, /* ${x/%word/text} */
    OP_BAD,            /* what another shell may know: an error when it is expanded */
};

/* Which elements of an array. */
enum parameter_range { RANGE_ONE, RANGE_INDEX, RANGE_FIELDS, RANGE_JOINED };

struct parameter {
    const char *name;
    uint32_t length;
    uint8_t kind;
    uint8_t op;
    bool colon;      /* the form that takes empty for unset */
    uint8_t range;   /* ${x}, ${x[subscript]}, ${x[@]}, ${x[*]} */
    bool indices;    /* ${!x[@]} */
    uint32_t number; /* positional: its index; special: its character */
    struct word *subscript;
    struct word *operand;
    struct word *second;    /* the length, the new text; or NULL */
    struct variable *cache; /* filled in by the first expansion */
};

struct arithmetic {
    struct word *text;
    void *compiled; /* cache: the parsed form, when text has no expansions in it */
};

/* --- Commands -------------------------------------------------------------------------------- */

enum redirect_kind {
    REDIRECT_INPUT,     /* < */
    REDIRECT_OUTPUT,    /* > */
    REDIRECT_CLOBBER,   /* >| */
    REDIRECT_APPEND,    /* >> */
    REDIRECT_BOTH,      /* <> */
    REDIRECT_DUP_INPUT, /* <& */
    REDIRECT_DUP,       /* >& */
    REDIRECT_HERE,      /* <<, <<- */
    REDIRECT_STRING,    /* <<< */
};

struct redirect {
    struct redirect *next;
    uint8_t kind;
    int fd;
    struct word *word; /* the file, the descriptor, or the text of a here-document */
    struct position at;
};

enum node_kind {
    NODE_SIMPLE,
    NODE_PIPELINE,
    NODE_AND_OR,
    NODE_LIST,
    NODE_GROUP,
    NODE_SUBSHELL,
    NODE_IF,
    NODE_WHILE,
    NODE_FOR,
    NODE_CASE,
    NODE_FUNCTION,
    NODE_TEST,
};

/* The kinds below begin with a node; `redirects` are those of compound commands too. */
struct node {
    uint8_t kind;
    struct position at;
    struct redirect *redirects;
};

struct assignment {
    struct assignment *next;
    const char *name;
    uint32_t length;
    bool append;            /* += */
    bool array;             /* name=( … ): `elements`, not `value` */
    struct word *subscript; /* name[subscript]=value; or NULL */
    struct word *value;
    struct element *elements;
    struct variable *cache;
};

/* One word of name=( … ): [subscript]=value, or fields that follow the element before. */
struct element {
    struct element *next;
    struct word *subscript, *value;
};

struct simple {
    struct node node;
    struct assignment *assignments;
    struct assignment *arrays; /* name=( … ) among the arguments of local and its like */
    struct word *words;
    uint32_t word_count;
    uint32_t
        generation; /* cache of the look-up of a plain first word: valid while it equals the shell's */
    const void *found;
    uint8_t found_kind;
    bool processes; /* a word holds a process substitution */
    bool declares;  /* words look like assignments to export, readonly, local: no splitting there */
};

struct pipeline {
    struct node node;
    bool negated, timed;
    bool plain_times; /* time -p */
    uint32_t count;
    struct node **stages;
};

/* first, then each link in turn: one level of the C stack for the whole chain. */
struct and_or {
    struct node node;
    struct node *first;
    struct and_or_link {
        struct and_or_link *next;
        bool on_success; /* && */
        struct node *command;
    } * links;
};

struct list {
    struct node node;
    struct list_item {
        struct list_item *next;
        struct node *command;
        bool background;
    } * items;
};

struct group { /* { list; } and ( list ) */
    struct node node;
    struct list *body;
};

struct branch {
    struct branch *next;
    struct list *condition, *body;
};

struct if_command {
    struct node node;
    struct branch *branches;
    struct list *otherwise;
};

struct while_command {
    struct node node;
    bool until;
    struct list *condition, *body;
};

struct for_command {
    struct node node;
    const char *name;
    uint32_t length;
    bool over_arguments; /* no `in` */
    struct word *words;
    struct list *body;
};

enum case_end { CASE_BREAK, CASE_FALL_THROUGH };

struct case_command {
    struct node node;
    struct word *subject;
    struct case_item {
        struct case_item *next;
        struct word *patterns;
        struct list *body;
        uint8_t end;
    } * items;
};

/* [[ … ]] */
enum condition_kind {
    CONDITION_AND,
    CONDITION_OR,
    CONDITION_NOT,   /* left */
    CONDITION_UNARY, /* operator, and the word on its right */
    CONDITION_BINARY,
    CONDITION_WORD,
};

struct condition {
    uint8_t kind;
    const char *operator;
    struct condition *left, *right;
    struct word *a, *b;
};

struct test_command {
    struct node node;
    struct condition *condition;
};

struct function_command {
    struct node node;
    const char *name;
    uint32_t length;
    struct node *body;
    struct program *program; /* whose arena holds the body: kept while the function lives */
};

/* One complete command as read, and the memory of its tree. A command substitution is a program
 * inside another one's arena. */
struct program {
    struct arena arena;
    int references;
    struct list *list; /* NULL: nothing to do */
    const char *file;  /* for diagnostics; outlives the program */
    const char *text;  /* of a command substitution, if aliases may change what it means; or NULL */
    size_t length;
    bool may_alias;     /* it may define some for its own later lines */
    struct position at; /* of text */
};

struct program *program_new(const char *file);
void program_keep(struct program *program);
void program_drop(struct program *program);

#endif
