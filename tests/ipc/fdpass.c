/* SPDX-License-Identifier: MIT */
#include "ring3/fdpass.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/socket.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void passes(int type)
{
    int ends[2], fds[RING3_FDPASS_MAX], got[RING3_FDPASS_MAX], count = RING3_FDPASS_MAX,
                                                               pipe_fds[2];
    char text[4] = {0};

    check_eq(ring3_socket_pair(ends, type), 0);
    check_eq(pipe(pipe_fds), 0);
    for (int i = 0; i < RING3_FDPASS_MAX; i++)
        fds[i] = pipe_fds[i % 2];
    const int before = open_descriptors();

    check_eq(ring3_fdpass_send(ends[0], "abc", 3, fds, RING3_FDPASS_MAX, NULL), 3);
    check_eq(ring3_fdpass_receive(ends[1], text, 3, got, &count, NULL, NULL), 3);
    check_str_eq(text, "abc");
    check_eq(count, RING3_FDPASS_MAX);
    check_eq(open_descriptors(), before + RING3_FDPASS_MAX);
    for (int i = 0; i < count; i++) {
        check(same_file(got[i], fds[i]), "number %d", i);
        check(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
        close(got[i]);
    }
    check_eq(ring3_fdpass_send(ends[0], "x", 1, NULL, 0, NULL), 1);
    count = 1;
    check_eq(ring3_fdpass_receive(ends[1], text, 1, got, &count, NULL, NULL), 1);
    check_eq(count, 0);
    close(ends[0]);
    count = 1;
    check_eq(ring3_fdpass_receive(ends[1], text, 1, got, &count, NULL, NULL), 0);
}

TEST(fdpass, passes_as_many_as_the_kernel_allows_over_a_stream)
{
    passes(SOCK_STREAM);
}
TEST(fdpass, passes_as_many_as_the_kernel_allows_in_packets)
{
    passes(SOCK_SEQPACKET);
}
TEST(fdpass, passes_as_many_as_the_kernel_allows_in_datagrams)
{
    int ends[2], got[2], count = 2;
    char byte;

    check_eq(ring3_socket_pair(ends, SOCK_DGRAM), 0);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, ends, 2, NULL), 1);
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, got, &count, NULL, NULL), 1);
    check_eq(count, 2);
}

TEST(fdpass, shares_the_description)
{
    int ends[2], got, count = 1;
    char byte;

    enter_scratch();
    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_fdpass_send(ends[0], "x", 1, &fd, 1, NULL), 1);
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, &got, &count, NULL, NULL), 1);
    check_eq(ring3_fd_write(got, "12345", 5), 5);
    check_eq(lseek(fd, 0, SEEK_CUR), 5);
    leave_scratch();
}

TEST(fdpass, more_than_there_is_room_for_are_closed)
{
    int ends[2], fds[20], got[20], count;
    char byte;

    for (int i = 0; i < 20; i++)
        fds[i] = 0;
    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    const int before = open_descriptors();

    for (int room = 0; room < 20; room += 19) {
        check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, 20, NULL), 1);
        count = room;
        check_eq(ring3_fdpass_receive(ends[1], &byte, 1, got, &count, NULL, NULL), -E2BIG);
        check_eq(count, 0);
        check_eq(open_descriptors(), before);
    }
    /* A message longer than the buffer, with descriptors. */
    check_eq(ring3_fdpass_send(ends[0], "long", 4, fds, 2, NULL), 4);
    count = 20;
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, got, &count, NULL, NULL), -EMSGSIZE);
    check_eq(open_descriptors(), before);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, 20, NULL), 1);
    count = 20;
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, got, &count, NULL, NULL), 1, "it goes on");
    check_eq(count, 20);
}

TEST(fdpass, a_nearly_full_table_takes_none_instead_of_some)
{
    int ends[2], fds[10] = {0}, got[10], count = 10;
    char byte;

    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    const int next = dup(0);
    const struct rlimit limit = {(rlim_t)next + 4, (rlim_t)next + 4};

    close(next);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, 10, NULL), 1);
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, got, &count, NULL, NULL), -EMFILE);
    check_eq(count, 0);
    check_eq(dup(0), next, "one of those that fitted is left open");
}

TEST(fdpass, refuses_what_cannot_be_sent)
{
    static int fds[RING3_FDPASS_MAX + 1];
    int ends[2], bad = 1 << 20;

    signal(SIGPIPE, SIG_DFL);
    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, RING3_FDPASS_MAX + 1, NULL), -EINVAL);
    check_eq(ring3_fdpass_send(ends[0], "x", 0, fds, 1, NULL), -EINVAL);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, -1, NULL), -EINVAL);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, &bad, 1, NULL), -EBADF);
    close(ends[1]);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, fds, 1, NULL), -EPIPE);
}

TEST(fdpass, waits_by_deadline_through_signals)
{
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(30);
    int ends[2], got, count = 1;
    char byte;

    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    start_signal_storm();

    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, &got, &count, NULL, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.03);
    stop_signal_storm();
}

TEST(fdpass, credentials_come_with_messages_when_asked_for)
{
    ring3_credentials_t who;
    int ends[2], got, count = 1;
    char byte;

    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    check_eq(ring3_fdpass_send(ends[0], "x", 1, NULL, 0, NULL), 1);
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, &got, &count, &who, NULL), 1);
    check_eq(who.pid, 0);
    check_eq(who.uid, (uid_t)-1);
    check_eq(ring3_credentials_ask(ends[1], true), 0);
    const pid_t pid = fork();

    if (pid == 0)
        _exit(ring3_fdpass_send(ends[0], "y", 1, &ends[0], 1, NULL) == 1 ? 0 : 1);
    count = 1;
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, &got, &count, &who, NULL), 1);
    check_eq(who.pid, pid, "not who made the socket, but who sent");
    check_eq(who.uid, getuid());
    check_eq(who.gid, getgid());
    check_eq(count, 1);
    check_child(pid);
}

static void peer_is_known(void)
{
    ring3_credentials_t who;
    ring3_listener_t listener;
    ring3_address_t where;
    const struct timespec late = deadline_in(20000);
    int ends[2];

    enter_scratch();
    check_eq(ring3_address_unix(&where, "socket"), 0);
    check_eq(ring3_listen(&listener, &where, SOCK_SEQPACKET, 1), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        char byte;
        const int server = ring3_connect(&where, SOCK_SEQPACKET, NULL);

        (void)ring3_receive(server, &byte, 1, 0, NULL);
        _exit(0);
    }
    const int client = ring3_accept(listener.fd, NULL, &late);

    check_ge(client, 0);
    check_eq(ring3_peer_credentials(client, &who), 0);
    check_eq(who.pid, pid);
    check_eq(who.uid, getuid());
    const int pidfd = ring3_peer_pidfd(client);

    check_ge(pidfd, 0);
    check_eq(ring3_fd_wait(pidfd, POLLIN, &(struct timespec){0, 0}), -ETIMEDOUT);
    check_eq(ring3_send(client, "x", 1, 0, NULL), 1);
    check_eq(ring3_fd_wait(pidfd, POLLIN, &late), POLLIN, "its end does not show");
    check_child(pid);
    check_eq(pipe(ends), 0);
    check_eq(ring3_peer_pidfd(ends[0]), -ENOTSOCK);
    leave_scratch();
}

TEST(fdpass, the_peer_is_known)
{
    peer_is_known();
}

TEST(fdpass, the_peer_is_known_before_linux_6_5)
{
    check_eq(ring3_env_disable("peerpidfd"), 0);
    peer_is_known();
}

TEST(fdpass, an_unconnected_socket_has_no_peer)
{
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);

    check_lt(ring3_peer_pidfd(udp), 0);
}

/* A hostile sender's pidfds and credentials must not stay open here either. */
TEST(fdpass, pidfds_nobody_asked_for_are_closed)
{
    int ends[2], got, count = 1, on = 1;
    char byte;

    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    if (setsockopt(ends[1], SOL_SOCKET, 76 /* SO_PASSPIDFD */, &on, sizeof on))
        return; /* before Linux 6.5 there are none */
    const int before = open_descriptors();

    check_eq(ring3_fdpass_send(ends[0], "x", 1, NULL, 0, NULL), 1);
    check_eq(ring3_fdpass_receive(ends[1], &byte, 1, &got, &count, NULL, NULL), 1);
    check_eq(count, 0);
    check_eq(open_descriptors(), before);
}
