/* SPDX-License-Identifier: MIT */
/* trap. */
#include "core/traps.h"
#include "intrinsics/intrinsics.h"
#include "lang/signame.h"

static void print_trap(struct out *out, int signal, const char *action)
{
    char name[SIGNAME_MAX];

    out_puts(out, "trap -- ");
    if (action && *action)
        out_quoted(out, action);
    else
        out_puts(out, action ? "''" : "-");
    out_printf(out, " %s\n", signal ? signal_name(signal, name) : "EXIT");
}

static int print_traps(struct shell *sh, struct out *out, char **names)
{
    if (!*names) {
        for (int i = 0; i < SIGNALS; i++) {
            const char *const action = trap_action(sh, i);

            if (action)
                print_trap(out, i, action);
        }
        return 0;
    }
    for (; *names; names++) {
        const int signal = signal_number(*names);

        if (signal < 0 || signal >= SIGNALS)
            return intrinsic_fail(sh, 1, "trap: %s: no such signal", *names);
        print_trap(out, signal, trap_action(sh, signal));
    }
    return 0;
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

int intrinsic_trap(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    char **args = argv + 1;
    const char *action;
    enum flow flow;
    int status = 0;

    if (argc > 1 && strcmp(*args, "-p") == 0) {
        args++;
        if (*args && strcmp(*args, "--") == 0)
            args++;
        return print_traps(sh, io->out, args);
    }
    if (*args && strcmp(*args, "--") == 0)
        args++;
    else if (*args && (*args)[0] == '-' && (*args)[1])
        return intrinsic_fail(sh, 2, "trap: %s: unknown option", *args);
    if (!*args)
        return print_traps(sh, io->out, args);
    flow = subshell_become_real(sh);
    if (flow != FLOW_NEXT) {
        sh->flow = flow;
        return sh->status;
    }
    /* Without an action: all operands are signals, to be reset. */
    if (is_number(*args))
        action = NULL;
    else if (!args[1])
        return intrinsic_fail(sh, 2, "trap: %s: for which signal?", *args);
    else {
        action = *args++;
        if (strcmp(action, "-") == 0)
            action = NULL;
    }
    for (; *args; args++) {
        const int signal = signal_number(*args);

        if (signal < 0 || trap_set(sh, signal, action)) {
            complain(sh, "trap: %s: no such signal", *args);
            status = 1;
        }
    }
    return status;
}
