/* SPDX-License-Identifier: MIT */
/*
 * Names whose file says who owns it, and what becomes of them when the owner is dead.
 *
 * Two processes may find the same file stale; the slower one must not remove the name when it has come
 * to mean the faster one's new file. So whoever removes a stale name holds a range lock on the stale
 * file, and has checked under it that the name still means that file. Only holders of that lock, or the
 * dead owner, could change the name.
 */
#ifndef RING3_IPC_STALE_H
#define RING3_IPC_STALE_H

#include "ring3/identity.h"

/* Finds the owner in an open file: 0, or -EBADMSG if the file is not of the expected kind. */
typedef int (*ring3_owner_reader_t)(int fd, ring3_identity_t *owner);

/* Opens a name that may be anything and reads its owner. Returns a descriptor for reading and writing;
 * -EBADMSG if it is of another kind; -ENOENT, … */
int ring3_stale_open(int directory, const char *name, ring3_owner_reader_t read_owner,
                     ring3_identity_t *owner);

/* Removes the name if its owner is dead. Returns 0 when the name may be free now, -EBUSY when the owner
 * lives or cannot be judged, others as ring3_stale_open. */
int ring3_stale_remove(int directory, const char *name, ring3_owner_reader_t read_owner,
                       ring3_identity_t *owner);

#endif
