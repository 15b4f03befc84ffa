/* SPDX-License-Identifier: MIT */
/*
 * Connecting and listening.
 *
 * A path outlives the server that bound it. Whether a socket still stands behind it is asked by
 * connecting a datagram socket: the answer is ECONNREFUSED if none does, and otherwise success or
 * EPROTOTYPE, also from one that does not listen yet, and without a trace in its backlog. Two servers
 * that start together may both find the path stale; so they look again, remove and bind under a lock on
 * the directory. Where the lock cannot be had (no permission to read the directory, or somebody sits on
 * it), nothing is taken over.
 */
#include "ring3/socket.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/wait.h"
#include "unnamed.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_PATIENCE_NS RING3_SECOND_NS /* binding takes microseconds; this is for a crowd */

static int make_socket(const ring3_address_t *address, int type, int flags)
{
    const int fd = ring3_call(socket(address->storage.ss_family, type | SOCK_CLOEXEC | flags, 0));
    const int on = 1;

    if (fd >= 0 && type == SOCK_STREAM && address->storage.ss_family != AF_UNIX)
        (void)ring3_call(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    return fd;
}

int ring3_socket_pair(int ends[2], int type)
{
    return ring3_call(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
}

static int start_connect(int fd, const ring3_address_t *address)
{
    return ring3_call(connect(fd, (const struct sockaddr *)&address->storage, address->length));
}

static int finish_connect(int fd, const struct timespec *deadline)
{
    int err = 0;
    socklen_t size = sizeof err;
    const int ready = ring3_fd_wait(fd, POLLOUT, deadline);

    if (ready < 0)
        return ready;
    const int failed = ring3_call(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size));

    return failed ? failed : -err;
}

/* On a non-blocking descriptor: a UNIX socket connects or fails at once, and says EAGAIN if the backlog
 * is full, which poll cannot wait for. */
static int connect_by(int fd, const ring3_address_t *address, const struct timespec *deadline)
{
    ring3_pause_t pause = {0};

    for (;;) {
        int err = start_connect(fd, address);

        if (err == -EINPROGRESS || err == -EINTR)
            return finish_connect(fd, deadline);
        if (err != -EAGAIN || address->storage.ss_family != AF_UNIX)
            return err;
        err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err)
            return err;
    }
}

int ring3_connect(const ring3_address_t *address, int type, const struct timespec *deadline)
{
    if (deadline && ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    const int fd = make_socket(address, type, SOCK_NONBLOCK);

    if (fd < 0)
        return fd;
    int err = connect_by(fd, address, deadline);

    if (!err)
        err = ring3_fd_set_nonblock(fd, false);
    if (!err)
        return fd;
    ring3_fd_close(fd);
    return err;
}

/* True if the path is a socket that is no longer open anywhere. */
static bool is_stale(const ring3_address_t *address, const char *path)
{
    struct stat about;

    if (ring3_call(lstat(path, &about)) || !S_ISSOCK(about.st_mode))
        return false;
    const int fd = make_socket(address, SOCK_DGRAM, SOCK_NONBLOCK);

    if (fd < 0)
        return false;
    const int err = start_connect(fd, address);

    ring3_fd_close(fd);
    return err == -ECONNREFUSED;
}

/* A descriptor that holds the lock on the path's directory, or a negative errno. */
static int lock_directory(const char *path)
{
    const struct timespec patience = ring3_deadline_in(CLOCK_MONOTONIC, LOCK_PATIENCE_NS);
    const char *name;
    ring3_pause_t pause = {0};
    const int directory = ring3_unnamed_directory(path, &name);
    int err;

    if (directory < 0)
        return directory;
    while ((err = ring3_retry(flock(directory, LOCK_EX | LOCK_NB))) == -EAGAIN &&
           !ring3_pause(&pause, RING3_WAIT_PARK, &patience))
        ;
    if (!err)
        return directory;
    ring3_fd_close(directory);
    return err;
}

static int bind_to(int fd, const ring3_address_t *address)
{
    return ring3_call(bind(fd, (const struct sockaddr *)&address->storage, address->length));
}

static int listen_on(int fd, int type, int backlog)
{
    return type == SOCK_DGRAM ? 0 : ring3_call(listen(fd, backlog));
}

static int take_over(int fd, const ring3_address_t *address, const char *path)
{
    const int lock = is_stale(address, path) ? lock_directory(path) : -EADDRINUSE;
    int err = -EADDRINUSE;

    if (lock < 0)
        return err;
    if (is_stale(address, path)) {
        err = ring3_call(unlink(path));
        if (!err)
            err = bind_to(fd, address);
    }
    ring3_fd_close(lock);
    return err;
}

static int listen_by_path(ring3_listener_t *listener, const ring3_address_t *address, int type,
                          int backlog)
{
    const char *const path = ((const struct sockaddr_un *)&address->storage)->sun_path;
    struct stat about;
    int err = bind_to(listener->fd, address);

    if (err == -EADDRINUSE)
        err = take_over(listener->fd, address, path);
    if (err)
        return err;
    err = ring3_call(lstat(path, &about));
    if (!err)
        err = listen_on(listener->fd, type, backlog);
    if (err) {
        (void)ring3_call(unlink(path));
        return err;
    }
    listener->file[0] = about.st_dev;
    listener->file[1] = about.st_ino;
    strcpy(listener->path, path);
    return 0;
}

static int listen_by_number(const ring3_listener_t *listener, const ring3_address_t *address,
                            int type, int backlog)
{
    const int on = 1;
    int err = 0;

    if (address->storage.ss_family != AF_UNIX)
        err = ring3_call(setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    if (!err && address->storage.ss_family == AF_INET6)
        err = ring3_call(setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    if (!err)
        err = bind_to(listener->fd, address);
    return err ? err : listen_on(listener->fd, type, backlog);
}

int ring3_listen(ring3_listener_t *listener, const ring3_address_t *address, int type, int backlog)
{
    const bool by_path = address->storage.ss_family == AF_UNIX &&
                         ((const struct sockaddr_un *)&address->storage)->sun_path[0];

    memset(listener, 0, sizeof *listener);
    listener->fd = make_socket(address, type, SOCK_NONBLOCK);
    if (listener->fd < 0)
        return listener->fd;
    const int err = by_path ? listen_by_path(listener, address, type, backlog)
                            : listen_by_number(listener, address, type, backlog);

    if (err) {
        ring3_fd_close(listener->fd);
        listener->fd = -1;
    }
    return err;
}

void ring3_listener_close(ring3_listener_t *listener)
{
    struct stat about;

    /* Before the close, after which another server may take the path over. */
    if (listener->path[0] && ring3_call(lstat(listener->path, &about)) == 0 &&
        about.st_dev == listener->file[0] && about.st_ino == listener->file[1])
        (void)ring3_call(unlink(listener->path));
    if (listener->fd >= 0)
        ring3_fd_close(listener->fd);
    *listener = (ring3_listener_t){.fd = -1};
}

static bool passing(int err)
{
    return err == -ECONNABORTED || err == -EPROTO || err == -EINTR;
}

int ring3_accept(int listening, ring3_address_t *peer, const struct timespec *deadline)
{
    ring3_address_t unwanted;
    ring3_address_t *const from = peer ? peer : &unwanted;
    const int on = 1;

    for (;;) {
        from->length = sizeof from->storage;
        const int fd = ring3_call(
            accept4(listening, (struct sockaddr *)&from->storage, &from->length, SOCK_CLOEXEC));

        if (fd >= 0) {
            /* Refused by whatever is not TCP. */
            (void)ring3_call(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
            return fd;
        }
        if (passing(fd))
            continue;
        if (fd != -EAGAIN)
            return fd;
        const int ready = ring3_fd_wait(listening, POLLIN, deadline);

        if (ready < 0)
            return ready;
    }
}
