/* SPDX-License-Identifier: MIT */
/*
 * File descriptors: open, duplicate, wait, and move bytes.
 *
 *     int fd = ring3_fd_open(path, O_RDONLY, 0);
 *     err = ring3_fd_read_full(fd, header, sizeof header, deadline, NULL);
 *     ring3_fd_close(fd);
 *
 * In every function here a signal handler that returns does not end the call (EINTR is hidden), new
 * descriptors are close-on-exec, writing to a pipe or socket without a reader is -EPIPE and never
 * SIGPIPE, and the result is a value or a negative errno; errno itself is left alone.
 *
 * Three tables stand behind a descriptor: the process's table of descriptors (which holds
 * close-on-exec), the system's open file descriptions (which hold offset and status flags, such as
 * O_NONBLOCK and O_APPEND), and the files. dup and fork make a second descriptor of the same
 * description; each open makes a new description.
 *
 * Deadlines are absolute CLOCK_MONOTONIC times, NULL waits for ever; one that has passed still
 * takes what is ready. Thread-safe as the system calls are; async-signal-safe without a
 * deadline-less wait; fork-safe: no state. The calls that block are cancellation points.
 */
#ifndef RING3_FD_H
#define RING3_FD_H

#include "ring3/api.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

RING3_API_BEGIN

/** Open `path` (relative to `directory`, or AT_FDCWD) with O_CLOEXEC added to `flags`.
 * @return the lowest free descriptor, or a negative errno */
int ring3_fd_open(const char *path, int flags, mode_t mode);
int ring3_fd_open_at(int directory, const char *path, int flags, mode_t mode);

/** Close once: on Linux the descriptor is gone whatever close says, so it is never closed again.
 * @return 0; -EBADF; -EIO, -ENOSPC or -EDQUOT when data written earlier was lost */
int ring3_fd_close(int fd);

/** Duplicate to the lowest free descriptor that is at least `lowest`; close-on-exec.
 * @return the descriptor; -EBADF, -EINVAL (lowest out of range), -EMFILE */
int ring3_fd_dup(int fd, int lowest);

/** Make `target` refer to what `fd` refers to, atomically closing what it was. With `inherit` the
 * target survives exec. Unlike dup2, fd == target is no special case: the flag is set.
 * @return 0; -EBADF, -EMFILE (target beyond RLIMIT_NOFILE) */
int ring3_fd_dup_to(int fd, int target, bool inherit);

/** Set or clear close-on-exec (of this descriptor only) or O_NONBLOCK (of the description, hence of
 * all its duplicates, also in other processes). @return 0, -EBADF */
int ring3_fd_set_cloexec(int fd, bool on);
int ring3_fd_set_nonblock(int fd, bool on);

/** Wait until one of `events` (POLLIN, POLLOUT, …) or an error or hang-up shows.
 * @return the events that did, always positive; -ETIMEDOUT, -EBADF, -EINVAL (malformed deadline) */
int ring3_fd_wait(int fd, short events, const struct timespec *deadline);

/** The same for `count` descriptors, as poll takes and answers them; negative ones are passed over.
 * @return how many entries have events, always positive; -ETIMEDOUT, -EINVAL */
int ring3_fd_wait_any(struct pollfd *fds, unsigned count, const struct timespec *deadline);

/** One transfer, as the system call of the name does it.
 * @return bytes moved (reading: 0 at the end), possibly fewer than asked for; -EAGAIN from a
 *         non-blocking descriptor; -EPIPE; others as the system calls */
ssize_t ring3_fd_read(int fd, void *buffer, size_t size);
ssize_t ring3_fd_write(int fd, const void *buffer, size_t size);

/** The same, but never waits, even if the description is in blocking mode and shared with others
 * who want it so. Regular files count as always ready. @return also -EAGAIN */
ssize_t ring3_fd_try_read(int fd, void *buffer, size_t size);
ssize_t ring3_fd_try_write(int fd, const void *buffer, size_t size);

/**
 * Move all of it, waiting as needed (also on non-blocking descriptors).
 *
 * The p forms take a file offset and neither use nor move the description's own. The v forms gather
 * or scatter over `count` buffers, which are not changed; count may exceed IOV_MAX.
 *
 * @param done  if not NULL, the number of bytes moved, also when the call fails
 * @return 0 when everything was moved; reading: -ENODATA when the end came first; -ETIMEDOUT,
 *         -EPIPE, -EINVAL (the sizes add up to more than SSIZE_MAX, or a negative offset), and what
 *         the system calls report. What was moved before a failure stays moved.
 *
 * With a deadline, a terminal or other device that cannot be asked not to wait is polled first; if
 * another process then takes the bytes, the call may stay in the kernel until there are more.
 */
int ring3_fd_read_full(int fd, void *buffer, size_t size, const struct timespec *deadline,
                       size_t *done);
int ring3_fd_write_full(int fd, const void *buffer, size_t size, const struct timespec *deadline,
                        size_t *done);
int ring3_fd_readv_full(int fd, const struct iovec *buffers, int count,
                        const struct timespec *deadline, size_t *done);
int ring3_fd_writev_full(int fd, const struct iovec *buffers, int count,
                         const struct timespec *deadline, size_t *done);
int ring3_fd_pread_full(int fd, void *buffer, size_t size, off_t offset, size_t *done);
int ring3_fd_pwrite_full(int fd, const void *buffer, size_t size, off_t offset, size_t *done);
int ring3_fd_preadv_full(int fd, const struct iovec *buffers, int count, off_t offset,
                         size_t *done);
int ring3_fd_pwritev_full(int fd, const struct iovec *buffers, int count, off_t offset,
                          size_t *done);

/**
 * Give the file real storage for bytes [offset, offset + size), growing it if needed, so that
 * writing there through a mapping cannot raise SIGBUS for want of space. Existing data stays.
 *
 * @return 0; -ENOSPC, -EDQUOT, -EFBIG, -EPERM (sealed against growing), -EBADF, -EINVAL, -ENODEV.
 *         After a failure part of the range may be allocated.
 */
int ring3_fd_allocate(int fd, off_t offset, off_t size);

RING3_API_END

#endif
