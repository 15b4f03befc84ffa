/* SPDX-License-Identifier: MIT */
/* Every way of passing messages between two processes, behind one small interface, for measuring. */
#ifndef RING3_IPC_TRANSPORTS_H
#define RING3_IPC_TRANSPORTS_H

#include "ring3/channel.h"

#include <mqueue.h>

struct link {
    const struct transport *transport;
    size_t size; /* of the messages to come */
    int fds[4];
    mqd_t queues[2];
    int ids[2];
    ring3_channel_t channel;
    bool first;
};

struct transport {
    const char *name;
    size_t largest; /* message it takes */
    /* Before the fork, and after it on each side. 0 or a negative errno. */
    int (*open)(struct link *link);
    int (*side)(struct link *link);
    /* One message, all of it; receive returns the size, or a negative errno at the end. */
    int (*send)(struct link *link, const void *data, size_t size);
    ssize_t (*receive)(struct link *link, void *buffer, size_t size);
    void (*flush)(struct link *link); /* NULL: messages go at once */
    void (*close)(struct link *link);
};

/* Ends with a NULL name. */
extern const struct transport transports[];

/* One of them. */
const struct transport *transport_named(const char *name);

/* Runs `peer` in a child at the other end, on CPU `other` if that is >= 0. The child's pid. */
pid_t link_open(struct link *link, const struct transport *transport, int other,
                void (*peer)(struct link *link, size_t size), size_t size);
void link_close(struct link *link, pid_t pid);

/* What the other side does: send everything back; receive everything and answer what is one byte long. */
void link_echo(struct link *link, size_t size);
void link_drain(struct link *link, size_t size);

/* Put this process on one CPU. */
void link_pin(int cpu);

#endif
