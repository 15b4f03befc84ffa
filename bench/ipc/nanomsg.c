/* SPDX-License-Identifier: MIT */
/* Peer: nanomsg, a pair of sockets over ipc. */
#include "ipc_bench.h"

#include "ring3/fd.h"
#include "ring3/pipe.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <stdio.h>
#include <unistd.h>

static int socket_;
static char address[64];

static int open_nanomsg(struct link *link)
{
    snprintf(address, sizeof address, "ipc:///tmp/ring3-bench-nn-%d", (int)getpid());
    return ring3_pipe_open(link->fds, 0);
}

static int side(struct link *link)
{
    const int any = -1, soon = 1, room = 1 << 20;

    socket_ = nn_socket(AF_SP, NN_PAIR);
    if (socket_ < 0 || nn_setsockopt(socket_, NN_SOL_SOCKET, NN_RCVMAXSIZE, &any, sizeof any) < 0 ||
        nn_setsockopt(socket_, NN_SOL_SOCKET, NN_RECONNECT_IVL, &soon, sizeof soon) < 0 ||
        nn_setsockopt(socket_, NN_SOL_SOCKET, NN_SNDBUF, &room, sizeof room) < 0 ||
        nn_setsockopt(socket_, NN_SOL_SOCKET, NN_RCVBUF, &room, sizeof room) < 0)
        return -errno;
    return (link->first ? nn_bind(socket_, address) : nn_connect(socket_, address)) < 0 ? -errno
                                                                                        : 0;
}

static int send_nanomsg(struct link *link, const void *data, size_t size)
{
    (void)link;
    return nn_send(socket_, data, size, 0) < 0 ? -errno : 0;
}

/* An empty message says goodbye. */
static ssize_t receive(struct link *link, void *buffer, size_t size)
{
    const int got = nn_recv(socket_, buffer, size, 0);

    (void)link;
    return got > 0 ? got : -EPIPE;
}

/* nanomsg throws away what it has not sent when it closes: wait until the other side has ended. */
static void close_nanomsg(struct link *link)
{
    char byte;

    if (link->first) {
        (void)send_nanomsg(link, "", 0);
        ring3_fd_close(link->fds[1]);
        (void)ring3_fd_read(link->fds[0], &byte, 1);
        ring3_fd_close(link->fds[0]);
    }
    nn_close(socket_);
}

static const struct transport nanomsg = {"nanomsg",    32u << 20, open_nanomsg, side,
                                         send_nanomsg, receive,   NULL,         close_nanomsg};
IPC_TRANSPORT(nanomsg);
