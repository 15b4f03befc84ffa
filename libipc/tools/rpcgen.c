/* SPDX-License-Identifier: MIT */
/* ring3 rpcgen: C stubs from an interface definition. */
#include "rpcgen.h"

#include "verb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };

static const char usage[] =
    "usage: ring3 rpcgen [-d DIRECTORY] FILE\n"
    "\n"
    "Reads an interface definition and writes SERVICE.h and SERVICE.c to DIRECTORY (.):\n"
    "types, client stubs, and the server's dispatch for ring3/rpc.h.\n"
    "\n"
    "    service clock 1.0 {                     # version: major.minor\n"
    "        struct date { u16 year; u8 month; u8 day; }\n"
    "        call today(string<64> zone) -> (date day) idempotent;\n"
    "        call total(i64 values<1000>) -> (i64 sum);\n"
    "        oneway note(string<200> text);\n"
    "    }\n"
    "\n"
    "Types: bool, u8 … u64, i8 … i64, f32, f64, fd, string<MAX>, bytes<MAX>, structs.\n"
    "After a field's name [N] is N of them, <N> up to N; before it * is one or none.\n"
    "\n"
    "Exit status: 0; 1 if the definition is wrong or a file cannot be read or written;\n"
    "2 if an argument is wrong.\n";

static struct idl_service service;

static int write_file(const char *directory, const char *suffix,
                      void (*writer)(FILE *, const struct idl_service *))
{
    char path[4096];
    FILE *out;

    if (snprintf(path, sizeof path, "%s/%s%s", directory, service.name, suffix) >=
        (int)sizeof path) {
        fprintf(stderr, "ring3 rpcgen: %s: the path is too long\n", directory);
        return 1;
    }
    out = fopen(path, "we");
    if (out)
        writer(out, &service);
    if (!out || ferror(out) || fclose(out) != 0) {
        fprintf(stderr, "ring3 rpcgen: %s: %s\n", path, strerror(errno));
        return 1;
    }
    return 0;
}

static int rpcgen(int argc, char **argv)
{
    const char *directory = ".";
    int at = 1;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "-d") == 0) {
        directory = argv[2];
        at = 3;
    }
    if (at != argc - 1 || argv[at][0] == '-') {
        fprintf(stderr, "ring3 rpcgen: one file? `ring3 rpcgen --help` says more\n");
        return USAGE;
    }
    FILE *const in = fopen(argv[at], "re");

    if (!in) {
        fprintf(stderr, "ring3 rpcgen: %s: %s\n", argv[at], strerror(errno));
        return 1;
    }
    const bool good = idl_parse(in, argv[at], &service);

    fclose(in);
    if (!good)
        return 1;
    return write_file(directory, ".h", idl_write_header) ||
           write_file(directory, ".c", idl_write_source);
}

RING3_VERB(rpcgen, "write C stubs from an interface definition", rpcgen);
