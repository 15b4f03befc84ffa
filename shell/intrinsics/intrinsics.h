/* SPDX-License-Identifier: MIT */
/* The built-ins that need the shell's state. io->shell is the shell. */
#ifndef R3SH_INTRINSICS_H
#define R3SH_INTRINSICS_H

#include "core/vars.h"

#define INTRINSIC(name) int intrinsic_##name(struct builtin_io *io, int argc, char **argv)

INTRINSIC(alias);
INTRINSIC(bg);
INTRINSIC(bind);
INTRINSIC(break);
INTRINSIC(cd);
INTRINSIC(command);
INTRINSIC(complete);
INTRINSIC(declare);
INTRINSIC(disown);
INTRINSIC(dot);
INTRINSIC(eval);
INTRINSIC(exec);
INTRINSIC(exit);
INTRINSIC(export);
INTRINSIC(fc);
INTRINSIC(fg);
INTRINSIC(getopts);
INTRINSIC(hash);
INTRINSIC(help);
INTRINSIC(history);
INTRINSIC(jobs);
INTRINSIC(local);
INTRINSIC(read);
INTRINSIC(return );
INTRINSIC(set);
INTRINSIC(shift);
INTRINSIC(suspend);
INTRINSIC(trap);
INTRINSIC(type);
INTRINSIC(umask);
INTRINSIC(unalias);
INTRINSIC(unset);
INTRINSIC(wait);

/* A message, and an error that ends the shell if the utility is a special one. Returns the status. */
__attribute__((format(printf, 3, 4))) int intrinsic_fail(struct shell *sh, int status,
                                                         const char *fmt, ...);
/* "unknown option", as above. */
int intrinsic_usage(struct shell *sh, const char *name, const struct builtin_options *o);
/* A number of 0 or more, or -1. */
long intrinsic_number(const char *text);
/* name='value' on one line, for export -p and its like. */
/* name=value, or name=([0]=value …). */
void print_variable_value(struct out *out, const struct variable *v);
void print_variable(struct out *out, const char *before, const struct variable *v);

#endif
