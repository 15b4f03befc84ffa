/* SPDX-License-Identifier: MIT */
/* Letting go: disown a job, suspend the shell itself. */
#include "core/jobs.h"
#include "intrinsics/intrinsics.h"

#include <signal.h>
#include <unistd.h>

/* The shell tells nothing more of the job and does not end it when it hangs up; it only reaps it. */
static void let_go(struct shell *sh, struct job *job)
{
    if (!job->monitored || job_state(job) == PROCESS_ENDED) {
        job_free(sh, job);
        return;
    }
    job->number = 0;
    job->disowned = true;
}

int intrinsic_disown(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    const char *why = NULL;
    int letter, status = 0;
    bool all = false;

    while ((letter = builtin_option(&o, argc, argv, "a")) != -1) {
        if (letter != 'a')
            return intrinsic_usage(sh, "disown", &o);
        all = true;
    }
    jobs_look(sh);
    for (struct job *job = sh->jobs, *next; all && job; job = next) {
        next = job->next;
        if (job->number)
            let_go(sh, job);
    }
    if (all)
        return 0;
    if (o.index == argc) {
        struct job *const job = job_find(sh, "%%", &why);

        if (!job)
            return intrinsic_fail(sh, 1, "disown: %s", why ? why : "no current job");
        let_go(sh, job);
        return 0;
    }
    for (; o.index < argc; o.index++) {
        struct job *const job = job_find(sh, argv[o.index], &why);

        if (job)
            let_go(sh, job);
        else
            status =
                intrinsic_fail(sh, 1, "disown: %s: %s", argv[o.index], why ? why : "no such job");
    }
    return status;
}

/* Stops until someone continues it; the terminal goes back to who had it before us. */
int intrinsic_suspend(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const bool monitor = option_on(sh, OPTION_MONITOR);
    struct builtin_options o = {0};
    int letter;
    bool force = false;

    while ((letter = builtin_option(&o, argc, argv, "f")) != -1) {
        if (letter != 'f')
            return intrinsic_usage(sh, "suspend", &o);
        force = true;
    }
    if (sh->login && !force)
        return intrinsic_fail(sh, 1, "suspend: this is a login shell; -f does it all the same");
    if (getsid(getppid()) != getsid(0) && !force)
        return intrinsic_fail(
            sh, 1, "suspend: nobody is there to continue the shell; -f does it all the same");
    out_flush(&sh->out);
    if (monitor)
        monitor_stop(sh);
    kill(getpid(), SIGSTOP);
    if (monitor && monitor_start(sh) != 0)
        return intrinsic_fail(sh, 1, "suspend: there is no job control any more");
    return 0;
}
