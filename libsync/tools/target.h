/* SPDX-License-Identifier: MIT */
/* What can be known about a program before it is started. */
#ifndef RING3_TARGET_H
#define RING3_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/* The file that execvp(name) would run: writes its path; false if there is none. */
bool target_find(const char *name, char *path, size_t size);

/* Why the dynamic linker will preload nothing into the program at `path`, as the end of a sentence
 * that begins "it …"; NULL if no reason is known. */
const char *target_refuses_preload(const char *path);

#endif
