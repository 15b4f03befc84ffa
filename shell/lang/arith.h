/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic expansion (XCU 2.6.4): signed 64-bit, all operators that C and POSIX give, and ++ -- and comma.
 *
 * An expression is compiled to a list of steps for a stack, once; a program may be kept and run again. Results
 * wrap around as in two's complement; a shift uses the low six bits of its right side; division by zero and
 * INT64_MIN / -1 are errors. A variable without a value counts as 0. One whose value is no number is evaluated
 * as an expression of its own, to a limited depth. name[expression] is a variable whose subscript `get` and `set`
 * evaluate.
 */
#ifndef R3SH_ARITH_H
#define R3SH_ARITH_H

#include <stdbool.h>
#include <stddef.h>

struct arith_env {
    void *ctx;
    /* The value of a variable as a string, or NULL when it is unset. It is read before the next call. */
    const char *(*get)(void *ctx, const char *name, size_t len);
    /* 0 or a negative errno (a read-only variable: -EPERM, which then is the error). */
    int (*set)(void *ctx, const char *name, size_t len, long long value);
    bool nounset; /* an unset variable is an error */
};

struct arith_error {
    size_t at; /* byte in the text */
    char what[96];
};

struct arith_program;

/* 0; -EINVAL: not an expression; -ENOMEM. The program keeps a copy of the text. */
int arith_compile(struct arith_program **program, const char *text, size_t len,
                  struct arith_error *err);
/* 0; -EDOM: division; -EINVAL: a value that is no expression; -ENOENT: unset; or what `set` returned. */
int arith_run(const struct arith_program *program, const struct arith_env *env, long long *result,
              struct arith_error *err);
void arith_free(struct arith_program *program);

/* Both at once. An empty expression is 0. */
int r3sh_arith(const struct arith_env *env, const char *text, size_t len, long long *result,
               struct arith_error *err);

/* A constant with blanks around it and a sign before it, as a whole: the value of a variable. */
bool arith_constant(const char *text, long long *value);

#endif
