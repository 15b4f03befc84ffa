/* SPDX-License-Identifier: MIT */
/* rpcgen FILE HEADER SOURCE: `ring3 rpcgen` for the machine that builds, which need not be the one that is
 * built for. */
#include "rpcgen.h"

int main(int argc, char **argv)
{
    static struct idl_service service;
    FILE *const in = argc == 4 ? fopen(argv[1], "r") : NULL;
    FILE *const header = argc == 4 ? fopen(argv[2], "w") : NULL;
    FILE *const source = argc == 4 ? fopen(argv[3], "w") : NULL;

    if (!in || !header || !source || !idl_parse(in, argv[1], &service))
        return 1;
    idl_write_header(header, &service);
    idl_write_source(source, &service);
    return fclose(header) || fclose(source);
}
