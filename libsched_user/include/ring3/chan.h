/* SPDX-License-Identifier: MIT */
/*
 * Channels between threads: items of one size, in order, buffered or handed over directly.
 *
 *     int buffer[16];
 *     ring3_chan_t numbers;
 *     ring3_chan_init(&numbers, sizeof(int), 16, buffer);        0 and NULL: not buffered
 *     ring3_chan_send(&numbers, &(int){42}, NULL);
 *     while (ring3_chan_receive(&numbers, &number, NULL) == 0) …
 *     ring3_chan_close(&numbers);
 *
 * A send into a full channel, or one without a buffer, waits for a receiver; a receive from an empty
 * one waits for a sender. Waiters are served in the order in which they came. Waiting blocks the user
 * thread (ring3/thread.h), or the kernel thread where there is none; both kinds may meet.
 *
 * Deadlines are absolute CLOCK_MONOTONIC times (of the runtime's clock, if that is virtual); NULL
 * waits for ever, and a time in the past does not wait. For threads of one process. Not
 * async-signal-safe. A forked child must not use channels that others used at that moment.
 *
 * Order: what came before a send happens before the return of the receive that takes the item.
 */
#ifndef RING3_CHAN_H
#define RING3_CHAN_H

#include "ring3/api.h"
#include "ring3/list.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/** The fields are private. */
typedef struct ring3_chan {
    uint32_t lock;
    uint32_t closed;
    size_t item_size, capacity;
    size_t first, count; /* of the items in the buffer */
    char *buffer;
    ring3_list_t senders, receivers;
} ring3_chan_t;

/**
 * Make a channel.
 *
 * @param buffer  capacity * item_size bytes, which must stay; NULL for a capacity of 0
 * @return 0; -EINVAL for an item size of 0, or a capacity without a buffer
 */
int ring3_chan_init(ring3_chan_t *chan, size_t item_size, size_t capacity, void *buffer);

/** 0; -EPIPE if the channel is closed, or is being closed while waiting; -ETIMEDOUT; -ECANCELED;
 * -EINVAL for a malformed time. */
int ring3_chan_send(ring3_chan_t *chan, const void *item, const struct timespec *deadline);

/** The same; a closed channel first gives out what it holds. */
int ring3_chan_receive(ring3_chan_t *chan, void *item, const struct timespec *deadline);

/** Without waiting: 0; -EAGAIN; -EPIPE. */
int ring3_chan_try_send(ring3_chan_t *chan, const void *item);
int ring3_chan_try_receive(ring3_chan_t *chan, void *item);

/** Nothing more will be sent: waiters return. 0; -EPIPE if it was closed before. */
int ring3_chan_close(ring3_chan_t *chan);

/** How many items it holds: a hint. */
size_t ring3_chan_count(const ring3_chan_t *chan);

/** One of the things that ring3_chan_select may do. */
typedef struct ring3_chan_case {
    ring3_chan_t *chan; /* NULL: never */
    const void *send;   /* the item to send, or */
    void *receive;      /* where to put one; exactly one of the two */
    int result;         /* of the case that was done: 0 or -EPIPE */
} ring3_chan_case_t;

#define RING3_CHAN_CASES 16

/**
 * Do the first of the cases that is possible, waiting until one is.
 *
 * @return its index; -ETIMEDOUT; -ECANCELED; -EINVAL for more than RING3_CHAN_CASES, for a case that
 *         is neither a send nor a receive, and for a malformed time
 */
int ring3_chan_select(ring3_chan_case_t *cases, int count, const struct timespec *deadline);

RING3_API_END

#endif
