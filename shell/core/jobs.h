/* SPDX-License-Identifier: MIT */
/*
 * Jobs: the processes of a pipeline, as one thing to wait for, stop and continue (XCU 2.11). In monitor mode
 * each has a process group of its own, and the one in the foreground has the terminal.
 */
#ifndef R3SH_JOBS_H
#define R3SH_JOBS_H

#include "core/redir.h"

#include <sys/resource.h>
#include <termios.h>

/* What `time` tells of one process. Seconds since some moment. */
struct process_times {
    double began, ended;
    struct rusage used;
};

enum process_state { PROCESS_RUNNING, PROCESS_STOPPED, PROCESS_ENDED };

struct process {
    pid_t pid;
    int pidfd; /* of a monitored job: how we wait for it; -1: by its number, which is ours until reaped */
    int feed;   /* it waits there for the status of those before it (rest.c); -1: it does not */
    int status; /* as of wait(2) */
    uint8_t state;
    bool
        rest; /* it is a copy of the shell that does what is left of the line, and its status counts alone */
    bool held; /* it ended, and is not reaped yet: the group's number stays taken */
    struct {
        int64_t user_us, system_us;
        long peak_kb; /* resident memory */
    } used;           /* of a process that ended */
};

struct job {
    struct job *next;
    int number; /* 0: not in the user's list */
    pid_t group;
    int count;
    bool monitored, background, changed;
    bool silent;                  /* a process substitution: nobody asks for it */
    bool disowned;                /* only reaped, never spoken of */
    struct timespec began, ended; /* CLOCK_MONOTONIC; monitored jobs only */
    bool has_modes;
    struct termios modes;
    struct process_times *times; /* of each process, for `time`; or NULL */
    char *text;
    uint64_t turn; /* the higher, the more current */
    struct process list[];
};

struct job *job_new(struct shell *sh, int processes, bool monitored);
void job_free(struct shell *sh, struct job *job);
/* Make a process of the job. As fork; the child is in its group, and with the terminal if `foreground`. */
pid_t job_fork(struct shell *sh, struct job *job, bool foreground);
/* Start a program in the foreground, as a process of the job. 0 or a negative errno. */
int job_start(struct shell *sh, struct job *job, const char *path, char **argv,
              const struct stage *stage);
/* Wait until the job ends or stops; returns its exit status and frees it if it ended. */
int job_foreground(struct shell *sh, struct job *job);
/* It stopped in the foreground: it is now a job of the user's in the background, and is spoken of. */
void job_tell_stopped(struct shell *sh, struct job *job);
/* Keep it as a job of the user's, with a number and its text. */
void job_enter(struct shell *sh, struct job *job, const struct node *node);
enum process_state job_state(const struct job *job);
int job_status(struct shell *sh, const struct job *job);
/* The same of its first `count` processes. */
int job_status_of_first(struct shell *sh, const struct job *job, int count);
/* Give it a number, and make it the current one. */
void job_number(struct shell *sh, struct job *job);
int exit_status_of(int wait_status);
/* Take note of what children did, without waiting. Whether they did anything. */
bool jobs_look(struct shell *sh);
/* Wait until it ends or, if monitored, stops. */
void job_wait(struct shell *sh, struct job *job);
/* Nobody will signal the job any more: its number may be used again. */
void job_release(struct job *job);
/* It is no longer the user's; wait may still ask for its status. */
void job_retire(struct job *job);
/* The job that "%…" names. NULL after setting *why. */
struct job *job_find(struct shell *sh, const char *spec, const char **why);
struct job *job_of_pid(struct shell *sh, pid_t pid);
struct job *job_current(struct shell *sh, int nth);
enum job_detail { JOB_LINE, JOB_PIDS, JOB_EVERYTHING };
void job_describe(struct shell *sh, struct out *out, const struct job *job, enum job_detail how);
/* SIGHUP to all jobs, and SIGCONT to stopped ones so that they hear it. */
void jobs_hang_up(struct shell *sh);
/* The shell was told to hang up: tells its jobs, and ends as the signal does. */
_Noreturn void shell_hang_up(struct shell *sh);
/* Jobs are stopped, and the user has not been told just before: tells. */
bool jobs_forbid_exit(struct shell *sh);
/* Tell about jobs that ended or stopped; free the ended ones. */
void jobs_notify(struct shell *sh);
/* Forget the oldest of those that ended and nobody asked for. */
void jobs_prune(struct shell *sh);
/* In a child: they are the parent's, to be looked at until it makes its own or waits. */
void jobs_inherit(struct shell *sh);
void jobs_forget_inherited(struct shell *sh);
/*
 * A foreground command of a longer line stopped: a copy of the shell that does the rest joins the job. In the shell,
 * true, and the line is to be left (FLOW_ERROR); in the copy, false with *status when the command has ended, and the
 * line goes on.
 */
bool rest_split(struct shell *sh, struct job **job, int *status);
/* The same when the keyboard stops the shell itself while it runs built-ins. FLOW_ERROR in the shell. */
enum flow rest_stop(struct shell *sh);
/* Those before process `i` have ended: let the rest go on. */
void rest_feed(struct shell *sh, struct job *job);

/* --- time (times.c): what a pipeline and each of its processes took, on standard error ------------- */

struct times_mark {
    double began;
    struct rusage own, children;
};
void times_begin(struct times_mark *mark);
void times_tell(struct shell *sh, const struct times_mark *mark, bool plain);
void times_tell_stages(struct shell *sh, const struct job *job);
double time_now(void);
/* Continue, in the foreground or background. */
int job_continue(struct shell *sh, struct job *job, bool foreground);

/* set -m and +m. */
int monitor_start(struct shell *sh);
void monitor_stop(struct shell *sh);
void terminal_give(struct shell *sh, pid_t group);
/* The shell's own modes: as they are now, or as they were. */
void terminal_remember(struct shell *sh);
void terminal_restore(struct shell *sh);
/* Also from the background, where the kernel would stop who tries. */
void terminal_set(struct shell *sh, const struct termios *modes);

/* The text of a command, as one line (print.c). */
void print_node(struct buf *to, const struct node *node);

#endif
