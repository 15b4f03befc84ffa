/* SPDX-License-Identifier: MIT */
/*
 * ring3 run: start a program on ring3's malloc, locks and scheduling.
 *
 * All it does is to set the environment and to become the program (execvp), so that process id,
 * exit status, signals and descriptors are the program's own.
 */
#include "target.h"
#include "verb.h"

#include "ring3/env.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USAGE = 2, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

static const char usage[] =
    "usage: ring3 run [option ...] [--] PROGRAM [argument ...]\n"
    "\n"
    "Start PROGRAM with its memory or its locks served by ring3, or its threads scheduled\n"
    "by it. The program needs no change; it keeps the process id, and its exit status is\n"
    "that of ring3 run.\n"
    "\n"
    "  --malloc[=POLICY[,KEY=VALUE ...]]  memory from ring3 (assumed when neither locks nor\n"
    "                                     scheduling are asked for)\n"
    "  --locks[=LOCK[,KEY=VALUE ...]]     pthread locks from ring3\n"
    "  --sched=POLICY[,KEY=VALUE ...]     threads run when the policy says so, as in\n"
    "                                     `ring3 sched policies`\n"
    "  --gate[=KEY=VALUE[,KEY=VALUE ...]] how many of them at a time: places=N; the same\n"
    "                                     order each time: seed=N; charts: trace=FILE,\n"
    "                                     svg=FILE, gantt=FILE\n"
    "  --disable=FEATURE[,FEATURE ...]    do without features of the kernel or of ring3\n"
    "  --print                            only show the environment that would be set\n"
    "  --help                             this text\n"
    "\n"
    "Examples:\n"
    "  ring3 run ls -l\n"
    "  ring3 run --malloc=best-fit -- python3 script.py\n"
    "  ring3 run --sched=rr,quantum=5 --gate=places=1,svg=turns.svg -- xz -T4 file\n"
    "  ring3 run --malloc=buddy --disable=rseq,membarrier -- make -j4\n"
    "  env $(ring3 run --print --malloc=first-fit) PROGRAM\n"
    "\n"
    "Exit status: the program's; 127 if it was not found, 126 if it could not be\n"
    "executed, 2 if an argument is wrong.\n";

#define HELP_WIDTH 78

/* What RING3_MALLOC takes as its policy. */
static const char *const malloc_policies[] = {
    "default", "slab", "first-fit", "next-fit", "best-fit", "worst-fit", "buddy", "debug", NULL};

struct request {
    const char *malloc_spec, *locks_spec; /* NULL: not asked for; "": with its defaults */
    const char *sched_spec, *gate_spec;   /* the same; either brings the gate */
    const char *disable;                  /* NULL: leave RING3_DISABLE alone */
    bool print;
};

/* --- Words and lists ---------------------------------------------------------------------------
 */

/* The words of a NULL-terminated array as "a, b, c". */
static const char *listed(const char *const *words, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; words[i] && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", words[i]);
    return text;
}

static bool is_one_of(const char *const *words, const char *word, size_t length)
{
    for (; *words; words++)
        if (ring3_env_is(word, length, *words))
            return true;
    return false;
}

/* --- Options -----------------------------------------------------------------------------------
 */

static int refuse(const char *option, const char *value, size_t length, const char *const *allowed)
{
    char text[512];

    fprintf(stderr, "ring3 run: %s: unknown \"%.*s\"; allowed: %s\n", option, (int)length, value,
            listed(allowed, text, sizeof text));
    return -EINVAL;
}

/* The policy is a bare first word or follows policy=; other keys are for the library to judge. */
static int check_malloc(const char *spec)
{
    static const char key[] = "policy=";
    const char *item = spec;

    while (*item) {
        size_t length = strcspn(item, ",");
        const char *policy = NULL;

        if (strncmp(item, key, sizeof key - 1) == 0)
            policy = item + sizeof key - 1;
        else if (item == spec && length > 0 && !memchr(item, '=', length))
            policy = item;
        if (policy && !is_one_of(malloc_policies, policy, (size_t)(item + length - policy)))
            return refuse("--malloc", policy, (size_t)(item + length - policy), malloc_policies);
        item += length;
        item += *item == ',';
    }
    return 0;
}

static int check_disable(const char *list)
{
    while (*list) {
        const size_t length = strcspn(list, ",");

        if (length > 0 && !is_one_of(ring3_env_features(), list, length))
            return refuse("--disable", list, length, ring3_env_features());
        list += length;
        list += *list == ',';
    }
    return 0;
}

/* The value of `--name=value`, "" for `--name` alone, NULL if the argument is something else. */
static const char *option_value(const char *argument, const char *name)
{
    const size_t length = strlen(name);

    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    return argument[length] == '\0' ? "" : NULL;
}

static bool wants_gate(const struct request *request)
{
    return request->sched_spec || request->gate_spec;
}

/* Fills the request; returns the index of the program in argv, or a negative errno after saying
 * what is wrong. */
static int read_options(int argc, char **argv, struct request *request)
{
    int i, err = 0;

    for (i = 1; i < argc && argv[i][0] == '-' && !err; i++) {
        const char *value;

        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        if ((value = option_value(argv[i], "--malloc"))) {
            request->malloc_spec = value;
            err = check_malloc(value);
        } else if ((value = option_value(argv[i], "--locks"))) {
            request->locks_spec = value;
        } else if ((value = option_value(argv[i], "--sched"))) {
            request->sched_spec = value;
        } else if ((value = option_value(argv[i], "--gate"))) {
            request->gate_spec = value;
        } else if ((value = option_value(argv[i], "--disable"))) {
            request->disable = value;
            err = check_disable(value);
        } else if (strcmp(argv[i], "--print") == 0) {
            request->print = true;
        } else {
            fprintf(stderr, "ring3 run: unknown option %s; `ring3 run --help` lists them\n",
                    argv[i]);
            err = -EINVAL;
        }
    }
    if (!err && request->locks_spec && wants_gate(request)) {
        fprintf(stderr, "ring3 run: the gate waits for libc's locks: not with --locks\n");
        err = -EINVAL;
    }
    if (!request->malloc_spec && !request->locks_spec && !wants_gate(request))
        request->malloc_spec = "";
    return err ? err : i;
}

/* --- The preload objects -----------------------------------------------------------------------
 */

static bool holds(const char *folder, const char *object)
{
    char path[PATH_MAX + NAME_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, object);
    return access(path, R_OK) == 0;
}

/* Writes the path of the lib next to our own bin, wherever the two were moved to; "" if unknown. */
static void own_lib(char *folder, size_t size)
{
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    program[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 2; up++) {
        char *const slash = strrchr(program, '/');

        if (slash)
            *slash = '\0';
    }
    if (length <= 0 || (size_t)snprintf(folder, size, "%s/lib", program) >= size)
        folder[0] = '\0';
}

/* The folder that holds `object`: our own lib, or else where it was to be installed. */
static int find_folder(const char *object, char *folder, size_t size)
{
    own_lib(folder, size);
    if (*folder && holds(folder, object))
        return 0;
    if (holds(RING3_LIBDIR, object)) {
        snprintf(folder, size, "%s", RING3_LIBDIR);
        return 0;
    }
    fprintf(stderr, "ring3 run: %s is neither in %s nor in %s\n", object, folder, RING3_LIBDIR);
    return -ENOENT;
}

/* --- The environment ---------------------------------------------------------------------------
 */

static int set(const char *name, const char *value)
{
    return setenv(name, value, 1) == 0 ? 0 : -errno;
}

/* Put `text` before what the list-valued variable `name` has. */
static int prepend(const char *name, const char *text)
{
    const char *const old = getenv(name);
    char *list = NULL;
    int err;

    if (!old || !*old)
        return set(name, text);
    if (asprintf(&list, "%s:%s", text, old) < 0)
        return -ENOMEM;
    err = set(name, list);
    free(list);
    return err;
}

/*
 * Have the dynamic linker load `object` first. LD_PRELOAD is cut at spaces and colons, so from a
 * folder with a space in its name it is found through LD_LIBRARY_PATH, which is cut at colons and
 * semicolons.
 */
static int preload(const char *object)
{
    char folder[PATH_MAX], path[PATH_MAX + NAME_MAX];
    const int err = find_folder(object, folder, sizeof folder);

    if (err)
        return err;
    if (strpbrk(folder, ":;$")) {
        fprintf(stderr,
                "ring3 run: cannot preload from %s: the dynamic linker does not take "
                "a path with ':', ';' or '$'\n",
                folder);
        return -EINVAL;
    }
    if (strpbrk(folder, " \t\n")) {
        const int path_err = prepend("LD_LIBRARY_PATH", folder);

        return path_err ? path_err : prepend("LD_PRELOAD", object);
    }
    snprintf(path, sizeof path, "%s/%s", folder, object);
    return prepend("LD_PRELOAD", path);
}

static int set_environment(const struct request *request)
{
    int err = 0;

    if (request->malloc_spec) {
        err = preload("libring3-malloc.so");
        if (!err && *request->malloc_spec)
            err = set("RING3_MALLOC", request->malloc_spec);
    }
    if (!err && request->locks_spec) {
        err = preload("libring3-locks.so");
        if (!err && *request->locks_spec)
            err = set("RING3_LOCKS", request->locks_spec);
    }
    if (!err && wants_gate(request)) {
        err = preload("libring3-gate.so");
        if (!err && request->sched_spec && *request->sched_spec)
            err = set("RING3_SCHED", request->sched_spec);
        if (!err && request->gate_spec && *request->gate_spec)
            err = set("RING3_GATE", request->gate_spec);
    }
    if (!err && request->disable)
        err = set("RING3_DISABLE", request->disable);
    return err;
}

static void print_environment(void)
{
    static const char *const names[] = {"LD_LIBRARY_PATH", "LD_PRELOAD",  "RING3_MALLOC",
                                        "RING3_LOCKS",     "RING3_SCHED", "RING3_GATE",
                                        "RING3_DISABLE"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]))
            printf("%s=%s\n", names[i], getenv(names[i]));
}

/* --- The program -------------------------------------------------------------------------------
 */

/* Returns only if the program could not be started. */
static int become(char **argv)
{
    char path[PATH_MAX];
    const bool found = target_find(argv[0], path, sizeof path);
    const char *const refusal = found ? target_refuses_preload(path) : NULL;

    if (refusal)
        fprintf(stderr, "ring3 run: warning: %s %s; it runs without ring3\n", path, refusal);
    execvp(argv[0], argv);
    if (errno == ENOENT) {
        fprintf(stderr, "ring3 run: %s: %s\n", argv[0],
                found ? "the interpreter it names was not found" : "not found");
        return NOT_FOUND;
    }
    fprintf(stderr, "ring3 run: %s: %s\n", argv[0], strerror(errno));
    return CANNOT_EXECUTE;
}

/* One line, or as many as it takes, that list words behind a title. */
static void print_words(const char *title, const char *const *words)
{
    int column = printf("\n%s:", title);

    for (; *words; words++) {
        if (column + 1 + (int)strlen(*words) > HELP_WIDTH)
            column = printf("\n ");
        column += printf(" %s", *words);
    }
    putchar('\n');
}

static int help(void)
{
    fputs(usage, stdout);
    print_words("Policies", malloc_policies);
    print_words("Features", ring3_env_features());
    return 0;
}

static int run(int argc, char **argv)
{
    struct request request = {0};

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return help();

    const int program = read_options(argc, argv, &request);

    if (program < 0)
        return USAGE;
    if (program == argc && !request.print) {
        fprintf(stderr, "ring3 run: which program? `ring3 run --help` says more\n");
        return USAGE;
    }

    const int err = set_environment(&request);

    if (err == -ENOMEM)
        fprintf(stderr, "ring3 run: out of memory\n");
    if (err)
        return USAGE;
    if (request.print) {
        print_environment();
        return 0;
    }
    return become(argv + program);
}

RING3_VERB(run, "start a program on ring3's malloc, locks and scheduling", run);
