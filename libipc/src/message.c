/* SPDX-License-Identifier: MIT */
#include "message.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/socket.h"
#include "ring3/wait.h"

#include <poll.h>
#include <stdbool.h>

/* Without a deadline a blocking descriptor may block; with one, it never does. */
static int nowait(const struct timespec *deadline)
{
    return deadline ? MSG_DONTWAIT : 0;
}

/* After -EAGAIN: 0 to try again. */
static ssize_t wait_ready(int fd, short events, int flags, const struct timespec *deadline)
{
    if (flags & MSG_DONTWAIT)
        return -EAGAIN;
    const int ready = ring3_fd_wait(fd, events, deadline);

    return ready < 0 ? ready : 0;
}

/* A datagram socket without a peer is always ready, whether or not the addressee has room: what was ready and took
 * nothing is tried again after growing pauses. */
ssize_t ring3_message_send(int fd, const struct msghdr *message, int flags,
                           const struct timespec *deadline)
{
    ring3_pause_t pause = {0};

    for (bool futile = false;; futile = true) {
        const ssize_t put =
            ring3_retry(sendmsg(fd, message, flags | nowait(deadline) | MSG_NOSIGNAL));

        if (put != -EAGAIN)
            return put;
        ssize_t err = wait_ready(fd, POLLOUT, flags, deadline);

        if (!err && futile)
            err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err)
            return err;
    }
}

ssize_t ring3_message_receive(int fd, struct msghdr *message, int flags,
                              const struct timespec *deadline)
{
    const struct msghdr asked = *message; /* the call writes its answers over it */

    for (;;) {
        const ssize_t got =
            ring3_retry(recvmsg(fd, message, flags | nowait(deadline) | MSG_CMSG_CLOEXEC));

        if (got != -EAGAIN)
            return got;
        const ssize_t err = wait_ready(fd, flags & MSG_OOB ? POLLPRI : POLLIN, flags, deadline);

        if (err)
            return err;
        *message = asked;
    }
}

ssize_t ring3_send_to(int fd, const void *data, size_t size, int flags, const ring3_address_t *to,
                      const struct timespec *deadline)
{
    struct iovec one = {(void *)(uintptr_t)data, size};
    const struct msghdr message = {
        .msg_name = to ? (void *)(uintptr_t)&to->storage : NULL,
        .msg_namelen = to ? to->length : 0,
        .msg_iov = &one,
        .msg_iovlen = 1,
    };

    return ring3_message_send(fd, &message, flags, deadline);
}

ssize_t ring3_receive_from(int fd, void *data, size_t size, int flags, ring3_address_t *from,
                           const struct timespec *deadline)
{
    struct iovec one = {data, size};
    struct msghdr message = {
        .msg_name = from ? &from->storage : NULL,
        .msg_namelen = from ? sizeof from->storage : 0,
        .msg_iov = &one,
        .msg_iovlen = 1,
    };
    const ssize_t got = ring3_message_receive(fd, &message, flags, deadline);

    if (got < 0)
        return got;
    if (from)
        from->length = message.msg_namelen;
    return (message.msg_flags & MSG_TRUNC) && !(flags & MSG_TRUNC) ? -EMSGSIZE : got;
}

ssize_t ring3_send(int fd, const void *data, size_t size, int flags,
                   const struct timespec *deadline)
{
    return ring3_send_to(fd, data, size, flags, NULL, deadline);
}

ssize_t ring3_receive(int fd, void *data, size_t size, int flags, const struct timespec *deadline)
{
    return ring3_receive_from(fd, data, size, flags, NULL, deadline);
}
