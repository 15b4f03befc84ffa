/* SPDX-License-Identifier: MIT */
#include "builtins/getopts.h"

#include <string.h>

static enum getopts_result take_value(struct getopts *g, int argc, char *const *args,
                                      const char *rest, struct getopts_option *found)
{
    g->index++;
    g->within = 0;
    if (*rest) {
        found->value = rest;
        return GETOPTS_OPTION;
    }
    if (g->index > argc)
        return GETOPTS_MISSING;
    found->value = args[g->index++ - 1];
    return GETOPTS_OPTION;
}

enum getopts_result getopts_step(struct getopts *g, const char *options, int argc,
                                 char *const *args, struct getopts_option *found)
{
    const char *arg, *known;

    *found = (struct getopts_option){0};
    if (g->index < 1)
        *g = (struct getopts){1, 0};
    arg = g->index <= argc ? args[g->index - 1] : "";
    if (g->within >= strlen(arg)) /* the arguments may have changed since */
        g->within = 0;
    if (g->within == 0) {
        if (arg[0] != '-' || arg[1] == '\0')
            return GETOPTS_END;
        if (arg[1] == '-' && arg[2] == '\0') {
            g->index++;
            return GETOPTS_END;
        }
        g->within = 1;
    }
    found->letter = arg[g->within++];
    known = found->letter == ':' ? NULL : strchr(options + (*options == ':'), found->letter);
    if (known && known[1] == ':')
        return take_value(g, argc, args, arg + g->within, found);
    if (arg[g->within] == '\0') {
        g->index++;
        g->within = 0;
    }
    return known ? GETOPTS_OPTION : GETOPTS_UNKNOWN;
}
