/* SPDX-License-Identifier: MIT */
/*
 * Buffered reader and writer. Neither keeps an error or end mark: the next call asks the descriptor
 * again, so that a terminal's end of file, a timeout or a full disk can be got over.
 */
#include "ring3/stream.h"

#include "ring3/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

void ring3_reader_init(ring3_reader_t *reader, int fd, void *storage, size_t size)
{
    *reader = (ring3_reader_t){.fd = fd, .storage = storage, .size = size};
}

void ring3_writer_init(ring3_writer_t *writer, int fd, void *storage, size_t size)
{
    *writer = (ring3_writer_t){.fd = fd, .storage = storage, .size = size};
}

/* One read of whatever there is, within the deadline: bytes, 0 at the end, or a negative errno. */
static ssize_t read_some(int fd, void *to, size_t size, const struct timespec *deadline)
{
    for (;;) {
        const ssize_t got =
            deadline ? ring3_fd_try_read(fd, to, size) : ring3_fd_read(fd, to, size);

        if (got != -EAGAIN)
            return got;
        const int ready = ring3_fd_wait(fd, POLLIN, deadline);

        if (ready < 0)
            return ready;
    }
}

/* Adds at least one byte behind `end`: 0, -ENODATA, -ENOBUFS, … */
static int read_more(ring3_reader_t *reader, const struct timespec *deadline)
{
    if (reader->end == reader->size) {
        if (reader->start == 0)
            return -ENOBUFS;
        memmove(reader->storage, reader->storage + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    const ssize_t got =
        read_some(reader->fd, reader->storage + reader->end, reader->size - reader->end, deadline);

    if (got <= 0)
        return got == 0 ? -ENODATA : (int)got;
    reader->end += (size_t)got;
    return 0;
}

int ring3_reader_fill(ring3_reader_t *reader, size_t wanted, const struct timespec *deadline)
{
    if (wanted > reader->size)
        return -ENOBUFS;
    while (reader->end - reader->start < wanted) {
        const int err = read_more(reader, deadline);

        if (err)
            return err;
    }
    return 0;
}

const void *ring3_reader_peek(const ring3_reader_t *reader, size_t *length)
{
    *length = reader->end - reader->start;
    return reader->storage + reader->start;
}

void ring3_reader_consume(ring3_reader_t *reader, size_t length)
{
    const size_t ready = reader->end - reader->start;

    reader->start += length < ready ? length : ready;
    if (reader->start == reader->end)
        reader->start = reader->end = 0; /* the next read has the whole storage */
}

int ring3_reader_read(ring3_reader_t *reader, void *to, size_t length,
                      const struct timespec *deadline, size_t *done)
{
    char *const out = to;
    size_t copied = 0;
    int err = 0;

    while (!err && copied < length) {
        const size_t ready = reader->end - reader->start, rest = length - copied;

        if (ready > 0) {
            const size_t piece = ready < rest ? ready : rest;

            memcpy(out + copied, reader->storage + reader->start, piece);
            ring3_reader_consume(reader, piece);
            copied += piece;
        } else if (rest >= reader->size) {
            size_t direct;

            err = ring3_fd_read_full(reader->fd, out + copied, rest, deadline, &direct);
            copied += direct;
        } else {
            err = read_more(reader, deadline);
        }
    }
    if (done)
        *done = copied;
    return err;
}

int ring3_reader_until(ring3_reader_t *reader, char delimiter, const char **piece, size_t *length,
                       const struct timespec *deadline)
{
    size_t searched = 0; /* so that no byte is looked at twice */

    for (;;) {
        const size_t ready = reader->end - reader->start;
        const char *const first = reader->storage + reader->start;
        const char *const found =
            ready > searched ? memchr(first + searched, delimiter, ready - searched) : NULL;

        if (found) {
            *piece = first;
            *length = (size_t)(found - first);
            /* Not ring3_reader_consume's rewind: the piece must stay until the next call. */
            reader->start += *length + 1;
            return 0;
        }
        searched = ready;
        const int err = read_more(reader, deadline);

        if (err == -ENODATA && ready > 0) {
            *piece = reader->storage + reader->start;
            *length = ready;
            reader->start = reader->end;
            return 0;
        }
        if (err)
            return err;
    }
}

/* Writes what is buffered and then `data`; *taken is how much of the latter went out. */
static int write_out(ring3_writer_t *writer, const void *data, size_t length,
                     const struct timespec *deadline, size_t *taken)
{
    const struct iovec both[] = {{writer->storage, writer->used},
                                 {(void *)(uintptr_t)data, length}};
    size_t written;
    const int err = ring3_fd_writev_full(writer->fd, both, 2, deadline, &written);

    if (written < writer->used) {
        writer->used -= written;
        memmove(writer->storage, writer->storage + written, writer->used);
        *taken = 0;
    } else {
        *taken = written - writer->used;
        writer->used = 0;
    }
    return err;
}

int ring3_writer_write(ring3_writer_t *writer, const void *data, size_t length,
                       const struct timespec *deadline, size_t *done)
{
    size_t taken = length;
    int err = 0;

    if (length <= writer->size - writer->used) {
        memcpy(writer->storage + writer->used, data, length);
        writer->used += length;
    } else {
        err = write_out(writer, data, length, deadline, &taken);
    }
    if (done)
        *done = taken;
    return err;
}

int ring3_writer_flush(ring3_writer_t *writer, const struct timespec *deadline)
{
    size_t none;

    return write_out(writer, "", 0, deadline, &none);
}
