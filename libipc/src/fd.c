/* SPDX-License-Identifier: MIT */
/* Descriptors themselves: open, close, duplicate, flags, readiness, storage. */
#include "ring3/fd.h"

#include "call.h"
#include "deadline.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

int ring3_fd_open_at(int directory, const char *path, int flags, mode_t mode)
{
    return ring3_retry(openat(directory, path, flags | O_CLOEXEC, mode));
}

int ring3_fd_open(const char *path, int flags, mode_t mode)
{
    return ring3_fd_open_at(AT_FDCWD, path, flags, mode);
}

int ring3_fd_close(int fd)
{
    const int err = ring3_call(close(fd));

    return err == -EINTR ? 0 : err;
}

int ring3_fd_dup(int fd, int lowest)
{
    return ring3_call(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
}

int ring3_fd_dup_to(int fd, int target, bool inherit)
{
    if (fd == target)
        return ring3_fd_set_cloexec(fd, !inherit);
    /* EBUSY: another thread has been given this number by open and has not installed it yet. */
    int err;
    do
        err = ring3_call(dup3(fd, target, inherit ? 0 : O_CLOEXEC));
    while (err == -EINTR || err == -EBUSY);
    return err < 0 ? err : 0;
}

int ring3_fd_set_cloexec(int fd, bool on)
{
    /* FD_CLOEXEC is the only descriptor flag there is, so there is nothing to preserve. */
    return ring3_call(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
}

int ring3_fd_set_nonblock(int fd, bool on)
{
    const int flags = ring3_call(fcntl(fd, F_GETFL));

    if (flags < 0)
        return flags;
    return ring3_call(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int ring3_fd_wait_any(struct pollfd *fds, unsigned count, const struct timespec *deadline)
{
    for (;;) {
        struct timespec left;
        const int late = deadline ? ring3_deadline_left(deadline, &left) : 0;

        if (late == -EINVAL)
            return late;
        const int ready = ring3_call(ppoll(fds, count, deadline ? &left : NULL, NULL));

        if (ready > 0 || (ready < 0 && ready != -EINTR))
            return ready;
        if (late)
            return late;
    }
}

int ring3_fd_wait(int fd, short events, const struct timespec *deadline)
{
    struct pollfd asked = {.fd = fd, .events = events};

    if (fd < 0) /* poll would pass it over and sleep */
        return -EBADF;
    const int ready = ring3_fd_wait_any(&asked, 1, deadline);

    if (ready < 0)
        return ready;
    return asked.revents & POLLNVAL ? -EBADF : asked.revents;
}

/* On older kernels, 6.1 among them, tmpfs gives up what it has allocated so far when a signal arrives:
 * under a steady stream of signals only small steps arrive. 4 MiB takes about a millisecond. */
#define ALLOCATE_STEP ((off_t)4 << 20)

int ring3_fd_allocate(int fd, off_t offset, off_t size)
{
    off_t end;

    if (offset < 0 || size < 0 || __builtin_add_overflow(offset, size, &end))
        return -EINVAL;
    while (offset < end) {
        const off_t step = end - offset < ALLOCATE_STEP ? end - offset : ALLOCATE_STEP;
        /* Writes zeroes itself where the file system cannot allocate. Returns the error number. */
        const int err = posix_fallocate(fd, offset, step);

        if (err == EINTR)
            continue;
        if (err)
            return -err;
        offset += step;
    }
    return 0;
}
