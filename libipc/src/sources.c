/* SPDX-License-Identifier: MIT */
/* Times and wake-ups as descriptors. */
#include "call.h"
#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/wait.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Both kinds hold a 64-bit count that reading takes. */
static int64_t take(int fd)
{
    uint64_t count;
    const ssize_t got = ring3_fd_read(fd, &count, sizeof count);

    if (got < 0)
        return got;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

int ring3_timer_open(void)
{
    return ring3_call(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

int ring3_timer_set(int fd, const struct timespec *when, int64_t interval_ns)
{
    struct itimerspec times = {0};

    if (interval_ns < 0)
        return -EINVAL;
    if (when) {
        times.it_value = *when;
        if (when->tv_sec <= 0 && when->tv_nsec == 0) /* zero would disarm it */
            times.it_value = (struct timespec){0, 1};
        times.it_interval.tv_sec = interval_ns / RING3_SECOND_NS;
        times.it_interval.tv_nsec = interval_ns % RING3_SECOND_NS;
    }
    return ring3_call(timerfd_settime(fd, TFD_TIMER_ABSTIME, &times, NULL));
}

int64_t ring3_timer_take(int fd)
{
    return take(fd);
}

int ring3_event_open(void)
{
    return ring3_call(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int ring3_event_raise(int fd)
{
    const uint64_t one = 1;
    /* Nothing to keep quiet about: an event descriptor raises no SIGPIPE. */
    const ssize_t put = ring3_retry(write(fd, &one, sizeof one));

    return put < 0 && put != -EAGAIN ? (int)put : 0; /* full to the brim is raised */
}

int64_t ring3_event_take(int fd)
{
    return take(fd);
}
