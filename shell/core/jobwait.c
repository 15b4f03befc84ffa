/* SPDX-License-Identifier: MIT */
/*
 * What became of the processes of jobs.
 *
 * A process of a monitored job is waited for by its pidfd; SIGCHLD tells when to look, and waitid(2) also tells of
 * stops and continues. Nothing but job_release reaps the last process of such a job, so that its group's number
 * cannot be anyone else's while the user may still signal it. Others are waited for by wait4(2), any of them.
 */
#include "core/jobs.h"
#include "core/traps.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int exit_status_of(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    if (WIFSTOPPED(wait_status))
        return 128 + WSTOPSIG(wait_status);
    return 128 + WTERMSIG(wait_status);
}

enum process_state job_state(const struct job *job)
{
    enum process_state state = PROCESS_ENDED;

    for (int i = 0; i < job->count; i++) {
        if (job->list[i].state == PROCESS_RUNNING)
            return PROCESS_RUNNING;
        if (job->list[i].state == PROCESS_STOPPED)
            state = PROCESS_STOPPED;
    }
    return state;
}

int job_status_of_first(struct shell *sh, const struct job *job, int count)
{
    int status = exit_status_of(job->list[count - 1].status);

    if (job_state(job) == PROCESS_STOPPED) {
        for (int i = 0; i < count; i++)
            if (job->list[i].state == PROCESS_STOPPED)
                return exit_status_of(job->list[i].status);
    }
    if (option_on(sh, OPTION_PIPEFAIL))
        for (int i = count - 1; i >= 0 && !job->list[i].rest && status == 0; i--)
            status = exit_status_of(job->list[i].status);
    return status;
}

int job_status(struct shell *sh, const struct job *job)
{
    return job_status_of_first(sh, job, job->count);
}

struct job *job_of_pid(struct shell *sh, pid_t pid)
{
    for (struct job *job = sh->jobs; job; job = job->next)
        for (int i = 0; i < job->count; i++)
            if (job->list[i].pid == pid)
                return job;
    return NULL;
}

static void note_usage(struct process *process, const struct rusage *usage)
{
    process->used.user_us = usage->ru_utime.tv_sec * INT64_C(1000000) + usage->ru_utime.tv_usec;
    process->used.system_us = usage->ru_stime.tv_sec * INT64_C(1000000) + usage->ru_stime.tv_usec;
    process->used.peak_kb = usage->ru_maxrss;
}

static void note(struct shell *sh, struct job *job, struct process *process, int status,
                 const struct rusage *usage)
{
    if (WIFCONTINUED(status)) {
        process->state = PROCESS_RUNNING;
        return;
    }
    process->status = status;
    process->state = WIFSTOPPED(status) ? PROCESS_STOPPED : PROCESS_ENDED;
    job->changed = true;
    if (process->state == PROCESS_STOPPED)
        return;
    note_usage(process, usage);
    if (job->times) {
        job->times[process - job->list].ended = time_now();
        job->times[process - job->list].used = *usage;
    }
    rest_feed(sh, job);
    if (job->monitored && job_state(job) == PROCESS_ENDED)
        clock_gettime(CLOCK_MONOTONIC, &job->ended);
}

/* --- Monitored jobs, one process at a time --------------------------------------------------------- */

static int wait_status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return (info->si_status & 0xff) << 8;
    case CLD_KILLED:
        return info->si_status;
    case CLD_DUMPED:
        return info->si_status | 0x80;
    case CLD_CONTINUED:
        return 0xffff;
    default:
        return info->si_status << 8 | 0x7f;
    }
}

static int wait_for_change(const struct process *process, int options, siginfo_t *info,
                           struct rusage *usage)
{
    const bool by_fd = process->pidfd >= 0;

    info->si_pid = 0;
    return (int)syscall(SYS_waitid, by_fd ? P_PIDFD : P_PID, by_fd ? process->pidfd : process->pid,
                        info, options | WNOHANG, usage);
}

static bool is_last_alive(const struct job *job, const struct process *process)
{
    for (int i = 0; i < job->count; i++)
        if (&job->list[i] != process && job->list[i].state != PROCESS_ENDED)
            return false;
    return true;
}

/* One change of a process, if there is one. */
static bool look_at(struct shell *sh, struct job *job, struct process *process)
{
    const int changes = job->monitored ? WEXITED | WSTOPPED | WCONTINUED : WEXITED;
    struct rusage usage = {0};
    siginfo_t info = {0};

    if (process->state == PROCESS_ENDED)
        return false;
    if (wait_for_change(process, changes | WNOWAIT, &info, &usage)) {
        if (errno != ECHILD && errno != EINVAL)
            return false;
        note(sh, job, process, 127 << 8, &usage); /* someone else has it */
        return true;
    }
    if (!info.si_pid)
        return false;
    if (info.si_code == CLD_STOPPED || info.si_code == CLD_CONTINUED) {
        siginfo_t taken;

        wait_for_change(process, info.si_code == CLD_STOPPED ? WSTOPPED : WCONTINUED, &taken, NULL);
    } else if (job->monitored && is_interactive(sh) && is_last_alive(job, process)) {
        process->held = true;
    } else {
        wait_for_change(process, WEXITED, &info, &usage);
    }
    note(sh, job, process, wait_status_of(&info), &usage);
    return true;
}

/* Children that are in no job, left by who executed this shell. */
static void reap_strangers(struct shell *sh)
{
    siginfo_t info = {0};

    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid &&
           !job_of_pid(sh, info.si_pid)) {
        waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}

static bool look_at_each(struct shell *sh)
{
    struct job *next;
    bool any = false;

    for (struct job *job = sh->jobs; job; job = next) {
        next = job->next;
        for (int i = 0; i < job->count; i++)
            while (look_at(sh, job, &job->list[i]))
                any = true;
        if (job->disowned && job_state(job) == PROCESS_ENDED)
            job_free(sh, job);
    }
    reap_strangers(sh);
    return any;
}

/* --- Others, any of them ---------------------------------------------------------------------------- */

static void note_any(struct shell *sh, pid_t pid, int status, const struct rusage *usage)
{
    for (struct job *job = sh->jobs; job; job = job->next) {
        for (int i = 0; i < job->count; i++) {
            if (job->list[i].pid != pid || job->list[i].state == PROCESS_ENDED)
                continue;
            note(sh, job, &job->list[i], status, usage);
            return;
        }
    }
}

bool jobs_look(struct shell *sh)
{
    struct rusage usage;
    bool any = false;
    int status;
    pid_t pid;

    if (sh->jobs_inherited)
        return false;
    for (const struct job *job = sh->jobs; job; job = job->next)
        if (job->monitored)
            return look_at_each(sh);
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        note_any(sh, pid, status, &usage);
        any = true;
    }
    return any;
}

/* --- Waiting ------------------------------------------------------------------------------------------ */

/* Under set -b others' ends are told while one waits. */
static void tell_of_others(struct shell *sh, const struct job *waited)
{
    if (!is_interactive(sh) || !option_on(sh, OPTION_NOTIFY))
        return;
    for (struct job *job = sh->jobs; job; job = job->next) {
        if (job == waited || !job->changed || !job->number)
            continue;
        job->changed = false;
        out_puts(&sh->err, "\r\n");
        job_describe(sh, &sh->err, job, JOB_LINE);
        if (job_state(job) == PROCESS_ENDED)
            job_retire(job);
        out_flush(&sh->err);
    }
}

static void wait_monitored(struct shell *sh, struct job *job)
{
    sigset_t before;

    signals_block(&before);
    while (job_state(job) == PROCESS_RUNNING) {
        if (jobs_look(sh))
            tell_of_others(sh, job);
        else if (is_interactive(sh) && signals_seen[SIGHUP] && !trap_action(sh, SIGHUP))
            break;
        else
            signals_sleep(&before, NULL);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (job_state(job) == PROCESS_RUNNING)
        shell_hang_up(sh);
}

void job_wait(struct shell *sh, struct job *job)
{
    if (job->monitored) {
        wait_monitored(sh, job);
        return;
    }
    for (int i = 0; i < job->count; i++) {
        struct process *const process = &job->list[i];
        struct rusage usage = {0};
        int status;

        while (process->state == PROCESS_RUNNING) {
            if (wait4(process->pid, &status, 0, &usage) == process->pid)
                note(sh, job, process, status, &usage);
            else if (errno != EINTR)
                note(sh, job, process, 127 << 8, &usage);
        }
    }
}
