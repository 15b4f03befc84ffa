/* SPDX-License-Identifier: MIT */
#include "ring3/process.h"

#include "call.h"
#include "feature.h"
#include "ring3/fd.h"
#include "ring3/wait.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_feature_t pidfds = {"pidfd", 0};

int ring3_pidfd_open(pid_t pid)
{
    if (!ring3_feature_usable(&pidfds))
        return -ENOSYS;
    return (int)ring3_call(syscall(SYS_pidfd_open, pid, 0));
}

/* The system call behind waitid has a fifth argument, which libc leaves out: the resource usage. */
static int wait_once(idtype_t kind, pid_t pid, int options, siginfo_t *info, struct rusage *usage)
{
    info->si_pid = 0;
    return (int)ring3_retry(syscall(SYS_waitid, kind, pid, info, options, usage));
}

int ring3_process_adopt(ring3_process_t *process, pid_t pid)
{
    siginfo_t info;
    const int err =
        pid > 0 ? wait_once(P_PID, pid, WEXITED | WNOHANG | WNOWAIT, &info, NULL) : -ECHILD;

    if (err)
        return err;
    process->pid = pid;
    process->pidfd = ring3_pidfd_open(pid);
    if (process->pidfd < 0)
        process->pidfd = -1; /* deadlines are then kept by looking */
    return 0;
}

void ring3_process_drop(ring3_process_t *process)
{
    if (process->pidfd >= 0)
        ring3_fd_close(process->pidfd);
    *process = (ring3_process_t){0, -1};
}

static ring3_status_kind_t kind_of(int code)
{
    switch (code) {
    case CLD_EXITED:
        return RING3_EXITED;
    case CLD_KILLED:
        return RING3_KILLED;
    case CLD_DUMPED:
        return RING3_DUMPED;
    case CLD_CONTINUED:
        return RING3_CONTINUED;
    default:
        return RING3_STOPPED;
    }
}

/* One look or one wait: 0 and *status when there was news, -EAGAIN when WNOHANG found none. */
static int take_news(ring3_process_t *process, int options, ring3_status_t *status)
{
    siginfo_t info;
    ring3_status_t news = {0};
    const int err = wait_once(P_PID, process->pid, options, &info, &news.usage);

    if (err)
        return err;
    if (info.si_pid == 0)
        return -EAGAIN;
    news.kind = kind_of(info.si_code);
    news.value = info.si_status;
    if (news.kind <= RING3_DUMPED)
        ring3_process_drop(process);
    if (status)
        *status = news;
    return 0;
}

int ring3_process_wait(ring3_process_t *process, unsigned report, const struct timespec *deadline,
                       ring3_status_t *status)
{
    const int options = WEXITED | (report & RING3_REPORT_STOPPED ? WSTOPPED : 0) |
                        (report & RING3_REPORT_CONTINUED ? WCONTINUED : 0);
    ring3_pause_t pause = {0};

    if (process->pid <= 0)
        return -ECHILD;
    if (!deadline)
        return take_news(process, options, status);
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        int err = take_news(process, options | WNOHANG, status);

        if (err != -EAGAIN)
            return err;
        /* A pidfd tells of the end only, and not at all where it could not be had. */
        if (process->pidfd >= 0 && !report)
            err = ring3_fd_wait(process->pidfd, POLLIN, deadline);
        else
            err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err < 0) /* what happened while the deadline passed still counts */
            return take_news(process, options | WNOHANG, status) == 0 ? 0 : err;
    }
}

int ring3_process_signal(const ring3_process_t *process, int signal)
{
    if (process->pid <= 0)
        return -ESRCH;
    if (process->pidfd >= 0 && ring3_feature_usable(&pidfds))
        return (int)ring3_call(syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0));
    /* An unreaped child keeps its pid. */
    return ring3_call(kill(process->pid, signal));
}

int ring3_process_end(ring3_process_t *process, const struct timespec *deadline,
                      ring3_status_t *status)
{
    (void)ring3_process_signal(process, SIGTERM);
    (void)ring3_process_signal(process, SIGCONT); /* a stopped process would not see the request */
    const int err = ring3_process_wait(process, 0, deadline, status);

    if (err != -ETIMEDOUT)
        return err;
    (void)ring3_process_signal(process, SIGKILL);
    return ring3_process_wait(process, 0, NULL, status);
}

int ring3_subreaper_set(bool on)
{
    return ring3_call(prctl(PR_SET_CHILD_SUBREAPER, on ? 1UL : 0UL, 0UL, 0UL, 0UL));
}

int ring3_reap_ended(void)
{
    siginfo_t info;
    int reaped = 0;

    while (wait_once(P_ALL, 0, WEXITED | WNOHANG, &info, NULL) == 0 && info.si_pid != 0)
        reaped++;
    return reaped;
}
