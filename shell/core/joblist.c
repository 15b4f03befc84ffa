/* SPDX-License-Identifier: MIT */
/* Jobs as the user knows them: their names, notices, and what becomes of them at the end. */
#include "core/jobs.h"
#include "core/traps.h"

#include "interactive/session.h"

#include <signal.h>
#include <unistd.h>

/* Ended jobs whose status is kept for wait: CHILD_MAX is at least 25. */
#define REMEMBERED 256

struct job *job_current(struct shell *sh, int nth)
{
    struct job *best = NULL, *second = NULL;

    for (struct job *job = sh->jobs; job; job = job->next) {
        if (!job->number)
            continue;
        if (!best || job->turn > best->turn) {
            second = best;
            best = job;
        } else if (!second || job->turn > second->turn) {
            second = job;
        }
    }
    return nth == 0 ? best : second;
}

struct job *job_find(struct shell *sh, const char *spec, const char **why)
{
    struct job *found = NULL;

    *why = "no such job";
    if (*spec == '%')
        spec++;
    if (!*spec || strcmp(spec, "%") == 0 || strcmp(spec, "+") == 0)
        return job_current(sh, 0);
    if (strcmp(spec, "-") == 0)
        return job_current(sh, 1) ? job_current(sh, 1) : job_current(sh, 0);
    for (struct job *job = sh->jobs; job; job = job->next) {
        bool match;

        if (!job->number)
            continue;
        if (*spec >= '0' && *spec <= '9')
            match = job->number == atoi(spec);
        else if (*spec == '?')
            match = job->text && strstr(job->text, spec + 1);
        else
            match = job->text && strncmp(job->text, spec, strlen(spec)) == 0;
        if (!match)
            continue;
        if (found) {
            *why = "ambiguous job";
            return NULL;
        }
        found = job;
    }
    return found;
}

void jobs_prune(struct shell *sh)
{
    int ended = 0;
    struct job *next;

    /* The list begins with the youngest. */
    for (struct job *job = sh->jobs; job; job = next) {
        next = job->next;
        if (job_state(job) == PROCESS_ENDED && ++ended > REMEMBERED)
            job_free(sh, job);
    }
}

void job_retire(struct job *job)
{
    job->number = 0;
    job_release(job);
}

void jobs_notify(struct shell *sh)
{
    struct job *next;

    jobs_look(sh);
    for (struct job *job = sh->jobs; job; job = next) {
        next = job->next;
        if (!job->changed || !job->number)
            continue;
        job->changed = false;
        job_describe(sh, &sh->err, job, JOB_LINE);
        if (job_state(job) == PROCESS_ENDED)
            job_retire(job);
    }
    out_flush(&sh->err);
}

/* --- The end ----------------------------------------------------------------------------------- */

bool jobs_forbid_exit(struct shell *sh)
{
    bool stopped = false;

    if (!is_interactive(sh) || sh->told_of_stopped)
        return false;
    jobs_look(sh);
    for (const struct job *job = sh->jobs; job; job = job->next)
        stopped = stopped || (job->number && job_state(job) == PROCESS_STOPPED);
    if (stopped) {
        out_puts(&sh->err, "there are stopped jobs (exit once more to leave them)\n");
        out_flush(&sh->err);
    }
    sh->told_of_stopped = stopped;
    return stopped;
}

void jobs_hang_up(struct shell *sh)
{
    jobs_look(sh);
    for (struct job *job = sh->jobs; job; job = job->next) {
        const enum process_state state = job_state(job);

        if (job->disowned || state == PROCESS_ENDED)
            continue;
        if (job->monitored) {
            kill(-job->group, SIGHUP);
            if (state == PROCESS_STOPPED)
                kill(-job->group, SIGCONT);
            continue;
        }
        for (int i = 0; i < job->count; i++)
            if (job->list[i].state != PROCESS_ENDED)
                kill(job->list[i].pid, SIGHUP);
    }
}

void shell_hang_up(struct shell *sh)
{
    signals_seen[SIGHUP] = 0;
    jobs_hang_up(sh);
    sh->status = 128 + SIGHUP;
    traps_exit(sh);
    session_end(sh);
    out_flush(&sh->out);
    out_flush(&sh->err);
    terminal_restore(sh);
    monitor_stop(sh);
    signal(SIGHUP, SIG_DFL);
    raise(SIGHUP);
    _exit(128 + SIGHUP);
}
