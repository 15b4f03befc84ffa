/* SPDX-License-Identifier: MIT */
/*
 * The client of the echo servers: echo-client PORT CONNECTIONS ROUNDS
 * Opens all connections, waits for a byte on stdin, and then keeps one message under way on each until all
 * have answered so often together.
 */
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((noreturn)) static void fail(const char *what)
{
    (void)fprintf(stderr, "echo-client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_connection(in_port_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address))
        fail("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void ask(int fd)
{
    static const char message[ECHO_MESSAGE];

    if (write(fd, message, sizeof message) != sizeof message)
        fail("write");
}

static void hear(int fd)
{
    char message[ECHO_MESSAGE];

    if (recv(fd, message, sizeof message, MSG_WAITALL) != sizeof message)
        fail("read");
}

static void talk(int epoll, const int *fds, long connections, long rounds)
{
    long asked, heard = 0;

    for (asked = 0; asked < connections && asked < rounds; asked++)
        ask(fds[asked]);
    while (heard < rounds) {
        struct epoll_event events[128];
        const int count = epoll_wait(epoll, events, 128, -1);

        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++, heard++) {
            hear(events[i].data.fd);
            if (asked < rounds) {
                ask(events[i].data.fd);
                asked++;
            }
        }
    }
}

int main(int argc, char **argv)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct rlimit limit;
    char go;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: echo-client PORT CONNECTIONS ROUNDS\n");
        return 2;
    }
    const long connections = atol(argv[2]);
    int *const fds = calloc((size_t)connections, sizeof *fds);

    if (!fds || getrlimit(RLIMIT_NOFILE, &limit))
        fail("preparing");
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (long i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        event.data.fd = fds[i] = open_connection((in_port_t)atoi(argv[1]));
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event))
            fail("epoll_ctl");
    }
    if (read(STDIN_FILENO, &go, 1) != 1)
        return 1;
    talk(epoll, fds, connections, atol(argv[3]));
    return 0;
}
