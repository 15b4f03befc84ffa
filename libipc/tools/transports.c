/* SPDX-License-Identifier: MIT */
#include "transports.h"

#include "ring3/atomic.h"
#include "ring3/fd.h"
#include "ring3/fdpass.h"
#include "ring3/memfd.h"
#include "ring3/pipe.h"
#include "ring3/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

/* Room for any message measured. */
#define BUFFER (32u << 20)

void link_pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* --- Byte streams: both sides know the size ------------------------------------------------------------- */

static int stream_send(struct link *link, const void *data, size_t size)
{
    return ring3_fd_write_full(link->fds[1], data, size, NULL, NULL);
}

static ssize_t stream_receive(struct link *link, void *buffer, size_t size)
{
    const int err = ring3_fd_read_full(link->fds[0], buffer, size, NULL, NULL);

    return err ? err : (ssize_t)size;
}

static void fds_close(struct link *link)
{
    for (int i = 0; i < 4; i++)
        if (link->fds[i] >= 0 && (i == 0 || link->fds[i] != link->fds[i - 1]))
            ring3_fd_close(link->fds[i]);
}

static int pipe_open(struct link *link)
{
    const int err = ring3_pipe_open(link->fds, 0);

    return err ? err : ring3_pipe_open(link->fds + 2, 0);
}

/* There are four ends; keep what this side reads and writes in 0 and 1. */
static int pipe_side(struct link *link)
{
    int *const f = link->fds;
    const int in = link->first ? f[0] : f[2], out = link->first ? f[3] : f[1];

    ring3_fd_close(link->first ? f[1] : f[0]);
    ring3_fd_close(link->first ? f[2] : f[3]);
    f[0] = in, f[1] = out, f[2] = f[3] = -1;
    return 0;
}

static int pair(struct link *link, int type)
{
    int ends[2];
    const int err = ring3_socket_pair(ends, type), size = 1 << 20;

    link->fds[0] = ends[0], link->fds[1] = ends[1];
    for (int i = 0; i < 2 && !err; i++)
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return err;
}

static int stream_open(struct link *link)
{
    return pair(link, SOCK_STREAM);
}

static int packet_open(struct link *link)
{
    return pair(link, SOCK_SEQPACKET);
}

static int datagram_open(struct link *link)
{
    return pair(link, SOCK_DGRAM);
}

static int tcp_open(struct link *link)
{
    ring3_address_t address;
    ring3_listener_t listener;
    int err = ring3_address_ip(&address, "127.0.0.1", 0);

    if (!err)
        err = ring3_listen(&listener, &address, SOCK_STREAM, 1);
    if (err)
        return err;
    err = ring3_socket_name(listener.fd, &address);
    link->fds[0] = ring3_connect(&address, SOCK_STREAM, NULL);
    link->fds[1] = ring3_accept(listener.fd, NULL, NULL);
    ring3_listener_close(&listener);
    return link->fds[0] < 0 || link->fds[1] < 0 ? -ENOTCONN : err;
}

static int socket_side(struct link *link)
{
    const int mine = link->fds[link->first ? 0 : 1];

    ring3_fd_close(link->fds[link->first ? 1 : 0]);
    link->fds[0] = link->fds[1] = mine;
    return 0;
}

static int packet_send(struct link *link, const void *data, size_t size)
{
    const ssize_t put = ring3_send(link->fds[0], data, size, 0, NULL);

    return put < 0 ? (int)put : 0;
}

static ssize_t packet_receive(struct link *link, void *buffer, size_t size)
{
    const ssize_t got = ring3_receive(link->fds[0], buffer, size, 0, NULL);

    return got == 0 ? -EPIPE : got;
}

/* A pair of datagram sockets does not tell that the other side has closed. */
static void datagram_close(struct link *link)
{
    (void)ring3_send(link->fds[0], "", 0, 0, NULL);
    fds_close(link);
}

/* --- Message queues ---------------------------------------------------------------------------------------- */

#define MQ_LARGEST 8192

static int posix_open(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = MQ_LARGEST};
        char name[64];

        snprintf(name, sizeof name, "/ring3-bench-%d-%d", (int)getpid(), i);
        link->queues[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
        if (link->queues[i] < 0)
            return -errno;
        mq_unlink(name);
    }
    return 0;
}

static int no_side(struct link *link)
{
    (void)link;
    return 0;
}

/* An empty message says goodbye: a queue does not know when its users end. */
static int posix_send(struct link *link, const void *data, size_t size)
{
    return mq_send(link->queues[link->first], data, size, 0) ? -errno : 0;
}

static ssize_t posix_receive(struct link *link, void *buffer, size_t size)
{
    static char room[MQ_LARGEST];
    const ssize_t got = mq_receive(link->queues[!link->first], room, sizeof room, NULL);

    if (got <= 0)
        return got == 0 ? -EPIPE : -errno;
    memcpy(buffer, room, (size_t)got < size ? (size_t)got : size);
    return got;
}

static void posix_close(struct link *link)
{
    if (link->first)
        (void)posix_send(link, "", 0);
    mq_close(link->queues[0]);
    mq_close(link->queues[1]);
}

struct sysv_message {
    long type;
    char bytes[MQ_LARGEST];
};

static int sysv_open(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        link->ids[i] = msgget(IPC_PRIVATE, 0600);
        if (link->ids[i] < 0)
            return -errno;
    }
    return 0;
}

static int sysv_send(struct link *link, const void *data, size_t size)
{
    static struct sysv_message message;

    message.type = 1;
    memcpy(message.bytes, data, size);
    return msgsnd(link->ids[link->first], &message, size, 0) ? -errno : 0;
}

static ssize_t sysv_receive(struct link *link, void *buffer, size_t size)
{
    static struct sysv_message message;
    const ssize_t got = msgrcv(link->ids[!link->first], &message, sizeof message.bytes, 0, 0);

    if (got <= 0)
        return got == 0 ? -EPIPE : -errno;
    memcpy(buffer, message.bytes, (size_t)got < size ? (size_t)got : size);
    return got;
}

static void sysv_close(struct link *link)
{
    if (!link->first)
        return;
    msgctl(link->ids[0], IPC_RMID, NULL);
    msgctl(link->ids[1], IPC_RMID, NULL);
}

/* --- Ours ---------------------------------------------------------------------------------------------------- */

static int channel_side(struct link *link)
{
    const ring3_channel_options_t options = {.capacity = 1 << 20, .largest = BUFFER};
    const int control = link->fds[link->first ? 0 : 1];

    ring3_fd_close(link->fds[link->first ? 1 : 0]);
    return link->first ? ring3_channel_connect(&link->channel, control, &options, NULL)
                       : ring3_channel_accept(&link->channel, control, &options, NULL);
}

static int channel_send(struct link *link, const void *data, size_t size)
{
    return ring3_channel_send(&link->channel, data, size, NULL);
}

static int channel_put(struct link *link, const void *data, size_t size)
{
    return ring3_channel_put(&link->channel, data, size, NULL);
}

static ssize_t channel_receive(struct link *link, void *buffer, size_t size)
{
    return ring3_channel_receive(&link->channel, buffer, size, NULL);
}

static void channel_flush(struct link *link)
{
    ring3_channel_flush(&link->channel);
}

static void channel_close(struct link *link)
{
    ring3_channel_close(&link->channel);
}

/* Nothing is copied: a message is a buffer of the pool that both have mapped. What is in it is the sender's affair. */
static int loans_side(struct link *link)
{
    const size_t rounded = (link->size + 63) & ~(size_t)63;
    const ring3_channel_options_t options = {
        .loans = rounded > (4u << 20) ? 4 : 64, .loan_size = (uint32_t)rounded, .largest = BUFFER};
    const int control = link->fds[link->first ? 0 : 1];

    ring3_fd_close(link->fds[link->first ? 1 : 0]);
    return link->first ? ring3_channel_connect(&link->channel, control, &options, NULL)
                       : ring3_channel_accept(&link->channel, control, &options, NULL);
}

static int loans_send(struct link *link, const void *data, size_t size)
{
    void *lent;
    const int err = ring3_channel_loan(&link->channel, &lent, NULL);

    (void)data;
    return err ? err : ring3_channel_send_loan(&link->channel, lent, size, NULL);
}

static ssize_t loans_receive(struct link *link, void *buffer, size_t size)
{
    const void *shown;
    const ssize_t got = ring3_channel_peek(&link->channel, &shown, NULL);

    (void)buffer, (void)size;
    if (got > 0) {
        (void)ring3_read_once((const unsigned char *)shown);
        ring3_channel_release(&link->channel);
    }
    return got;
}

/* --- Memory made, filled, passed and mapped anew for every message ---------------------------------------------- */

static int map_open(struct link *link)
{
    return ring3_socket_pair(link->fds, SOCK_SEQPACKET);
}

static int map_side(struct link *link)
{
    const int few = 1; /* in flight: the smallest buffer that there is */

    (void)socket_side(link);
    return setsockopt(link->fds[0], SOL_SOCKET, SO_SNDBUF, &few, sizeof few) ? -errno : 0;
}

static int map_send(struct link *link, const void *data, size_t size)
{
    const int fd = ring3_memfd_create("bench", size);
    void *const place =
        fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ssize_t put;

    if (place == MAP_FAILED)
        return -ENOMEM;
    memcpy(place, data, size);
    munmap(place, size);
    put = ring3_fdpass_send(link->fds[0], "M", 1, &fd, 1, NULL);
    ring3_fd_close(fd);
    return put < 0 ? (int)put : 0;
}

/* Reads it where it lies, as far as that needs memory. */
static ssize_t map_receive(struct link *link, void *buffer, size_t size)
{
    int fd, count = 1;
    char byte;
    const ssize_t got = ring3_fdpass_receive(link->fds[0], &byte, 1, &fd, &count, NULL, NULL);
    const unsigned char *const place =
        got == 1 && count == 1 ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    (void)buffer;
    if (got == 1 && count == 1)
        ring3_fd_close(fd);
    if (place == MAP_FAILED)
        return -EPIPE;
    for (size_t i = 0; i < size; i += 64)
        (void)ring3_read_once(&place[i]);
    munmap((void *)(uintptr_t)place, size);
    return (ssize_t)size;
}

const struct transport transports[] = {
    {"pipe", BUFFER, pipe_open, pipe_side, stream_send, stream_receive, NULL, fds_close},
    {"unix_stream", BUFFER, stream_open, socket_side, stream_send, stream_receive, NULL, fds_close},
    {"unix_seqpacket", 128 << 10, packet_open, socket_side, packet_send, packet_receive, NULL,
     fds_close},
    {"unix_dgram", 128 << 10, datagram_open, socket_side, packet_send, packet_receive, NULL,
     datagram_close},
    {"tcp", BUFFER, tcp_open, socket_side, stream_send, stream_receive, NULL, fds_close},
    {"posix_mq", MQ_LARGEST, posix_open, no_side, posix_send, posix_receive, NULL, posix_close},
    {"sysv_mq", MQ_LARGEST, sysv_open, no_side, sysv_send, sysv_receive, NULL, sysv_close},
    {"ring3_channel", BUFFER, packet_open, channel_side, channel_send, channel_receive, NULL,
     channel_close},
    {"ring3_batches", 512 << 10, packet_open, channel_side, channel_put, channel_receive,
     channel_flush, channel_close},
    {"ring3_loans", BUFFER, packet_open, loans_side, loans_send, loans_receive, NULL,
     channel_close},
    {"map_anew", BUFFER, map_open, map_side, map_send, map_receive, NULL, fds_close},
    {.name = NULL},
};

const struct transport *transport_named(const char *name)
{
    const struct transport *t = transports;

    while (strcmp(t->name, name) != 0)
        t++;
    return t;
}

/* --- Two sides --------------------------------------------------------------------------------------------------- */

static void *buffer_of(size_t size)
{
    void *const buffer =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (buffer == MAP_FAILED)
        abort();
    return buffer;
}

void link_echo(struct link *link, size_t size)
{
    void *const buffer = buffer_of(size);

    while (link->transport->receive(link, buffer, size) == (ssize_t)size) {
        if (link->transport->send(link, buffer, size))
            break;
        if (link->transport->flush)
            link->transport->flush(link);
    }
}

void link_drain(struct link *link, size_t size)
{
    void *const buffer = buffer_of(size);

    while (link->transport->receive(link, buffer, size) == (ssize_t)size)
        ;
}

pid_t link_open(struct link *link, const struct transport *transport, int other,
                void (*peer)(struct link *link, size_t size), size_t size)
{
    *link =
        (struct link){.transport = transport, .size = size, .fds = {-1, -1, -1, -1}, .first = true};
    if (transport->open(link))
        return -1;
    const pid_t pid = fork();

    if (pid < 0)
        return -1;
    link->first = pid != 0;
    if (transport->side(link))
        abort();
    if (pid)
        return pid;
    link_pin(other);
    peer(link, size);
    transport->close(link);
    _exit(0);
}

void link_close(struct link *link, pid_t pid)
{
    if (link->transport->flush)
        link->transport->flush(link);
    link->transport->close(link);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
