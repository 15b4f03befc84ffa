/* SPDX-License-Identifier: MIT */
/*
 * Which sets of periodic tasks meet all their deadlines.
 *
 * Sources: Liu and Layland 1973 (bounds); Joseph and Pandya 1986 (response times); Baruah, Rosier
 * and Howell 1990 (processor demand).
 */
#include "ring3/policy.h"

__extension__ typedef __int128 wide;

static int64_t deadline_of(const ring3_periodic_t *task)
{
    return task->deadline > 0 ? task->deadline : task->period;
}

static bool well_formed(const ring3_periodic_t *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tasks[i].time < 0 || tasks[i].deadline < 0 || tasks[i].period <= 0 ||
            tasks[i].time > deadline_of(&tasks[i]) || deadline_of(&tasks[i]) > tasks[i].period)
            return false;
    return true;
}

static bool deadlines_are_periods(const ring3_periodic_t *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (deadline_of(&tasks[i]) != tasks[i].period)
            return false;
    return true;
}

double ring3_utilisation(const ring3_periodic_t *tasks, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)tasks[i].time / (double)tasks[i].period;
    return sum;
}

/* The root by Newton's method, so that libm is not needed: x^n = 2. */
double ring3_rm_bound(size_t count)
{
    const double n = (double)count;
    double x = 1 + 0.6931471805599453 / n;

    if (count == 0)
        return 1;
    for (int turn = 0; turn < 50; turn++) {
        double power = 1;

        for (size_t i = 1; i < count && i < 64; i++)
            power *= x;
        if (count > 64) /* near the limit ln 2, where x is close to 1 + ln 2 / n */
            return 0.6931471805599453 * (1 + 0.6931471805599453 / (2 * n));
        x -= (power * x - 2) / (n * power);
    }
    return n * (x - 1);
}

static int64_t ceiling(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Does task i meet its deadline with all the more urgent ones in its way? Of equals each counts
 * the other, so the answer does not depend on their order. */
static bool responds(const ring3_periodic_t *tasks, size_t count, size_t i)
{
    const int64_t limit = deadline_of(&tasks[i]);
    int64_t response = tasks[i].time, before;

    do {
        before = response;
        response = tasks[i].time;
        for (size_t j = 0; j < count; j++) {
            const bool first =
                deadline_of(&tasks[j]) < limit || (deadline_of(&tasks[j]) == limit && j < i);

            if (first)
                response += ceiling(before, tasks[j].period) * tasks[j].time;
        }
        if (response > limit)
            return false;
    } while (response != before);
    return true;
}

ring3_admission_t ring3_admit_rm(const ring3_periodic_t *tasks, size_t count)
{
    if (!well_formed(tasks, count))
        return RING3_ADMIT_REJECTED;
    if (deadlines_are_periods(tasks, count) &&
        ring3_utilisation(tasks, count) <= ring3_rm_bound(count))
        return RING3_ADMIT_BOUND;
    for (size_t i = 0; i < count; i++)
        if (!responds(tasks, count, i))
            return RING3_ADMIT_REJECTED;
    return RING3_ADMIT_EXACT;
}

/* A sum of fractions that is exactly 1 may be rounded to a little more; a millionth of a millionth
 * is far more than that and far less than any CPU's share that matters. */
static bool fits(const ring3_periodic_t *tasks, size_t count)
{
    return ring3_utilisation(tasks, count) <= 1 + 1e-12;
}

/* CPU time of the jobs that are released and due within `span` from a common release. */
static wide demand(const ring3_periodic_t *tasks, size_t count, int64_t span)
{
    wide sum = 0;

    for (size_t i = 0; i < count; i++)
        if (span >= deadline_of(&tasks[i]))
            sum += (wide)((span - deadline_of(&tasks[i])) / tasks[i].period + 1) * tasks[i].time;
    return sum;
}

/* The longest time for which the CPU is busy without a pause after a common release; 0 if there is
 * no end in sight. */
static int64_t busy_span(const ring3_periodic_t *tasks, size_t count)
{
    wide span = 0, before;

    for (size_t i = 0; i < count; i++)
        span += tasks[i].time;
    do {
        before = span;
        span = 0;
        for (size_t i = 0; i < count; i++)
            span += (before + tasks[i].period - 1) / tasks[i].period * tasks[i].time;
        if (span > INT64_MAX)
            return 0;
    } while (span != before);
    return (int64_t)span;
}

ring3_admission_t ring3_admit_edf(const ring3_periodic_t *tasks, size_t count)
{
    if (!well_formed(tasks, count) || !fits(tasks, count))
        return RING3_ADMIT_REJECTED;
    if (deadlines_are_periods(tasks, count))
        return RING3_ADMIT_BOUND;

    const int64_t end = busy_span(tasks, count);

    for (size_t i = 0; i < count; i++)
        for (int64_t at = deadline_of(&tasks[i]); at <= end; at += tasks[i].period)
            if (demand(tasks, count, at) > at)
                return RING3_ADMIT_REJECTED;
    return RING3_ADMIT_EXACT;
}
