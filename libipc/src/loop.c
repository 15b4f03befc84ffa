/* SPDX-License-Identifier: MIT */
/*
 * A turn has two halves. First the back end puts every source that is ready on the turn list; then the
 * sources are taken off it one by one and called. Removing a source takes it off both lists, so no
 * callback can meet a source that another has removed, or freed.
 */
#include "ring3/loop.h"

#include "call.h"
#include "deadline.h"
#include "ring3/fd.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define BATCH      64 /* events taken from epoll at once; the rest show in the next turn */
#define NS_PER_MS  1000000
#define MS_PER_SEC 1000

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "epoll and poll use the same bits");

int ring3_loop_open(ring3_loop_t *loop, ring3_loop_kind_t kind, struct pollfd *room,
                    size_t capacity)
{
    const bool by_epoll = kind == RING3_LOOP_EPOLL;

    if (kind > RING3_LOOP_SELECT || (!by_epoll && (!room || capacity > INT_MAX)))
        return -EINVAL;
    *loop = (ring3_loop_t){.kind = kind, .epoll = -1, .room = room, .capacity = capacity};
    ring3_list_init(&loop->sources);
    ring3_list_init(&loop->turn);
    if (by_epoll)
        loop->epoll = ring3_call(epoll_create1(EPOLL_CLOEXEC));
    return by_epoll && loop->epoll < 0 ? loop->epoll : 0;
}

static int tell_epoll(const ring3_loop_t *loop, int operation, ring3_source_t *source)
{
    struct epoll_event event = {.events = source->events, .data.ptr = source};

    return ring3_call(epoll_ctl(loop->epoll, operation, source->fd, &event));
}

/* What poll and select would only find out in the next turn. */
static int check_source(const ring3_loop_t *loop, const ring3_source_t *source)
{
    static const struct timespec at_once;

    if (loop->count == loop->capacity)
        return -ENOSPC;
    if (loop->kind == RING3_LOOP_SELECT && source->fd >= FD_SETSIZE)
        return -EINVAL;
    return ring3_fd_wait(source->fd, 0, &at_once) == -EBADF ? -EBADF : 0;
}

int ring3_loop_add(ring3_loop_t *loop, ring3_source_t *source)
{
    if (ring3_list_linked(&source->link))
        return -EEXIST;
    const int err = loop->kind == RING3_LOOP_EPOLL ? tell_epoll(loop, EPOLL_CTL_ADD, source)
                                                   : check_source(loop, source);

    if (err)
        return err;
    ring3_list_add_tail(&loop->sources, &source->link);
    loop->count++;
    return 0;
}

int ring3_loop_change(ring3_loop_t *loop, ring3_source_t *source, unsigned events)
{
    const unsigned before = source->events;

    if (!ring3_list_linked(&source->link))
        return -ENOENT;
    source->events = events;
    const int err = loop->kind == RING3_LOOP_EPOLL ? tell_epoll(loop, EPOLL_CTL_MOD, source) : 0;

    if (err)
        source->events = before;
    return err;
}

static void unlink_source(ring3_loop_t *loop, ring3_source_t *source)
{
    ring3_list_remove(&source->link);
    if (ring3_list_linked(&source->turn))
        ring3_list_remove(&source->turn);
    loop->count--;
}

int ring3_loop_remove(ring3_loop_t *loop, ring3_source_t *source)
{
    if (!ring3_list_linked(&source->link))
        return -ENOENT;
    unlink_source(loop, source);
    if (loop->kind ==
        RING3_LOOP_EPOLL) /* fails only if the descriptor was closed, and with it left */
        (void)tell_epoll(loop, EPOLL_CTL_DEL, source);
    return 0;
}

void ring3_loop_close(ring3_loop_t *loop)
{
    while (!ring3_list_empty(&loop->sources))
        unlink_source(loop, ring3_list_first_entry(&loop->sources, ring3_source_t, link));
    if (loop->epoll >= 0)
        ring3_fd_close(loop->epoll);
    loop->epoll = -1;
}

static void show(ring3_loop_t *loop, ring3_source_t *source, unsigned events)
{
    if (!events)
        return;
    source->shown = events;
    ring3_list_add_tail(&loop->turn, &source->turn);
}

/* Milliseconds to the deadline, rounded up, -1 for ever; *late when it has passed. */
static int milliseconds_left(const struct timespec *deadline, bool *late)
{
    struct timespec left;

    *late = false;
    if (!deadline)
        return -1;
    *late = ring3_deadline_left(deadline, &left) == -ETIMEDOUT;
    if (left.tv_sec >= INT_MAX / MS_PER_SEC - 1)
        return INT_MAX;
    return (int)left.tv_sec * MS_PER_SEC + (int)((left.tv_nsec + NS_PER_MS - 1) / NS_PER_MS);
}

static int wait_epoll(ring3_loop_t *loop, const struct timespec *deadline)
{
    struct epoll_event events[BATCH];

    for (;;) {
        bool late;
        const int left = milliseconds_left(deadline, &late);
        const int ready = ring3_call(epoll_wait(loop->epoll, events, BATCH, left));

        for (int i = 0; i < ready; i++)
            show(loop, events[i].data.ptr, events[i].events);
        if (ready > 0 || (ready < 0 && ready != -EINTR))
            return ready;
        if (late)
            return -ETIMEDOUT;
    }
}

static int wait_poll(ring3_loop_t *loop, const struct timespec *deadline)
{
    ring3_source_t *source;
    unsigned n = 0;

    ring3_list_for_each_entry (source, &loop->sources, link)
        loop->room[n++] = (struct pollfd){source->fd, (short)source->events, 0};
    const int ready = ring3_fd_wait_any(loop->room, n, deadline);

    n = 0;
    if (ready > 0)
        ring3_list_for_each_entry (source, &loop->sources, link)
            show(loop, source, (unsigned short)loop->room[n++].revents);
    return ready;
}

struct sets {
    fd_set read, write, except;
    int above;
};

static void fill_sets(const ring3_loop_t *loop, struct sets *sets)
{
    ring3_source_t *source;

    FD_ZERO(&sets->read);
    FD_ZERO(&sets->write);
    FD_ZERO(&sets->except);
    sets->above = 0;
    ring3_list_for_each_entry (source, &loop->sources, link) {
        if (source->events & POLLIN)
            FD_SET(source->fd, &sets->read);
        if (source->events & POLLOUT)
            FD_SET(source->fd, &sets->write);
        if (source->events & POLLPRI)
            FD_SET(source->fd, &sets->except);
        if (source->fd >= sets->above)
            sets->above = source->fd + 1;
    }
}

static int wait_select(ring3_loop_t *loop, const struct timespec *deadline)
{
    struct sets sets;
    ring3_source_t *source;
    int ready;

    for (;;) {
        struct timespec left;
        const int late = deadline ? ring3_deadline_left(deadline, &left) : 0;

        fill_sets(loop, &sets); /* the call overwrites them */
        ready = ring3_call(pselect(sets.above, &sets.read, &sets.write, &sets.except,
                                   deadline ? &left : NULL, NULL));
        if (ready > 0 || (ready < 0 && ready != -EINTR))
            break;
        if (late)
            return late;
    }
    if (ready > 0)
        ring3_list_for_each_entry (source, &loop->sources, link)
            show(loop, source,
                 (FD_ISSET(source->fd, &sets.read) ? POLLIN : 0U) |
                     (FD_ISSET(source->fd, &sets.write) ? POLLOUT : 0U) |
                     (FD_ISSET(source->fd, &sets.except) ? POLLPRI : 0U));
    return ready;
}

int ring3_loop_turn(ring3_loop_t *loop, const struct timespec *deadline)
{
    ring3_list_t *next;
    int called = 0, ready;

    if (deadline && ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (loop->kind == RING3_LOOP_EPOLL)
        ready = wait_epoll(loop, deadline);
    else if (loop->kind == RING3_LOOP_POLL)
        ready = wait_poll(loop, deadline);
    else
        ready = wait_select(loop, deadline);
    if (ready < 0)
        return ready;
    while ((next = ring3_list_pop(&loop->turn))) {
        ring3_source_t *const source = ring3_container_of(next, ring3_source_t, turn);

        source->ready(source, source->shown);
        called++;
    }
    return called;
}
