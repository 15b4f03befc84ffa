/* SPDX-License-Identifier: MIT */
/*
 * Buffered reader and writer over storage that the caller provides: few system calls for many small
 * pieces, lines and records found in place, nothing allocated.
 *
 *     char storage[4096];
 *     ring3_reader_t in;
 *     const char *line; size_t length;
 *     ring3_reader_init(&in, fd, storage, sizeof storage);
 *     while (ring3_reader_until(&in, '\n', &line, &length, NULL) == 0)
 *         use(line, length);
 *
 * The descriptor stays the caller's and may be in either mode. Not thread-safe (one user at a
 * time); not async-signal-safe. After fork a writer's unflushed bytes exist twice: flush before.
 * Deadlines are absolute CLOCK_MONOTONIC times or NULL. A call that failed may be repeated: nothing
 * buffered is lost.
 */
#ifndef RING3_STREAM_H
#define RING3_STREAM_H

#include "ring3/api.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_reader {
    int fd;
    char *storage;
    size_t size;
    size_t start, end; /* bytes in storage[start, end) are read and not consumed; end <= size */
} ring3_reader_t;

typedef struct ring3_writer {
    int fd;
    char *storage;
    size_t size;
    size_t used; /* bytes in storage[0, used) wait to be written */
} ring3_writer_t;

/** Start with empty storage of `size` bytes (at least 1). */
void ring3_reader_init(ring3_reader_t *reader, int fd, void *storage, size_t size);
void ring3_writer_init(ring3_writer_t *writer, int fd, void *storage, size_t size);

/**
 * Have at least `wanted` bytes ready in place, reading as needed; ring3_reader_peek shows them.
 *
 * @return 0; -ENODATA when the end came first (what there is stays readable); -ENOBUFS when
 * `wanted` exceeds the storage; -ETIMEDOUT; others as read. The storage may move its content to its
 *         beginning: pointers from earlier calls are void.
 */
int ring3_reader_fill(ring3_reader_t *reader, size_t wanted, const struct timespec *deadline);

/** What is ready: `*length` bytes at the result, without reading. Valid until the next fill, read
 * or until. */
const void *ring3_reader_peek(const ring3_reader_t *reader, size_t *length);

/** Drop `length` bytes, at most what peek shows. */
void ring3_reader_consume(ring3_reader_t *reader, size_t length);

/** Copy `length` bytes out; pieces larger than the storage go to `to` directly.
 * @return as ring3_fd_read_full; *done (if not NULL) is what was copied */
int ring3_reader_read(ring3_reader_t *reader, void *to, size_t length,
                      const struct timespec *deadline, size_t *done);

/**
 * The next piece up to and without `delimiter`, in place, and consumed with it.
 *
 * @param piece   receives its beginning; valid until the next call on this reader
 * @return 0, also for a last piece without delimiter; -ENODATA at the end; -ENOBUFS when no
 * delimiter comes within the storage (nothing is consumed; take the piece with ring3_reader_peek);
 *         -ETIMEDOUT; others as read
 */
int ring3_reader_until(ring3_reader_t *reader, char delimiter, const char **piece, size_t *length,
                       const struct timespec *deadline);

/**
 * Take `length` bytes; written when the storage is full, in one system call with what it holds.
 *
 * @param done  if not NULL, the number of these bytes that were taken, also after a failure
 * @return 0; -EPIPE, -ENOSPC, -ETIMEDOUT, … as ring3_fd_write_full
 */
int ring3_writer_write(ring3_writer_t *writer, const void *data, size_t length,
                       const struct timespec *deadline, size_t *done);

/** Write out what is buffered; after a failure the rest is still there. */
int ring3_writer_flush(ring3_writer_t *writer, const struct timespec *deadline);

RING3_API_END

#endif
