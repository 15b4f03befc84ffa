/* SPDX-License-Identifier: MIT */
/*
 * Sockets: UNIX (by path, or abstract) and IPv4 and IPv6, as streams, datagrams or sequenced packets.
 *
 *     ring3_address_unix(&where, "/run/app.sock");            // "@app": abstract, no file
 *     err = ring3_listen(&listener, &where, SOCK_SEQPACKET, 64);
 *     int client = ring3_accept(listener.fd, NULL, deadline);
 *
 *     int server = ring3_connect(&where, SOCK_SEQPACKET, deadline);
 *     got = ring3_receive(server, buffer, sizeof buffer, 0, deadline);
 *
 * Descriptors are close-on-exec; nothing raises SIGPIPE or ends by EINTR; deadlines are absolute
 * CLOCK_MONOTONIC times, NULL for ever, and hold in either mode of the descriptor. Streams of bytes may
 * as well be moved with ring3/fd.h. Thread-safe. Async-signal-safe, but for listening by path.
 */
#ifndef RING3_SOCKET_H
#define RING3_SOCKET_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_address {
    struct sockaddr_storage storage;
    socklen_t length;
} ring3_address_t;

#define RING3_ADDRESS_TEXT 128

/** A UNIX address: a path, or '@' and an abstract name (known to the network namespace only, gone with its
 * socket). @return 0; -ENAMETOOLONG (107 bytes at most, never cut), -EINVAL (empty) */
int ring3_address_unix(ring3_address_t *address, const char *name);

/** An IPv4 or IPv6 address in numbers ("127.0.0.1", "::1") and a port, 0 for any free one.
 * @return 0, -EINVAL */
int ring3_address_ip(ring3_address_t *address, const char *host, uint16_t port);

/** The port of an IP address, 0 for others. */
uint16_t ring3_address_port(const ring3_address_t *address);

/** "/path", "@abstract", "1.2.3.4:5", "[::1]:5", "" (unnamed); bytes outside ASCII print as '?'. */
void ring3_address_format(const ring3_address_t *address, char text[RING3_ADDRESS_TEXT]);

/** The socket's own address, and its peer's. @return 0; -ENOTCONN, -ENOTSOCK */
int ring3_socket_name(int fd, ring3_address_t *address);
int ring3_socket_peer(int fd, ring3_address_t *address);

/** Two connected UNIX sockets. @return 0, -EMFILE, … */
int ring3_socket_pair(int ends[2], int type);

typedef struct ring3_listener {
    int fd;           /* non-blocking; poll it, accept from it, or receive datagrams from it */
    uint64_t file[2]; /* device and inode of a path, 0 without one */
    char path[108];
} ring3_listener_t;

/**
 * Bind, and for types that connect, listen. A path that a dead server left behind is taken over; one
 * that a living server uses, or that is no socket, is not. IP ports can be bound again at once
 * (SO_REUSEADDR); IPv6 sockets do not take IPv4.
 *
 * @param type     SOCK_STREAM, SOCK_SEQPACKET (UNIX only), SOCK_DGRAM (bound, not listening)
 * @param backlog  connections that wait to be accepted: the kernel queues backlog + 1, and no more than
 *                 /proc/sys/net/core/somaxconn. 0 means 1 connection, not a default.
 * @return 0; -EADDRINUSE, -EACCES, -ENOENT, -EADDRNOTAVAIL, -EMFILE, -ESOCKTNOSUPPORT, …; then nothing
 *         is left open or behind
 */
int ring3_listen(ring3_listener_t *listener, const ring3_address_t *address, int type, int backlog);

/** Remove the path, if it is still this listener's, and close. In a forked child close(fd) instead. */
void ring3_listener_close(ring3_listener_t *listener);

/** Accept a connection. `peer` may be NULL. Connections that were given up meanwhile are passed over.
 * @return a descriptor in blocking mode; -ETIMEDOUT, -EMFILE, -EINVAL (not listening) */
int ring3_accept(int listening, ring3_address_t *peer, const struct timespec *deadline);

/** Connect (for datagrams: set the peer). Streams over IP get TCP_NODELAY. While a UNIX server's backlog
 * is full, it is tried again with pauses of up to 1 ms.
 * @return a descriptor in blocking mode; -ECONNREFUSED, -ENOENT, -ETIMEDOUT, -EPROTOTYPE, -EMFILE */
int ring3_connect(const ring3_address_t *address, int type, const struct timespec *deadline);

/**
 * Send or receive once, with MSG_* flags (MSG_PEEK, MSG_OOB, MSG_DONTWAIT, …). On a stream possibly a
 * part; of the other types one message.
 *
 * @param to, from  address, NULL for the connected peer or if not wanted
 * @return bytes; receiving: 0 at the end of a connection; -EMSGSIZE: the message is too long to send, or
 *         was longer than `size` and its rest is lost (unless flags has MSG_TRUNC: then the full length
 *         is returned); -EAGAIN with MSG_DONTWAIT; -ETIMEDOUT, -EPIPE, -ECONNRESET
 */
ssize_t ring3_send(int fd, const void *data, size_t size, int flags,
                   const struct timespec *deadline);
ssize_t ring3_receive(int fd, void *data, size_t size, int flags, const struct timespec *deadline);
ssize_t ring3_send_to(int fd, const void *data, size_t size, int flags, const ring3_address_t *to,
                      const struct timespec *deadline);
ssize_t ring3_receive_from(int fd, void *data, size_t size, int flags, ring3_address_t *from,
                           const struct timespec *deadline);

RING3_API_END

#endif
