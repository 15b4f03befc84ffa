/* SPDX-License-Identifier: MIT */
/* Signal names without SIG, as kill and trap use them. */
#ifndef R3SH_SIGNAME_H
#define R3SH_SIGNAME_H

#include <stddef.h>

#define SIGNAME_MAX 24

/* The number of a signal given as a name (with or without SIG, in any case) or a number; 0 is EXIT. -1: there is none. */
int signal_number(const char *text);
/* The name in `name`, or "" if no signal has that number. Returns `name`. */
const char *signal_name(int number, char name[SIGNAME_MAX]);

#endif
