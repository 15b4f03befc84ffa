/* SPDX-License-Identifier: MIT */
/*
 * Peer: nng, a pair of sockets over ipc. Its threads do not survive a fork and it refuses to start in a child
 * of a process that has used it, so one process measures it once, as bench/run.py has it.
 */
#include "ipc_bench.h"

#include "ring3/fd.h"
#include "ring3/pipe.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <unistd.h>

static nng_socket socket_;
static char address[64];

static int open_nng(struct link *link)
{
    static bool used;

    if (used)
        return -EBUSY;
    used = true;
    snprintf(address, sizeof address, "ipc:///tmp/ring3-bench-nng-%d", (int)getpid());
    return ring3_pipe_open(link->fds, 0);
}

static int side(struct link *link)
{
    if (nng_pair0_open(&socket_) || nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0) ||
        nng_socket_set_int(socket_, NNG_OPT_SENDBUF, 128) ||
        nng_socket_set_int(socket_, NNG_OPT_RECVBUF, 128) ||
        nng_socket_set_ms(socket_, NNG_OPT_RECONNMINT, 1))
        return -ENOMEM;
    return (link->first ? nng_listen(socket_, address, NULL, 0)
                        : nng_dial(socket_, address, NULL, NNG_FLAG_NONBLOCK))
               ? -EADDRINUSE
               : 0;
}

static int send_nng(struct link *link, const void *data, size_t size)
{
    (void)link;
    return nng_send(socket_, (void *)(uintptr_t)data, size, 0) ? -EPIPE : 0;
}

/* An empty message says goodbye. */
static ssize_t receive(struct link *link, void *buffer, size_t size)
{
    (void)link;
    return nng_recv(socket_, buffer, &size, 0) || size == 0 ? -EPIPE : (ssize_t)size;
}

/* nng throws away what it has not sent when it closes: wait until the other side has ended. */
static void close_nng(struct link *link)
{
    char byte;

    if (link->first) {
        (void)send_nng(link, "", 0);
        ring3_fd_close(link->fds[1]);
        (void)ring3_fd_read(link->fds[0], &byte, 1);
        ring3_fd_close(link->fds[0]);
    }
    nng_close(socket_);
}

static const struct transport nng = {"nng",    32u << 20, open_nng, side,
                                     send_nng, receive,   NULL,     close_nng};
IPC_TRANSPORT(nng);
