/* SPDX-License-Identifier: MIT */
/* Sleeping at the gate; and clocks, which with a seed show logical time since the gate began. */
#include "gate.h"

/* --- Sleeping --------------------------------------------------------------------------------- */

/* The word is one's own: nobody wakes it. */
int gate_sleep(struct gated *me, int64_t until)
{
    int result = 0;

    pthread_testcancel();
    while (result != EINTR && gate_now() < until) {
        gate_lock(me);
        gate_announce(&me->until);
        result = gate_wait(me, &me->until, FOR_TIME, until);
        if (me->cancelled) {
            me->cancelled = false;
            pthread_testcancel();
        }
    }
    return result == EINTR ? EINTR : 0;
}

PUBLIC int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                           struct timespec *left)
{
    struct gated *const me = gate_call();
    int64_t until;
    int result;

    if (!me || !is_time(time) || time->tv_sec < 0 ||
        (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return real()->clock_nanosleep(clock, flags, time, left);
    if (flags & TIMER_ABSTIME)
        until = gate_until(clock, time);
    else
        until = time->tv_sec > INT32_MAX ? FOR_EVER : gate_now() + ns_of(time);
    result = gate_sleep(me, until);
    if (result == EINTR && left && !(flags & TIMER_ABSTIME)) {
        const int64_t rest = until - gate_now();

        *left = (struct timespec){rest > 0 ? rest / RING3_SECOND_NS : 0,
                                  rest > 0 ? rest % RING3_SECOND_NS : 0};
    }
    return result;
}

PUBLIC int nanosleep(const struct timespec *time, struct timespec *left)
{
    const int result = clock_nanosleep(CLOCK_REALTIME, 0, time, left);

    if (result == 0)
        return 0;
    errno = result;
    return -1;
}

PUBLIC int usleep(useconds_t us)
{
    const struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};

    return nanosleep(&time, NULL);
}

PUBLIC unsigned sleep(unsigned seconds)
{
    struct timespec left = {0, 0};
    const struct timespec time = {seconds, 0};
    const int saved = errno;

    if (nanosleep(&time, &left) == 0)
        return 0;
    errno = saved;
    return (unsigned)(left.tv_sec + (left.tv_nsec >= RING3_SECOND_NS / 2));
}

/* --- Clocks ----------------------------------------------------------------------------------- */

/* What the clock showed when the gate began; or what it was told to show. */
static int64_t offset_of(clockid_t clock)
{
    static int64_t offsets[2]; /* 0: not known yet */
    const bool monotonic = clock == CLOCK_MONOTONIC;
    int64_t offset = ring3_load(&offsets[monotonic], RING3_RELAXED);
    struct timespec now;

    if (gate.epoch && !monotonic)
        return gate.epoch;
    if (!offset) {
        (void)real()->clock_gettime(clock, &now);
        offset = ns_of(&now) - gate_now();
        ring3_store(&offsets[monotonic], offset, RING3_RELAXED);
    }
    return offset;
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *time)
{
    int64_t now;

    if (!gate.seeded || gated_self == &gate_gone ||
        (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return real()->clock_gettime(clock, time);
    (void)gate_call();
    now = offset_of(clock) + gate_now();
    *time = (struct timespec){now / RING3_SECOND_NS, now % RING3_SECOND_NS};
    return 0;
}

PUBLIC int gettimeofday(struct timeval *time, void *zone)
{
    struct timespec now;

    if (!gate.seeded)
        return real()->gettimeofday(time, zone);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

PUBLIC time_t time(time_t *result)
{
    struct timespec now;

    if (!gate.seeded)
        return real()->time(result);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}
