/* SPDX-License-Identifier: MIT */
/* jobs, fg, bg. */
#include "core/jobs.h"
#include "intrinsics/intrinsics.h"

struct shown {
    enum job_detail how;
    bool groups;  /* -p */
    bool news;    /* -n */
    bool running; /* -r */
    bool stopped; /* -s */
};

static void show(struct shell *sh, struct out *out, struct job *job, const struct shown *what)
{
    const enum process_state state = job_state(job);
    const bool ended = state == PROCESS_ENDED;

    if (what->news && !job->changed)
        return;
    if ((what->running || what->stopped) && !(what->running && state == PROCESS_RUNNING) &&
        !(what->stopped && state == PROCESS_STOPPED))
        return;
    if (what->groups) {
        out_printf(out, "%d\n", (int)job->list[0].pid);
        return;
    }
    job_describe(sh, out, job, what->how);
    job->changed = false;
    if (ended && !in_virtual_subshell(sh))
        job_free(sh, job);
}

int intrinsic_jobs(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    struct shown what = {.how = JOB_LINE};
    int letter, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "lpnrsv")) != -1) {
        if (letter == '?')
            return intrinsic_usage(sh, "jobs", &o);
        if (letter == 'l' || letter == 'v')
            what.how = letter == 'l' ? JOB_PIDS : JOB_EVERYTHING;
        what.groups |= letter == 'p';
        what.news |= letter == 'n';
        what.running |= letter == 'r';
        what.stopped |= letter == 's';
    }
    jobs_look(sh);
    for (int i = o.index; i < argc; i++) {
        const char *why;
        struct job *const job = job_find(sh, argv[i], &why);

        if (job) {
            show(sh, io->out, job, &what);
            continue;
        }
        complain(sh, "jobs: %s: %s", argv[i], why);
        status = 1;
    }
    for (int number = 1, left = o.index >= argc; left; number++) {
        struct job *next;

        left = 0;
        for (struct job *job = sh->jobs; job; job = next) {
            next = job->next;
            left |= job->number > number;
            if (job->number == number)
                show(sh, io->out, job, &what);
        }
    }
    return status;
}

static int continue_jobs(struct builtin_io *io, int argc, char **argv, bool foreground)
{
    struct shell *const sh = io->shell;
    char *current[] = {"%%", NULL};
    int status = 0, first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    char **specs = argc > first ? argv + first : current;

    if (!option_on(sh, OPTION_MONITOR)) {
        complain(sh, "%s: there is no job control (set -m)", argv[0]);
        return 1;
    }
    jobs_look(sh);
    for (; *specs; specs++) {
        const char *why;
        struct job *const job = job_find(sh, *specs, &why);

        if (!job || !job->monitored || job_state(job) == PROCESS_ENDED) {
            complain(sh, "%s: %s: %s", argv[0], *specs,
                     !job             ? why
                     : job->monitored ? "the job has ended"
                                      : "was not started under job control");
            status = 1;
            continue;
        }
        if (foreground)
            out_printf(io->out, "%s\n", job->text);
        else
            out_printf(io->out, "[%d] %s\n", job->number, job->text);
        out_flush(&sh->out);
        if (!foreground)
            sh->last_background = job->list[job->count - 1].pid;
        status = job_continue(sh, job, foreground);
        if (sh->line_left) { /* it stopped again, and the rest of the line with it */
            sh->flow = FLOW_ERROR;
            break;
        }
    }
    return status;
}

int intrinsic_fg(struct builtin_io *io, int argc, char **argv)
{
    return continue_jobs(io, argc, argv, true);
}

int intrinsic_bg(struct builtin_io *io, int argc, char **argv)
{
    return continue_jobs(io, argc, argv, false);
}
