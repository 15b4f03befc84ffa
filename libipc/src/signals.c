/* SPDX-License-Identifier: MIT */
#include "ring3/signals.h"

#include "call.h"
#include "deadline.h"
#include "ring3/fd.h"

#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int ring3_signal_set(sigset_t *set, const int *signals, int count)
{
    sigemptyset(set);
    for (int i = 0; i < count; i++)
        if (ring3_call(sigaddset(set, signals[i])))
            return -EINVAL;
    return 0;
}

int ring3_signal_block(const sigset_t *set, sigset_t *before)
{
    return -pthread_sigmask(SIG_BLOCK, set, before);
}

int ring3_signal_unblock(const sigset_t *set, sigset_t *before)
{
    return -pthread_sigmask(SIG_UNBLOCK, set, before);
}

int ring3_signal_mask(const sigset_t *set, sigset_t *before)
{
    return -pthread_sigmask(SIG_SETMASK, set, before);
}

int ring3_signal_pending(sigset_t *set)
{
    return ring3_call(sigpending(set));
}

int ring3_signal_send(pid_t pid, int signal)
{
    return ring3_call(kill(pid, signal));
}

int ring3_signal_queue(pid_t pid, int signal, union sigval value)
{
    return ring3_call(sigqueue(pid, signal, value));
}

int ring3_signal_wait(const sigset_t *set, const struct timespec *deadline, siginfo_t *info)
{
    for (;;) {
        struct timespec left;
        const int late = deadline ? ring3_deadline_left(deadline, &left) : 0;

        if (late == -EINVAL)
            return late;
        const int signal =
            ring3_call(deadline ? sigtimedwait(set, info, &left) : sigwaitinfo(set, info));

        if (signal >= 0 || (signal != -EAGAIN && signal != -EINTR))
            return signal;
        if (late)
            return late;
    }
}

int ring3_signal_suspend(const sigset_t *mask)
{
    const int err = ring3_call(sigsuspend(mask));

    return err == -EINTR ? 0 : err; /* it has no other way to succeed */
}

int ring3_signalfd_open(const sigset_t *set)
{
    return ring3_call(signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int ring3_signalfd_read(int fd, const struct timespec *deadline, siginfo_t *info)
{
    struct signalfd_siginfo got;
    ssize_t size;

    while ((size = ring3_fd_read(fd, &got, sizeof got)) == -EAGAIN) {
        const int ready = ring3_fd_wait(fd, POLLIN, deadline);

        if (ready < 0)
            return ready;
    }
    if (size < 0)
        return (int)size;
    if (size != sizeof got)
        return -EINVAL; /* no signalfd */
    if (info) {
        memset(info, 0, sizeof *info);
        info->si_signo = (int)got.ssi_signo;
        info->si_code = got.ssi_code;
        info->si_pid = (pid_t)got.ssi_pid;
        info->si_uid = (uid_t)got.ssi_uid;
        if (info->si_signo == SIGCHLD)
            info->si_status = got.ssi_status; /* in the place of the value */
        else
            info->si_value.sival_ptr = (void *)(uintptr_t)got.ssi_ptr;
    }
    return (int)got.ssi_signo;
}
