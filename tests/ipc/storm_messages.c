/* SPDX-License-Identifier: MIT */
/* Channels and remote calls that wait for what does not come, under a storm of signals. */
#include "rpc_support.h"
#include "storm.h"

#include "ring3/channel.h"
#include "ring3/fd.h"
#include "ring3/socket.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static char message[64];

/* --- Channels: at the other end is one that neither sends nor receives --------------------------------------- */

static ring3_channel_t channel;
static void *lent;

static pid_t open_channel(void)
{
    static const ring3_channel_options_t options = {
        .capacity = 65536, .direct = 1 << 20, .loans = 4, .loan_size = 64};
    int ends[2];

    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    const pid_t pid = fork();

    check_ge(pid, 0);
    close(ends[pid == 0 ? 0 : 1]);
    if (pid == 0) {
        check_eq(ring3_channel_accept(&channel, ends[1], &options, NULL), 0);
        for (;;)
            pause();
    }
    check_eq(ring3_channel_connect(&channel, ends[0], &options, NULL), 0);
    return pid;
}

static int handshake(until_t until, bool connects)
{
    ring3_channel_t other;
    int ends[2];

    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    const int err = connects ? ring3_channel_connect(&other, ends[0], NULL, until)
                             : ring3_channel_accept(&other, ends[0], NULL, until);

    close(ends[0]);
    close(ends[1]);
    return err;
}
static int channel_connect(until_t until)
{
    return handshake(until, true);
}
static int channel_accept(until_t until)
{
    return handshake(until, false);
}
static int channel_loan(until_t until)
{
    void *next;
    int err;

    do {
        err = ring3_channel_loan(&channel, &next, until);
        if (!err)
            lent = next;
    } while (err == 0);
    return err;
}
/* The first that sends fills the ring, and so it stays. */
static int channel_send(until_t until)
{
    int err;

    do
        err = ring3_channel_send(&channel, message, sizeof message, until);
    while (err == 0);
    while (ring3_channel_send(&channel, message, 1, until) == 0)
        ; /* not the shortest record fits */
    return err;
}
static int channel_put(until_t until)
{
    return ring3_channel_put(&channel, message, sizeof message, until);
}
static int channel_send_fds(until_t until)
{
    return ring3_channel_send_fds(&channel, message, sizeof message, &channel.control, 1, until);
}
static int channel_send_loan(until_t until)
{
    return ring3_channel_send_loan(&channel, lent, 64, until);
}
static int channel_receive(until_t until)
{
    return (int)ring3_channel_receive(&channel, message, sizeof message, until);
}
static int channel_receive_fds(until_t until)
{
    int fds[1], count = 1;

    return (int)ring3_channel_receive_fds(&channel, message, sizeof message, fds, &count, until);
}
static int channel_peek(until_t until)
{
    const void *shown;

    return (int)ring3_channel_peek(&channel, &shown, until);
}
static int channel_wait_any(until_t until)
{
    ring3_channel_t *const one = &channel;

    return ring3_channel_wait_any(&one, 1, until);
}

static const struct storm_call channel_calls[] = {
    {"ring3_channel_connect", channel_connect},
    {"ring3_channel_accept", channel_accept},
    {"ring3_channel_loan", channel_loan},
    {"ring3_channel_send", channel_send},
    {"ring3_channel_put", channel_put},
    {"ring3_channel_send_fds", channel_send_fds},
    {"ring3_channel_send_loan", channel_send_loan},
    {"ring3_channel_receive", channel_receive},
    {"ring3_channel_receive_fds", channel_receive_fds},
    {"ring3_channel_peek", channel_peek},
    {"ring3_channel_wait_any", channel_wait_any},
    {NULL, NULL},
};

TEST(storm, channels_wait_until_their_deadlines, 60)
{
    const pid_t pid = open_channel();

    storm_each(channel_calls);
    kill(pid, SIGKILL);
    check_killed(pid);
    ring3_channel_close(&channel);
}

/* --- Remote calls: a server that listens, and does not turn ------------------------------------------------------ */

static ring3_rpc_server_t server;
static ring3_address_t listening, stopped;

static int rpc_server_turn(until_t until)
{
    return ring3_rpc_server_turn(&server, until);
}
static int rpc_connect(until_t until)
{
    ring3_rpc_client_t client;

    return ring3_rpc_connect(&client, &sample_service, &listening, RING3_CHANNEL_MEMORY, NULL,
                             until);
}
static int rpc_bind(until_t until)
{
    ring3_rpc_client_t client;

    return ring3_rpc_bind(&client, &sample_service, ".", until);
}
static int rpc_over(until_t until)
{
    ring3_rpc_client_t client;
    ring3_channel_t over;
    int ends[2];

    check_eq(ring3_socket_pair(ends, SOCK_STREAM), 0);
    check_eq(ring3_channel_over(&over, ends[0], ends[0], NULL), 0);
    const int err = ring3_rpc_over(&client, &sample_service, &over, until);

    close(ends[1]);
    return err;
}
static int rpc_call(until_t until)
{
    const pid_t pid = start_server(MEMORY, &stopped);
    ring3_rpc_client_t client;
    struct sample_add_out out;

    connect_to(&client, MEMORY, &stopped);
    kill(pid, SIGSTOP);
    const int err = sample_add(&client, &(struct sample_add_in){1, 2}, &out, until);

    ring3_rpc_client_close(&client);
    stop_server(pid);
    return err;
}

static const struct storm_call rpc_calls[] = {
    /* Before anybody wants something of it. */
    {"ring3_rpc_server_turn", rpc_server_turn},
    {"ring3_rpc_connect", rpc_connect},
    {"ring3_rpc_bind", rpc_bind},
    {"ring3_rpc_over", rpc_over},
    {"ring3_rpc_call", rpc_call},
    {NULL, NULL},
};

TEST(storm, remote_calls_wait_until_their_deadlines, 60)
{
    enter_scratch();
    check_eq(ring3_address_unix(&listening, "listening"), 0);
    check_eq(ring3_rpc_server_open(&server, &sample_service, &rpc_handlers, NULL), 0);
    check_eq(ring3_rpc_server_listen(&server, &listening, RING3_CHANNEL_MEMORY), 0);
    check_eq(ring3_rpc_server_register(&server, "."), 0);
    storm_each(rpc_calls);
    ring3_rpc_server_close(&server);
    leave_scratch();
}
