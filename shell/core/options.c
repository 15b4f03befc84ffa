/* SPDX-License-Identifier: MIT */
#include "core/options.h"
#include "core/jobs.h"

static const struct {
    char letter;
    const char *name;
} options[OPTION_COUNT] = {
    [OPTION_ALLEXPORT] = {'a', "allexport"}, [OPTION_ERREXIT] = {'e', "errexit"},
    [OPTION_IGNOREEOF] = {0, "ignoreeof"},   [OPTION_MONITOR] = {'m', "monitor"},
    [OPTION_NOCLOBBER] = {'C', "noclobber"}, [OPTION_NOEXEC] = {'n', "noexec"},
    [OPTION_NOGLOB] = {'f', "noglob"},       [OPTION_NOLOG] = {0, "nolog"},
    [OPTION_NOTIFY] = {'b', "notify"},       [OPTION_NOUNSET] = {'u', "nounset"},
    [OPTION_VERBOSE] = {'v', "verbose"},     [OPTION_VI] = {0, "vi"},
    [OPTION_EMACS] = {0, "emacs"},           [OPTION_XTRACE] = {'x', "xtrace"},
    [OPTION_PIPEFAIL] = {0, "pipefail"},     [OPTION_HASHALL] = {'h', "hashall"},
    [OPTION_STRICT] = {0, "strict"},         [OPTION_POSIX] = {0, "posix"},
    [OPTION_INTERACTIVE] = {'i', NULL},      [OPTION_STDIN] = {'s', NULL},
    [OPTION_COMMAND] = {'c', NULL},
};

enum option option_of_letter(char letter)
{
    enum option option = 0;

    while (option < OPTION_COUNT && (!options[option].letter || options[option].letter != letter))
        option++;
    return option;
}

enum option option_of_name(const char *name)
{
    enum option option = 0;

    while (option < OPTION_INTERACTIVE && strcmp(options[option].name, name) != 0)
        option++;
    return option < OPTION_INTERACTIVE ? option : OPTION_COUNT;
}

int option_set(struct shell *sh, enum option option, bool on)
{
    if (option == OPTION_MONITOR && on != option_on(sh, OPTION_MONITOR)) {
        if (on)
            return monitor_start(sh);
        monitor_stop(sh);
        return 0;
    }
    /* Names of commands may mean something else then. */
    if (option == OPTION_POSIX)
        sh->generation++;
    /* What it is built on comes with it, and stays when it goes. */
    if (on && option == OPTION_STRICT)
        sh->options |= 1u << OPTION_ERREXIT | 1u << OPTION_NOUNSET | 1u << OPTION_PIPEFAIL;
    if (on && option == OPTION_VI)
        sh->options &= ~(1u << OPTION_EMACS);
    if (on && option == OPTION_EMACS)
        sh->options &= ~(1u << OPTION_VI);
    if (on)
        sh->options |= 1u << option;
    else
        sh->options &= ~(1u << option);
    return 0;
}

void options_letters(struct shell *sh, char *to)
{
    for (enum option option = 0; option < OPTION_COUNT; option++)
        if (option_on(sh, option) && options[option].letter)
            *to++ = options[option].letter;
    *to = '\0';
}

void options_print(struct shell *sh, struct out *out, bool again)
{
    for (enum option option = 0; option < OPTION_INTERACTIVE; option++) {
        if (again)
            out_printf(out, "set %co %s\n", option_on(sh, option) ? '-' : '+',
                       options[option].name);
        else
            out_printf(out, "%-12s %s\n", options[option].name,
                       option_on(sh, option) ? "on" : "off");
    }
}
