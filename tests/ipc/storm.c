/* SPDX-License-Identifier: MIT */
/*
 * Every blocking call (and those of storm_shared.c and storm_messages.c), waiting for what does not come while a signal comes a thousand times a second: it ends with its
 * deadline, neither before it nor with -EINTR. tests/scripts/ring3-ipc.sh compares this list with the headers.
 */
#include "storm.h"

#include "ring3/copy.h"
#include "ring3/fd.h"
#include "ring3/fdpass.h"
#include "ring3/filelock.h"
#include "ring3/frame.h"
#include "ring3/loop.h"
#include "ring3/mq.h"
#include "ring3/pipe.h"
#include "ring3/signals.h"
#include "ring3/socket.h"
#include "ring3/stream.h"
#include "ring3/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[1 << 20]; /* more than a pipe or a socket holds */
static char storage[4096];

/* --- What never gets anything, and what is full -------------------------------------------------------- */

static int quiet_pipe[2], quiet_pair[2], full_pair[2], full_packets[2];

static void make_descriptors(void)
{
    check_eq(ring3_pipe_open(quiet_pipe, 0), 0);
    check_eq(ring3_socket_pair(quiet_pair, SOCK_STREAM), 0);
    check_eq(ring3_socket_pair(full_pair, SOCK_STREAM), 0);
    check_eq(ring3_socket_pair(full_packets, SOCK_SEQPACKET), 0);
    while (send(full_pair[0], bytes, 65536, MSG_DONTWAIT) > 0)
        ;
    while (send(full_pair[0], bytes, 1, MSG_DONTWAIT) > 0)
        ;
    while (send(full_packets[0], bytes, 1, MSG_DONTWAIT) > 0)
        ;
}

/* --- fd.h, copy.h, stream.h, frame.h, pipe.h ---------------------------------------------------------------- */

static int fd_wait(until_t until)
{
    return ring3_fd_wait(quiet_pipe[0], POLLIN, until);
}
static int fd_wait_any(until_t until)
{
    struct pollfd fds[2] = {{.fd = quiet_pipe[0], .events = POLLIN},
                            {.fd = quiet_pair[0], .events = POLLIN}};

    return ring3_fd_wait_any(fds, 2, until);
}
static int fd_read_full(until_t until)
{
    return ring3_fd_read_full(quiet_pipe[0], storage, 8, until, NULL);
}
static int fd_readv_full(until_t until)
{
    struct iovec one = {storage, 8};

    return ring3_fd_readv_full(quiet_pair[0], &one, 1, until, NULL);
}
static int fd_write_full(until_t until)
{
    int ends[2];

    check_eq(ring3_pipe_open(ends, 0), 0);
    const int err = ring3_fd_write_full(ends[1], bytes, sizeof bytes, until, NULL);

    close(ends[0]);
    close(ends[1]);
    return err;
}
static int fd_writev_full(until_t until)
{
    struct iovec one = {bytes, sizeof bytes};

    return ring3_fd_writev_full(full_pair[0], &one, 1, until, NULL);
}
static int copy(until_t until)
{
    return ring3_copy(quiet_pipe[0], full_pair[1], 8, until, NULL);
}
static int reader_fill(until_t until)
{
    ring3_reader_t reader;

    ring3_reader_init(&reader, quiet_pipe[0], storage, sizeof storage);
    return ring3_reader_fill(&reader, 1, until);
}
static int reader_read(until_t until)
{
    ring3_reader_t reader;
    char byte;

    ring3_reader_init(&reader, quiet_pipe[0], storage, sizeof storage);
    return ring3_reader_read(&reader, &byte, 1, until, NULL);
}
static int reader_until(until_t until)
{
    ring3_reader_t reader;
    const char *piece;
    size_t length;

    ring3_reader_init(&reader, quiet_pipe[0], storage, sizeof storage);
    return ring3_reader_until(&reader, '\n', &piece, &length, until);
}
static int writer_write(until_t until)
{
    ring3_writer_t writer;

    ring3_writer_init(&writer, full_pair[0], storage, sizeof storage);
    return ring3_writer_write(&writer, bytes, sizeof bytes, until, NULL);
}
static int writer_flush(until_t until)
{
    ring3_writer_t writer;

    ring3_writer_init(&writer, full_pair[0], storage, sizeof storage);
    check_eq(ring3_writer_write(&writer, "x", 1, NULL, NULL), 0);
    return ring3_writer_flush(&writer, until);
}
static int frame_send(until_t until)
{
    size_t done = 0;

    return ring3_frame_send(full_pair[0], bytes, 100, until, &done);
}
static int frame_receive(until_t until)
{
    ring3_reader_t reader;
    const void *message;
    size_t length;

    ring3_reader_init(&reader, quiet_pair[0], storage, sizeof storage);
    return ring3_frame_receive(&reader, &message, &length, until);
}
static int fifo_open_read(until_t until)
{
    return ring3_fifo_open_read("fifo", until);
}
static int fifo_open_write(until_t until)
{
    return ring3_fifo_open_write("fifo", until);
}

/* --- socket.h, fdpass.h ------------------------------------------------------------------------------------- */

static ring3_listener_t listener; /* nobody accepts; its queue is full */
static ring3_address_t busy;
static int queued[8], queued_count;

/* Listens and lets connections pile up until the next one would have to wait. */
static void fill_backlog(void)
{
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_address_unix(&busy, "busy"), 0);
    check_eq(ring3_listen(&listener, &busy, SOCK_SEQPACKET, 1), 0);
    for (queued_count = 0; queued_count < 8; queued_count++) {
        queued[queued_count] = ring3_connect(&busy, SOCK_SEQPACKET, &past);
        if (queued[queued_count] < 0)
            return;
    }
    check(false, "a backlog of one takes eight");
}

static int accept_(until_t until)
{
    ring3_listener_t lonely;
    ring3_address_t address;

    check_eq(ring3_address_unix(&address, "lonely"), 0);
    check_eq(ring3_listen(&lonely, &address, SOCK_STREAM, 1), 0);
    const int fd = ring3_accept(lonely.fd, NULL, until);

    ring3_listener_close(&lonely);
    return fd;
}
static int connect_(until_t until)
{
    return ring3_connect(&busy, SOCK_SEQPACKET, until);
}
static int send_(until_t until)
{
    return (int)ring3_send(full_packets[0], "x", 1, 0, until);
}
static int receive(until_t until)
{
    return (int)ring3_receive(quiet_pair[0], storage, 8, 0, until);
}
static int send_to(until_t until)
{
    ring3_address_t address;
    const int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
              to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t put;

    (void)unlink("datagrams");
    check_eq(ring3_address_unix(&address, "datagrams"), 0);
    check_eq(bind(to, (struct sockaddr *)&address.storage, address.length), 0);
    do
        put = ring3_send_to(from, "x", 1, 0, &address, until);
    while (put == 1);
    close(from);
    close(to);
    return (int)put;
}
static int receive_from(until_t until)
{
    ring3_address_t from;

    return (int)ring3_receive_from(quiet_pair[0], storage, 8, 0, &from, until);
}
static int fdpass_send(until_t until)
{
    return (int)ring3_fdpass_send(full_packets[0], "x", 1, quiet_pipe, 1, until);
}
static int fdpass_receive(until_t until)
{
    int fds[1], count = 1;

    return (int)ring3_fdpass_receive(quiet_pair[0], storage, 1, fds, &count, NULL, until);
}

/* --- loop.h, signals.h, filelock.h, mq.h ----------------------------------------------------------------------- */

static int loop_turn(until_t until)
{
    static const ring3_loop_kind_t kinds[] = {RING3_LOOP_EPOLL, RING3_LOOP_POLL, RING3_LOOP_SELECT};
    struct pollfd room[2];
    int err = 0;

    for (int i = 0; i < 3; i++) {
        ring3_loop_t loop;
        ring3_source_t source = {.fd = quiet_pipe[0], .events = POLLIN};

        check_eq(ring3_loop_open(&loop, kinds[i], kinds[i] == RING3_LOOP_EPOLL ? NULL : room,
                                 kinds[i] == RING3_LOOP_EPOLL ? 0 : 2),
                 0);
        check_eq(ring3_loop_add(&loop, &source), 0);
        err = ring3_loop_turn(&loop, until);
        ring3_loop_close(&loop);
        if (err != -ETIMEDOUT)
            break;
    }
    return err;
}

static sigset_t usr1(void)
{
    sigset_t set;

    check_eq(ring3_signal_set(&set, (const int[]){SIGUSR1}, 1), 0);
    return set;
}
static int signal_wait(until_t until)
{
    const sigset_t set = usr1();

    return ring3_signal_wait(&set, until, NULL);
}
static int signalfd_read(until_t until)
{
    const sigset_t set = usr1();
    const int fd = ring3_signalfd_open(&set);
    siginfo_t info;
    const int err = ring3_signalfd_read(fd, until, &info);

    close(fd);
    return err;
}
static int selfpipe_read(until_t until)
{
    ring3_selfpipe_t self;

    check_eq(ring3_selfpipe_open(&self), 0);
    const int err = ring3_selfpipe_read(&self, until);

    ring3_selfpipe_close(&self);
    return err;
}
static int filelock_lock(until_t until)
{
    const int one = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600),
              two = open("lock", O_RDWR | O_CLOEXEC);

    check_eq(ring3_filelock_try(one, RING3_FILELOCK_WRITE, 0, 1), 0);
    const int err = ring3_filelock_lock(two, RING3_FILELOCK_WRITE, 0, 1, until);

    close(one);
    close(two);
    return err;
}

static int queue(until_t until, bool posix, bool sends)
{
    ring3_mq_t mq;
    const int key = 0x52000000 + (int)getpid();
    char name[32];
    int err;

    snprintf(name, sizeof name, "/ring3-storm-%d", (int)getpid());
    check_eq(posix ? ring3_mq_posix_create(&mq, name, 2, 64, 0600)
                   : ring3_mq_sysv_create(&mq, key, 0600),
             0);
    do
        err = sends ? ring3_mq_send(&mq, "x", 1, 0, until)
                    : (int)ring3_mq_receive(&mq, storage, sizeof storage, NULL, until);
    while (sends && err == 0);
    ring3_mq_close(&mq);
    check_eq(posix ? ring3_mq_posix_remove(name) : ring3_mq_sysv_remove(key), 0);
    return err;
}
static int mq_send_(until_t until)
{
    const int err = queue(until, true, true);

    return err == -ETIMEDOUT ? queue(until, false, true) : err;
}
static int mq_receive_(until_t until)
{
    const int err = queue(until, true, false);

    return err == -ETIMEDOUT ? queue(until, false, false) : err;
}

static const struct storm_call calls[] = {
    {"ring3_fd_wait", fd_wait},
    {"ring3_fd_wait_any", fd_wait_any},
    {"ring3_fd_read_full", fd_read_full},
    {"ring3_fd_readv_full", fd_readv_full},
    {"ring3_fd_write_full", fd_write_full},
    {"ring3_fd_writev_full", fd_writev_full},
    {"ring3_copy", copy},
    {"ring3_reader_fill", reader_fill},
    {"ring3_reader_read", reader_read},
    {"ring3_reader_until", reader_until},
    {"ring3_writer_write", writer_write},
    {"ring3_writer_flush", writer_flush},
    {"ring3_frame_send", frame_send},
    {"ring3_frame_receive", frame_receive},
    {"ring3_fifo_open_read", fifo_open_read},
    {"ring3_fifo_open_write", fifo_open_write},
    {"ring3_accept", accept_},
    {"ring3_connect", connect_},
    {"ring3_send", send_},
    {"ring3_receive", receive},
    {"ring3_send_to", send_to},
    {"ring3_receive_from", receive_from},
    {"ring3_fdpass_send", fdpass_send},
    {"ring3_fdpass_receive", fdpass_receive},
    {"ring3_loop_turn", loop_turn},
    {"ring3_signal_wait", signal_wait},
    {"ring3_signalfd_read", signalfd_read},
    {"ring3_selfpipe_read", selfpipe_read},
    {"ring3_filelock_lock", filelock_lock},
    {"ring3_mq_send", mq_send_},
    {"ring3_mq_receive", mq_receive_},
    {NULL, NULL},
};

void storm_each(const struct storm_call *each)
{
    for (; each->name; each++) {
        const struct timespec until = deadline_in(12);

        start_signal_storm();
        const int err = each->wait(&until);
        const bool early = !ring3_deadline_passed(CLOCK_MONOTONIC, &until);

        stop_signal_storm();
        check_eq(err, -ETIMEDOUT, "%s", each->name);
        check(!early, "%s returned before its deadline", each->name);
    }
}

TEST(storm, descriptors_and_signals_wait_until_their_deadlines, 60)
{
    enter_scratch();
    check_eq(ring3_fifo_make("fifo", 0600), 0);
    make_descriptors();
    fill_backlog();
    storm_each(calls);
    for (int i = 0; i < queued_count; i++)
        close(queued[i]);
    ring3_listener_close(&listener);
    leave_scratch();
}
