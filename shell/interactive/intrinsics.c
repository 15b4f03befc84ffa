/* SPDX-License-Identifier: MIT */
/* Built-ins for people: history, bind, complete, help. */
#include "intrinsics/intrinsics.h"
#include "interactive/session.h"

#include <stdio.h>
#include <time.h>

static struct session *session_of(struct shell *sh, const char *name)
{
    if (!sh->session)
        intrinsic_fail(sh, 1, "%s: there is no interactive session here", name);
    return sh->session;
}

/* --- history [-v] [n] ----------------------------------------------------------------------------------------------- */

static void print_entry(struct out *out, size_t number, const struct history_entry *entry,
                        bool verbose)
{
    struct tm parts;
    char when[32] = "";

    if (verbose) {
        const time_t time = (time_t)entry->time;

        localtime_r(&time, &parts);
        strftime(when, sizeof when, "%F %T", &parts);
        out_printf(out, "%6zu  %s ", number, when);
        if (entry->status >= 0)
            out_printf(out, "%4d %6lld.%03llds", entry->status,
                       (long long)entry->milliseconds / 1000,
                       (long long)entry->milliseconds % 1000);
        else
            out_puts(out, "   -           -");
        out_printf(out, "  %s  ", entry->directory);
    } else {
        out_printf(out, "%6zu  ", number);
    }
    out_puts(out, entry->text);
    out_putc(out, '\n');
}

int intrinsic_history(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct session *const s = session_of(sh, "history");
    struct builtin_options o = {0};
    bool verbose = false;
    size_t count, first = 0;
    int letter;

    if (!s)
        return 1;
    while ((letter = builtin_option(&o, argc, argv, "v")) != -1) {
        if (letter != 'v')
            return intrinsic_usage(sh, "history", &o);
        verbose = true;
    }
    history_refresh(s->history);
    count = history_count(s->history);
    if (o.index < argc) {
        const long most = intrinsic_number(argv[o.index]);

        if (most < 0)
            return intrinsic_fail(sh, BUILTIN_USAGE, "history: %s: not a number", argv[o.index]);
        first = (size_t)most < count ? count - (size_t)most : 0;
    }
    for (size_t i = first; i < count; i++)
        print_entry(io->out, i + 1, history_at(s->history, i), verbose);
    return 0;
}

/* --- bind [-m map] [-l] [key command] --------------------------------------------------------------------------------- */

static void print_binding(void *ctx, const char *key, const char *command)
{
    struct out *const out = ctx;

    out_puts(out, "bind ");
    out_quoted(out, key);
    out_putc(out, ' ');
    out_quoted(out, command);
    out_putc(out, '\n');
}

int intrinsic_bind(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct session *const s = session_of(sh, "bind");
    const char *map = option_on(sh, OPTION_VI) ? "vi-insert" : "emacs";
    struct builtin_options o = {0};
    int letter;

    if (!s)
        return 1;
    while ((letter = builtin_option(&o, argc, argv, "lm:")) != -1) {
        if (letter == 'm') {
            map = o.value;
        } else if (letter == 'l') {
            for (size_t i = 0; edit_command_name(i); i++)
                out_printf(io->out, "%s\n", edit_command_name(i));
            return 0;
        } else {
            return intrinsic_usage(sh, "bind", &o);
        }
    }
    if (o.index == argc) {
        edit_bindings(s->edit, map, print_binding, io->out);
        return 0;
    }
    if (argc - o.index != 2)
        return intrinsic_fail(sh, BUILTIN_USAGE, "bind: usage: bind [-m map] [key command]");
    if (edit_bind(s->edit, map, argv[o.index], argv[o.index + 1]) != 0)
        return intrinsic_fail(sh, 1, "bind: %s: no such key or map", argv[o.index]);
    return 0;
}

/* --- complete [-w words | -f function | -r] command… ------------------------------------------------------------------ */

static void print_completion(struct out *out, const struct completion *c)
{
    out_printf(out, "complete %s ", c->words ? "-w" : "-f");
    out_quoted(out, c->words ? c->words : c->function);
    out_putc(out, ' ');
    out_quoted(out, c->command);
    out_putc(out, '\n');
}

static void forget_completion(struct session *s, const char *command)
{
    for (struct completion **at = &s->completions; *at; at = &(*at)->next) {
        struct completion *const c = *at;

        if (strcmp(c->command, command) != 0)
            continue;
        *at = c->next;
        free(c->words);
        free(c->function);
        free(c);
        return;
    }
}

static bool add_completion(struct session *s, const char *command, const char *words,
                           const char *function)
{
    struct completion *const c = calloc(1, sizeof *c + strlen(command) + 1);

    if (!c)
        return false;
    strcpy(c->command, command);
    c->words = words ? strdup(words) : NULL;
    c->function = function ? strdup(function) : NULL;
    if (!c->words && !c->function) {
        free(c);
        return false;
    }
    forget_completion(s, command);
    c->next = s->completions;
    s->completions = c;
    return true;
}

int intrinsic_complete(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct session *const s = session_of(sh, "complete");
    const char *words = NULL, *function = NULL;
    struct builtin_options o = {0};
    bool forget = false;
    int letter;

    if (!s)
        return 1;
    while ((letter = builtin_option(&o, argc, argv, "w:f:r")) != -1) {
        if (letter == 'w')
            words = o.value;
        else if (letter == 'f')
            function = o.value;
        else if (letter == 'r')
            forget = true;
        else
            return intrinsic_usage(sh, "complete", &o);
    }
    if (!words && !function && !forget) {
        for (const struct completion *c = s->completions; c; c = c->next)
            print_completion(io->out, c);
        return 0;
    }
    for (; o.index < argc; o.index++) {
        if (forget)
            forget_completion(s, argv[o.index]);
        else if (!add_completion(s, argv[o.index], words, function))
            return intrinsic_fail(sh, 1, "complete: out of memory");
    }
    return 0;
}

/* --- help [name…] ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *usage;
} helps[] = {
    {".", ". file                              run the commands of a file in this shell"},
    {":", ": [argument...]                     expand the arguments and do nothing"},
    {"[", "[ expression ]                      test, closed by a bracket"},
    {"alias", "alias [name[=value]...]             define or show aliases"},
    {"bg", "bg [job...]                         continue stopped jobs in the background"},
    {"bind", "bind [-m map] [-l] [key command]    show or change what keys of the line editor do"},
    {"break", "break [n]                           leave the n innermost loops"},
    {"cd", "cd [-L|-P [-e]] [directory|-]       change the working directory"},
    {"command",
     "command [-p] name [argument...]     run a command, not a function; -v, -V: what it is"},
    {"complete",
     "complete [-w words|-f function|-r] command...   completion of a command's arguments"},
    {"continue",
     "continue [n]                        begin the next turn of the n-th innermost loop"},
    {"declare",
     "declare [-Aagprx] [name[=value]...]  make variables, -A: arrays with keys; or show them"},
    {"disown",
     "disown [-a] [job...]                forget jobs, so that the shell does not end them"},
    {"echo", "echo [-n] [text...]                 write the arguments"},
    {"eval", "eval [text...]                      run the arguments as commands"},
    {"exec",
     "exec [command [argument...]]        replace the shell; without a command: keep redirections"},
    {"exit", "exit [n]                            end the shell with status n"},
    {"export", "export [-p] [name[=value]...]       give variables to commands"},
    {"false", "false                               do nothing, with status 1"},
    {"fc",
     "fc [-r] [-e editor] [first [last]]  edit and run old commands; -l: list them; -s: run one"},
    {"fg", "fg [job]                            continue a job in the foreground"},
    {"getopts", "getopts options name [argument...]  take options apart"},
    {"hash", "hash [-r] [name...]                 remember or forget where commands are"},
    {"help", "help [name...]                      this list"},
    {"history", "history [-v] [n]                    show the last n commands; -v: when, where, "
                "how they ended"},
    {"jobs", "jobs [-l|-p|-v] [-n] [-r] [-s] [job...]   show jobs; -v: all about their processes"},
    {"kill", "kill [-s signal] pid|%job...        send a signal; -l: list signals"},
    {"local",
     "local [-A] [name[=value]...]        variables of the function; -A: arrays with keys"},
    {"printf", "printf format [argument...]         write formatted text"},
    {"pwd", "pwd [-L|-P]                         show the working directory"},
    {"read", "read [-r] [-d delimiter] name...    read a line into variables"},
    {"readonly", "readonly [-p] [name[=value]...]     variables that do not change any more"},
    {"return", "return [n]                          leave the function or file"},
    {"set", "set [-+abCefhmnuvx] [-+o option] [argument...]   options and positional parameters"},
    {"shift", "shift [n]                           drop the first n positional parameters"},
    {"suspend", "suspend [-f]                        stop the shell"},
    {"test", "test expression                     compare values, look at files"},
    {"times", "times                               CPU time used by the shell and its children"},
    {"trap", "trap [action] [condition...]        what to do on signals and at the end"},
    {"true", "true                                do nothing, with status 0"},
    {"type", "type name...                        what a name stands for"},
    {"typeset", "typeset ...                         the same as declare"},
    {"ulimit", "ulimit [-H|-S] [-a|-letter] [limit] show or set limits"},
    {"umask", "umask [-S] [mask]                   show or set the file mode mask"},
    {"unalias", "unalias -a | name...                forget aliases"},
    {"unset", "unset [-f|-v] name...               forget variables or functions"},
    {"wait", "wait [-n] [-t seconds] [pid|%job...] wait for jobs; -n: for the next one to end"},
};

int intrinsic_help(struct builtin_io *io, int argc, char **argv)
{
    int status = 0;

    for (size_t i = 0; argc == 1 && i < sizeof helps / sizeof *helps; i++)
        if (builtin_find(helps[i].name))
            out_printf(io->out, "%s\n", helps[i].usage);
    for (int a = 1; a < argc; a++) {
        size_t i = 0;

        while (i < sizeof helps / sizeof *helps && strcmp(helps[i].name, argv[a]) != 0)
            i++;
        if (i < sizeof helps / sizeof *helps && builtin_find(argv[a]))
            out_printf(io->out, "%s\n", helps[i].usage);
        else
            status = intrinsic_fail(io->shell, 1, "help: %s: no such built-in", argv[a]);
    }
    return status;
}
