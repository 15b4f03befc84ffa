/* SPDX-License-Identifier: MIT */
#include "ring3/fdpass.h"

#include "call.h"
#include "feature.h"
#include "message.h"
#include "ring3/fd.h"
#include "ring3/process.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Room for everything a peer can make the kernel attach. Aligned as the macros want it. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * RING3_FDPASS_MAX) + CMSG_SPACE(sizeof(struct ucred)) +
              CMSG_SPACE(sizeof(int)) + CMSG_SPACE(256)]; /* and a security label */
};

ssize_t ring3_fdpass_send(int socket, const void *data, size_t size, const int *fds, int count,
                          const struct timespec *deadline)
{
    union control control;
    struct iovec one = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};

    if (size == 0 || count < 0 || count > RING3_FDPASS_MAX)
        return -EINVAL;
    if (count > 0) {
        const size_t bytes = (size_t)count * sizeof *fds;

        memset(&control, 0, CMSG_SPACE(bytes));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(&control.header), fds, bytes);
    }
    return ring3_message_send(socket, &message, 0, deadline);
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        ring3_fd_close(fds[i]);
}

/* What came beside the data. */
struct attached {
    int fds[RING3_FDPASS_MAX];
    int count;
    ring3_credentials_t credentials;
};

static void take_attached(struct msghdr *message, struct attached *attached)
{
    attached->count = 0;
    attached->credentials = (ring3_credentials_t){0, (uid_t)-1, (gid_t)-1};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        const size_t bytes = c->cmsg_len - CMSG_LEN(0);
        struct ucred sender;
        int pidfd;

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            /* The kernel sends one such block; the sum cannot exceed its limit. */
            memcpy(attached->fds + attached->count, CMSG_DATA(c), bytes);
            attached->count += (int)(bytes / sizeof(int));
        } else if (c->cmsg_type == SCM_CREDENTIALS && bytes >= sizeof sender) {
            memcpy(&sender, CMSG_DATA(c), sizeof sender);
            attached->credentials = (ring3_credentials_t){sender.pid, sender.uid, sender.gid};
        } else if (c->cmsg_type == SCM_PIDFD && bytes >= sizeof pidfd) {
            memcpy(&pidfd, CMSG_DATA(c), sizeof pidfd);
            if (pidfd >= 0) /* somebody set SO_PASSPIDFD; nobody here would close it */
                ring3_fd_close(pidfd);
        }
    }
}

ssize_t ring3_fdpass_receive(int socket, void *data, size_t size, int *fds, int *count,
                             ring3_credentials_t *credentials, const struct timespec *deadline)
{
    const int room = *count;
    union control control;
    struct attached attached;
    struct iovec one = {data, size};
    struct msghdr message = {.msg_iov = &one,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    const ssize_t got = ring3_message_receive(socket, &message, 0, deadline);

    *count = 0;
    if (got < 0)
        return got;
    take_attached(&message, &attached);
    const int err = message.msg_flags & MSG_CTRUNC  ? -EMFILE
                    : message.msg_flags & MSG_TRUNC ? -EMSGSIZE
                    : attached.count > room         ? -E2BIG
                                                    : 0;
    if (err) {
        close_all(attached.fds, attached.count);
        return err;
    }
    if (attached.count > 0)
        memcpy(fds, attached.fds, (size_t)attached.count * sizeof *fds);
    *count = attached.count;
    if (credentials)
        *credentials = attached.credentials;
    return got;
}

int ring3_credentials_ask(int socket, bool on)
{
    const int value = on;

    return ring3_call(setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &value, sizeof value));
}

int ring3_peer_credentials(int socket, ring3_credentials_t *credentials)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    const int err = ring3_call(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size));

    if (!err)
        *credentials = (ring3_credentials_t){peer.pid, peer.uid, peer.gid};
    return err;
}

static ring3_feature_t peerpidfd = {"peerpidfd", 0};

int ring3_peer_pidfd(int socket)
{
    if (ring3_feature_usable(&peerpidfd)) {
        int pidfd = -1;
        socklen_t size = sizeof pidfd;
        const int err = ring3_call(getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size));

        if (!err)
            return pidfd;
        if (err != -ENOPROTOOPT)
            return err == -EINVAL ? -ESRCH : err; /* 6.5 says EINVAL of the dead */
        ring3_feature_set_absent(&peerpidfd);
    }
    ring3_credentials_t peer;
    const int err = ring3_peer_credentials(socket, &peer);

    if (err)
        return err;
    return peer.pid > 0 ? ring3_pidfd_open(peer.pid) : -ENODATA;
}
