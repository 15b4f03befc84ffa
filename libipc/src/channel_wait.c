/* SPDX-License-Identifier: MIT */
/* Sleeping over a channel: in poll, where the peer's bell, its hanging up and its death all show. */
#include "channel_private.h"

#include "ring3/fd.h"
#include "ring_wait.h"

#include <errno.h>
#include <sys/epoll.h>

/* Sleep at most so long where waking cannot be relied upon (ring3_ring_arm). */
#define NAP_NS 1000000

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Also a socket, at the trust level that uses those. */
static void quiet_bell(int bell)
{
    uint64_t taken;

    while (ring3_fd_read(bell, &taken, sizeof taken) == 1)
        ;
}

/* Notes what poll saw of the three descriptors. */
static void note(ring3_channel_t *channel, const struct pollfd fds[3])
{
    if (fds[0].revents & POLLIN)
        quiet_bell(fds[0].fd);
    if (fds[1].revents || fds[2].revents)
        ring3_store(&channel->gone, 1, RING3_RELAXED);
}

static void list(const ring3_channel_t *channel, int bell, struct pollfd fds[3])
{
    fds[0] = (struct pollfd){.fd = channel->bells[bell], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = channel->control}; /* POLLHUP comes unasked */
    fds[2] = (struct pollfd){.fd = channel->pidfd, .events = POLLIN};
}

/*
 * A reader that is as fast as its writer takes every message as soon as it is there, and each costs both of
 * them the way of some cache lines from one CPU to the other. So when messages keep coming at once, and none
 * went the other way that they could be answers to, let some more come before the next look.
 */
#define AT_ONCE       64 /* turns of spinning */
#define AT_ONCE_LEAST 4  /* waits in a row */
#define GATHER_NS     3000

static void let_some_come(ring3_channel_t *channel)
{
    const uint64_t sent = ring3_load(&channel->out.side.mine->position, RING3_RELAXED);

    if (sent != channel->out_seen || channel->in.side.turns > AT_ONCE) {
        channel->out_seen = sent;
        channel->at_once = 0;
    } else if (channel->at_once < AT_ONCE_LEAST) {
        channel->at_once++;
    } else {
        const struct timespec enough = ring3_deadline_in(CLOCK_MONOTONIC, GATHER_NS);

        while (!ring3_deadline_passed(CLOCK_MONOTONIC, &enough))
            ring3_cpu_relax();
    }
}

int ring3_channel_wait(ring3_channel_t *channel, ring3_ring_side_t *side, int bell,
                       const uint64_t *word, uint64_t seen, const struct timespec *deadline)
{
    const struct timespec *until = deadline;
    struct pollfd fds[3];
    struct timespec nap;
    int ready = 0;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (ring3_load(&channel->gone, RING3_RELAXED))
        return -ECONNRESET;
    if (bell == BELL_MESSAGE && ring3_load(&channel->interrupted, RING3_RELAXED) &&
        ring3_exchange(&channel->interrupted, 0, RING3_ACQUIRE))
        return -ECANCELED;
    const bool passed = ring3_deadline_passed(CLOCK_MONOTONIC, deadline);

    if (!passed && ring3_ring_spin(side, word, seen)) {
        if (bell == BELL_MESSAGE)
            let_some_come(channel);
        return 0;
    }
    if (!ring3_ring_arm(side, RING3_RING_BY_BELL)) {
        nap = ring3_deadline_in(CLOCK_MONOTONIC, NAP_NS);
        if (!deadline || earlier(&nap, deadline))
            until = &nap;
    }
    if (ring3_load(word, RING3_RELAXED) == seen) {
        list(channel, bell, fds);
        ready = ring3_fd_wait_any(fds, 3, until);
        if (ready > 0)
            note(channel, fds);
    }
    ring3_ring_disarm(side);
    if (ring3_load(&channel->gone, RING3_RELAXED))
        return -ECONNRESET;
    if (ready < 0 && until == deadline)
        return ready;
    return ring3_deadline_passed(CLOCK_MONOTONIC, deadline) ? -ETIMEDOUT : 0;
}

int ring3_channel_fd(ring3_channel_t *channel)
{
    struct pollfd fds[3];

    if (channel->kind != RING3_CHANNEL_MEMORY)
        return channel->reader.fd;
    if (channel->pollable >= 0)
        return channel->pollable;
    const int saved = errno;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    int err = epoll < 0 ? -errno : 0;

    list(channel, BELL_MESSAGE, fds);
    for (int i = 0; i < 3 && !err; i++) {
        struct epoll_event event = {.events = fds[i].events & POLLIN ? EPOLLIN : 0};

        if (fds[i].fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i].fd, &event))
            err = -errno;
    }
    errno = saved;
    if (err) {
        if (epoll >= 0)
            ring3_fd_close(epoll);
        return err;
    }
    return channel->pollable = epoll;
}

/* A whole message of a stream is in our storage already, where poll does not see it. */
static bool buffered(const ring3_channel_t *channel)
{
    const size_t have = channel->reader.end - channel->reader.start;
    uint32_t length;

    if (channel->kind != RING3_CHANNEL_STREAM || have < sizeof length)
        return false;
    memcpy(&length, channel->reader.storage + channel->reader.start, sizeof length);
    return have - sizeof length >= length;
}

/* There is something to receive or to report. A hint where the peer's position is looked at: who acts on it looks
 * again with an acquire. */
static bool ready(const ring3_channel_t *channel)
{
    const ring3_ring_reader_t *const in = &channel->in;

    if (channel->kind != RING3_CHANNEL_MEMORY)
        return buffered(channel);
    return channel->complete || in->head != in->seen || in->side.broken ||
           ring3_load(&channel->gone, RING3_RELAXED) ||
           ring3_load(&channel->interrupted, RING3_RELAXED) ||
           ring3_load(&in->side.peer->position, RING3_RELAXED) != in->seen;
}

/* One that is ready, beginning with `first`; or -1. */
static int find_ready(ring3_channel_t *const *channels, unsigned count, uint32_t first)
{
    for (unsigned i = 0; i < count; i++)
        if (ready(channels[(first + i) % count]))
            return (int)((first + i) % count);
    return -1;
}

/* Announces a sleep over all that are over memory, with one fence for all. @return false: it may go unnoticed */
static bool announce(ring3_channel_t *const *channels, unsigned count)
{
    bool global = false;

    for (unsigned i = 0; i < count; i++)
        if (channels[i]->kind == RING3_CHANNEL_MEMORY) {
            quiet_bell(channels[i]->bells[BELL_MESSAGE]);
            ring3_ring_announce(&channels[i]->in.side, RING3_RING_BY_BELL);
        }
    ring3_fence_full();
    for (unsigned i = 0; i < count && !global; i++)
        global = channels[i]->kind == RING3_CHANNEL_MEMORY &&
                 ring3_ring_needs_global(&channels[i]->in.side);
    return !global || ring3_fence_global();
}

static void awake(ring3_channel_t *const *channels, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (channels[i]->kind == RING3_CHANNEL_MEMORY)
            ring3_ring_disarm(&channels[i]->in.side);
}

int ring3_channel_arm(ring3_channel_t *channel)
{
    if (ready(channel))
        return 1;
    if (channel->kind != RING3_CHANNEL_MEMORY)
        return 0;
    /* Unreliable only if this process has entered a sandbox since it joined global fences. */
    if (announce(&channel, 1) && !ready(channel))
        return 0;
    ring3_ring_disarm(&channel->in.side);
    return 1;
}

/* Worth looking again before going to sleep: a channel's peer runs elsewhere. */
static void spin(ring3_channel_t *one)
{
    if (one->kind == RING3_CHANNEL_MEMORY && !ready(one))
        (void)ring3_ring_spin(&one->in.side, &one->in.side.peer->position, one->in.seen);
}

static void list_all(ring3_channel_t *const *channels, unsigned count, struct pollfd *fds)
{
    for (unsigned i = 0; i < count; i++) {
        list(channels[i], BELL_MESSAGE, fds + 3 * (size_t)i);
        if (channels[i]->kind != RING3_CHANNEL_MEMORY)
            fds[3 * (size_t)i] = (struct pollfd){channels[i]->reader.fd, POLLIN, 0};
    }
}

/* Sleeps once. The index of a channel over descriptors, or of one of the extra descriptors, that showed something;
 * -EAGAIN when those over memory are to be looked at; -ETIMEDOUT. */
static int sleep_once(ring3_channel_t *const *channels, unsigned count, uint32_t first,
                      struct pollfd *fds, unsigned extras, const struct timespec *deadline)
{
    list_all(channels, count, fds);

    const int shown = ring3_fd_wait_any(fds, 3 * count + extras, deadline);

    if (shown < 0)
        return shown;
    for (unsigned i = 0; i < count; i++) {
        const unsigned at = (first + i) % count;

        if (channels[at]->kind != RING3_CHANNEL_MEMORY && fds[3 * at].revents)
            return (int)at;
        if (channels[at]->kind == RING3_CHANNEL_MEMORY)
            note(channels[at], fds + 3 * (size_t)at);
    }
    for (unsigned i = 0; i < extras; i++)
        if (fds[3 * count + i].revents)
            return (int)(count + i);
    return -EAGAIN;
}

int ring3_channel_wait_any_or(ring3_channel_t *const *channels, unsigned count,
                              const struct pollfd *extra, unsigned extras,
                              const struct timespec *deadline)
{
    static uint32_t turn; /* where to look first: a hint, so that nobody is passed over for ever */
    const uint32_t first = ring3_fetch_add(&turn, 1, RING3_RELAXED);
    struct pollfd fds[3 * RING3_CHANNEL_WAIT_MAX + RING3_CHANNEL_EXTRA];
    int found;

    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (count == 1 && !ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
        spin(channels[0]);
    for (unsigned i = 0; i < extras; i++)
        fds[3 * count + i] = extra[i];
    for (;;) {
        const struct timespec *until = deadline;
        struct timespec nap;

        found = find_ready(channels, count, first);
        if (found >= 0)
            return found;
        if (!announce(channels, count)) {
            nap = ring3_deadline_in(CLOCK_MONOTONIC, NAP_NS);
            if (!deadline || earlier(&nap, deadline))
                until = &nap;
        }
        found = find_ready(channels, count, first);
        if (found < 0)
            found = sleep_once(channels, count, first, fds, extras, until);
        awake(channels, count);
        if (found >= 0 || (found != -EAGAIN && until == deadline))
            return found;
        if (found == -ETIMEDOUT && ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            return found;
    }
}

int ring3_channel_wait_any(ring3_channel_t *const *channels, unsigned count,
                           const struct timespec *deadline)
{
    if (count == 0 || count > RING3_CHANNEL_WAIT_MAX)
        return -EINVAL;
    return ring3_channel_wait_any_or(channels, count, NULL, 0, deadline);
}
