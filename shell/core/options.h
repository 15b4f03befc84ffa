/* SPDX-License-Identifier: MIT */
/* The options of set. */
#ifndef R3SH_OPTIONS_H
#define R3SH_OPTIONS_H

#include "core/shell.h"

/* The option of a letter or a long name, or OPTION_COUNT. */
enum option option_of_letter(char letter);
enum option option_of_name(const char *name);
/* 0, or a negative errno. */
int option_set(struct shell *sh, enum option option, bool on);
/* As set +o, to be read again; or as set -o, for people. */
void options_print(struct shell *sh, struct out *out, bool again);

#endif
