/* SPDX-License-Identifier: MIT */
/* Calls that try first, and then let the thread wait for the descriptor. */
#include "ring3/io.h"

#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring3/env.h"

#define POLL_MOST 64

/* A call and its arguments. */
struct request {
    ssize_t (*call)(const struct request *request);
    int fd;
    void *buffer;
    size_t size;
    struct sockaddr *address;
    socklen_t *length;
};

static ssize_t call_read(const struct request *request)
{
    return read(request->fd, request->buffer, request->size);
}

static ssize_t call_write(const struct request *request)
{
    return write(request->fd, request->buffer, request->size);
}

static ssize_t call_accept(const struct request *request)
{
    return accept4(request->fd, request->address, request->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static ssize_t try_call(const struct request *request)
{
    ssize_t got;

    do
        got = request->call(request);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static intptr_t try_elsewhere(void *request)
{
    return try_call(request);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static int64_t timer_of(const struct timespec *deadline)
{
    return !deadline ? 0 : ns_of(deadline) > 0 ? ns_of(deadline) : 1;
}

static int wait_as_kernel_thread(int fd, enum poller_side side, const struct timespec *deadline)
{
    struct pollfd one = {.fd = fd, .events = side == POLLER_IN ? POLLIN : POLLOUT};
    const int got = ring3_poll(&one, 1, deadline);

    return got < 0 ? got : got == 0 ? -ETIMEDOUT : 0;
}

static int wait_for(int fd, enum poller_side side, uint32_t seen, const struct timespec *deadline)
{
    struct poller_waiter waiter = {.thread = thread_here(), .fd = fd, .side = side};
    int err = ring3_thread_cancelled();

    if (!waiter.thread)
        return wait_as_kernel_thread(fd, side, deadline);
    if (err || !poller_stand(&waiter, seen))
        return err;
    err = thread_wait(waiter.thread, timer_of(deadline));
    poller_leave(&waiter);
    return err;
}

static ssize_t perform(const struct request *request, enum poller_side side,
                       const struct timespec *deadline)
{
    int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    if (!err)
        err = ring3_thread_cancelled();
    if (!err)
        err = poller_watch(request->fd);
    if (err == -EPERM)
        return ring3_blocking(try_elsewhere, (void *)(uintptr_t)request);
    while (!err) {
        const uint32_t seen = poller_seen(request->fd, side);
        const ssize_t got = try_call(request);

        if (got != -EAGAIN)
            return got;
        err = wait_for(request->fd, side, seen, deadline);
    }
    return err;
}

/* --- The calls -------------------------------------------------------------------------------- */

ssize_t ring3_read(int fd, void *buffer, size_t size, const struct timespec *deadline)
{
    return perform(&(struct request){.call = call_read, .fd = fd, .buffer = buffer, .size = size},
                   POLLER_IN, deadline);
}

ssize_t ring3_write(int fd, const void *buffer, size_t size, const struct timespec *deadline)
{
    return perform(
        &(struct request){
            .call = call_write, .fd = fd, .buffer = (void *)(uintptr_t)buffer, .size = size},
        POLLER_OUT, deadline);
}

int ring3_accept(int fd, struct sockaddr *address, socklen_t *length,
                 const struct timespec *deadline)
{
    const struct request request = {
        .call = call_accept, .fd = fd, .address = address, .length = length};
    const int got = (int)perform(&request, POLLER_IN, deadline);

    if (got >= 0)
        poller_unwatch(got); /* whoever had the number before */
    return got;
}

int ring3_connect(int fd, const struct sockaddr *address, socklen_t length,
                  const struct timespec *deadline)
{
    socklen_t size = sizeof(int);
    int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0, result = 0;
    uint32_t seen;

    if (!err)
        err = ring3_thread_cancelled();
    if (!err)
        err = poller_watch(fd);
    if (err)
        return err;
    seen = poller_seen(fd, POLLER_OUT);
    if (connect(fd, address, length) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLOUT};

        if (poll(&one, 1, 0) > 0)
            break;
        err = wait_for(fd, POLLER_OUT, seen, deadline);
        if (err)
            return err;
        seen = poller_seen(fd, POLLER_OUT);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) != 0)
        return -errno;
    return -result;
}

/* --- Poll ------------------------------------------------------------------------------------- */

struct polling {
    struct pollfd *fds;
    nfds_t count;
    const struct timespec *deadline;
};

static intptr_t poll_in_kernel(void *at)
{
    const struct polling *const polling = at;

    for (;;) {
        struct timespec now, left = {0, 0};
        int64_t ns = 0;
        int got;

        if (polling->deadline) {
            (void)clock_gettime(CLOCK_MONOTONIC, &now);
            ns = ns_of(polling->deadline) - ns_of(&now);
            if (ns > 0)
                left = (struct timespec){ns / RING3_SECOND_NS, ns % RING3_SECOND_NS};
        }
        got = ppoll(polling->fds, polling->count, polling->deadline ? &left : NULL, NULL);
        if (got >= 0 || errno != EINTR)
            return got < 0 ? -errno : got;
    }
}

/* Descriptors of which each waiter waits for one side. */
static nfds_t stand_for_all(struct pollfd *fds, nfds_t count, struct poller_waiter *waiters,
                            const uint32_t (*seen)[2], bool *ready)
{
    struct thread *const self = thread_here();
    nfds_t standing = 0;

    *ready = false;
    for (nfds_t i = 0; i < count && !*ready; i++)
        for (int side = POLLER_IN; side <= POLLER_OUT && !*ready; side++) {
            const short wanted = side == POLLER_IN ? POLLIN | POLLPRI | POLLRDHUP : POLLOUT;

            /* An error or hang-up counts as readiness of both sides. */
            if (fds[i].fd < 0 ||
                (side == POLLER_OUT ? !(fds[i].events & wanted)
                                    : (fds[i].events & POLLOUT) && !(fds[i].events & wanted)))
                continue;
            waiters[standing] = (struct poller_waiter){
                .thread = self, .fd = fds[i].fd, .side = (enum poller_side)side};
            *ready = !poller_stand(&waiters[standing], seen[i][side]);
            standing += !*ready;
        }
    return standing;
}

int ring3_poll(struct pollfd *fds, nfds_t count, const struct timespec *deadline)
{
    struct polling polling = {fds, count, deadline};
    struct poller_waiter waiters[2 * POLL_MOST];
    uint32_t seen[POLL_MOST][2];
    struct thread *const self = thread_here();
    int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    if (err || count > POLL_MOST)
        return err ? err : -EINVAL;
    if (!self)
        return (int)poll_in_kernel(&polling);
    for (nfds_t i = 0; i < count; i++) {
        err = fds[i].fd < 0 ? 0 : poller_watch(fds[i].fd);
        if (err == -EPERM || err == -EBADF)
            err = 0; /* poll has its answer at once */
        if (err)
            return err;
    }
    for (;;) {
        nfds_t standing;
        bool ready;
        int got;

        err = ring3_thread_cancelled();
        if (err)
            return err;
        for (nfds_t i = 0; i < count; i++)
            for (int side = 0; side < 2; side++)
                seen[i][side] = fds[i].fd < 0 ? 0 : poller_seen(fds[i].fd, (enum poller_side)side);
        got = poll(fds, count, 0);
        if (got != 0)
            return got < 0 ? -errno : got;
        standing = stand_for_all(fds, count, waiters, seen, &ready);
        err = ready ? 0 : thread_wait(self, timer_of(deadline));
        while (standing > 0)
            poller_leave(&waiters[--standing]);
        if (err == -ETIMEDOUT)
            return 0;
    }
}

/* --- Processes -------------------------------------------------------------------------------- */

struct waiting {
    pid_t pid;
    int *status;
    int options;
};

static intptr_t wait_in_kernel(void *at)
{
    const struct waiting *const waiting = at;
    pid_t got;

    do
        got = waitpid(waiting->pid, waiting->status, waiting->options);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

pid_t ring3_waitpid(pid_t pid, int *status, int options)
{
    struct waiting waiting = {pid, status, options | WNOHANG};
    struct pollfd process = {.fd = -1, .events = POLLIN};
    pid_t got = (pid_t)wait_in_kernel(&waiting);

    if (got != 0 || (options & WNOHANG))
        return got;
    /* A descriptor tells the end of one process; other questions are for a helper. */
    if (pid > 0 && !(options & (WUNTRACED | WCONTINUED)) && thread_here() &&
        !ring3_env_disabled("pidfd"))
        process.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process.fd >= 0) {
        poller_unwatch(process.fd);
        got = (pid_t)ring3_poll(&process, 1, NULL);
        (void)ring3_close(process.fd);
        if (got < 0)
            return got;
    }
    waiting.options = options;
    return process.fd >= 0 ? (pid_t)wait_in_kernel(&waiting)
                           : (pid_t)ring3_blocking(wait_in_kernel, &waiting);
}

int ring3_close(int fd)
{
    if (fd >= 0)
        poller_unwatch(fd);
    /* After EINTR the descriptor is closed all the same (Linux). */
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}
