/* SPDX-License-Identifier: MIT */
/* export, readonly, local, declare, unset, set. */
#include "core/options.h"
#include "intrinsics/intrinsics.h"

void print_variable_value(struct out *out, const struct variable *v)
{
    out_puts(out, v->name);
    if (v->elements) {
        out_puts(out, "=(");
        for (size_t i = 0; i < array_count(v); i++) {
            size_t length;
            struct subscript at;
            const char *const text = array_nth(v, i, &at, &length);

            out_puts(out, i ? " [" : "[");
            if (at.key)
                out_quoted(out, at.key);
            else
                out_printf(out, "%ld", at.index);
            out_puts(out, "]=");
            out_quoted(out, text);
        }
        out_putc(out, ')');
    } else if (v->text) {
        out_putc(out, '=');
        out_quoted(out, variable_value(v));
    }
}

void print_variable(struct out *out, const char *before, const struct variable *v)
{
    out_puts(out, before);
    print_variable_value(out, v);
    out_putc(out, '\n');
}

static void print_all(struct shell *sh, struct out *out, const char *before, unsigned flag)
{
    size_t count;
    struct variable **const all = variables_sorted(sh, &count);

    for (size_t i = 0; i < count; i++)
        if (flag ? all[i]->flags & flag : array_count(all[i]) > 0)
            print_variable(out, before, all[i]);
    free(all);
}

int intrinsic_export(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const bool export = *argv[0] == 'e';
    const unsigned flag = export ? VARIABLE_EXPORT : VARIABLE_READONLY;
    struct builtin_options o = {0};
    int letter;

    while ((letter = builtin_option(&o, argc, argv, "p")) != -1)
        if (letter != 'p')
            return intrinsic_usage(sh, argv[0], &o);
    if (o.index >= argc) {
        print_all(sh, io->out, export ? "export " : "readonly ", flag);
        return 0;
    }
    for (int i = o.index; i < argc; i++) {
        const char *const equals = strchr(argv[i], '=');
        const size_t length = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        struct variable *v;

        if (!is_name_text(argv[i], length))
            return intrinsic_fail(sh, 2, "%s: %s: not a variable's name", argv[0], argv[i]);
        v = variable_intern(sh, argv[i], length);
        if (equals && variable_set(sh, v, equals + 1, strlen(equals + 1))) {
            sh->flow = FLOW_FAULT;
            return 2;
        }
        if (export)
            variable_export(sh, v, true);
        else
            variable_flag(sh, v, flag);
    }
    return 0;
}

/* --- local and declare ------------------------------------------------------------------------- */

struct declaration {
    const char *name; /* of the built-in */
    bool local, keys, exported, read_only;
};

/* name or name=value. 0 or a status after a message. */
static int declare_one(struct shell *sh, const struct declaration *how, const char *text)
{
    const char *const equals = strchr(text, '=');
    const size_t length = equals ? (size_t)(equals - text) : strlen(text);
    struct variable *v;

    if (!is_name_text(text, length))
        return intrinsic_fail(sh, 2, "%s: %s: not a variable's name", how->name, text);
    v = variable_intern(sh, text, length);
    if (v->flags & VARIABLE_READONLY && (how->local || how->keys || equals))
        return intrinsic_fail(sh, 1, "%s: %s: is read-only", how->name, v->name);
    /* As in dash: it keeps its value until it is given another; but not if that had numbers for keys. */
    if (how->local) {
        journal_local(sh, v, true);
        if (how->keys && !(v->flags & VARIABLE_KEYS) && array_clear(sh, v))
            return 1;
    }
    if (how->keys && array_use_keys(sh, v))
        return 1;
    if (equals && variable_set(sh, v, equals + 1, strlen(equals + 1)))
        return 1;
    if (how->exported)
        variable_export(sh, v, true);
    if (how->read_only)
        variable_flag(sh, v, VARIABLE_READONLY);
    return 0;
}

int intrinsic_local(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct declaration how = {.name = "local", .local = true};
    struct builtin_options o = {0};
    int letter, status = 0;

    if (!sh->functions)
        return intrinsic_fail(sh, 1, "local: not in a function");
    while ((letter = builtin_option(&o, argc, argv, "Aa")) != -1) {
        if (letter == '?')
            return intrinsic_usage(sh, "local", &o);
        how.keys = letter == 'A';
    }
    for (int i = o.index; i < argc && !status; i++)
        status = declare_one(sh, &how, argv[i]);
    return status;
}

static void print_declaration(struct out *out, const struct variable *v)
{
    out_puts(out, "declare -");
    if (v->flags & VARIABLE_KEYS)
        out_putc(out, 'A');
    else if (v->elements)
        out_putc(out, 'a');
    if (v->flags & VARIABLE_READONLY)
        out_putc(out, 'r');
    if (v->flags & VARIABLE_EXPORT)
        out_putc(out, 'x');
    if (!v->elements && !(v->flags & (VARIABLE_KEYS | VARIABLE_READONLY | VARIABLE_EXPORT)))
        out_putc(out, '-');
    print_variable(out, " ", v);
}

static bool is_declared(const struct variable *v)
{
    return array_count(v) > 0 || v->flags & (VARIABLE_KEYS | VARIABLE_READONLY | VARIABLE_EXPORT);
}

static int print_declarations(struct shell *sh, struct out *out, int argc, char **argv)
{
    int status = 0;
    size_t count;

    if (argc == 0) {
        struct variable **const all = variables_sorted(sh, &count);

        for (size_t i = 0; i < count; i++)
            if (is_declared(all[i]))
                print_declaration(out, all[i]);
        free(all);
    }
    for (int i = 0; i < argc; i++) {
        const struct variable *const v = is_name_text(argv[i], strlen(argv[i]))
                                             ? variable_intern(sh, argv[i], strlen(argv[i]))
                                             : NULL;

        if (v && is_declared(v))
            print_declaration(out, v);
        else
            status = intrinsic_fail(sh, 1, "declare: %s: there is none", argv[i]);
    }
    return status;
}

int intrinsic_declare(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct declaration how = {.name = argv[0], .local = sh->functions > 0};
    struct builtin_options o = {0};
    bool print = argc == 1;
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "Aagprx")) != -1)
        switch (letter) {
        case 'A':
            how.keys = true;
            break;
        case 'g':
            how.local = false;
            break;
        case 'p':
            print = true;
            break;
        case 'r':
            how.read_only = true;
            break;
        case 'x':
            how.exported = true;
            break;
        case '?':
            return intrinsic_usage(sh, argv[0], &o);
        default: /* a: every variable may have elements with numbers */
            break;
        }
    if (print)
        return print_declarations(sh, io->out, argc - o.index, argv + o.index);
    for (int i = o.index; i < argc && !status; i++)
        status = declare_one(sh, &how, argv[i]);
    return status;
}

int intrinsic_unset(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    bool functions = false;
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "fv")) != -1) {
        if (letter == '?')
            return intrinsic_usage(sh, "unset", &o);
        functions = letter == 'f';
    }
    for (int i = o.index; i < argc; i++) {
        struct variable *v;
        struct subscript at;

        if (functions) {
            function_unset(sh, argv[i]);
        } else if (!in_posix_mode(sh) && array_reference(sh, argv[i], strlen(argv[i]), &v, &at)) {
            status = array_unset(sh, v, at) ? 1 : status;
        } else if (!is_name_text(argv[i], strlen(argv[i]))) {
            status = intrinsic_fail(sh, 2, "unset: %s: not a variable's name", argv[i]);
        } else if (variable_unset(sh, variable_intern(sh, argv[i], strlen(argv[i])))) {
            sh->flow = FLOW_FAULT;
            status = 1;
        }
    }
    return status;
}

static int set_long(struct shell *sh, const char *name, bool on)
{
    const enum option option = option_of_name(name);

    if (option == OPTION_COUNT)
        return intrinsic_fail(sh, 2, "set: %s: unknown option", name);
    return option_set(sh, option, on) ? intrinsic_fail(sh, 1, "set: %s: cannot be set", name) : 0;
}

int intrinsic_set(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    int i = 1;

    if (argc == 1) {
        print_all(sh, io->out, "", 0);
        return 0;
    }
    for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
        const bool on = argv[i][0] == '-';

        if (strcmp(argv[i], "--") == 0) {
            i++;
            arguments_set(sh, argv + i, argc - i);
            return 0;
        }
        const char *const word = argv[i];
        for (const char *letter = word + 1; *letter; letter++) {
            enum option option;
            int err;

            if (*letter == 'o') {
                if (i + 1 >= argc) {
                    options_print(sh, io->out, !on);
                    return 0;
                }
                err = set_long(sh, argv[++i], on);
                if (err)
                    return err;
                continue;
            }
            option = option_of_letter(*letter);
            if (option >= OPTION_INTERACTIVE)
                return intrinsic_fail(sh, 2, "set: %c%c: unknown option", word[0], *letter);
            if (option_set(sh, option, on))
                return intrinsic_fail(sh, 1, "set: %c%c: cannot be set", word[0], *letter);
        }
    }
    if (i < argc)
        arguments_set(sh, argv + i, argc - i);
    return 0;
}
