/* SPDX-License-Identifier: MIT */
/* getopts: the variables around one step of builtins/getopts.h. */
#include "builtins/getopts.h"
#include "intrinsics/intrinsics.h"

#include <stdio.h>

static int assign(struct shell *sh, const char *name, const char *value)
{
    return variable_set_name(sh, name, value) ? 2 : 0;
}

static int report(struct shell *sh, const char *name, bool silent, enum getopts_result result,
                  char letter)
{
    const char text[] = {letter, '\0'};
    int err;

    if (!silent) {
        complain(sh,
                 result == GETOPTS_UNKNOWN ? "-%c: unknown option" : "-%c: its argument is missing",
                 letter);
        err = variable_unset(sh, variable_intern(sh, "OPTARG", 6)) ? 2 : 0;
        return err ? err : assign(sh, name, "?");
    }
    err = assign(sh, "OPTARG", text);
    return err ? err : assign(sh, name, result == GETOPTS_UNKNOWN ? "?" : ":");
}

int intrinsic_getopts(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct getopts state;
    struct getopts_option found = {0};
    enum getopts_result result;
    char number[16];
    bool silent;
    int count, err, first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    char *const *args;
    const char *next_index = variable_value(sh->optind);

    if (argc - first < 2)
        return intrinsic_fail(sh, 2, "getopts: options and a variable are needed");
    if (!is_name_text(argv[first + 1], strlen(argv[first + 1])))
        return intrinsic_fail(sh, 2, "getopts: %s: not a variable's name", argv[first + 1]);
    args = argc - first > 2 ? argv + first + 2 : sh->arguments->list;
    count = argc - first > 2 ? argc - first - 2 : sh->arguments->count;
    silent = *argv[first] == ':';
    state.index = next_index ? atoi(next_index) : 1;
    state.index = state.index < 1 ? 1 : state.index;
    state.within = sh->getopts.changed ? 0 : (size_t)sh->getopts.place;
    result = getopts_step(&state, argv[first], count, args, &found);
    snprintf(number, sizeof number, "%d", state.index);
    err = assign(sh, "OPTIND", number);
    sh->getopts.changed = false;
    sh->getopts.place = (int)state.within;
    if (err)
        return err;
    if (result == GETOPTS_UNKNOWN || result == GETOPTS_MISSING)
        return report(sh, argv[first + 1], silent, result, found.letter);
    if (result == GETOPTS_OPTION && found.value)
        err = assign(sh, "OPTARG", found.value);
    else
        err = variable_unset(sh, variable_intern(sh, "OPTARG", 6)) ? 2 : 0;
    if (err)
        return err;
    number[0] = result == GETOPTS_END ? '?' : found.letter;
    number[1] = '\0';
    err = assign(sh, argv[first + 1], number);
    return err ? err : result == GETOPTS_END;
}
