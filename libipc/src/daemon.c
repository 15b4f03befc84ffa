/* SPDX-License-Identifier: MIT */
#include "ring3/daemon.h"

#include "call.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

void ring3_daemon_ready(int report, int err)
{
    (void)ring3_fd_write_full(report, &err, sizeof err, NULL, NULL); /* the launcher may be gone */
    ring3_fd_close(report);
}

static int leave_foreground(void)
{
    int err = ring3_call(setsid());

    if (err >= 0)
        err = ring3_call(chdir("/"));
    if (err < 0)
        return err;
    const int null = ring3_fd_open("/dev/null", O_RDWR, 0);

    if (null < 0)
        return null;
    for (int fd = 0; fd <= 2 && err >= 0; fd++)
        err = ring3_fd_dup_to(null, fd, true);
    if (null > 2)
        ring3_fd_close(null);
    return err;
}

/* The standard descriptors may have been closed: the report must not be in their place. */
static int move_up(int *fd)
{
    if (*fd > 2)
        return 0;
    const int above = ring3_fd_dup(*fd, 3);

    if (above < 0)
        return above;
    ring3_fd_close(*fd);
    *fd = above;
    return 0;
}

static int await_report(ring3_process_t *daemon, int from, const struct timespec *deadline)
{
    int reported = 0;
    int err = ring3_fd_read_full(from, &reported, sizeof reported, deadline, NULL);

    if (err == -ENODATA)
        err = -ECHILD;
    else if (!err)
        err = reported;
    if (err) {
        (void)ring3_process_signal(daemon, SIGKILL);
        (void)ring3_process_wait(daemon, 0, NULL, NULL);
    }
    return err;
}

int ring3_daemon_start(ring3_process_t *daemon, const struct timespec *deadline, int *report)
{
    int ends[2];
    int err = ring3_call(pipe2(ends, O_CLOEXEC));

    if (err)
        return err;
    const pid_t pid = ring3_call(fork());

    if (pid == 0) {
        ring3_fd_close(ends[0]);
        err = move_up(&ends[1]);
        if (!err)
            err = leave_foreground();
        if (err < 0) {
            ring3_daemon_ready(ends[1], err);
            _exit(1);
        }
        *report = ends[1];
        return 1;
    }
    ring3_fd_close(ends[1]);
    err = pid < 0 ? pid : ring3_process_adopt(daemon, pid);
    if (!err)
        err = await_report(daemon, ends[0], deadline);
    ring3_fd_close(ends[0]);
    return err;
}
