/* SPDX-License-Identifier: MIT */
/* What a simulation says about itself, as text. */
#include "ring3/sim.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS 1e6

/* Columns of the picture. */
#define PICTURE_WIDTH 64

/* Milliseconds with up to six decimals and no zeros at the end. */
static const char *ms(double ns, char text[32])
{
    (void)snprintf(text, 32, "%.6f", ns / MS_NS);
    for (char *end = text + strlen(text) - 1; *end == '0' || *end == '.'; end--) {
        const bool point = *end == '.';

        *end = '\0';
        if (point)
            break;
    }
    return text;
}

void ring3_sim_print_gantt(FILE *out, const ring3_sim_workload_t *work,
                           const ring3_sim_result_t *result)
{
    char from[32], to[32];

    for (unsigned cpu = 0; cpu < result->cpus; cpu++) {
        const char *separator = "";

        if (result->cpus > 1)
            fprintf(out, "cpu%u: ", cpu);
        for (size_t i = 0; i < result->slice_count; i++) {
            const ring3_sim_slice_t *const slice = &result->slices[i];

            if (slice->cpu != cpu)
                continue;
            fprintf(out, "%s%s %s-%s", separator, work->jobs[slice->job].name,
                    ms((double)slice->from, from), ms((double)slice->to, to));
            separator = ", ";
        }
        fputc('\n', out);
    }
}

static size_t name_width(const ring3_sim_workload_t *work)
{
    size_t width = 3;

    for (size_t i = 0; i < work->count; i++)
        width = strlen(work->jobs[i].name) > width ? strlen(work->jobs[i].name) : width;
    return width;
}

/* A row for each job: '#' where it ran, one digit for the CPU where there are several. */
static void print_picture(FILE *out, const ring3_sim_workload_t *work,
                          const ring3_sim_result_t *result)
{
    const int64_t units = result->end / 1000000;
    const bool exact = units * 1000000 == result->end && units > 0 && units <= PICTURE_WIDTH;
    const int columns = exact ? (int)units : PICTURE_WIDTH;
    const int width = (int)name_width(work);
    char *const rows = malloc(work->count * (size_t)columns);
    char end[32];

    if (!rows || result->end <= 0) {
        free(rows);
        return;
    }
    memset(rows, ' ', work->count * (size_t)columns);
    for (size_t i = 0; i < result->slice_count; i++) {
        const ring3_sim_slice_t *const slice = &result->slices[i];
        const double scale = (double)columns / (double)result->end;
        const int from = (int)((double)slice->from * scale + 1e-9);
        int to = (int)((double)slice->to * scale + 1e-9);

        to = to > from ? to : from + 1;
        for (int at = from; at < to && at < columns; at++)
            rows[slice->job * (size_t)columns + (size_t)at] =
                result->cpus > 1 ? (char)('0' + slice->cpu % 10) : '#';
    }
    for (size_t i = 0; i < work->count; i++)
        fprintf(out, "%-*s |%.*s|\n", width, work->jobs[i].name, columns,
                &rows[i * (size_t)columns]);
    fprintf(out, "%*s 0%*s\n\n", width, "", columns + 1, ms((double)result->end, end));
    free(rows);
}

static void print_job(FILE *out, int width, const ring3_sim_job_t *job,
                      const ring3_sim_outcome_t *outcome)
{
    char arrive[32], ran[32], waited[32], response[32], turnaround[32];

    fprintf(out, "%-*s %10s %10s %10s %10s %10s", width, job->name, ms((double)job->arrive, arrive),
            ms((double)outcome->ran, ran), ms((double)outcome->waited, waited),
            outcome->first_run < 0 ? "-" : ms((double)outcome->response, response),
            outcome->finished == 0 ? "-" : ms((double)outcome->turnaround, turnaround));
    if (job->period > 0 || job->deadline > 0)
        fprintf(out, "   %llu of %llu late", (unsigned long long)outcome->misses,
                (unsigned long long)outcome->releases);
    fputc('\n', out);
}

void ring3_sim_print(FILE *out, const ring3_sim_workload_t *work, const ring3_sim_result_t *result)
{
    const int width = (int)name_width(work) > 4 ? (int)name_width(work) : 4;
    char waiting[32], response[32], turnaround[32], overhead[32];

    /* Beyond that a picture says nothing. */
    if (work->count <= 40)
        print_picture(out, work, result);
    if (result->slice_count <= 200)
        ring3_sim_print_gantt(out, work, result);
    fprintf(out, "\n%-*s %10s %10s %10s %10s %10s\n", width, "job", "arrive", "ran", "waiting",
            "response", "turnaround");
    for (size_t i = 0; i < work->count; i++)
        print_job(out, width, &work->jobs[i], &result->jobs[i]);
    fprintf(out, "%-*s %10s %10s %10s %10s %10s\n\n", width, "mean", "", "",
            ms(result->waiting, waiting), ms(result->response, response),
            ms(result->turnaround, turnaround));
    fprintf(out, "%llu switches, %llu migrations, utilisation %.1f %%",
            (unsigned long long)result->switches, (unsigned long long)result->migrations,
            100 * result->utilisation);
    if (result->overhead > 0)
        fprintf(out, ", %s ms lost in switches", ms((double)result->overhead, overhead));
    if (result->misses > 0)
        fprintf(out, ", %llu deadlines missed", (unsigned long long)result->misses);
    if (result->stuck)
        fprintf(out, "\nDeadlock: the jobs that are left wait for each other's locks");
    fputc('\n', out);
}

void ring3_sim_print_summary(FILE *out, const char *name, const ring3_sim_result_t *result)
{
    char waiting[32], response[32], turnaround[32];

    if (!result) {
        fprintf(out, "%-28s %12s %12s %12s %9s %6s %7s\n", "policy", "waiting", "response",
                "turnaround", "switches", "util", "missed");
        return;
    }
    fprintf(out, "%-28s %12s %12s %12s %9llu %5.1f%% %7llu\n", name,
            ms((double)(int64_t)(result->waiting + 0.5), waiting),
            ms((double)(int64_t)(result->response + 0.5), response),
            ms((double)(int64_t)(result->turnaround + 0.5), turnaround),
            (unsigned long long)result->switches, 100 * result->utilisation,
            (unsigned long long)result->misses);
}
