/* SPDX-License-Identifier: MIT */
/*
 * A file that gets its name only when its content is complete. While it is written it has no name
 * (O_TMPFILE), so a process that dies leaves nothing behind. File systems without that get a
 * temporary name beside the target.
 */
#ifndef RING3_IPC_UNNAMED_H
#define RING3_IPC_UNNAMED_H

#include <stdbool.h>
#include <sys/types.h>

/* Room for a name that no living process but this thread uses. */
#define RING3_UNNAMED_SIZE 48

typedef struct ring3_unnamed {
    int fd;
    int directory;                      /* borrowed */
    char temporary[RING3_UNNAMED_SIZE]; /* in `directory`; "" while the file has no name at all */
} ring3_unnamed_t;

int ring3_unnamed_open(ring3_unnamed_t *file, int directory, mode_t mode);

/* Give it `name` if that is free (-EEXIST), or in place of what has that name. */
int ring3_unnamed_link(ring3_unnamed_t *file, const char *name);
int ring3_unnamed_replace(ring3_unnamed_t *file, const char *name);

/* Close, and remove what temporary name is left. */
void ring3_unnamed_close(ring3_unnamed_t *file);

/* Splits a path: opens its directory and points *name at its last component.
 * Returns the descriptor; -EISDIR or -ENOENT if there is no last component. */
int ring3_unnamed_directory(const char *path, const char **name);

#endif
