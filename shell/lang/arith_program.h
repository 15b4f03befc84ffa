/* SPDX-License-Identifier: MIT */
/* Between the compiler and the machine of arithmetic: steps for a stack. */
#ifndef R3SH_ARITH_PROGRAM_H
#define R3SH_ARITH_PROGRAM_H

#include "lang/arith.h"

#include <stdint.h>

enum arith_op {
    ARITH_CONSTANT, /* push value */
    ARITH_LOAD,     /* push the variable `name` */
    ARITH_STORE,    /* variable `name` = top */
    ARITH_DROP,     /* pop */
    ARITH_JUMP,     /* to step `target` */
    ARITH_AND,      /* top == 0: leave 0 and jump; else pop */
    ARITH_OR,       /* top != 0: leave 1 and jump; else pop */
    ARITH_UNLESS,   /* pop; if it was 0, jump */
    ARITH_TRUTH,    /* top = top != 0 */
    ARITH_NOT,
    ARITH_COMPLEMENT,
    ARITH_NEGATE,
    ARITH_MULTIPLY, /* from here on: pop right, top = top op right */
    ARITH_DIVIDE,
    ARITH_REMAINDER,
    ARITH_ADD,
    ARITH_SUBTRACT,
    ARITH_SHIFT_LEFT,
    ARITH_SHIFT_RIGHT,
    ARITH_LESS,
    ARITH_LESS_EQUAL,
    ARITH_GREATER,
    ARITH_GREATER_EQUAL,
    ARITH_EQUAL,
    ARITH_UNEQUAL,
    ARITH_BIT_AND,
    ARITH_BIT_XOR,
    ARITH_BIT_OR,
};

struct arith_step {
    uint8_t op;
    uint32_t at;  /* byte in the text: for errors; LOAD and STORE: the name */
    uint32_t len; /* of the name */
    union {
        int64_t value;
        uint32_t target;
    };
};

#define ARITH_INLINE_STEPS 24

struct arith_program {
    const char *text;
    size_t len;
    struct arith_step *steps;
    uint32_t count, room;
    uint32_t depth; /* the most values on the stack at once */
    char *copy;     /* of the text, when the program outlives it */
    struct arith_step inline_steps[ARITH_INLINE_STEPS];
};

/* Compiles into a program that has text and len; the rest is filled in. 0, -EINVAL, -ENOMEM. */
int arith_build(struct arith_program *p, struct arith_error *err);
void arith_drop_steps(struct arith_program *p);

/* A constant at the start of the text: its length, or 0. With 64 bits exceeded, `overflow` is set. */
size_t arith_number(const char *text, size_t len, uint64_t *value, bool *overflow);

/* Runs with `nested` levels of values evaluated as expressions above. */
int arith_execute(const struct arith_program *p, const struct arith_env *env, int nested,
                  int64_t *result, struct arith_error *err);

__attribute__((format(printf, 3, 4))) void arith_say(struct arith_error *err, size_t at,
                                                     const char *fmt, ...);

#endif
