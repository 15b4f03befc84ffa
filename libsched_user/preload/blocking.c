/* SPDX-License-Identifier: MIT */
/*
 * Input, output and waiting for children: outside the gate, unless it can be had at once.
 *
 * With a seed nobody goes outside: who must wait looks again after each step of logical time, in
 * which others run.
 */
#include "gate.h"

#include <fcntl.h>

/* With a seed: after so many looks in vain it is not the others who are slow; then each look waits
 * for so long in real time. */
#define LOOKS_QUICK  64
#define LOOK_MS      1
#define NO_TIME_LEFT 0

static void come_back(void *me)
{
    gate_enter(me);
}

/* `result = call` while others may run. */
#define OUTSIDE(me, result, call)                                                                  \
    do {                                                                                           \
        gate_leave(me);                                                                            \
        pthread_cleanup_push(come_back, me);                                                       \
        result = call;                                                                             \
        pthread_cleanup_pop(1);                                                                    \
    } while (0)

/* With a seed: let others run for a step; false when `until` has come. */
static bool pause_until(struct gated *me, int64_t until, unsigned *looks)
{
    const int64_t now = gate_now(), next = now + gate.step;

    if (now >= until)
        return false;
    (void)gate_sleep(me, next < until ? next : until);
    if (++*looks > LOOKS_QUICK) {
        struct timespec real_pause = {0, LOOK_MS * 1000000};

        (void)real()->clock_nanosleep(CLOCK_MONOTONIC, 0, &real_pause, NULL);
    }
    return true;
}

/* --- One descriptor --------------------------------------------------------------------------- */

static bool is_ready(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    const int saved = errno;
    const bool ready = real()->poll(&look, 1, NO_TIME_LEFT) != 0;

    errno = saved;
    return ready;
}

/* The caller if it has to go outside for this call, else NULL. */
static struct gated *call_on(int fd, short events, bool never_blocks)
{
    struct gated *const me = gate_call();
    unsigned looks = 0;

    if (!me || never_blocks || is_ready(fd, events))
        return NULL;
    if (!gate.seeded)
        return me;
    if (fcntl(fd, F_GETFL) & O_NONBLOCK)
        return NULL;
    do
        (void)pause_until(me, FOR_EVER, &looks);
    while (!is_ready(fd, events));
    return NULL;
}

PUBLIC ssize_t read(int fd, void *data, size_t size)
{
    struct gated *const me = call_on(fd, POLLIN, false);
    ssize_t result;

    OUTSIDE(me, result, real()->read(fd, data, size));
    return result;
}

PUBLIC ssize_t write(int fd, const void *data, size_t size)
{
    struct gated *const me = call_on(fd, POLLOUT, false);
    ssize_t result;

    OUTSIDE(me, result, real()->write(fd, data, size));
    return result;
}

PUBLIC ssize_t readv(int fd, const struct iovec *parts, int count)
{
    struct gated *const me = call_on(fd, POLLIN, false);
    ssize_t result;

    OUTSIDE(me, result, real()->readv(fd, parts, count));
    return result;
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct gated *const me = call_on(fd, POLLOUT, false);
    ssize_t result;

    OUTSIDE(me, result, real()->writev(fd, parts, count));
    return result;
}

PUBLIC ssize_t recv(int fd, void *data, size_t size, int flags)
{
    struct gated *const me = call_on(fd, POLLIN, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->recv(fd, data, size, flags));
    return result;
}

PUBLIC ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags,
                        struct sockaddr *restrict from, socklen_t *restrict length)
{
    struct gated *const me = call_on(fd, POLLIN, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->recvfrom(fd, data, size, flags, from, length));
    return result;
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    struct gated *const me = call_on(fd, POLLIN, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->recvmsg(fd, message, flags));
    return result;
}

PUBLIC ssize_t send(int fd, const void *data, size_t size, int flags)
{
    struct gated *const me = call_on(fd, POLLOUT, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->send(fd, data, size, flags));
    return result;
}

PUBLIC ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
                      socklen_t length)
{
    struct gated *const me = call_on(fd, POLLOUT, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->sendto(fd, data, size, flags, to, length));
    return result;
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct gated *const me = call_on(fd, POLLOUT, flags & MSG_DONTWAIT);
    ssize_t result;

    OUTSIDE(me, result, real()->sendmsg(fd, message, flags));
    return result;
}

PUBLIC int accept(int fd, struct sockaddr *restrict from, socklen_t *restrict length)
{
    struct gated *const me = call_on(fd, POLLIN, false);
    int result;

    OUTSIDE(me, result, real()->accept(fd, from, length));
    return result;
}

PUBLIC int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags)
{
    struct gated *const me = call_on(fd, POLLIN, false);
    int result;

    OUTSIDE(me, result, real()->accept4(fd, from, length, flags));
    return result;
}

PUBLIC int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->connect(fd, to, length));
    return result;
}

/* --- Several descriptors ---------------------------------------------------------------------- */

/* The end of a wait that `ns` limits; negative: nothing does. */
static int64_t end_of(int64_t ns)
{
    return ns < 0 ? FOR_EVER : gate_now() + ns;
}

static int64_t ns_or_ever(const struct timespec *time)
{
    return !time || time->tv_sec > INT32_MAX ? -1 : ns_of(time);
}

PUBLIC int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask)
{
    static const struct timespec none = {0, 0};
    struct gated *const me = gate_call();
    const int64_t ns = ns_or_ever(timeout), until = me ? end_of(ns) : 0;
    unsigned looks = 0;
    int result;

    if (!me || (timeout && (!is_time(timeout) || timeout->tv_sec < 0)))
        return real()->ppoll(fds, count, timeout, mask);
    while ((result = real()->ppoll(fds, count, &none, mask)) == 0 && ns != 0 && gate.seeded)
        if (!pause_until(me, until, &looks))
            return 0;
    if (result == 0 && ns != 0)
        OUTSIDE(me, result, real()->ppoll(fds, count, timeout, mask));
    return result;
}

PUBLIC int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    const struct timespec limit = {timeout / 1000, (long)(timeout % 1000) * 1000000};

    return ppoll(fds, count, timeout < 0 ? NULL : &limit, NULL);
}

PUBLIC int pselect(int count, fd_set *restrict reads, fd_set *restrict writes,
                   fd_set *restrict others, const struct timespec *restrict timeout,
                   const sigset_t *restrict mask)
{
    static const struct timespec none = {0, 0};
    struct gated *const me = gate_call();
    const int64_t ns = ns_or_ever(timeout), until = me ? end_of(ns) : 0;
    unsigned looks = 0;
    int result;

    if (!me || ns == 0 || (timeout && (!is_time(timeout) || timeout->tv_sec < 0)))
        return real()->pselect(count, reads, writes, others, timeout, mask);
    if (!gate.seeded) {
        OUTSIDE(me, result, real()->pselect(count, reads, writes, others, timeout, mask));
        return result;
    }
    for (;;) {
        fd_set r, w, o;

        if (reads)
            r = *reads;
        if (writes)
            w = *writes;
        if (others)
            o = *others;
        result = real()->pselect(count, reads ? &r : NULL, writes ? &w : NULL, others ? &o : NULL,
                                 &none, mask);
        if (result == 0 && pause_until(me, until, &looks))
            continue;
        if (result >= 0 && reads)
            *reads = r;
        if (result >= 0 && writes)
            *writes = w;
        if (result >= 0 && others)
            *others = o;
        return result;
    }
}

PUBLIC int select(int count, fd_set *restrict reads, fd_set *restrict writes,
                  fd_set *restrict others, struct timeval *restrict timeout)
{
    struct timespec limit = {0, 0};

    if (!ring3_load(&gate.active, RING3_RELAXED) || (timeout && timeout->tv_usec >= 1000000))
        return real()->select(count, reads, writes, others, timeout);
    if (timeout)
        limit = (struct timespec){timeout->tv_sec, (long)timeout->tv_usec * 1000};
    return pselect(count, reads, writes, others, timeout ? &limit : NULL, NULL);
}

PUBLIC int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout,
                       const sigset_t *mask)
{
    struct gated *const me = gate_call();
    const int64_t until = me ? end_of((int64_t)timeout * 1000000) : 0;
    unsigned looks = 0;
    int result;

    if (!me)
        return real()->epoll_pwait(epoll, events, most, timeout, mask);
    while ((result = real()->epoll_pwait(epoll, events, most, NO_TIME_LEFT, mask)) == 0 &&
           timeout != 0 && gate.seeded)
        if (!pause_until(me, until, &looks))
            return 0;
    if (result == 0 && timeout != 0)
        OUTSIDE(me, result, real()->epoll_pwait(epoll, events, most, timeout, mask));
    return result;
}

PUBLIC int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    return epoll_pwait(epoll, events, most, timeout, NULL);
}

/* --- Children and signals --------------------------------------------------------------------- */

PUBLIC pid_t wait4(pid_t child, int *status, int options, struct rusage *usage)
{
    struct gated *const me = options & WNOHANG ? NULL : gate_call();
    pid_t result;

    OUTSIDE(me, result, real()->wait4(child, status, options, usage));
    return result;
}

PUBLIC pid_t waitpid(pid_t child, int *status, int options)
{
    return wait4(child, status, options, NULL);
}

PUBLIC pid_t wait(int *status)
{
    return wait4(-1, status, 0, NULL);
}

PUBLIC int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct gated *const me = options & WNOHANG ? NULL : gate_call();
    int result;

    OUTSIDE(me, result, real()->waitid(type, id, info, options));
    return result;
}

PUBLIC int sigwait(const sigset_t *restrict set, int *restrict number)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->sigwait(set, number));
    return result;
}

PUBLIC int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
                        const struct timespec *restrict timeout)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->sigtimedwait(set, info, timeout));
    return result;
}

PUBLIC int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
    return sigtimedwait(set, info, NULL);
}

PUBLIC int pause(void)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->pause());
    return result;
}

PUBLIC int sigsuspend(const sigset_t *mask)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->sigsuspend(mask));
    return result;
}

PUBLIC int system(const char *command)
{
    struct gated *const me = gate_call();
    int result;

    OUTSIDE(me, result, real()->system(command));
    return result;
}
