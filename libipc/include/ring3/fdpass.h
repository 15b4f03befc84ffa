/* SPDX-License-Identifier: MIT */
/*
 * Pass descriptors over UNIX sockets, and know who is at the other end.
 *
 *     ring3_fdpass_send(socket, "M", 1, &memfd, 1, deadline);
 *
 *     int fds[4], count = 4;
 *     got = ring3_fdpass_receive(socket, &byte, 1, fds, &count, NULL, deadline);
 *
 * What is passed is the open file description: offset and status flags are shared. Received descriptors
 * are close-on-exec. Whatever a peer sends, no descriptor is left open that the caller was not given.
 *
 * Thread-safe; async-signal-safe. Source: unix(7), cmsg(3).
 */
#ifndef RING3_FDPASS_H
#define RING3_FDPASS_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

#define RING3_FDPASS_MAX 253 /* the kernel's limit per message */

/** As the kernel vouches for it. A pid outside the receiver's pid namespace is 0. */
typedef struct ring3_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
} ring3_credentials_t;

/**
 * Send data (at least one byte) and with its first byte `count` descriptors, which stay open here.
 *
 * @return bytes, on a stream possibly a part: send the rest without the descriptors; -EINVAL (no data, or
 *         more than RING3_FDPASS_MAX), -EBADF, -ETOOMANYREFS (too many on their way), -EMSGSIZE, -EPIPE,
 *         -ETIMEDOUT
 */
ssize_t ring3_fdpass_send(int socket, const void *data, size_t size, const int *fds, int count,
                          const struct timespec *deadline);

/**
 * Receive data and the descriptors that come with it.
 *
 * @param fds, count    room for *count descriptors; receives them and their number
 * @param credentials   if not NULL, the sender's, if ring3_credentials_ask was called; otherwise pid 0
 *                      and ids -1
 * @return bytes, 0 at the end; -E2BIG (more descriptors than room), -EMFILE (this process could not take
 *         them all), -EMSGSIZE (longer than `size`): the message is consumed and all its descriptors are
 *         closed; -ETIMEDOUT, …
 */
ssize_t ring3_fdpass_receive(int socket, void *data, size_t size, int *fds, int *count,
                             ring3_credentials_t *credentials, const struct timespec *deadline);

/** Have the kernel add the sender's credentials to each message received on this socket. @return 0 */
int ring3_credentials_ask(int socket, bool on);

/** Who connected (or called listen), at that time. @return 0; -ENOTCONN or pid 0 if not connected */
int ring3_peer_credentials(int socket, ring3_credentials_t *credentials);

/**
 * A pidfd of the process that connected. From Linux 6.5 on it is that process beyond doubt. Before, or with
 * RING3_DISABLE=peerpidfd, it is looked up by pid: a process that has ended and been replaced by another
 * with the same pid since it connected cannot be told.
 *
 * @return a descriptor; -ESRCH (it has ended), -ENODATA (not a connected UNIX socket), -EMFILE, -ENOSYS
 */
int ring3_peer_pidfd(int socket);

RING3_API_END

#endif
