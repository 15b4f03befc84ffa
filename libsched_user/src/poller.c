/* SPDX-License-Identifier: MIT */
/*
 * One epoll instance for all workers. Descriptors are registered once, edge-triggered, for both
 * sides; an event counts up the side's `ready` and wakes who waits for it. A waiter reads the count
 * before it tries, and does not sleep if it has moved: no event can be missed.
 *
 * One worker at a time waits in epoll, an idle one; busy ones look now and then. A worker that leaves
 * while others sleep calls one of them to take its place.
 */
#include "poller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct side {
    uint32_t ready; /* events so far */
    ring3_list_t waiters;
};

struct watched {
    struct kernel_lock lock;
    uint32_t registered;
    struct side side[2];
};

#define CHUNK  256
#define CHUNKS 4096 /* a million descriptors */
#define EVENTS 64

/* Descriptors are the process's. */
static struct {
    struct kernel_lock lock; /* for making things */
    struct watched *chunks[CHUNKS];
    int epoll, bell;   /* 1 + the descriptor; 0: not yet */
    uint32_t watching; /* 1: somebody is in epoll_wait */
    uint32_t waiting;  /* threads that wait for descriptors */
} all;

static struct watched *make_chunk(int index)
{
    struct watched *chunk;

    kernel_lock(&all.lock);
    chunk = all.chunks[index];
    if (!chunk && (chunk = calloc(CHUNK, sizeof *chunk))) {
        for (int i = 0; i < CHUNK; i++) {
            ring3_list_init(&chunk[i].side[POLLER_IN].waiters);
            ring3_list_init(&chunk[i].side[POLLER_OUT].waiters);
        }
        /* Pairs with the acquire in watched_of. */
        ring3_store(&all.chunks[index], chunk, RING3_RELEASE);
    }
    kernel_unlock(&all.lock);
    return chunk;
}

static struct watched *watched_of(int fd)
{
    struct watched *chunk;

    if (fd < 0 || fd >= CHUNK * CHUNKS)
        return NULL;
    /* Pairs with the release in make_chunk. */
    chunk = ring3_load(&all.chunks[fd / CHUNK], RING3_ACQUIRE);
    if (!chunk && !(chunk = make_chunk(fd / CHUNK)))
        return NULL;
    return &chunk[fd % CHUNK];
}

/* The epoll instance, with a bell that wakes who waits in it. */
static int open_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = -1};
    int epoll, bell;

    /* Pairs with the release below. */
    epoll = ring3_load(&all.epoll, RING3_ACQUIRE) - 1;
    if (epoll >= 0)
        return epoll;
    kernel_lock(&all.lock);
    epoll = all.epoll - 1;
    if (epoll < 0) {
        epoll = epoll_create1(EPOLL_CLOEXEC);
        bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (epoll >= 0 && bell >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event) == 0) {
            all.bell = bell + 1;
            ring3_store(&all.epoll, epoll + 1, RING3_RELEASE);
        } else {
            const int err = errno;

            if (epoll >= 0)
                (void)close(epoll);
            if (bell >= 0)
                (void)close(bell);
            epoll = -err;
        }
    }
    kernel_unlock(&all.lock);
    return epoll;
}

int poller_watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    struct watched *const watched = watched_of(fd);
    int flags, epoll, err = 0;

    if (!watched)
        return fd < 0 ? -EBADF : -ENOMEM;
    /* Pairs with the release below. */
    if (ring3_load(&watched->registered, RING3_ACQUIRE))
        return 0;
    epoll = open_epoll();
    if (epoll < 0)
        return epoll;
    kernel_lock(&watched->lock);
    if (!watched->registered) {
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0 &&
            (errno != EEXIST || epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0))
            err = -errno;
        flags = err ? 0 : fcntl(fd, F_GETFL);
        if (!err &&
            (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)))
            err = -errno;
        if (!err)
            ring3_store(&watched->registered, 1, RING3_RELEASE);
    }
    kernel_unlock(&watched->lock);
    return err;
}

void poller_unwatch(int fd)
{
    struct watched *const watched = watched_of(fd);

    if (watched)
        ring3_store(&watched->registered, 0, RING3_RELEASE);
}

uint32_t poller_seen(int fd, enum poller_side side)
{
    const struct watched *const watched = watched_of(fd);

    return watched ? ring3_load(&watched->side[side].ready, RING3_ACQUIRE) : 0;
}

bool poller_stand(struct poller_waiter *waiter, uint32_t seen)
{
    struct watched *const watched = watched_of(waiter->fd);
    struct side *const side = &watched->side[waiter->side];
    bool stands;

    /* Whoever goes to sleep after this must look at epoll. */
    (void)ring3_fetch_add(&all.waiting, 1, RING3_SEQ_CST);
    kernel_lock(&watched->lock);
    stands = side->ready == seen;
    if (stands)
        ring3_list_add_tail(&side->waiters, &waiter->link);
    kernel_unlock(&watched->lock);
    if (!stands)
        (void)ring3_fetch_sub(&all.waiting, 1, RING3_RELAXED);
    return stands;
}

void poller_leave(struct poller_waiter *waiter)
{
    struct watched *const watched = watched_of(waiter->fd);

    kernel_lock(&watched->lock);
    if (ring3_list_linked(&waiter->link))
        ring3_list_remove(&waiter->link);
    kernel_unlock(&watched->lock);
    (void)ring3_fetch_sub(&all.waiting, 1, RING3_RELAXED);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void tell(struct watched *watched, struct side *side)
{
    ring3_list_t *link;

    kernel_lock(&watched->lock);
    ring3_store(&side->ready, side->ready + 1, RING3_RELEASE);
    while ((link = ring3_list_pop(&side->waiters)))
        thread_wake(ring3_container_of(link, struct poller_waiter, link)->thread);
    kernel_unlock(&watched->lock);
}

static void take_event(const struct epoll_event *event)
{
    const uint32_t both = EPOLLERR | EPOLLHUP;
    uint64_t rings;

    if (event->data.fd < 0) {
        (void)!read(all.bell - 1, &rings, sizeof rings);
        return;
    }

    struct watched *const watched = watched_of(event->data.fd);

    if (event->events & (EPOLLIN | EPOLLRDHUP | both))
        tell(watched, &watched->side[POLLER_IN]);
    if (event->events & (EPOLLOUT | both))
        tell(watched, &watched->side[POLLER_OUT]);
}

/* Rounded up; a day at most. */
static int milliseconds(int64_t until, int64_t left)
{
    const int64_t day = 86400000;

    if (until == INT64_MAX)
        return -1;
    left = left > 0 ? (left + 999999) / 1000000 : 0;
    return (int)(left < day ? left : day);
}

/* Look, and sleep up to `until` if nothing happens; 0: do not sleep. */
static void look(int64_t until)
{
    const int64_t left = until == 0 || until == INT64_MAX ? 0 : until - runtime_clock();
    const struct timespec limit = {left > 0 ? left / RING3_SECOND_NS : 0,
                                   left > 0 ? left % RING3_SECOND_NS : 0};
    struct epoll_event events[EVENTS];
    int count;

    count = epoll_pwait2(all.epoll - 1, events, EVENTS, until == INT64_MAX ? NULL : &limit, NULL);
    if (count < 0 && errno == ENOSYS) /* Linux before 5.11 */
        count = epoll_wait(all.epoll - 1, events, EVENTS, milliseconds(until, left));
    for (int i = 0; i < count; i++)
        take_event(&events[i]);
}

static bool take_watch(void)
{
    return ring3_load(&all.waiting, RING3_SEQ_CST) > 0 &&
           ring3_exchange(&all.watching, 1, RING3_ACQUIRE) == 0;
}

static void leave_watch(void)
{
    /* Pairs with the exchange in take_watch. */
    ring3_store(&all.watching, 0, RING3_RELEASE);
}

bool poller_wait(struct worker *worker, int64_t until)
{
    const int saved = errno;

    if (!take_watch())
        return false;
    /* As in rest (idle.c). */
    (void)ring3_exchange(&worker->sleeping, 2, RING3_SEQ_CST);
    if (worker_called(worker))
        until = 0;
    look(until);
    (void)ring3_exchange(&worker->sleeping, 0, RING3_SEQ_CST); /* as in rest (idle.c) */
    leave_watch();
    errno = saved;
    /* Somebody else must listen while this worker works. */
    for (unsigned i = 0; runtime.several && i < runtime.workers; i++)
        if (ring3_load(&runtime.worker[i]->sleeping, RING3_RELAXED) == 1) {
            worker_kick(runtime.worker[i]);
            break;
        }
    return true;
}

void poller_glance(void)
{
    const int saved = errno;

    if (ring3_likely(ring3_load(&all.waiting, RING3_RELAXED) == 0) || !take_watch())
        return;
    look(0);
    leave_watch();
    errno = saved;
}

void poller_kick(void)
{
    const uint64_t one = 1;

    (void)!write(all.bell - 1, &one, sizeof one);
}

void poller_forget(void)
{
    if (all.epoll)
        (void)close(all.epoll - 1);
    if (all.bell)
        (void)close(all.bell - 1);
    all.epoll = all.bell = 0;
    all.watching = all.waiting = 0;
    all.lock.word = 0;
    for (int i = 0; i < CHUNKS; i++)
        for (int k = 0; all.chunks[i] && k < CHUNK; k++) {
            struct watched *const watched = &all.chunks[i][k];

            watched->lock.word = 0;
            watched->registered = 0;
            ring3_list_init(&watched->side[POLLER_IN].waiters);
            ring3_list_init(&watched->side[POLLER_OUT].waiters);
        }
}
