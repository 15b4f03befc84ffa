/* SPDX-License-Identifier: MIT */
/*
 * Event loop: one place to wait for many descriptors, and what makes a descriptor of everything else.
 *
 *     struct client { ring3_source_t source; … };
 *     static void on_client(ring3_source_t *source, unsigned events)
 *     {
 *         struct client *const client = ring3_container_of(source, struct client, source);
 *         …
 *     }
 *     client->source = (ring3_source_t){.fd = fd, .events = POLLIN, .ready = on_client};
 *     ring3_loop_add(&loop, &client->source);
 *     while (ring3_loop_turn(&loop, NULL) >= 0)
 *         ;
 *
 * Sources: sockets, pipes, terminals; processes (the pidfd of a ring3_process_t); signals
 * (ring3_signalfd_open); times (ring3_timer_open); wake-ups from other threads and handlers
 * (ring3_event_open). Regular files are always ready and cannot be waited for.
 *
 * Back end   cost of a turn             limits
 * epoll      what is ready              none; refuses regular files (-EPERM)
 * poll       every source               the room given at the start
 * select     every source, and number   the room, and numbers below 1024
 *
 * A source belongs to the caller, and to one loop at a time; nothing is allocated. Callbacks may add,
 * change and remove any source of their loop, also themselves; a source that is removed is not called any
 * more in the same turn. Remove a source before its descriptor is closed. Level-triggered: what is not
 * taken shows again. One thread per loop; not async-signal-safe. After fork only one side may go on with an
 * epoll loop: the other closes it.
 */
#ifndef RING3_LOOP_H
#define RING3_LOOP_H

#include "ring3/api.h"
#include "ring3/list.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_source {
    int fd;
    unsigned events; /* POLLIN, POLLOUT, POLLPRI; change it with ring3_loop_change */
    void (*ready)(struct ring3_source *source, unsigned events); /* also POLLERR, POLLHUP */
    /* the loop's own, all-zero at first */
    ring3_list_t link, turn;
    unsigned shown;
} ring3_source_t;

typedef enum ring3_loop_kind {
    RING3_LOOP_EPOLL,
    RING3_LOOP_POLL,
    RING3_LOOP_SELECT,
} ring3_loop_kind_t;

typedef struct ring3_loop {
    ring3_loop_kind_t kind;
    int epoll;            /* -1 for the others */
    struct pollfd *room;  /* the caller's, for poll and select */
    size_t capacity;      /* of the room */
    size_t count;         /* sources */
    ring3_list_t sources; /* by ring3_source_t.link, in the order they were added */
    ring3_list_t turn; /* those that are ready and have not been called, by ring3_source_t.turn */
} ring3_loop_t;

/** Start a loop. `room` (for poll and select; epoll takes NULL, 0) holds one entry per source.
 * @return 0; -EMFILE, -EINVAL. The loop must not be moved afterwards. */
int ring3_loop_open(ring3_loop_t *loop, ring3_loop_kind_t kind, struct pollfd *room,
                    size_t capacity);

/** Forget all sources; their descriptors stay open. */
void ring3_loop_close(ring3_loop_t *loop);

/** @return 0; -EEXIST (it is in a loop already, or with epoll, its descriptor is); -ENOSPC (no room);
 * -EPERM (a regular file), -EBADF, -EINVAL (select: a number of 1024 or more) */
int ring3_loop_add(ring3_loop_t *loop, ring3_source_t *source);

/** Wait for other events from now on. @return 0; -ENOENT (it is in no loop) */
int ring3_loop_change(ring3_loop_t *loop, ring3_source_t *source, unsigned events);

/** @return 0; -ENOENT */
int ring3_loop_remove(ring3_loop_t *loop, ring3_source_t *source);

/**
 * Wait until something is ready, then call all that is.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, NULL for ever; epoll rounds it up to a millisecond
 * @return how many sources were called; -ETIMEDOUT; -EBADF (select: a descriptor was closed), -EINVAL
 */
int ring3_loop_turn(ring3_loop_t *loop, const struct timespec *deadline);

/* --- Descriptors for times and wake-ups --------------------------------------------------------- */

/** A timer, disarmed. Readable once its time has come. Non-blocking, close-on-exec. */
int ring3_timer_open(void);

/** Arm it for `when` (absolute CLOCK_MONOTONIC; NULL disarms), then every `interval_ns` (0: once).
 * @return 0, -EINVAL */
int ring3_timer_set(int fd, const struct timespec *when, int64_t interval_ns);

/** How often its time has come since the last call. @return a number; -EAGAIN if it has not */
int64_t ring3_timer_take(int fd);

/** A wake-up for a loop in this or another process. Readable after ring3_event_raise, which is
 * async-signal-safe and never waits. Non-blocking, close-on-exec. */
int ring3_event_open(void);
int ring3_event_raise(int fd);

/** Clear it. @return how often it was raised; -EAGAIN if it was not */
int64_t ring3_event_take(int fd);

RING3_API_END

#endif
