/* SPDX-License-Identifier: MIT */
/*
 * Two ways to lock by file.
 *
 * Range locks (OFD locks) belong to the open file description: the kernel drops them when its last
 * descriptor is closed, so also when the holder is killed; unlike POSIX record locks they work
 * between threads that opened the file separately and are not lost when some other descriptor of
 * the file is closed. Advisory: they stop only those who ask.
 *
 *     err = ring3_filelock_lock(fd, RING3_FILELOCK_WRITE, 0, 0, deadline);
 *
 * A lock file is a name that exists while somebody holds it, with the holder's identity inside. It
 * suits tools that look for the name, and file systems without range locks.
 *
 *     err = ring3_lockfile_take("/run/app.lock", &holder);     // -EBUSY: `holder` has it
 *
 * Source: fcntl(2) "Open file description locks". Thread-safe; not async-signal-safe. fork: a range
 * lock is shared with the child, who shares the description; a lock file stays the parent's.
 */
#ifndef RING3_FILELOCK_H
#define RING3_FILELOCK_H

#include "ring3/api.h"
#include "ring3/identity.h"

#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef enum ring3_filelock_mode {
    RING3_FILELOCK_READ,  /* shared; needs a readable descriptor */
    RING3_FILELOCK_WRITE, /* exclusive; needs a writable descriptor */
} ring3_filelock_mode_t;

typedef struct ring3_filelock_owner {
    pid_t pid; /* a process that holds the description, 0 if none can be seen from here */
    int fd;    /* its descriptor, -1 if unknown */
    ring3_filelock_mode_t mode;
    off_t start, length; /* the conflicting range; length 0 reaches to the end of the file */
} ring3_filelock_owner_t;

/**
 * Lock bytes [start, start + length) of the file, waiting as needed; length 0 means to the end,
 * however it grows. Relocking a range changes its mode.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL to wait for ever. The kernel has no timed
 *                  form: with a deadline the lock is tried again with pauses of up to 1 ms
 * @return 0; -ETIMEDOUT; -EBADF (descriptor not open for this mode), -EINVAL, -ENOLCK. There is no
 *         deadlock detection for these locks.
 */
int ring3_filelock_lock(int fd, ring3_filelock_mode_t mode, off_t start, off_t length,
                        const struct timespec *deadline);

/** The same without waiting. @return also -EAGAIN when another description holds it */
int ring3_filelock_try(int fd, ring3_filelock_mode_t mode, off_t start, off_t length);

/** @return 0, also where nothing was locked */
int ring3_filelock_unlock(int fd, off_t start, off_t length);

/**
 * Who keeps me from locking? The kernel names only the range, so the holder is looked for in
 * /proc/PID/fdinfo of the processes the caller may inspect: slow, for messages and tools.
 *
 * @return 1 and *owner; 0 when the range could be locked; negative errno as ring3_filelock_try
 */
int ring3_filelock_find_owner(int fd, ring3_filelock_mode_t mode, off_t start, off_t length,
                              ring3_filelock_owner_t *owner);

/**
 * Create the lock file, or take it over from a process that no longer lives.
 *
 * The name appears with its content or not at all; of several who find it stale one takes it over.
 *
 * @param holder  if not NULL, receives the identity inside the file after -EBUSY
 * @return 0; -EBUSY (a living process, or one that cannot be judged from here, holds it; also the
 *         caller's own); -EBADMSG (the file is no lock file: it is left alone); -ENAMETOOLONG, and
 *         what open and link report
 */
int ring3_lockfile_take(const char *path, ring3_identity_t *holder);

/** Remove the lock file. @return 0; -EPERM (another process holds it), -ENOENT, -EBADMSG */
int ring3_lockfile_release(const char *path);

RING3_API_END

#endif
