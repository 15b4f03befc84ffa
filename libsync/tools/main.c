/* SPDX-License-Identifier: MIT */
/* The `ring3` command: finds the verb and runs it. */
#include "verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };

/* Made by the linker; weak, so that a command without verbs would link too. */
extern const struct ring3_verb *__start_ring3_verbs[] __attribute__((weak));
extern const struct ring3_verb *__stop_ring3_verbs[] __attribute__((weak));

static const struct ring3_verb *find_verb(const char *name)
{
    for (const struct ring3_verb **verb = __start_ring3_verbs; verb < __stop_ring3_verbs; verb++)
        if (strcmp((*verb)->name, name) == 0)
            return *verb;
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct ring3_verb *const *const left = a, *const *const right = b;

    return strcmp((*left)->name, (*right)->name);
}

static int help(void)
{
    const struct ring3_verb *verbs[64];
    size_t count = 0;

    for (const struct ring3_verb **verb = __start_ring3_verbs; verb < __stop_ring3_verbs; verb++)
        if (count < sizeof verbs / sizeof verbs[0])
            verbs[count++] = *verb;
    qsort(verbs, count, sizeof verbs[0], by_name);

    printf("usage: ring3 VERB [argument ...]\n"
           "       ring3 help [VERB]\n"
           "       ring3 --version\n"
           "\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    printf("\n"
           "`ring3 help VERB` says more about one of them.\n");
    return 0;
}

static int run_verb(int argc, char **argv)
{
    const struct ring3_verb *const verb = find_verb(argv[0]);

    if (!verb) {
        fprintf(stderr, "ring3: unknown verb \"%s\"; `ring3 --help` lists them\n", argv[0]);
        return USAGE;
    }
    return verb->run(argc, argv);
}

static int command(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "ring3: which verb? `ring3 --help` lists them\n");
        return USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("ring3 " RING3_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help();
    if (strcmp(argv[1], "help") == 0) {
        char help_option[] = "--help";
        char *verb_argv[] = {argv[2], help_option, NULL};

        return argc == 2 ? help() : run_verb(2, verb_argv);
    }
    return run_verb(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    const int status = command(argc, argv);

    /* Output that could not be written (a full disk) is a failure too. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("ring3: stdout");
        return status ? status : 1;
    }
    return status;
}
