/* SPDX-License-Identifier: MIT */
/* What `time` says. */
#include "core/jobs.h"

#include <time.h>

double time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

void times_begin(struct times_mark *mark)
{
    getrusage(RUSAGE_SELF, &mark->own);
    getrusage(RUSAGE_CHILDREN, &mark->children);
    mark->began = time_now();
}

void times_tell(struct shell *sh, const struct times_mark *mark, bool plain)
{
    const double real = time_now() - mark->began;
    struct rusage own, children;
    double user, system;

    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    user = seconds(own.ru_utime) - seconds(mark->own.ru_utime) + seconds(children.ru_utime) -
           seconds(mark->children.ru_utime);
    system = seconds(own.ru_stime) - seconds(mark->own.ru_stime) + seconds(children.ru_stime) -
             seconds(mark->children.ru_stime);
    if (plain)
        out_printf(&sh->err, "real %.2f\nuser %.2f\nsys %.2f\n", real, user, system);
    else
        out_printf(&sh->err, "real %.3f s  user %.3f s  sys %.3f s\n", real, user, system);
    out_flush(&sh->err);
}

void times_tell_stages(struct shell *sh, const struct job *job)
{
    out_puts(&sh->err, "stage  status    real s    user s     sys s   max RSS\n");
    for (int i = 0; i < job->count; i++) {
        const struct process_times *const t = &job->times[i];

        out_printf(&sh->err, "%5d  %6d %9.3f %9.3f %9.3f %6ld KB\n", i + 1,
                   exit_status_of(job->list[i].status), t->ended - t->began,
                   seconds(t->used.ru_utime), seconds(t->used.ru_stime), t->used.ru_maxrss);
    }
    out_flush(&sh->err);
}
