/* SPDX-License-Identifier: MIT */
/*
 * Word expansion (XCU 2.6). The parts of a word become segments of text that know whether they were quoted
 * and whether they may be split; fields are made of segments last. All results live in shell->arena.
 * Functions return 0, or -1 after a message (the command is not to run: FLOW_ERROR).
 */
#ifndef R3SH_EXPAND_H
#define R3SH_EXPAND_H

#include "core/vars.h"

struct fields {
    struct shell *sh;
    char **list; /* in the arena; ends with NULL after fields_end */
    int count, room;
    char *few[8];
};

void fields_begin(struct fields *fields, struct shell *sh);
void fields_add(struct fields *fields, char *text);
/* The list with its NULL, safe to keep as long as the arena. */
char **fields_end(struct fields *fields);

/* A word of a command: zero or more fields. */
int expand_fields(struct fields *fields, const struct word *word);
/* A word that is not split: the value of an assignment, a file, a subject. NULL after a message. */
char *expand_string(struct shell *sh, const struct word *word, size_t *length);
/* The parts of a word, not made one yet. 0 or -1. */
struct expansion;
int expand_segments(struct expansion *x, struct shell *sh, const struct word *word);
/* A pattern in the form of pattern.h, added to `to`. */
int expand_pattern(struct shell *sh, const struct word *word, struct buf *to);
/* PS1, PS2, PS4. */
char *expand_prompt(struct shell *sh, const char *text);
/* An arithmetic expression. */
int expand_arithmetic(struct shell *sh, struct arithmetic *arithmetic, long long *value);
int expand_arithmetic_text(struct shell *sh, const char *text, size_t length, long long *value);

/* --- For the files of the expander ------------------------------------------------------------- */

#define SEGMENT_QUOTED 1u
#define SEGMENT_SPLIT  2u
#define SEGMENT_BREAK  4u /* between the arguments of $@ */

struct segment {
    const char *text;
    size_t length;
    unsigned flags;
};

struct expansion {
    struct shell *sh;
    struct segment *segments;
    uint32_t count, room;
    bool splitting; /* fields are wanted, not one string */
    bool steady;    /* no variable changes meanwhile: segments may point to values */
    bool operand;   /* in the word of ${x-word}, unquoted: its text may be split */
    struct segment few[12];
};

int expand_parts(struct expansion *x, const struct part *part);
int expand_parameter(struct expansion *x, const struct part *part);
void add_segment(struct expansion *x, const char *text, size_t length, unsigned flags);
/* A copy in the arena unless nothing can change it. */
void add_value(struct expansion *x, const char *text, size_t length, bool quoted);
int expand_fields_of(struct fields *fields, const struct expansion *x);
void ifs_refresh(struct shell *sh);

#endif
