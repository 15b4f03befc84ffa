/* SPDX-License-Identifier: MIT */
/* Names of the working directory: logical ones, which remember symbolic links, and physical ones. */
#ifndef R3SH_PATH_H
#define R3SH_PATH_H

#include <stdbool.h>

struct buf;

/*
 * The logical name of `target` as seen from the directory `pwd`: absolute, without . and .. and doubled
 * slashes (cd -L, steps 7 to 9). -ENOENT or -ENOTDIR when a .. follows what is no directory; -ENOMEM.
 */
int path_logical(struct buf *to, const char *pwd, const char *target);
/* The name of the working directory as the kernel has it. 0 or a negative errno. */
int path_physical(struct buf *to);
/* Whether `path` is absolute, has no . or .., and names the working directory: what PWD may hold. */
bool path_names_here(const char *path);

#endif
