/* SPDX-License-Identifier: MIT */
/* Who called: return addresses, and how to show them. */
#ifndef RING3_CALLS_H
#define RING3_CALLS_H

#define CALLS_MAX 16

/* The callers of this function's caller, the nearest first; ends with NULL if there are fewer. Takes
 * no lock and no memory (the unwinder finds its tables by _dl_find_object). */
void ring3_calls_note(void *calls[CALLS_MAX]);

/* One line on stderr for each: symbol, object, offset. */
void ring3_calls_show(void *const calls[CALLS_MAX]);

/* The same by file and line, where addr2line (binutils) is installed and knows. */
void ring3_calls_show_lines(void *const calls[CALLS_MAX]);

/* The first that is of interest: those of an allocator that is an object of its own say nothing to
 * its user. */
int ring3_calls_first(void *const calls[CALLS_MAX]);

#endif
