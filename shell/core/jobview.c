/* SPDX-License-Identifier: MIT */
/* What a job looks like: the line of XCU jobs, and all that is known of its processes. */
#include "core/jobs.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* "Stopped (SIGTSTP)", "Done(1)", … of a process, or of a job by the process that decides. */
static const char *state_text(enum process_state state, int wait_status, char *room, size_t size)
{
    if (state == PROCESS_RUNNING)
        return "Running";
    if (state == PROCESS_STOPPED) {
        snprintf(room, size, "Stopped (SIG%s)", sigabbrev_np(WSTOPSIG(wait_status)));
        return room;
    }
    if (WIFSIGNALED(wait_status)) {
        const char *const name = strsignal(WTERMSIG(wait_status));

        if (!WCOREDUMP(wait_status))
            return name;
        snprintf(room, size, "%s (core dumped)", name);
        return room;
    }
    if (WEXITSTATUS(wait_status) == 0)
        return "Done";
    snprintf(room, size, "Done(%d)", WEXITSTATUS(wait_status));
    return room;
}

static const char *job_state_text(struct shell *sh, const struct job *job, char *room, size_t size)
{
    const enum process_state state = job_state(job);
    const struct process *decides = &job->list[job->count - 1];
    const int status = job_status(sh, job);

    for (int i = job->count - 1; i >= 0; i--) /* the one whose status is the job's */
        if (job->list[i].state == state && exit_status_of(job->list[i].status) == status)
            decides = &job->list[i];
    return state_text(state, decides->status, room, size);
}

/* --- Everything ---------------------------------------------------------------------------------------- */

/* What /proc tells of a process that lives. */
struct live {
    char state;
    int64_t user_us, system_us;
    long peak_kb;
};

static bool read_stat(pid_t pid, struct live *live)
{
    const long tick = sysconf(_SC_CLK_TCK);
    unsigned long user, system;
    char path[64], text[1024];
    const char *end;
    size_t n;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    end = strrchr(text, ')'); /* the name may hold anything */
    if (!end || sscanf(end + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &live->state,
                       &user, &system) != 3)
        return false;
    live->user_us = (int64_t)user * 1000000 / tick;
    live->system_us = (int64_t)system * 1000000 / tick;
    return true;
}

static void read_peak(pid_t pid, struct live *live)
{
    char path[64], line[128];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &live->peak_kb) == 1)
            break;
    if (file)
        fclose(file);
}

static const char *live_text(char state)
{
    switch (state) {
    case 'R':
        return "running";
    case 'S':
    case 'I':
        return "sleeping";
    case 'D':
        return "waiting for a device";
    case 'T':
    case 't':
        return "stopped";
    case 'Z':
    case 'X':
        return "ending";
    default:
        return "alive";
    }
}

static const char *stop_reason(int signal)
{
    switch (signal) {
    case SIGTTIN:
        return "wants terminal input";
    case SIGTTOU:
        return "wants to write to or set the terminal";
    case SIGTSTP:
        return "by the keyboard";
    default:
        return "by a signal";
    }
}

static void print_reason(struct out *out, const struct process *process, const struct live *live)
{
    const int status = process->status;

    if (process->state == PROCESS_RUNNING)
        out_puts(out, live_text(live->state));
    else if (process->state == PROCESS_STOPPED)
        out_printf(out, "stopped %s (SIG%s)", stop_reason(WSTOPSIG(status)),
                   sigabbrev_np(WSTOPSIG(status)));
    else if (WIFSIGNALED(status))
        out_printf(out, "killed by SIG%s%s", sigabbrev_np(WTERMSIG(status)),
                   WCOREDUMP(status) ? ", dumped core" : "");
    else
        out_printf(out, "exited with %d", WEXITSTATUS(status));
    if (process->rest)
        out_puts(out, ": the rest of the line");
    out_putc(out, '\n');
}

static void print_process(struct out *out, const struct process *process)
{
    struct live live = {0};

    if (process->state == PROCESS_ENDED) {
        live.user_us = process->used.user_us;
        live.system_us = process->used.system_us;
        live.peak_kb = process->used.peak_kb;
    } else if (read_stat(process->pid, &live)) {
        read_peak(process->pid, &live);
    }
    out_printf(out, "  %7d  user %.3fs  sys %.3fs  peak %ld KiB  ", (int)process->pid,
               (double)live.user_us / 1e6, (double)live.system_us / 1e6, live.peak_kb);
    print_reason(out, process, &live);
}

static double seconds_of(const struct job *job)
{
    struct timespec now = job->ended;

    if (job_state(job) != PROCESS_ENDED)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - job->began.tv_sec) +
           (double)(now.tv_nsec - job->began.tv_nsec) / 1e9;
}

void job_describe(struct shell *sh, struct out *out, const struct job *job, enum job_detail how)
{
    const char mark = job == job_current(sh, 0) ? '+' : job == job_current(sh, 1) ? '-' : ' ';
    char room[64];

    out_printf(out, "[%d] %c ", job->number, mark);
    if (how == JOB_PIDS)
        out_printf(out, "%d ", (int)job->list[0].pid);
    out_puts(out, how == JOB_PIDS && job->count > 1
                      ? state_text(job->list[0].state, job->list[0].status, room, sizeof room)
                      : job_state_text(sh, job, room, sizeof room));
    if (how == JOB_EVERYTHING && job->monitored)
        out_printf(out, "  %.3fs", seconds_of(job));
    out_printf(out, " %s\n", job->text ? job->text : "");
    for (int i = how == JOB_EVERYTHING ? 0 : 1; how != JOB_LINE && i < job->count; i++) {
        const struct process *const process = &job->list[i];

        if (how == JOB_EVERYTHING)
            print_process(out, process);
        else
            out_printf(out, "      %d %s\n", (int)process->pid,
                       state_text(process->state, process->status, room, sizeof room));
    }
}
