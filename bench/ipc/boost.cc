/* SPDX-License-Identifier: MIT */
/* Peer: boost::interprocess::message_queue, one for each direction, with slots of the size that is measured. */
#include "ipc_bench.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <cstdio>
#include <new>
#include <unistd.h>

namespace ipc = boost::interprocess;

static ipc::message_queue *queues[2];

/* A MiB of messages in each direction, but not fewer than 8 and not more than 1024. */
static std::size_t slots(std::size_t size)
{
    const std::size_t fit = (1u << 20) / size;

    return fit < 8 ? 8 : fit > 1024 ? 1024 : fit;
}

static int open_boost(struct link *link)
try {
    for (int i = 0; i < 2; i++) {
        char name[64];

        std::snprintf(name, sizeof name, "ring3-bench-%d-%d", static_cast<int>(getpid()), i);
        queues[i] = new ipc::message_queue(ipc::create_only, name, slots(link->size), link->size);
        ipc::message_queue::remove(name); /* what is mapped stays, for the child too */
    }
    return 0;
} catch (const std::exception &) {
    return -ENOMEM;
}

static int side(struct link *)
{
    return 0;
}

static int send_boost(struct link *link, const void *data, size_t size)
{
    queues[link->first]->send(data, size, 0);
    return 0;
}

/* An empty message says goodbye. */
static ssize_t receive(struct link *link, void *buffer, size_t size)
{
    ipc::message_queue::size_type got = 0;
    unsigned priority;

    queues[!link->first]->receive(buffer, size, got, priority);
    return got > 0 ? static_cast<ssize_t>(got) : -EPIPE;
}

static void close_boost(struct link *link)
{
    if (link->first)
        (void)send_boost(link, "", 0);
    for (ipc::message_queue *queue : queues)
        delete queue;
}

static const struct transport boost_mq = {"boost_mq", 1u << 20, open_boost, side,
                                          send_boost, receive,  nullptr,    close_boost};
IPC_TRANSPORT(boost_mq);
