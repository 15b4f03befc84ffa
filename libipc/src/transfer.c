/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes until all are moved. One engine: every public form is a list of buffers, a
 * direction, and an offset or none.
 *
 * Waiting with a deadline must not end up inside a blocking system call, whatever mode the
 * description is in (others may share it). How to ask for "now or never" depends on the kind of
 * file:
 *
 * regular file, block device   never waits in the sense of poll: plain calls
 * socket                       MSG_DONTWAIT
 * pipe, other                  RWF_NOWAIT; where the kernel refuses it (pipes before Linux 6.4,
 *                              terminals), poll first, then a plain call that fits: PIPE_BUF bytes
 *                              are what poll promises a writer
 */
#include "ring3/fd.h"

#include "call.h"
#include "feature.h"
#include "quiet.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW    64 /* buffers per system call; 1 KiB of stack */
#define NO_OFFSET (-1)

enum manner { WAITING, NOW_FILE, NOW_SOCKET, NOW_OTHER };

typedef struct transfer {
    int fd;
    bool writing;
    const struct iovec *buffers;
    int count;
    size_t skip; /* bytes of buffers[0] already moved */
    off_t offset;
} transfer_t;

static ring3_feature_t nowait = {"rwf_nowait", 0};

/* Copies what is left, at most `limit` bytes of it, to `window`. */
static int open_window(const transfer_t *t, struct iovec *window, size_t limit)
{
    size_t skip = t->skip;
    int n = 0;

    for (int i = 0; i < t->count && n < WINDOW && limit > 0; i++, skip = 0) {
        size_t length = t->buffers[i].iov_len - skip;

        if (length > limit)
            length = limit;
        if (length == 0)
            continue;
        window[n].iov_base = (char *)t->buffers[i].iov_base + skip;
        window[n++].iov_len = length;
        limit -= length;
    }
    return n;
}

static void advance(transfer_t *t, size_t moved)
{
    if (t->offset >= 0)
        t->offset += (off_t)moved;
    moved += t->skip;
    while (t->count > 0 && moved >= t->buffers->iov_len) {
        moved -= t->buffers->iov_len;
        t->buffers++;
        t->count--;
    }
    t->skip = moved;
}

static ssize_t move(const transfer_t *t, size_t limit, int flags)
{
    struct iovec window[WINDOW];
    const int n = open_window(t, window, limit);

    if (t->writing)
        return ring3_quiet_writev(t->fd, window, n, t->offset, flags);
    return ring3_retry(preadv2(t->fd, window, n, t->offset, flags));
}

static ssize_t move_socket(const transfer_t *t)
{
    struct iovec window[WINDOW];
    struct msghdr message = {.msg_iov = window};

    message.msg_iovlen = (size_t)open_window(t, window, SIZE_MAX);
    if (t->writing)
        return ring3_retry(sendmsg(t->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
    return ring3_retry(recvmsg(t->fd, &message, MSG_DONTWAIT));
}

static ssize_t move_other(const transfer_t *t)
{
    static const struct timespec at_once;

    if (ring3_feature_usable(&nowait)) {
        const ssize_t moved = move(t, SIZE_MAX, RWF_NOWAIT);

        if (moved != -EOPNOTSUPP)
            return moved;
    }
    const int ready = ring3_fd_wait(t->fd, t->writing ? POLLOUT : POLLIN, &at_once);

    if (ready < 0)
        return ready == -ETIMEDOUT ? -EAGAIN : ready;
    return move(t, t->writing ? PIPE_BUF : SIZE_MAX, 0);
}

static ssize_t move_now(const transfer_t *t, enum manner manner)
{
    switch (manner) {
    case NOW_SOCKET:
        return move_socket(t);
    case NOW_OTHER:
        return move_other(t);
    default:
        return move(t, SIZE_MAX, 0);
    }
}

/* How not to wait on this file, or a negative errno. */
static int manner_of(int fd)
{
    struct stat about;
    const int err = ring3_call(fstat(fd, &about));

    if (err)
        return err;
    if (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode))
        return NOW_FILE;
    return S_ISSOCK(about.st_mode) ? NOW_SOCKET : NOW_OTHER;
}

static ssize_t total_of(const struct iovec *buffers, int count)
{
    size_t total = 0;

    if (count < 0)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(total, buffers[i].iov_len, &total) || total > SSIZE_MAX)
            return -EINVAL;
    return (ssize_t)total;
}

static int run(transfer_t t, const struct timespec *deadline, size_t *done)
{
    const ssize_t total = total_of(t.buffers, t.count);
    const int manner = deadline ? manner_of(t.fd) : WAITING;
    size_t moved = 0;
    ssize_t step = total < 0 ? total : manner < 0 ? manner : 0;

    while (step >= 0 && moved < (size_t)total) {
        step = move_now(&t, (enum manner)manner);
        if (step > 0) {
            moved += (size_t)step;
            advance(&t, (size_t)step);
        } else if (step == 0) {
            step = t.writing ? -EIO : -ENODATA; /* a write of something that moved nothing */
        } else if (step == -EAGAIN) {
            step = ring3_fd_wait(t.fd, t.writing ? POLLOUT : POLLIN, deadline);
        }
    }
    if (done)
        *done = moved;
    return step < 0 ? (int)step : 0;
}

static int run_at(int fd, bool writing, const struct iovec *buffers, int count, off_t offset,
                  size_t *done)
{
    if (offset < 0) {
        if (done)
            *done = 0;
        return -EINVAL;
    }
    return run((transfer_t){fd, writing, buffers, count, 0, offset}, NULL, done);
}

int ring3_fd_readv_full(int fd, const struct iovec *buffers, int count,
                        const struct timespec *deadline, size_t *done)
{
    return run((transfer_t){fd, false, buffers, count, 0, NO_OFFSET}, deadline, done);
}

int ring3_fd_writev_full(int fd, const struct iovec *buffers, int count,
                         const struct timespec *deadline, size_t *done)
{
    return run((transfer_t){fd, true, buffers, count, 0, NO_OFFSET}, deadline, done);
}

int ring3_fd_preadv_full(int fd, const struct iovec *buffers, int count, off_t offset, size_t *done)
{
    return run_at(fd, false, buffers, count, offset, done);
}

int ring3_fd_pwritev_full(int fd, const struct iovec *buffers, int count, off_t offset,
                          size_t *done)
{
    return run_at(fd, true, buffers, count, offset, done);
}

/* The engine only reads through a writer's buffer. */
static struct iovec buffer_of(const void *buffer, size_t size)
{
    return (struct iovec){(void *)(uintptr_t)buffer, size};
}

int ring3_fd_read_full(int fd, void *buffer, size_t size, const struct timespec *deadline,
                       size_t *done)
{
    const struct iovec one = buffer_of(buffer, size);

    return ring3_fd_readv_full(fd, &one, 1, deadline, done);
}

int ring3_fd_write_full(int fd, const void *buffer, size_t size, const struct timespec *deadline,
                        size_t *done)
{
    const struct iovec one = buffer_of(buffer, size);

    return ring3_fd_writev_full(fd, &one, 1, deadline, done);
}

int ring3_fd_pread_full(int fd, void *buffer, size_t size, off_t offset, size_t *done)
{
    const struct iovec one = buffer_of(buffer, size);

    return run_at(fd, false, &one, 1, offset, done);
}

int ring3_fd_pwrite_full(int fd, const void *buffer, size_t size, off_t offset, size_t *done)
{
    const struct iovec one = buffer_of(buffer, size);

    return run_at(fd, true, &one, 1, offset, done);
}

ssize_t ring3_fd_read(int fd, void *buffer, size_t size)
{
    return ring3_retry(read(fd, buffer, size));
}

ssize_t ring3_fd_write(int fd, const void *buffer, size_t size)
{
    const struct iovec one = buffer_of(buffer, size);

    return ring3_quiet_writev(fd, &one, 1, NO_OFFSET, 0);
}

static ssize_t try_once(int fd, bool writing, const void *buffer, size_t size)
{
    const struct iovec one = buffer_of(buffer, size);
    const int manner = manner_of(fd);

    if (manner < 0)
        return manner;
    return move_now(&(transfer_t){fd, writing, &one, 1, 0, NO_OFFSET}, (enum manner)manner);
}

ssize_t ring3_fd_try_read(int fd, void *buffer, size_t size)
{
    return try_once(fd, false, buffer, size);
}

ssize_t ring3_fd_try_write(int fd, const void *buffer, size_t size)
{
    return try_once(fd, true, buffer, size);
}
