/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs. Bytes go through the first-in-first-out queue of the kernel; a write of at most
 * PIPE_BUF bytes is not mixed with others. Reading ends (0) when every descriptor of the writing end, in
 * all processes, is closed; writing without any reader is -EPIPE. So close the end you do not use.
 *
 * Read and write with ring3/fd.h. Thread-safe; async-signal-safe.
 */
#ifndef RING3_PIPE_H
#define RING3_PIPE_H

#include "ring3/api.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

/** A pipe: read from ends[0], write to ends[1]; close-on-exec. `capacity` in bytes is rounded up to a
 * power of two of pages; 0 leaves the kernel's 64 KiB.
 * @return 0; -EMFILE, -ENFILE; -EPERM: more than /proc/sys/fs/pipe-max-size. Nothing is left open. */
int ring3_pipe_open(int ends[2], size_t capacity);

/** Make a FIFO. @return 0; -EEXIST, … Remove it with unlink. */
int ring3_fifo_make(const char *path, mode_t mode);

/**
 * Open a FIFO for reading: waits for a writer. With a deadline it waits until there is something to read
 * (or a writer has come and gone), because the kernel tells no more without blocking.
 *
 * @return a descriptor in blocking mode; -ETIMEDOUT, -EINVAL (no FIFO, or a malformed deadline), …
 */
int ring3_fifo_open_read(const char *path, const struct timespec *deadline);

/** Open a FIFO for writing: waits for a reader, by looking with pauses of up to 1 ms if there is a
 * deadline. @return as above */
int ring3_fifo_open_write(const char *path, const struct timespec *deadline);

RING3_API_END

#endif
