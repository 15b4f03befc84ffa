/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors. */
#ifndef POLLER_H
#define POLLER_H

#include "runtime.h"

enum poller_side { POLLER_IN, POLLER_OUT };

/* A thread that waits for one side of a descriptor. */
struct poller_waiter {
    ring3_list_t link;
    struct thread *thread;
    int fd;
    enum poller_side side;
};

/* See to it that changes of the descriptor are told. 0; -EPERM if it cannot be watched, as regular
 * files; or another errno. */
int poller_watch(int fd);

/* Forget a descriptor that is being closed. */
void poller_unwatch(int fd);

/* How often the side has become ready: read it before trying. */
uint32_t poller_seen(int fd, enum poller_side side);

/* Stand in the queue of the descriptor unless it became ready since `seen` (then false). */
bool poller_stand(struct poller_waiter *waiter, uint32_t seen);
void poller_leave(struct poller_waiter *waiter);

#endif
