/* SPDX-License-Identifier: MIT */
/*
 * Pathname expansion (XCU 2.14.3). The pattern has the form of pattern.h: a backslash quotes the next byte.
 * A slash is matched by a slash only; a leading dot by a dot only, and . and .. by no pattern; what cannot be
 * read or searched has no matches. The names come in the order of LC_COLLATE, with equals in that of bytes.
 */
#ifndef R3SH_GLOB_H
#define R3SH_GLOB_H

#include <stddef.h>

struct glob_paths {
    char **path;
    size_t count, cap;
};

/* Appends the matches, sorted among themselves. Their number, or -ENOMEM (and nothing is appended). */
ptrdiff_t glob_expand(struct glob_paths *to, const char *pattern, size_t len);
void glob_free(struct glob_paths *paths);

#endif
