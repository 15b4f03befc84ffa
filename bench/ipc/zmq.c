/* SPDX-License-Identifier: MIT */
/* Peer: libzmq, a pair of sockets over ipc. */
#include "ipc_bench.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

static void *context, *socket_;
static char address[64];

static int open_zmq(struct link *link)
{
    (void)link;
    snprintf(address, sizeof address, "ipc://@ring3-bench-zmq-%d", (int)getpid());
    return 0;
}

static int side(struct link *link)
{
    context = zmq_ctx_new();
    socket_ = zmq_socket(context, ZMQ_PAIR);
    return (link->first ? zmq_bind(socket_, address) : zmq_connect(socket_, address)) ? -errno : 0;
}

static int send_zmq(struct link *link, const void *data, size_t size)
{
    (void)link;
    return zmq_send(socket_, data, size, 0) < 0 ? -errno : 0;
}

/* An empty message says goodbye. */
static ssize_t receive(struct link *link, void *buffer, size_t size)
{
    const int got = zmq_recv(socket_, buffer, size, 0);

    (void)link;
    return got > 0 ? got : -EPIPE;
}

static void close_zmq(struct link *link)
{
    if (link->first)
        (void)zmq_send(socket_, "", 0, 0);
    zmq_close(socket_);
    zmq_ctx_term(context);
}

static const struct transport libzmq = {"libzmq", 32u << 20, open_zmq, side,
                                        send_zmq, receive,   NULL,     close_zmq};
IPC_TRANSPORT(libzmq);
