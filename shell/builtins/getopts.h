/* SPDX-License-Identifier: MIT */
/* One step of getopts: which option comes next. Variables and messages are the caller's. */
#ifndef R3SH_GETOPTS_H
#define R3SH_GETOPTS_H

#include <stddef.h>

struct getopts {
    int index;     /* OPTIND: of the next argument, the first is 1 */
    size_t within; /* next letter of a group in argument `index`; 0: a new argument */
};

enum getopts_result {
    GETOPTS_OPTION,  /* `letter`, and `value` if it takes one */
    GETOPTS_UNKNOWN, /* `letter` is not among the options */
    GETOPTS_MISSING, /* `letter` lacks its value */
    GETOPTS_END,     /* index is that of the first operand */
};

struct getopts_option {
    char letter;
    const char *value; /* or NULL */
};

/* `args` are the positional parameters, args[0] is $1. Begin with {1, 0}. */
enum getopts_result getopts_step(struct getopts *g, const char *options, int argc,
                                 char *const *args, struct getopts_option *found);

#endif
