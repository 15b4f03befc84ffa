/* SPDX-License-Identifier: MIT */
#include "ring3/loop.h"

#include "ring3/fd.h"
#include "ring3/process.h"
#include "ring3/signals.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 16

static struct pollfd room[ROOM];
static ring3_loop_t loop;

static const ring3_loop_kind_t kinds[] = {RING3_LOOP_EPOLL, RING3_LOOP_POLL, RING3_LOOP_SELECT};

static void open_loop(ring3_loop_kind_t kind)
{
    check_eq(ring3_loop_open(&loop, kind, kind == RING3_LOOP_EPOLL ? NULL : room,
                             kind == RING3_LOOP_EPOLL ? 0 : ROOM),
             0);
}

static int calls;
static unsigned last_events;

static void count(ring3_source_t *source, unsigned events)
{
    (void)source;
    calls++;
    last_events = events;
}

#define FOR_EACH_KIND(k)                                                                           \
    for (const ring3_loop_kind_t *k = kinds; k < kinds + sizeof kinds / sizeof *kinds; k++)

TEST(loop, calls_what_is_ready_until_it_is_taken)
{
    FOR_EACH_KIND(kind)
    {
        int ends[2];
        char byte;

        open_loop(*kind);
        check_eq(pipe(ends), 0);
        ring3_source_t in = {.fd = ends[0], .events = POLLIN, .ready = count};
        ring3_source_t out = {.fd = ends[1], .events = POLLOUT, .ready = count};
        const struct timespec past = deadline_in(-1);

        calls = 0;
        check_eq(ring3_loop_add(&loop, &in), 0);
        check_eq(ring3_loop_turn(&loop, &past), -ETIMEDOUT);
        check_eq(write(ends[1], "x", 1), 1);
        check_eq(ring3_loop_turn(&loop, NULL), 1);
        check_eq(ring3_loop_turn(&loop, NULL), 1, "level-triggered");
        check_eq(last_events, (unsigned)POLLIN);
        check_eq(ring3_loop_add(&loop, &out), 0);
        check_eq(ring3_loop_add(&loop, &out), -EEXIST);
        check_eq(ring3_loop_turn(&loop, NULL), 2);
        check_eq(calls, 4);
        check_eq(read(ends[0], &byte, 1), 1);
        check_eq(ring3_loop_turn(&loop, NULL), 1);
        check_eq(last_events, (unsigned)POLLOUT);
        check_eq(ring3_loop_change(&loop, &out, 0), 0);
        check_eq(ring3_loop_turn(&loop, &past), -ETIMEDOUT);
        check_eq(ring3_loop_remove(&loop, &out), 0);
        check_eq(ring3_loop_remove(&loop, &out), -ENOENT);
        check_eq(ring3_loop_change(&loop, &out, POLLOUT), -ENOENT);
        close(ends[1]);
        check_eq(ring3_loop_turn(&loop, NULL), 1, "the end of the pipe does not show");
        check(last_events & (*kind == RING3_LOOP_SELECT ? POLLIN : POLLHUP));
        ring3_loop_close(&loop);
        check_eq(loop.count, 0u);
        close(ends[0]);
    }
}

/* Each callback removes the other source: whichever comes first, the other must not be called. */
static ring3_source_t left, right;

static void remove_other(ring3_source_t *source, unsigned events)
{
    ring3_source_t *const other = source == &left ? &right : &left;

    (void)events;
    calls++;
    check_eq(ring3_loop_remove(&loop, other), 0);
    memset(other, 0xff, sizeof *other); /* as if freed */
}

static void remove_self(ring3_source_t *source, unsigned events)
{
    (void)events;
    calls++;
    check_eq(ring3_loop_remove(&loop, source), 0);
    memset(source, 0xff, sizeof *source);
}

TEST(loop, removed_sources_are_not_called_in_the_same_turn)
{
    FOR_EACH_KIND(kind)
    {
        int ends[2];

        open_loop(*kind);
        check_eq(pipe(ends), 0);
        check_eq(write(ends[1], "x", 1), 1);
        left = (ring3_source_t){.fd = ends[0], .events = POLLIN, .ready = remove_other};
        right = (ring3_source_t){.fd = ends[1], .events = POLLOUT, .ready = remove_other};
        check_eq(ring3_loop_add(&loop, &left), 0);
        check_eq(ring3_loop_add(&loop, &right), 0);
        calls = 0;
        check_eq(ring3_loop_turn(&loop, NULL), 1);
        check_eq(calls, 1);
        check_eq(loop.count, 1u);
        ring3_loop_close(&loop);

        open_loop(*kind);
        left = (ring3_source_t){.fd = ends[0], .events = POLLIN, .ready = remove_self};
        check_eq(ring3_loop_add(&loop, &left), 0);
        check_eq(ring3_loop_turn(&loop, NULL), 1);
        check_eq(loop.count, 0u);
        ring3_loop_close(&loop);
        close(ends[0]);
        close(ends[1]);
    }
}

TEST(loop, deadlines_hold_through_signals)
{
    FOR_EACH_KIND(kind)
    {
        open_loop(*kind);
        start_signal_storm();
        const double begin = seconds_now();
        const struct timespec soon = deadline_in(30);

        check_eq(ring3_loop_turn(&loop, &soon), -ETIMEDOUT);
        check_ge(seconds_now() - begin, 0.03);
        stop_signal_storm();
        check_eq(ring3_loop_turn(&loop, &(struct timespec){0, -1}), -EINVAL);
        ring3_loop_close(&loop);
    }
}

TEST(loop, limits_are_errors)
{
    static ring3_source_t sources[ROOM + 1];
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(dup2(ends[0], 1500), 1500);
    FOR_EACH_KIND(kind)
    {
        ring3_source_t closed = {.fd = 900, .events = POLLIN, .ready = count};
        ring3_source_t high = {.fd = 1500, .events = POLLIN, .ready = count};

        open_loop(*kind);
        check_eq(ring3_loop_add(&loop, &closed), -EBADF);
        check_eq(ring3_loop_add(&loop, &high), *kind == RING3_LOOP_SELECT ? -EINVAL : 0);
        if (*kind != RING3_LOOP_EPOLL) {
            memset(sources, 0, sizeof sources);
            int added = 0, err = 0;

            for (; added <= ROOM && !err; added++) {
                sources[added].fd = ends[0];
                err = ring3_loop_add(&loop, &sources[added]);
            }
            check_eq(err, -ENOSPC);
            check_eq(loop.count, (size_t)ROOM);
        }
        ring3_loop_close(&loop);
    }
    open_loop(RING3_LOOP_EPOLL);
    enter_scratch();
    ring3_source_t file = {.fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600), .ready = count};

    check_eq(ring3_loop_add(&loop, &file), -EPERM);
    leave_scratch();
    check_eq(ring3_loop_open(&loop, RING3_LOOP_POLL, NULL, 5), -EINVAL);
    use_up_descriptors();
    check_eq(ring3_loop_open(&loop, RING3_LOOP_EPOLL, NULL, 0), -EMFILE);
}

TEST(loop, processes_signals_times_and_wakeups_are_sources)
{
    const int rtmin = SIGRTMIN;
    sigset_t set;

    check_eq(ring3_signal_set(&set, &rtmin, 1), 0);
    check_eq(ring3_signal_block(&set, NULL), 0);
    FOR_EACH_KIND(kind)
    {
        ring3_process_t child;
        const pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        check_eq(ring3_process_adopt(&child, pid), 0);
        const int timer = ring3_timer_open(), event = ring3_event_open(),
                  signals = ring3_signalfd_open(&set);
        const struct timespec soon = deadline_in(5);
        ring3_source_t sources[] = {{.fd = child.pidfd, .events = POLLIN, .ready = count},
                                    {.fd = timer, .events = POLLIN, .ready = count},
                                    {.fd = event, .events = POLLIN, .ready = count},
                                    {.fd = signals, .events = POLLIN, .ready = count}};

        open_loop(*kind);
        for (int i = 0; i < 4; i++)
            check_eq(ring3_loop_add(&loop, &sources[i]), 0);
        check_eq(ring3_timer_set(timer, &soon, 0), 0);
        check_eq(ring3_event_raise(event), 0);
        check_eq(ring3_signal_send(getpid(), rtmin), 0);
        while (ring3_loop_turn(&loop, NULL) < 4)
            ; /* they come in their own time, and stay */
        check_eq(ring3_timer_take(timer), 1);
        check_eq(ring3_event_take(event), 1);
        check_eq(ring3_signalfd_read(signals, NULL, NULL), rtmin);
        check_eq(ring3_process_signal(&child, 0), 0);
        check_eq(ring3_loop_remove(&loop, &sources[0]), 0);
        check_eq(ring3_process_wait(&child, 0, NULL, NULL), 0);
        const struct timespec past = deadline_in(-1);

        check_eq(ring3_loop_turn(&loop, &past), -ETIMEDOUT);
        ring3_loop_close(&loop);
        close(timer);
        close(event);
        close(signals);
    }
}

TEST(loop, timers_repeat_and_can_be_disarmed)
{
    const int timer = ring3_timer_open();
    const struct timespec past = {0, 0};

    check_ge(timer, 0);
    check_eq(ring3_timer_take(timer), -EAGAIN);
    check_eq(ring3_timer_set(timer, &past, 1000000), 0);
    sleep_ms(10);
    check_ge(ring3_timer_take(timer), 10);
    check_eq(ring3_timer_set(timer, NULL, 0), 0);
    sleep_ms(5);
    check_eq(ring3_timer_take(timer), -EAGAIN);
    check_eq(ring3_timer_set(timer, &past, -1), -EINVAL);
    check_eq(ring3_timer_set(timer, &(struct timespec){1, -5}, 0), -EINVAL);
}

static void *raise_later(void *fd)
{
    sleep_ms(20);
    return ring3_event_raise(*(int *)fd) ? fd : NULL;
}

TEST(loop, another_thread_wakes_it)
{
    int event = ring3_event_open();
    ring3_source_t source = {.fd = event, .events = POLLIN, .ready = count};
    pthread_t thread;
    void *failed;

    open_loop(RING3_LOOP_EPOLL);
    check_eq(ring3_loop_add(&loop, &source), 0);
    check_eq(pthread_create(&thread, NULL, raise_later, &event), 0);
    check_eq(ring3_loop_turn(&loop, NULL), 1);
    check_eq(pthread_join(thread, &failed), 0);
    check(!failed);
    check_eq(ring3_event_raise(event), 0);
    check_eq(ring3_event_take(event), 2);
    check_eq(ring3_event_take(event), -EAGAIN);
    const uint64_t brim = UINT64_MAX - 1;

    check_eq(write(event, &brim, sizeof brim), 8);
    check_eq(ring3_event_raise(event), 0, "it waits when it is full");
    check_eq(ring3_event_take(event), INT64_MAX);
}
