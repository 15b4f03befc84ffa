/* SPDX-License-Identifier: MIT */
#include "ring3/socket.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_address_t unix_address(const char *name)
{
    ring3_address_t address;

    check_eq(ring3_address_unix(&address, name), 0);
    return address;
}

static ring3_address_t ip_address(const char *host, uint16_t port)
{
    ring3_address_t address;

    check_eq(ring3_address_ip(&address, host, port), 0);
    return address;
}

static const char *text_of(const ring3_address_t *address)
{
    static char text[RING3_ADDRESS_TEXT];

    ring3_address_format(address, text);
    return text;
}

TEST(socket, addresses_are_checked_and_printed)
{
    ring3_address_t address;
    char long_name[200];

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    check_eq(ring3_address_unix(&address, long_name), -ENAMETOOLONG);
    long_name[108] = '\0';
    check_eq(ring3_address_unix(&address, long_name), -ENAMETOOLONG);
    long_name[107] = '\0';
    check_eq(ring3_address_unix(&address, long_name), 0);
    check_str_eq(text_of(&address), long_name);
    check_eq(ring3_address_unix(&address, ""), -EINVAL);
    address = unix_address("@a\nb");
    check_str_eq(text_of(&address), "@a?b");
    address = ip_address("127.0.0.1", 80);
    check_str_eq(text_of(&address), "127.0.0.1:80");
    check_eq(ring3_address_port(&address), 80);
    address = ip_address("::1", 65535);
    check_str_eq(text_of(&address), "[::1]:65535");
    check_eq(ring3_address_ip(&address, "localhost", 1), -EINVAL);
    check_eq(ring3_address_ip(&address, "1.2.3", 1), -EINVAL);
    memset(&address, 'A', sizeof address); /* nothing ends */
    address.storage.ss_family = AF_UNIX;
    address.length = sizeof address.storage;
    check_eq(strlen(text_of(&address)), sizeof((struct sockaddr_un *)0)->sun_path);
}

/* A server in a child sends back what it gets, once per connection. */
static pid_t start_echo(const ring3_listener_t *listener, int connections)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (int i = 0; i < connections; i++) {
        char text[64];
        const int client = ring3_accept(listener->fd, NULL, NULL);
        const ssize_t got = client < 0 ? -1 : ring3_receive(client, text, sizeof text, 0, NULL);

        if (got < 0 || ring3_send(client, text, (size_t)got, 0, NULL) != got)
            _exit(1);
        close(client);
    }
    _exit(0);
}

static void echoes(ring3_address_t where, int type)
{
    char text[8] = {0};
    ring3_listener_t listener;
    const struct timespec deadline = deadline_in(20000);
    const int descriptors = open_descriptors();

    check_eq(ring3_listen(&listener, &where, type, 4), 0);
    check_eq(ring3_socket_name(listener.fd, &where), 0); /* the port that was free */
    const pid_t pid = start_echo(&listener, 2);

    start_signal_storm();
    for (int i = 0; i < 2; i++) {
        const int server = ring3_connect(&where, type, i ? &deadline : NULL);

        check_ge(server, 0, "%s", text_of(&where));
        check(fcntl(server, F_GETFD) & FD_CLOEXEC);
        check_eq(fcntl(server, F_GETFL) & O_NONBLOCK, 0);
        check_eq(ring3_send(server, "hello", 5, 0, i ? &deadline : NULL), 5);
        check_eq(ring3_receive(server, text, 5, MSG_PEEK, &deadline), 5);
        memset(text, 0, sizeof text);
        check_eq(ring3_receive(server, text, 5, 0, i ? &deadline : NULL), 5);
        check_str_eq(text, "hello");
        check_eq(ring3_receive(server, text, 5, 0, &deadline), 0);
        close(server);
    }
    sleep_ms(3);
    stop_signal_storm();
    check_child(pid);
    ring3_listener_close(&listener);
    check_eq(open_descriptors(), descriptors);
}

TEST(socket, unix_stream_by_path)
{
    enter_scratch();
    echoes(unix_address("socket"), SOCK_STREAM);
    check_eq(entries_in("."), 0, "the path was left behind");
    leave_scratch();
}

TEST(socket, unix_packets_by_path)
{
    enter_scratch();
    echoes(unix_address("socket"), SOCK_SEQPACKET);
    leave_scratch();
}

TEST(socket, unix_stream_by_abstract_name)
{
    char name[32];

    snprintf(name, sizeof name, "@ring3-%d", (int)getpid());
    echoes(unix_address(name), SOCK_STREAM);
}

TEST(socket, ipv4_stream)
{
    echoes(ip_address("127.0.0.1", 0), SOCK_STREAM);
}

TEST(socket, ipv6_stream)
{
    if (access("/proc/net/if_inet6", F_OK) == 0)
        echoes(ip_address("::1", 0), SOCK_STREAM);
}

static void datagrams(ring3_address_t a_name, ring3_address_t b_name)
{
    ring3_listener_t a, b;
    ring3_address_t from;
    char text[8] = {0};
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_listen(&a, &a_name, SOCK_DGRAM, 0), 0);
    check_eq(ring3_listen(&b, &b_name, SOCK_DGRAM, 0), 0);
    check_eq(ring3_socket_name(a.fd, &a_name), 0);
    check_eq(ring3_socket_name(b.fd, &b_name), 0);
    check_eq(ring3_receive_from(b.fd, text, 8, 0, &from, &past), -ETIMEDOUT);
    check_eq(ring3_send_to(a.fd, "one", 3, 0, &b_name, NULL), 3);
    check_eq(ring3_send_to(a.fd, "three", 5, 0, &b_name, NULL), 5);
    check_eq(ring3_send_to(a.fd, "", 0, 0, &b_name, NULL), 0);
    check_eq(ring3_receive_from(b.fd, text, 8, 0, &from, NULL), 3, "boundaries are kept");
    check_str_eq(text, "one");
    check_eq(from.length, a_name.length);
    check_eq(memcmp(&from.storage, &a_name.storage, from.length), 0);
    check_eq(ring3_receive_from(b.fd, text, 3, MSG_PEEK | MSG_TRUNC, NULL, NULL), 5);
    check_eq(ring3_receive_from(b.fd, text, 3, 0, NULL, NULL), -EMSGSIZE);
    check_eq(ring3_receive_from(b.fd, text, 3, 0, NULL, NULL), 0);
    const int c = ring3_connect(&b_name, SOCK_DGRAM, NULL);

    check_eq(ring3_send(c, "x", 1, 0, NULL), 1);
    check_eq(ring3_receive(b.fd, text, 8, MSG_DONTWAIT, NULL), 1);
    check_eq(ring3_receive(b.fd, text, 8, MSG_DONTWAIT, NULL), -EAGAIN);
    static char huge[1 << 20];

    check_eq(ring3_send(c, huge, sizeof huge, 0, NULL), -EMSGSIZE);
    close(c);
    ring3_listener_close(&a);
    ring3_listener_close(&b);
}

TEST(socket, unix_datagrams)
{
    enter_scratch();
    datagrams(unix_address("a"), unix_address("b"));
    check_eq(entries_in("."), 0);
    leave_scratch();
}

TEST(socket, ipv4_datagrams)
{
    datagrams(ip_address("127.0.0.1", 0), ip_address("127.0.0.1", 0));
}

TEST(socket, ipv6_datagrams)
{
    if (access("/proc/net/if_inet6", F_OK) == 0)
        datagrams(ip_address("::1", 0), ip_address("::1", 0));
}

TEST(socket, a_stale_path_is_taken_over_and_a_living_one_is_not)
{
    ring3_listener_t listener, second;
    int status;

    enter_scratch();
    const ring3_address_t where = unix_address("socket");
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), 0);
        raise(SIGKILL);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status));
    check_eq(entries_in("."), 1);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), 0);
    check_eq(ring3_listen(&second, &where, SOCK_STREAM, 1), -EADDRINUSE);
    check_eq(ring3_listen(&second, &where, SOCK_SEQPACKET, 1), -EADDRINUSE, "of another type");
    check_eq(second.fd, -1);

    /* Also while its backlog is full. */
    const int first = ring3_connect(&where, SOCK_STREAM, NULL),
              other = ring3_connect(&where, SOCK_STREAM, NULL);

    check_ge(first, 0);
    check_ge(other, 0);
    check_eq(ring3_listen(&second, &where, SOCK_STREAM, 1), -EADDRINUSE);
    ring3_listener_close(&listener);
    check_eq(entries_in("."), 0);

    const int file = ring3_fd_open("socket", O_WRONLY | O_CREAT, 0600);

    check_ge(file, 0);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), -EADDRINUSE, "a plain file");
    check_eq(entries_in("."), 1);
    leave_scratch();
}

TEST(socket, a_server_between_bind_and_listen_is_not_robbed)
{
    ring3_listener_t listener;
    const ring3_address_t where = unix_address("socket");

    enter_scratch();
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    check_eq(bind(fd, (const struct sockaddr *)&where.storage, where.length), 0);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), -EADDRINUSE);
    close(fd);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), 0);
    ring3_listener_close(&listener);
    leave_scratch();
}

/* Servers that start together on a stale path: one of them gets it, and can be reached. */
TEST(socket, one_of_many_takes_a_stale_path_over, 60)
{
    enum { SERVERS = 4 };
    const int rounds = slow_machine() ? 10 : 50;
    const ring3_address_t where = unix_address("socket");

    enter_scratch();
    for (int round = 0; round < rounds; round++) {
        pid_t pids[SERVERS];
        int results[2], won = 0;
        ring3_listener_t listener;

        check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 8), 0);
        close(listener.fd);
        check_eq(pipe(results), 0);
        for (int i = 0; i < SERVERS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                const int err = ring3_listen(&listener, &where, SOCK_STREAM, 8);

                (void)!write(results[1], &err, sizeof err);
                pause();
            }
        }
        for (int i = 0; i < SERVERS; i++) {
            int err;

            check_eq(read(results[0], &err, sizeof err), (ssize_t)sizeof err);
            check(err == 0 || err == -EADDRINUSE, "%d", err);
            won += err == 0;
        }
        check_eq(won, 1);
        const int fd = ring3_connect(&where, SOCK_STREAM, NULL);

        check_ge(fd, 0);
        close(fd);
        close(results[0]);
        close(results[1]);
        for (int i = 0; i < SERVERS; i++) {
            kill(pids[i], SIGKILL);
            check_eq(waitpid(pids[i], NULL, 0), pids[i]);
        }
    }
    leave_scratch();
}

TEST(socket, nothing_is_taken_over_while_somebody_holds_the_directory)
{
    ring3_listener_t listener;
    const ring3_address_t where = unix_address("socket");

    enter_scratch();
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), 0);
    close(listener.fd); /* leaves the path */
    const int holder = ring3_fd_open(".", O_RDONLY, 0);

    check_eq(flock(holder, LOCK_EX), 0);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), -EADDRINUSE);
    close(holder);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 1), 0);
    leave_scratch();
}

TEST(socket, close_leaves_a_path_that_is_no_longer_its_own)
{
    ring3_listener_t old, new;
    const ring3_address_t where = unix_address("socket");

    enter_scratch();
    check_eq(ring3_listen(&old, &where, SOCK_STREAM, 1), 0);
    check_eq(rename("socket", "moved"), 0);
    check_eq(ring3_listen(&new, &where, SOCK_STREAM, 1), 0);
    ring3_listener_close(&old);
    check_eq(access("socket", F_OK), 0);
    ring3_listener_close(&new);
    check_ne(access("socket", F_OK), 0);
    leave_scratch();
}

TEST(socket, connecting_fails_in_time_and_cleanly)
{
    ring3_listener_t listener;
    const ring3_address_t where = unix_address("socket"), nobody = ip_address("127.0.0.1", 1);
    const int descriptors = open_descriptors();

    enter_scratch();
    check_eq(ring3_connect(&where, SOCK_STREAM, NULL), -ENOENT);
    check_eq(ring3_connect(&nobody, SOCK_STREAM, NULL), -ECONNREFUSED);
    check_eq(ring3_connect(&nobody, SOCK_SEQPACKET, NULL), -ESOCKTNOSUPPORT);
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 0), 0);
    check_eq(ring3_connect(&where, SOCK_SEQPACKET, NULL), -EPROTOTYPE);
    const int queued = ring3_connect(&where, SOCK_STREAM, NULL);

    check_ge(queued, 0, "a backlog of 0 holds one");
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(30);

    check_eq(ring3_connect(&where, SOCK_STREAM, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.03);
    const int taken = ring3_accept(listener.fd, NULL, NULL);

    check_ge(taken, 0);
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_accept(listener.fd, NULL, &past), -ETIMEDOUT);
    close(taken);
    close(queued);
    ring3_listener_close(&listener);
    check_eq(open_descriptors(), descriptors);
    leave_scratch();
}

TEST(socket, a_full_table_is_reported_and_nothing_lost)
{
    ring3_listener_t listener, second;
    const ring3_address_t where = unix_address("socket"), other = unix_address("other");
    int ends[2];

    enter_scratch();
    check_eq(ring3_listen(&listener, &where, SOCK_STREAM, 2), 0);
    const int client = ring3_connect(&where, SOCK_STREAM, NULL);

    check_ge(client, 0);
    use_up_descriptors();
    check_eq(ring3_accept(listener.fd, NULL, NULL), -EMFILE);
    check_eq(ring3_connect(&where, SOCK_STREAM, NULL), -EMFILE);
    check_eq(ring3_listen(&second, &other, SOCK_STREAM, 2), -EMFILE);
    check_eq(ring3_socket_pair(ends, SOCK_STREAM), -EMFILE);
    close(client);
    check_ge(ring3_accept(listener.fd, NULL, NULL), 0, "the connection was dropped");
    leave_scratch();
}

TEST(socket, sending_to_the_dead_is_an_error_and_a_full_peer_times_out)
{
    static char data[1 << 20];
    const struct timespec soon = deadline_in(30);
    int ends[2];

    signal(SIGPIPE, SIG_DFL);
    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    check_eq(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    ssize_t put;

    while ((put = ring3_send(ends[0], data, 4096, 0, &soon)) == 4096)
        ;
    check_eq(put, -ETIMEDOUT);
    close(ends[1]);
    check_eq(ring3_send(ends[0], data, 1, 0, NULL), -ECONNRESET, "with data unread");
    check_eq(ring3_send(ends[0], data, 1, 0, NULL), -EPIPE);
    check_eq(ring3_send(-1, data, 1, 0, NULL), -EBADF);
    check_eq(ring3_receive(0, data, 1, 0, NULL), -ENOTSOCK);
}
