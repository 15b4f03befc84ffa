/* SPDX-License-Identifier: MIT */
#include "rpc_support.h"

#include "ring3/fd.h"
#include "ring3/pipe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Values ---------------------------------------------------------------------------------------------- */

static void calls_everything(enum transport transport)
{
    static unsigned char data[1000000], expected[1000000];
    ring3_address_t address;
    ring3_rpc_client_t client;
    const pid_t pid = start_server(transport, &address);
    const int before = open_descriptors();

    connect_to(&client, transport, &address);

    struct sample_add_out sum;
    check_eq(sample_add(&client, &(struct sample_add_in){-5, 47}, &sum, NULL), 0);
    check_eq(sum.sum, 42);
    check_eq(client.outcome, RING3_RPC_DONE);

    const struct sample_numbers_in in = {true,   255,       65535,     UINT32_MAX, UINT64_MAX, -128,
                                         -32768, INT32_MIN, INT64_MIN, 1.5f,       -2.25e300};
    struct sample_numbers_out out;
    check_eq(sample_numbers(&client, &in, &out, NULL), 0);
    check(out.b && out.u1 == 255 && out.u2 == 65535 && out.u4 == UINT32_MAX &&
          out.u8_ == UINT64_MAX && out.i1 == -128 && out.i2 == -32768 && out.i4 == INT32_MIN &&
          out.i8_ == INT64_MIN);
    check(out.f >= 1.5f && out.f <= 1.5f && out.d <= -2.25e300 && out.d >= -2.25e300);

    struct sample_node nodes[5];
    struct sample_total_out totalled;
    for (int i = 0; i < 5; i++)
        nodes[i] = (struct sample_node){i * 10, i < 4 ? &nodes[i + 1] : NULL};
    check_eq(sample_total(&client, &(struct sample_total_in){nodes}, &totalled, NULL), 0);
    check_eq(totalled.sum, 100);
    check_eq(totalled.length, 5u);
    check_eq(sample_total(&client, &(struct sample_total_in){NULL}, &totalled, NULL), 0);
    check_eq(totalled.length, 0u);

    const struct sample_point corners[3] = {{1, 2}, {3, 4}, {-5, -6}}, center = {7, 8};
    struct sample_mirror_out mirrored;
    check_eq(
        sample_mirror(&client,
                      &(struct sample_mirror_in){{"triangle", corners, 3, {9, 8, 7, 6}, &center}},
                      &mirrored, NULL),
        0);
    check_str_eq(mirrored.out_.name, "triangle");
    check_eq(mirrored.out_.corners_count, 3u);
    check_eq(mirrored.out_.corners[2].y, -6);
    check_eq(mirrored.out_.color[3], 6);
    check(mirrored.out_.center != NULL && mirrored.out_.center->x == 7);

    const char *const words[3] = {"one", "", "three"};
    struct sample_upper_out uppered;
    check_eq(sample_upper(&client, &(struct sample_upper_in){(const char **)(uintptr_t)words, 3},
                          &uppered, NULL),
             0);
    check_eq(uppered.words_count, 3u);
    check_str_eq(uppered.words[0], "ONE");
    check_str_eq(uppered.words[1], "");
    check_str_eq(uppered.words[2], "THREE");

    struct sample_reverse_out reversed;
    fill_pattern(data, sizeof data, 1);
    for (size_t i = 0; i < sizeof data; i++)
        expected[i] = data[sizeof data - 1 - i];
    check_eq(
        sample_reverse(&client, &(struct sample_reverse_in){{data, sizeof data}}, &reversed, NULL),
        transport == PACKETS ? -EMSGSIZE : 0, "%s", rpc_names[transport]);
    if (transport != PACKETS) {
        check_eq(reversed.data.size, (uint32_t)sizeof data);
        check(memcmp(reversed.data.data, expected, sizeof data) == 0);
    }

    struct sample_last_note_out last;
    check_eq(sample_note(&client, &(struct sample_note_in){"remember"}, NULL), 0);
    check_eq(sample_last_note(&client, &last, NULL), 0);
    check_str_eq(last.text, "remember");

    struct sample_caller_out who;
    check_eq(sample_caller(&client, &who, NULL), 0);
    check_eq(who.pid, transport == TCP ? 0 : getpid(), "%s", rpc_names[transport]);
    check_eq(who.uid, transport == TCP ? (uint32_t)-1 : getuid());

    check_eq(sample_fail(&client, &(struct sample_fail_in){-EDOM}, NULL), -EDOM);
    check_eq(client.outcome, RING3_RPC_DONE);
    check_eq(sample_missing(&client, NULL), -ENOSYS);
    ring3_rpc_client_close(&client);
    check_eq(open_descriptors(), before);
    stop_server(pid);
}

TEST(rpc, calls_over_every_transport, 60)
{
    enter_scratch();
    for (enum transport transport = 0; transport < TRANSPORTS; transport++)
        calls_everything(transport);
    leave_scratch();
}

TEST(rpc, refuses_arguments_beyond_their_limits_before_sending)
{
    static char text[102];
    const char *words[11];
    ring3_address_t address;
    ring3_rpc_client_t client;
    struct sample_upper_out out;
    struct sample_node nodes[RING3_MARSHAL_DEPTH + 1];
    struct sample_total_out totalled;

    enter_scratch();
    const pid_t pid = start_server(MEMORY, &address);

    connect_to(&client, MEMORY, &address);
    memset(text, 'x', 101);
    for (int i = 0; i < 11; i++)
        words[i] = i < 10 ? text + 1 : "";
    check_eq(sample_upper(&client, &(struct sample_upper_in){words, 10}, &out, NULL), 0);
    check_eq(sample_upper(&client, &(struct sample_upper_in){words, 11}, &out, NULL), -EMSGSIZE);
    check_eq(client.outcome, RING3_RPC_NOT_SENT);
    words[3] = text;
    check_eq(sample_upper(&client, &(struct sample_upper_in){words, 10}, &out, NULL), -EMSGSIZE);
    for (int i = 0; i <= RING3_MARSHAL_DEPTH; i++)
        nodes[i] = (struct sample_node){1, i > 0 ? &nodes[i - 1] : NULL};
    check_eq(sample_total(&client, &(struct sample_total_in){&nodes[RING3_MARSHAL_DEPTH - 1]},
                          &totalled, NULL),
             0);
    check_eq(sample_total(&client, &(struct sample_total_in){&nodes[RING3_MARSHAL_DEPTH]},
                          &totalled, NULL),
             -EMSGSIZE);
    ring3_rpc_client_close(&client);
    stop_server(pid);
    leave_scratch();
}

TEST(rpc, passes_descriptors_both_ways)
{
    enter_scratch();
    for (enum transport transport = 0; transport < TRANSPORTS; transport++) {
        ring3_address_t address;
        ring3_rpc_client_t client;
        struct sample_swap_fd_out out;
        const pid_t pid = start_server(transport, &address);
        char text[16] = "";
        int ends[2];

        connect_to(&client, transport, &address);
        check_eq(ring3_pipe_open(ends, 0), 0);
        if (transport <= PACKETS) {
            check_eq(sample_swap_fd(&client, &(struct sample_swap_fd_in){ends[1]}, &out, NULL), 0);
            check_eq(read(ends[0], text, 15), 15);
            check_str_eq(text, "from the server");
            check_eq(write(out.returned, "!", 1), 1, "it is the pipe again");
            check_eq(read(ends[0], text, 1), 1);
            close(out.returned);
        } else {
            check_eq(sample_swap_fd(&client, &(struct sample_swap_fd_in){ends[1]}, &out, NULL),
                     -ENOTSUP);
        }
        close(ends[0]);
        close(ends[1]);
        ring3_rpc_client_close(&client);
        stop_server(pid);
    }
    leave_scratch();
}

TEST(rpc, calls_return_what_they_should_in_a_storm_of_signals, 60)
{
    enter_scratch();
    for (enum transport transport = 0; transport < TRANSPORTS; transport++) {
        ring3_address_t address;
        ring3_rpc_client_t client;
        struct sample_add_out sum;
        const long rounds = scaled(500, 50000);
        const pid_t pid = start_server(transport, &address);

        connect_to(&client, transport, &address);
        start_signal_storm();
        for (int32_t i = 0; i < rounds; i++) {
            check_eq(sample_add(&client, &(struct sample_add_in){i, 1}, &sum, NULL), 0);
            check_eq(sum.sum, i + 1);
        }
        sleep_ms(10);
        stop_signal_storm();
        ring3_rpc_client_close(&client);
        stop_server(pid);
    }
    leave_scratch();
}

/* --- Failures --------------------------------------------------------------------------------------------- */

TEST(rpc, a_deadline_cancels_the_call)
{
    enter_scratch();
    for (enum transport transport = 0; transport < TRANSPORTS; transport++) {
        ring3_address_t address;
        ring3_rpc_client_t client;
        struct sample_dawdle_out out;
        struct sample_add_out sum;
        const pid_t pid = start_server(transport, &address);
        const struct timespec soon = deadline_in(30);

        connect_to(&client, transport, &address);
        const int err = sample_dawdle(&client, &out, &soon);

        /* The deadline travels: the server may give up a moment before the client does. */
        check(err == -ETIMEDOUT || (err == 0 && out.cancelled), "%s: %d", rpc_names[transport],
              err);
        check(client.outcome == (err ? RING3_RPC_UNKNOWN : RING3_RPC_DONE));
        /* The server is free again, and its late answer is not taken for another's. */
        check_eq(sample_add(&client, &(struct sample_add_in){2, 3}, &sum, NULL), 0, "%s",
                 rpc_names[transport]);
        check_eq(sum.sum, 5);
        ring3_rpc_client_close(&client);
        stop_server(pid);
    }
    leave_scratch();
}

static void *interrupt_soon(void *client)
{
    sleep_ms(30);
    check_eq(ring3_rpc_interrupt(client), 0);
    return NULL;
}

TEST(rpc, another_thread_cancels_the_call)
{
    ring3_address_t address;
    ring3_rpc_client_t client;
    struct sample_dawdle_out out;
    struct sample_add_out sum;
    pthread_t thread;

    enter_scratch();
    const pid_t pid = start_server(MEMORY, &address);

    connect_to(&client, MEMORY, &address);
    check_eq(pthread_create(&thread, NULL, interrupt_soon, &client), 0);
    check_eq(sample_dawdle(&client, &out, NULL), -ECANCELED);
    check_eq(pthread_join(thread, NULL), 0);
    check_eq(sample_add(&client, &(struct sample_add_in){2, 3}, &sum, NULL), 0);
    check_eq(sum.sum, 5);
    ring3_rpc_client_close(&client);
    stop_server(pid);
    leave_scratch();
}

/* The connection breaks after the call was executed and before the answer is out. */
static void break_connection(enum transport transport)
{
    ring3_address_t address;
    ring3_rpc_server_t server;
    ring3_rpc_client_t client;
    struct sample_count_out out;
    int control = -1;

    check_eq(ring3_address_unix(&address, "server.socket"), 0);
    check_eq(ring3_rpc_server_open(&server, &sample_service, &rpc_handlers, NULL), 0);
    check_eq(ring3_rpc_server_listen(&server, &address, kind_of(transport)), 0);
    server.context = &control;
    const pid_t pid = fork();

    if (pid == 0) {
        for (uint64_t i = 1; i <= 5; i++) {
            if (i == 1)
                connect_to(&client, transport, &address);
            check_eq(sample_count(&client, &out, NULL), 0, "%s", rpc_names[transport]);
            check_eq(out.calls, i, "%s: executed once each", rpc_names[transport]);
        }
        check_eq(client.retries, 2u);
        ring3_rpc_client_close(&client);
        _exit(0);
    }
    rpc_counted = 0;
    rpc_breaks = 2;
    for (;;) {
        const struct timespec soon = deadline_in(50);
        int status;

        /* Any connected socket of ours: there is one client. The lowest above the listener's is it. */
        for (int fd = server.listeners[0].listener.fd + 1; fd < 64; fd++) {
            ring3_credentials_t peer;

            if (ring3_peer_credentials(fd, &peer) == 0 && peer.pid == pid)
                control = fd;
        }
        (void)ring3_rpc_server_turn(&server, &soon);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "client: %#x", (unsigned)status);
            break;
        }
    }
    check_eq(rpc_counted, 5u);
    check_eq(rpc_breaks, 0);
    check_ge(server.repeated, 2u);
    ring3_rpc_server_close(&server);
}

TEST(rpc, a_retry_is_not_executed_again)
{
    enter_scratch();
    /* Not over memory: there the answer is out at once. */
    for (enum transport transport = PACKETS; transport <= STREAM; transport++)
        break_connection(transport);
    leave_scratch();
}

TEST(rpc, a_server_that_dies_leaves_the_call_unknown)
{
    enter_scratch();
    for (enum transport transport = 0; transport < TRANSPORTS; transport++) {
        ring3_address_t address;
        ring3_rpc_client_t client;
        const pid_t pid = start_server(transport, &address);

        connect_to(&client, transport, &address);
        const int err = sample_die(&client, NULL);

        /* Found dead, or dying. */
        check(err == -ECONNREFUSED || err == -ECONNRESET || err == -EPIPE, "%s: %d",
              rpc_names[transport], err);
        check_eq(client.outcome, RING3_RPC_UNKNOWN);
        check_killed(pid);
        ring3_rpc_client_close(&client);
    }
    leave_scratch();
}

TEST(rpc, only_idempotent_calls_go_to_a_server_that_was_restarted)
{
    ring3_address_t address;
    ring3_rpc_client_t client;
    struct sample_count_out out;
    struct sample_count_once_more_out again;
    const struct timespec later = deadline_in(20000);

    enter_scratch();
    pid_t pid = start_server(MEMORY, &address);

    connect_to(&client, MEMORY, &address);
    check_eq(sample_count(&client, &out, NULL), 0);
    stop_server(pid);
    pid = start_server(MEMORY, &address);
    /* Whether the first server executed it before it died cannot be known: it is not sent again. */
    const int err = sample_count(&client, &out, &later);

    check(err == 0 || err == -ECONNRESET, "%d", err);
    check(client.outcome == (err ? RING3_RPC_UNKNOWN : RING3_RPC_DONE));
    stop_server(pid);
    pid = start_server(MEMORY, &address);
    check_eq(sample_count_once_more(&client, &again, &later), 0);
    check_eq(again.calls, 1u);
    ring3_rpc_client_close(&client);
    stop_server(pid);
    leave_scratch();
}

/* --- Binding -------------------------------------------------------------------------------------------- */

static pid_t serve_version(uint16_t major, uint16_t minor)
{
    ring3_rpc_service_t service = sample_service;
    const pid_t parent = getpid();
    int ready[2];
    char byte = 0;

    service.major = major;
    service.minor = minor;
    check_eq(pipe(ready), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_rpc_server_t server;

        check_eq(ring3_rpc_server_open(&server, &service, &rpc_handlers, NULL), 0);
        check_eq(ring3_rpc_server_register(&server, "."), 0);
        check_eq(write(ready[1], &byte, 1), 1);
        while (getppid() == parent) {
            const struct timespec soon = deadline_in(200);

            (void)ring3_rpc_server_turn(&server, &soon);
        }
        _exit(0);
    }
    check_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

TEST(rpc, binds_by_name_to_the_newest_compatible_version)
{
    ring3_rpc_client_t client;
    ring3_rpc_service_t wanted = sample_service;
    struct sample_add_out sum;
    pid_t pids[4];

    enter_scratch();
    check_eq(ring3_rpc_bind(&client, &wanted, ".", NULL), -ENOENT);
    pids[0] = serve_version(1, 1);
    check_eq(ring3_rpc_bind(&client, &wanted, ".", NULL), -ENOENT, "1.1 is too old for 1.2");
    pids[1] = serve_version(2, 5);
    check_eq(ring3_rpc_bind(&client, &wanted, ".", NULL), -ENOENT, "2.5 is something else");
    pids[2] = serve_version(1, 2);
    pids[3] = serve_version(1, 10);
    check_eq(ring3_rpc_bind(&client, &wanted, ".", NULL), 0);
    check_eq(client.server_minor, 10);
    check_eq(sample_add(&client, &(struct sample_add_in){1, 1}, &sum, NULL), 0);
    check_eq(sum.sum, 2);
    ring3_rpc_client_close(&client);
    for (int i = 0; i < 4; i++)
        stop_server(pids[i]);
    leave_scratch();
}

TEST(rpc, tells_another_service_and_another_version_apart)
{
    ring3_address_t address;
    ring3_rpc_client_t client;
    ring3_rpc_service_t other = sample_service;
    const int before = open_descriptors();

    enter_scratch();
    const pid_t pid = start_server(MEMORY, &address);

    other.name = "other";
    check_eq(ring3_rpc_connect(&client, &other, &address, RING3_CHANNEL_MEMORY, NULL, NULL),
             -ENOENT);
    other = sample_service;
    other.major++;
    check_eq(ring3_rpc_connect(&client, &other, &address, RING3_CHANNEL_MEMORY, NULL, NULL),
             -EPROTONOSUPPORT);
    other = sample_service;
    other.minor++;
    check_eq(ring3_rpc_connect(&client, &other, &address, RING3_CHANNEL_MEMORY, NULL, NULL),
             -EPROTONOSUPPORT);
    check_eq(open_descriptors(), before);
    stop_server(pid);
    leave_scratch();
}
