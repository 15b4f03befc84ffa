/* SPDX-License-Identifier: MIT */
#include "ring3/supervisor.h"

#include "ring3/wait.h"

#include <errno.h>

static int64_t ns_since(const struct timespec *begin)
{
    const struct timespec now = ring3_deadline_in(CLOCK_MONOTONIC, 0);

    return (now.tv_sec - begin->tv_sec) * RING3_SECOND_NS + now.tv_nsec - begin->tv_nsec;
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static int64_t pause_after(const ring3_supervisor_t *s)
{
    int64_t pause = s->pause_first_ns;

    for (unsigned i = 1; i < s->failures && pause < s->pause_longest_ns; i++)
        pause = pause > s->pause_longest_ns / 2 ? s->pause_longest_ns : pause * 2;
    return pause;
}

static void count_failure(ring3_supervisor_t *s)
{
    s->failures++;
    if (s->failures_most > 0 && s->failures >= s->failures_most)
        s->done = true;
    s->when = ring3_deadline_in(CLOCK_MONOTONIC, pause_after(s));
}

static void sleep_until(const struct timespec *when)
{
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) == EINTR)
        ;
}

static int start(ring3_supervisor_t *s, const struct timespec *deadline)
{
    if (deadline && earlier(deadline, &s->when)) {
        sleep_until(deadline);
        return -ETIMEDOUT;
    }
    sleep_until(&s->when);
    const int err = ring3_spawn(s->plan, &s->process);

    if (err) {
        count_failure(s);
        return err;
    }
    s->running = true;
    s->starts++;
    s->when = ring3_deadline_in(CLOCK_MONOTONIC, 0);
    return RING3_SUPERVISOR_STARTED;
}

int ring3_supervisor_step(ring3_supervisor_t *s, const struct timespec *deadline,
                          ring3_status_t *status)
{
    ring3_status_t end;

    if (s->done)
        return RING3_SUPERVISOR_DONE;
    if (deadline && ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (!s->running)
        return start(s, deadline);
    const int err = ring3_process_wait(&s->process, 0, deadline, &end);

    if (err)
        return err;
    s->running = false;
    if (status)
        *status = end;
    if (s->only_failures && end.kind == RING3_EXITED && end.value == 0) {
        s->done = true;
        return RING3_SUPERVISOR_DONE;
    }
    if (ns_since(&s->when) >= s->steady_ns)
        s->failures = 0;
    count_failure(s);
    return s->done ? RING3_SUPERVISOR_DONE : RING3_SUPERVISOR_ENDED;
}

int ring3_supervisor_stop(ring3_supervisor_t *s, const struct timespec *deadline,
                          ring3_status_t *status)
{
    const bool running = s->running;

    s->done = true;
    s->running = false;
    return running ? ring3_process_end(&s->process, deadline, status) : 0;
}
