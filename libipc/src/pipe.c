/* SPDX-License-Identifier: MIT */
#include "ring3/pipe.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/wait.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int ring3_pipe_open(int ends[2], size_t capacity)
{
    if (capacity > INT_MAX)
        return -EPERM;
    int err = ring3_call(pipe2(ends, O_CLOEXEC));

    if (err || capacity == 0)
        return err;
    err = ring3_call(fcntl(ends[1], F_SETPIPE_SZ, (int)capacity));
    if (err >= 0)
        return 0;
    ring3_fd_close(ends[0]);
    ring3_fd_close(ends[1]);
    return err;
}

int ring3_fifo_make(const char *path, mode_t mode)
{
    return ring3_call(mkfifo(path, mode));
}

/* Only a FIFO may be opened in the mode that waits, and opening may have effects on other things. */
static int check_fifo(const char *path)
{
    struct stat about;
    const int err = ring3_call(stat(path, &about));

    if (err)
        return err;
    return S_ISFIFO(about.st_mode) ? 0 : -EINVAL;
}

static int blocking(int fd)
{
    const int err = ring3_fd_set_nonblock(fd, false);

    if (!err)
        return fd;
    ring3_fd_close(fd);
    return err;
}

int ring3_fifo_open_read(const char *path, const struct timespec *deadline)
{
    const int err = check_fifo(path);

    if (err)
        return err;
    const int fd = ring3_fd_open(path, O_RDONLY | (deadline ? O_NONBLOCK : 0), 0);

    if (fd < 0 || !deadline)
        return fd;
    const int ready = ring3_fd_wait(fd, POLLIN, deadline);

    if (ready > 0)
        return blocking(fd);
    ring3_fd_close(fd);
    return ready;
}

int ring3_fifo_open_write(const char *path, const struct timespec *deadline)
{
    ring3_pause_t pause = {0};
    int err = check_fifo(path);

    if (!err && deadline)
        err = ring3_deadline_check(CLOCK_MONOTONIC, deadline);
    if (err)
        return err;
    if (!deadline)
        return ring3_fd_open(path, O_WRONLY, 0);
    for (;;) {
        const int fd = ring3_fd_open(path, O_WRONLY | O_NONBLOCK, 0);

        if (fd >= 0)
            return blocking(fd);
        if (fd != -ENXIO) /* which means: no reader yet */
            return fd;
        err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err)
            return err;
    }
}
