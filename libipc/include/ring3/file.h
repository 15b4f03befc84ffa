/* SPDX-License-Identifier: MIT */
/*
 * Files that several processes read while one writes: replace a file as a whole, or append records.
 *
 *     err = ring3_file_replace("config", text, length, 0644);
 *
 *     int log = ring3_log_open("events", 0644);
 *     err = ring3_log_append(log, record, length);
 *
 * Thread-safe. Async-signal-safe. After fork a log descriptor may be used on both sides, a begun
 * replacement on one.
 */
#ifndef RING3_FILE_H
#define RING3_FILE_H

#include "ring3/api.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

RING3_API_BEGIN

typedef struct ring3_replacement {
    int fd;            /* write the new content here */
    int directory;     /* where the name is */
    const char *name;  /* points into the caller's path */
    char reserved[48]; /* the library's own */
} ring3_replacement_t;

/**
 * Start a new version of the file `path`: write it to r->fd, then commit or abort. Until the commit
 * the old version stays in place, and a process that dies leaves nothing behind (on file systems
 * without O_TMPFILE, a file ".ring3-TID.tmp" beside it).
 *
 * @param path  must stay valid until commit or abort; a symbolic link is replaced, not followed
 * @param mode  permissions of the new file, less the umask
 * @return 0; -EISDIR, -ENAMETOOLONG, and what open reports
 */
int ring3_replacement_begin(ring3_replacement_t *r, const char *path, mode_t mode);

/**
 * Put the new version in place, so that every reader sees the old one or the new one whole, also
 * after a crash of the machine: the content is on the disk before the name is (fsync, rename, fsync
 * of the directory). Ends the replacement whatever it returns.
 *
 * @return 0; -EIO, -ENOSPC, -EDQUOT: the old version is still there, unless the last fsync (of the
 *         directory) failed, after which either may be found after a crash
 */
int ring3_replacement_commit(ring3_replacement_t *r);

/** Drop the new version. */
void ring3_replacement_abort(ring3_replacement_t *r);

/** All of the above for content that is in memory. */
int ring3_file_replace(const char *path, const void *content, size_t length, mode_t mode);

/** Open or create a log for appending (O_APPEND). @return a descriptor or a negative errno */
int ring3_log_open(const char *path, mode_t mode);

/**
 * Append one record with one write, which the kernel makes atomic: records of several processes
 * never mix or overwrite each other (local file systems; NFS emulates O_APPEND and can lose
 * records).
 *
 * @return 0; -ENOSPC, -EFBIG, -EDQUOT when the file could not take all of it: if it took a part,
 * that fragment stays and the result is -ENOSPC; -EINVAL (more than IOV_MAX pieces)
 *
 * Not on the disk yet: fdatasync(fd) when it must be.
 */
int ring3_log_append(int fd, const void *record, size_t length);
int ring3_log_appendv(int fd, const struct iovec *pieces, int count);

RING3_API_END

#endif
