/* SPDX-License-Identifier: MIT */
/* Naming places in a program: function, file and line, by addr2line where it is installed. */
#ifndef RING3_SYMBOLS_H
#define RING3_SYMBOLS_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Not a public header, but the libraries above use it. */
RING3_API_BEGIN

#define RING3_SYMBOL_TEXT 160

struct ring3_symbol {
    uint64_t address; /* a return address: what is named is the call before it */
    char text[RING3_SYMBOL_TEXT];
    uint64_t offset; /* in its file */
    uint32_t object; /* for the finder: 1 + the number of the file, or 0 */
};

/*
 * Fill in the text of `count` symbols, for code of process `pid` (or our own): "function at
 * file.c:12", or "object+0x34" if there is nothing to say more. Starts addr2line as a child that no
 * wait of the program sees. Not thread-safe: one caller at a time. Does not allocate memory.
 */
void ring3_symbols_find(pid_t pid, struct ring3_symbol *symbols, size_t count);

RING3_API_END

#endif
