/* SPDX-License-Identifier: MIT */
/* What a name means: alias, unalias, command, type, hash. */
#include "core/jobs.h"
#include "intrinsics/intrinsics.h"
#include "lang/parse_internal.h"

#include <errno.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct alias *const *)a)->name, (*(struct alias *const *)b)->name);
}

static void print_alias(struct out *out, const char *before, const struct alias *alias)
{
    out_printf(out, "%s%s=", before, alias->name);
    out_quoted(out, alias->value);
    out_putc(out, '\n');
}

int intrinsic_alias(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    int status = 0, first = 1;

    if (argc > 1 && strcmp(argv[1], "--") == 0)
        first = 2;
    if (first >= argc) {
        struct alias **const all = must_alloc((sh->aliases.count + 1) * sizeof(*all));
        size_t count = 0;

        for (uint32_t i = 0; i < sh->aliases.size; i++)
            if (sh->aliases.slots[i])
                all[count++] = sh->aliases.slots[i];
        qsort(all, count, sizeof(*all), by_name);
        for (size_t i = 0; i < count; i++)
            print_alias(io->out, "", all[i]);
        free(all);
        return 0;
    }
    for (int i = first; i < argc; i++) {
        char *const equals = strchr(argv[i] + (*argv[i] != '\0'), '=');

        if (equals) {
            char *const name = arena_copy(&sh->arena, argv[i], (size_t)(equals - argv[i]));

            alias_set(sh, name, equals + 1);
        } else if (alias_find(sh, argv[i])) {
            print_alias(io->out, "", alias_find(sh, argv[i]));
        } else {
            complain(sh, "alias: %s: no such alias", argv[i]);
            status = 1;
        }
    }
    return status;
}

int intrinsic_unalias(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "a")) != -1) {
        if (letter != 'a')
            return intrinsic_usage(sh, "unalias", &o);
        alias_clear(sh);
        return 0;
    }
    if (o.index >= argc)
        return intrinsic_fail(sh, 2, "unalias: which alias?");
    for (int i = o.index; i < argc; i++) {
        if (!alias_unset(sh, argv[i])) {
            complain(sh, "unalias: %s: no such alias", argv[i]);
            status = 1;
        }
    }
    return status;
}

static bool is_reserved(const char *name)
{
    static const char *const words[] = {"!",   "case", "do", "done", "elif",  "else",  "esac", "fi",
                                        "for", "if",   "in", "then", "until", "while", "{",    "}"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}

/* The absolute form of a file's name. */
static const char *absolute(struct shell *sh, const char *file)
{
    const char *const pwd = variable_value(sh->pwd);
    char *text;

    if (*file == '/' || !pwd)
        return file;
    text = arena_alloc(&sh->arena, strlen(pwd) + strlen(file) + 2);
    return strcat(strcat(strcpy(text, pwd), strcmp(pwd, "/") == 0 ? "" : "/"), file);
}

static const char *file_of(struct shell *sh, const char *name, const char *path)
{
    if (!strchr(name, '/'))
        return path ? path_search(sh, path, name, 0100) : NULL;
    return access(name, X_OK) == 0 ? name : NULL;
}

/* command -v and -V, and type. `terse`: as -v. */
static int describe(struct shell *sh, struct out *out, const char *name, const char *path,
                    bool terse)
{
    const struct alias *const alias = alias_find(sh, name);
    const struct builtin *const builtin = builtin_find(name);
    const char *file;

    if (is_reserved(name)) {
        out_printf(out, terse ? "%s\n" : "%s is a reserved word\n", name);
    } else if (alias) {
        if (terse) {
            print_alias(out, "alias ", alias);
        } else {
            out_printf(out, "%s is an alias for ", name);
            out_quoted(out, alias->value);
            out_putc(out, '\n');
        }
    } else if (builtin && builtin->flags & BUILTIN_SPECIAL) {
        out_printf(out, terse ? "%s\n" : "%s is a special built-in\n", name);
    } else if (function_find(sh, name)) {
        out_printf(out, terse ? "%s\n" : "%s is a function\n", name);
        if (!terse) {
            struct buf text = {0};

            print_node(&text, function_find(sh, name)->body);
            out_printf(out, "%s() %s\n", name, buf_str(&text));
            buf_free(&text);
        }
    } else if (builtin && builtin->flags & BUILTIN_SEARCHED &&
               (file = file_of(sh, name, path)) != NULL) {
        out_printf(out, terse ? "%s\n" : "%s is a built-in utility, also ",
                   terse ? absolute(sh, file) : name);
        if (!terse)
            out_printf(out, "%s\n", absolute(sh, file));
    } else if (builtin) {
        out_printf(out, terse ? "%s\n" : "%s is a built-in utility\n", name);
    } else if ((file = file_of(sh, name, path)) != NULL) {
        if (terse)
            out_printf(out, "%s\n", absolute(sh, file));
        else
            out_printf(out, "%s is %s\n", name, absolute(sh, file));
    } else {
        if (!terse)
            complain(sh, "%s: not found", name);
        return 1;
    }
    return 0;
}

int intrinsic_type(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    int status = 0;

    for (int i = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1; i < argc; i++)
        status |= describe(sh, io->out, argv[i], variable_value(sh->path), false);
    return status;
}

static int run_command(struct shell *sh, int argc, char **argv, const char *path, unsigned flags)
{
    const struct builtin *const builtin = builtin_find(argv[0]);
    const char *file;
    enum flow flow;

    if (builtin && !strchr(argv[0], '/')) {
        sh->by_command = true;
        flow = run_builtin(sh, builtin, argc, argv, flags);
    } else {
        if (strchr(argv[0], '/'))
            file = argv[0];
        else if (path)
            file = path_search(sh, path, argv[0], 0100);
        else
            file = command_path(sh, argv[0], true);
        if (!file)
            return exec_status(sh, argv[0], -ENOENT);
        flow = run_program(sh, argv, file, flags);
    }
    sh->flow = flow;
    return sh->status;
}

int intrinsic_command(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const unsigned flags = sh->builtin_flags;
    struct builtin_options o = {0};
    const char *path = NULL;
    bool describing = false, terse = false;
    int letter;

    while ((letter = builtin_option(&o, argc, argv, "pvV")) != -1) {
        if (letter == 'p')
            path = standard_path();
        else if (letter == '?')
            return intrinsic_usage(sh, "command", &o);
        else {
            describing = true;
            terse = letter == 'v';
        }
    }
    if (o.index >= argc)
        return 0;
    if (!describing)
        return run_command(sh, argc - o.index, argv + o.index, path, flags);
    for (int i = o.index; i < argc; i++)
        if (describe(sh, io->out, argv[i], path ? path : variable_value(sh->path), terse))
            return terse ? 1 : 127;
    return 0;
}

int intrinsic_hash(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "r")) != -1) {
        if (letter != 'r')
            return intrinsic_usage(sh, "hash", &o);
        hash_forget(sh);
    }
    if (o.index >= argc && argc == 1)
        hash_print(sh, io->out);
    for (int i = o.index; i < argc; i++) {
        if (strchr(argv[i], '/') || builtin_find(argv[i]) || function_find(sh, argv[i]))
            continue;
        if (!command_path(sh, argv[i], true)) {
            complain(sh, "hash: %s: not found", argv[i]);
            status = 1;
        }
    }
    return status;
}
