/* SPDX-License-Identifier: MIT */
/* wait: for all jobs, some, or the next one to end; with a limit on the time. */
#include "core/jobs.h"
#include "core/traps.h"
#include "intrinsics/intrinsics.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define STATUS_TIMEOUT 124 /* as timeout(1) */

struct waiting {
    struct shell *sh;
    bool limited;
    struct timespec until; /* CLOCK_MONOTONIC */
};

/* What is left of the time. false: none. */
static bool time_left(const struct waiting *w, struct timespec *left)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left->tv_sec = w->until.tv_sec - now.tv_sec;
    left->tv_nsec = w->until.tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += 1000000000;
    }
    return left->tv_sec >= 0;
}

static int signal_seen(struct shell *sh)
{
    if (is_interactive(sh) && signals_seen[SIGTSTP] && !trap_action(sh, SIGTSTP))
        signals_seen[SIGTSTP] = 0; /* nobody else could wait for our children */
    for (int i = 1; i < SIGNALS; i++)
        if (signals_seen[i])
            return i;
    return 0;
}

/* Sleep until something happened. The status of a signal with a trap, or of the time that is over, or 0. */
static int sleep_for_event(const struct waiting *w)
{
    struct timespec left = {0};
    sigset_t before;
    int signal = 0;
    bool late = false;

    signals_block(&before);
    if (!jobs_look(w->sh)) {
        signal = signal_seen(w->sh);
        late = !signal && w->limited && !time_left(w, &left);
        if (!signal && !late)
            signals_sleep(&before, w->limited ? &left : NULL);
        signal = signal_seen(w->sh);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return signal ? 128 + signal : late ? STATUS_TIMEOUT : 0;
}

static bool has_ended(const struct job *job)
{
    return job_state(job) == PROCESS_ENDED;
}

static int wait_for_job(const struct waiting *w, struct job *job, pid_t pid)
{
    int status;

    while (!has_ended(job)) {
        const int why = sleep_for_event(w);

        if (why)
            return why;
    }
    status = job_status(w->sh, job);
    for (int i = 0; i < job->count; i++)
        if (job->list[i].pid == pid)
            status = exit_status_of(job->list[i].status);
    job_free(w->sh, job);
    return status;
}

static int wait_for_all(const struct waiting *w)
{
    struct shell *const sh = w->sh;

    for (;;) {
        struct job *next;
        bool running = false;
        int why;

        jobs_look(sh);
        for (struct job *job = sh->jobs; job; job = next) {
            next = job->next;
            if (!job->number)
                continue;
            if (has_ended(job))
                job_free(sh, job);
            else
                running |= job_state(job) == PROCESS_RUNNING || !option_on(sh, OPTION_MONITOR) ||
                           !is_interactive(sh);
        }
        if (!running)
            return 0;
        why = sleep_for_event(w);
        if (why)
            return why;
    }
}

/* The job an operand of wait names, or NULL; pid: 0, or the process it names. -1 after a message. */
static int find(struct shell *sh, const char *operand, struct job **job, pid_t *pid)
{
    const char *why = "not a process";
    long number;

    *pid = 0;
    if (*operand == '%') {
        *job = job_find(sh, operand, &why);
        return 0;
    }
    number = intrinsic_number(operand);
    if (number < 0) {
        intrinsic_fail(sh, 2, "wait: %s: %s", operand, why);
        return -1;
    }
    *pid = (pid_t)number;
    *job = job_of_pid(sh, *pid);
    return 0;
}

static bool is_among(struct shell *sh, const struct job *job, int argc, char **argv)
{
    struct job *named;
    pid_t pid;

    for (int i = 0; i < argc; i++)
        if (find(sh, argv[i], &named, &pid) == 0 && named == job)
            return true;
    return argc == 0 && job->number;
}

/* The first to end, of all jobs or of those named. */
static int wait_for_next(const struct waiting *w, int argc, char **argv)
{
    struct shell *const sh = w->sh;

    for (;;) {
        bool any = false;
        int why;

        jobs_look(sh);
        for (struct job *job = sh->jobs; job; job = job->next) {
            if (!is_among(sh, job, argc, argv))
                continue;
            any = true;
            if (has_ended(job)) {
                const int status = job_status(sh, job);

                job_free(sh, job);
                return status;
            }
        }
        if (!any)
            return 127;
        why = sleep_for_event(w);
        if (why)
            return why;
    }
}

static bool set_limit(struct waiting *w, const char *text)
{
    char *end;
    const double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0) || seconds > 1e9)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &w->until);
    w->until.tv_sec += (time_t)seconds;
    w->until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (w->until.tv_nsec >= 1000000000) {
        w->until.tv_sec++;
        w->until.tv_nsec -= 1000000000;
    }
    w->limited = true;
    return true;
}

int intrinsic_wait(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct waiting w = {.sh = sh};
    struct builtin_options o = {0};
    bool next = false;
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "nt:")) != -1) {
        if (letter == 'n')
            next = true;
        else if (letter != 't')
            return intrinsic_usage(sh, "wait", &o);
        else if (!set_limit(&w, o.value))
            return intrinsic_fail(sh, 2, "wait: %s: not a number of seconds", o.value);
    }
    jobs_forget_inherited(sh);
    if (next)
        return wait_for_next(&w, argc - o.index, argv + o.index);
    if (o.index >= argc)
        return wait_for_all(&w);
    for (int i = o.index; i < argc; i++) {
        struct job *job;
        pid_t pid;

        jobs_look(sh);
        if (find(sh, argv[i], &job, &pid))
            return 2;
        status = job ? wait_for_job(&w, job, pid) : 127;
        if (signals_any && traps_pending(sh))
            return status;
    }
    return status;
}
