/* SPDX-License-Identifier: MIT */
/* Names for addresses of another process, by its mappings and by addr2line. One set per run. */
#ifndef RING3_HEAP_SYMBOLS_H
#define RING3_HEAP_SYMBOLS_H

#include <stdint.h>

struct symbol {
    uint64_t address;
    char *function; /* or object+0xoffset where nobody knows */
    char *place;    /* file:line, or empty */
    const char *object;
    uint64_t offset;
};

/* A line of /proc/PID/maps. */
void symbols_add_mapping(const char *line);

/* First all addresses that will be asked for, then the search for their names, then the answers. */
void symbols_want(uint64_t address);
void symbols_resolve(void);
const struct symbol *symbols_find(uint64_t address);

#endif
