/* SPDX-License-Identifier: MIT */
/* Backslash sequences of echo, of printf's format and of its %b. */
#ifndef R3SH_ESCAPE_H
#define R3SH_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* How octal numbers are written: \0ddd as echo and %b have it (and \ddd, which many expect), or \ddd. */
enum escape_style { ESCAPE_ECHO, ESCAPE_FORMAT };

/*
 * Adds the text with its sequences replaced; unknown ones stay. False when \c ended it (ESCAPE_ECHO), from
 * where on nothing more is to be written.
 */
bool escape_expand(struct buf *to, const char *text, enum escape_style style);
/* The sequence behind a backslash: adds what it stands for and returns its length; for \c, `stop` is set. */
size_t escape_one(struct buf *to, const char *text, enum escape_style style, bool *stop);

#endif
