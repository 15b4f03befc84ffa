/* SPDX-License-Identifier: MIT */
#include "ring3/channel.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/pipe.h"
#include "ring3/socket.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Two processes over every kind of channel ---------------------------------------------------- */

enum way { MEMORY, MEMORY_TRUSTED, MEMORY_UNTRUSTED, PACKETS, STREAM, PIPES, WAYS };

static const char *const way_names[WAYS] = {"memory",  "memory, trusted", "memory, untrusted",
                                            "packets", "stream",          "pipes"};

static ring3_channel_options_t options = {.capacity = 65536};

static void open_one(ring3_channel_t *channel, enum way way, const int fds[4], bool first)
{
    static const ring3_trust_t trusts[] = {RING3_TRUST_DEFAULT, RING3_TRUST_TRUSTED,
                                           RING3_TRUST_UNTRUSTED};

    if (way <= MEMORY_UNTRUSTED) {
        options.trust = trusts[way];
        check_eq(first ? ring3_channel_connect(channel, fds[0], &options, NULL)
                       : ring3_channel_accept(channel, fds[1], &options, NULL),
                 0);
        close(fds[first ? 1 : 0]);
    } else if (way == PIPES) {
        check_eq(ring3_channel_over(channel, fds[first ? 0 : 2], fds[first ? 3 : 1], &options), 0);
        close(fds[first ? 1 : 0]);
        close(fds[first ? 2 : 3]);
    } else {
        check_eq(ring3_channel_over(channel, fds[!first], fds[!first], &options), 0);
        close(fds[first ? 1 : 0]);
    }
}

/* Runs `peer` in a child at the other end, and returns here with this one. */
static pid_t open_both(ring3_channel_t *channel, enum way way, void (*peer)(ring3_channel_t *))
{
    int fds[4] = {-1, -1, -1, -1};
    pid_t pid;

    if (way == PIPES) {
        check_eq(ring3_pipe_open(fds, 0), 0);
        check_eq(ring3_pipe_open(fds + 2, 0), 0);
    } else {
        check_eq(ring3_socket_pair(fds, way == STREAM ? SOCK_STREAM : SOCK_SEQPACKET), 0);
    }
    pid = fork();
    check_ge(pid, 0);
    open_one(channel, way, fds, pid != 0);
    if (pid)
        return pid;
    peer(channel);
    ring3_channel_close(channel);
    _exit(0);
}

static void echo(ring3_channel_t *channel)
{
    static char buffer[2 << 20];

    for (;;) {
        const ssize_t got = ring3_channel_receive(channel, buffer, sizeof buffer, NULL);

        if (got == -EPIPE)
            return;
        check_ge(got, 0);
        check_eq(ring3_channel_send(channel, buffer, (size_t)got, NULL), 0);
    }
}

static void echoes(enum way way)
{
    static unsigned char out[1 << 20], in[1 << 20];
    static const size_t sizes[] = {1, 8, 63, 64, 1000, 65528, 65529, 100000, 1 << 20};
    ring3_channel_t channel;
    const int before = open_descriptors();
    const pid_t pid = open_both(&channel, way, echo);

    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            /* What does not fit a socket's buffer is not a packet. */
            if (way == PACKETS && sizes[i] > 100000)
                continue;
            fill_pattern(out, sizes[i], i);
            memset(in, 0, sizes[i]);
            check_eq(ring3_channel_send(&channel, out, sizes[i], NULL), 0, "%s, %zu bytes",
                     way_names[way], sizes[i]);
            check_eq(ring3_channel_receive(&channel, in, sizeof in, NULL), (ssize_t)sizes[i], "%s",
                     way_names[way]);
            check(has_pattern(in, sizes[i], i), "%s, %zu bytes", way_names[way], sizes[i]);
        }
    ring3_channel_close(&channel);
    check_child(pid);
    check_eq(open_descriptors(), before, "%s left descriptors", way_names[way]);
}

TEST(channel, echoes_every_size_over_memory, 60)
{
    echoes(MEMORY);
}
TEST(channel, echoes_every_size_over_trusted_memory, 60)
{
    echoes(MEMORY_TRUSTED);
}
TEST(channel, echoes_every_size_over_untrusted_memory, 60)
{
    echoes(MEMORY_UNTRUSTED);
}
TEST(channel, echoes_over_packets, 60)
{
    echoes(PACKETS);
}
TEST(channel, echoes_every_size_over_a_stream, 60)
{
    echoes(STREAM);
}
TEST(channel, echoes_every_size_over_pipes, 60)
{
    echoes(PIPES);
}
TEST(channel, echoes_every_size_in_pieces, 60)
{
    options.direct = UINT32_MAX;
    echoes(MEMORY);
}
TEST(channel, echoes_every_size_without_what_kernels_may_lack, 60)
{
    check_eq(ring3_env_disable("process_vm,membarrier,rseq,pidfd,peerpidfd,memfd_noexec"), 0);
    echoes(MEMORY);
}

/* --- What a message is ------------------------------------------------------------------------------ */

static void say_things(ring3_channel_t *channel)
{
    char byte;

    check_eq(ring3_channel_send(channel, "", 0, NULL), 0);
    check_eq(ring3_channel_send(channel, "a longer one", 12, NULL), 0);
    check_eq(ring3_channel_receive(channel, &byte, 1, NULL), 1);
}

static void keeps_messages(enum way way)
{
    ring3_channel_t channel;
    char buffer[32];
    const void *shown;
    const pid_t pid = open_both(&channel, way, say_things);

    check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, NULL), 0, "%s", way_names[way]);
    check_eq(ring3_channel_receive(&channel, buffer, 3, NULL), -EMSGSIZE, "%s", way_names[way]);
    check_eq(ring3_channel_peek(&channel, &shown, NULL), 12);
    check(memcmp(shown, "a longer one", 12) == 0);
    ring3_channel_release(&channel);
    check_eq(ring3_channel_send(&channel, "x", 1, NULL), 0);
    check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, NULL), -EPIPE, "%s",
             way_names[way]);
    ring3_channel_close(&channel);
    check_child(pid);
}

TEST(channel, keeps_a_message_that_is_too_long_for_the_buffer)
{
    for (enum way way = 0; way < WAYS; way++)
        if (way != PACKETS)
            keeps_messages(way);
}

static void wait_for_end(ring3_channel_t *channel)
{
    char byte;

    check_eq(ring3_channel_receive(channel, &byte, 1, NULL), -EPIPE);
}

TEST(channel, times_out)
{
    const struct timespec malformed = {0, -1};
    char buffer[8];

    options.direct = UINT32_MAX;
    for (enum way way = 0; way < WAYS; way++) {
        ring3_channel_t channel;
        const pid_t pid = open_both(&channel, way, wait_for_end);
        const double start = seconds_now();
        const struct timespec soon = deadline_in(20), past = deadline_in(-1);

        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, &soon), -ETIMEDOUT, "%s",
                 way_names[way]);
        check_ge(seconds_now() - start, 0.02);
        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, &past), -ETIMEDOUT);
        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, &malformed), -EINVAL);
        ring3_channel_close(&channel);
        check_child(pid);
    }
}

static void never_receive(ring3_channel_t *channel)
{
    (void)channel;
    pause();
}

TEST(channel, a_full_channel_times_out)
{
    for (enum way way = 0; way < WAYS; way++) {
        ring3_channel_t channel;
        static char message[20000];
        options.direct = UINT32_MAX;
        const pid_t pid = open_both(&channel, way, never_receive);
        const struct timespec soon = deadline_in(20);
        int err = 0, n = 0;

        while (err == 0 && n++ < 1000)
            err = ring3_channel_send(&channel, message, sizeof message, &soon);
        check_eq(err, -ETIMEDOUT, "%s", way_names[way]);
        check_gt(n, 2);
        kill(pid, SIGKILL);
        check_killed(pid);
        ring3_channel_close(&channel);
    }
}

TEST(channel, a_direct_message_that_timed_out_is_not_received_later)
{
    static char message[100000], in[100000];
    ring3_channel_t one, other;
    int ends[2], go[2];
    char byte = 0;
    const struct timespec soon = deadline_in(20), past = deadline_in(-1);

    check_eq(ring3_socket_pair(ends, SOCK_SEQPACKET), 0);
    check_eq(ring3_pipe_open(go, 0), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        close(ends[0]);
        check_eq(ring3_channel_accept(&other, ends[1], NULL, NULL), 0);
        /* The last message is received although the first were not: they were taken back. */
        check_eq(read(go[0], &byte, 1), 1);
        check_eq(ring3_channel_receive(&other, in, sizeof in, NULL), 5);
        check(memcmp(in, "after", 5) == 0);
        ring3_channel_close(&other);
        _exit(0);
    }
    close(ends[1]);
    check_eq(ring3_channel_connect(&one, ends[0], NULL, NULL), 0);
    if (one.direct != UINT32_MAX) {
        check_eq(ring3_channel_send(&one, message, sizeof message, &soon), -ETIMEDOUT);
        check_eq(ring3_channel_send(&one, message, sizeof message, &past), -ETIMEDOUT);
    }
    check_eq(write(go[1], &byte, 1), 1);
    check_eq(ring3_channel_send(&one, "after", 5, NULL), 0);
    check_child(pid);
    ring3_channel_close(&one);
}

/* --- The peer's end ---------------------------------------------------------------------------------- */

static void send_and_die(ring3_channel_t *channel)
{
    check_eq(ring3_channel_send(channel, "last words", 10, NULL), 0);
    kill(getpid(), SIGKILL);
}

TEST(channel, tells_death_from_goodbye_and_delivers_last_words)
{
    for (enum way way = 0; way < WAYS; way++) {
        ring3_channel_t channel;
        char buffer[16];
        const pid_t pid = open_both(&channel, way, send_and_die);
        const int dead = way <= MEMORY_UNTRUSTED ? -ECONNRESET : -EPIPE;

        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, NULL), 10, "%s",
                 way_names[way]);
        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, NULL), dead, "%s",
                 way_names[way]);
        check_eq(ring3_channel_receive(&channel, buffer, sizeof buffer, NULL), dead);
        check_killed(pid);
        ring3_channel_close(&channel);
    }
}

static void die_when_told(ring3_channel_t *channel)
{
    char byte;

    check_eq(ring3_channel_receive(channel, &byte, 1, NULL), 1);
    kill(getpid(), SIGKILL);
}

TEST(channel, a_sender_that_waits_for_room_is_told_too)
{
    for (enum way way = 0; way < WAYS; way++) {
        static char message[20000];
        ring3_channel_t channel;
        const pid_t pid = open_both(&channel, way, die_when_told);
        int err = ring3_channel_send(&channel, "x", 1, NULL);

        while (!err)
            err = ring3_channel_send(&channel, message, sizeof message, NULL);
        check(err == -ECONNRESET || err == -EPIPE, "%s: %d", way_names[way], err);
        check_killed(pid);
        ring3_channel_close(&channel);
    }
}

/* --- Credentials, descriptors -------------------------------------------------------------------------- */

TEST(channel, knows_who_the_peer_is)
{
    ring3_channel_t channel;
    const pid_t pid = open_both(&channel, MEMORY, wait_for_end);

    check_eq(channel.peer.pid, pid);
    check_eq(channel.peer.uid, getuid());
    check_eq(channel.peer.gid, getgid());
    ring3_channel_close(&channel);
    check_child(pid);
}

static void send_descriptors(ring3_channel_t *channel)
{
    int ends[2];

    check_eq(ring3_pipe_open(ends, 0), 0);
    check_eq(ring3_channel_send(channel, "before", 6, NULL), 0);
    check_eq(ring3_channel_send_fds(channel, "with", 4, ends, 2, NULL), 0);
    check_eq(ring3_channel_send_fds(channel, "unwanted", 8, ends, 2, NULL), 0);
    check_eq(ring3_channel_send_fds(channel, "too many", 8, ends, 2, NULL), 0);
    check_eq(ring3_channel_send(channel, "after", 5, NULL), 0);
    wait_for_end(channel);
}

TEST(channel, passes_descriptors_with_the_message_they_belong_to)
{
    for (enum way way = 0; way <= PACKETS; way++) {
        ring3_channel_t channel;
        char text[16] = "";
        int fds[2] = {-1, -1}, count = 2;
        const pid_t pid = open_both(&channel, way, send_descriptors);
        const int before = open_descriptors();

        check_eq(ring3_channel_receive_fds(&channel, text, 16, fds, &count, NULL), 6);
        check_eq(count, 0);
        count = 2;
        check_eq(ring3_channel_receive_fds(&channel, text, 16, fds, &count, NULL), 4);
        check_eq(count, 2, "%s", way_names[way]);
        check_eq(write(fds[1], "!", 1), 1);
        check_eq(read(fds[0], text, 1), 1);
        close(fds[0]);
        close(fds[1]);
        check_eq(ring3_channel_receive(&channel, text, 16, NULL), 8);
        count = 1;
        check_eq(ring3_channel_receive_fds(&channel, text, 16, fds, &count, NULL), -E2BIG, "%s",
                 way_names[way]);
        check_eq(ring3_channel_receive(&channel, text, 16, NULL), 5);
        check(memcmp(text, "after", 5) == 0);
        check_eq(open_descriptors(), before, "%s", way_names[way]);
        ring3_channel_close(&channel);
        check_child(pid);
    }
}

TEST(channel, streams_carry_no_descriptors)
{
    ring3_channel_t channel;
    const pid_t pid = open_both(&channel, STREAM, wait_for_end);
    const int fd = 0;

    check_eq(ring3_channel_send_fds(&channel, "x", 1, &fd, 1, NULL), -ENOTSUP);
    ring3_channel_close(&channel);
    check_child(pid);
}

/* --- Loans ----------------------------------------------------------------------------------------- */

#define LOANS 3

static void lend(ring3_channel_t *channel)
{
    const struct timespec past = deadline_in(-1);
    void *buffer[LOANS], *more;

    for (unsigned i = 0; i < LOANS; i++)
        check_eq(ring3_channel_loan(channel, &buffer[i], NULL), 0);
    check_eq(ring3_channel_loan(channel, &more, &past), -ETIMEDOUT, "all are out");
    ring3_channel_unloan(channel, buffer[2]);
    check_eq(ring3_channel_loan(channel, &more, &past), 0);
    check(more == buffer[2]);
    ring3_channel_unloan(channel, more);
    ring3_channel_unloan(channel, buffer[1]);
    ring3_channel_unloan(channel, buffer[0]);
    for (unsigned i = 0; i < 1000; i++) {
        check_eq(ring3_channel_loan(channel, &more, NULL), 0);
        fill_pattern(more, 1 + i * 7 % options.loan_size, i);
        check_eq(ring3_channel_send_loan(channel, more, 1 + i * 7 % options.loan_size, NULL), 0);
    }
    check_eq(ring3_channel_send_loan(channel, (char *)more + 1, 1, NULL), -EINVAL);
    check_eq(ring3_channel_send_loan(channel, more, options.loan_size + 1, NULL), -EINVAL);
    wait_for_end(channel);
}

TEST(channel, lends_buffers_that_come_back)
{
    options.loans = LOANS;
    options.loan_size = 4096;
    for (enum way way = 0; way <= MEMORY_UNTRUSTED; way++) {
        ring3_channel_t channel;
        const pid_t pid = open_both(&channel, way, lend);

        for (unsigned i = 0; i < 1000; i++) {
            const void *shown;
            static unsigned char copy[4096];

            if (i % 2) {
                check_eq(ring3_channel_receive(&channel, copy, sizeof copy, NULL),
                         1 + i * 7 % 4096);
                check(has_pattern(copy, 1 + i * 7 % 4096, i), "%s, %u", way_names[way], i);
            } else {
                check_eq(ring3_channel_peek(&channel, &shown, NULL), 1 + i * 7 % 4096);
                check(has_pattern(shown, 1 + i * 7 % 4096, i), "%s, %u", way_names[way], i);
                ring3_channel_release(&channel);
            }
        }
        ring3_channel_close(&channel);
        check_child(pid);
    }
}

TEST(channel, lends_nothing_without_a_pool)
{
    ring3_channel_t channel;
    const pid_t pid = open_both(&channel, MEMORY, wait_for_end);
    void *buffer;

    check_eq(ring3_channel_loan(&channel, &buffer, NULL), -ENOTSUP);
    ring3_channel_close(&channel);
    check_child(pid);
}

/* --- Streams of messages, signals, threads --------------------------------------------------------- */

static long stream_count;
static bool storm;

static void stream(ring3_channel_t *channel)
{
    if (storm)
        start_signal_storm();
    for (long i = 0; i < stream_count; i++) {
        long message[8] = {i, i, i, i, i, i, i, i};

        if (i % 8 == 7)
            check_eq(ring3_channel_send(channel, message, sizeof message, NULL), 0);
        else
            check_eq(ring3_channel_put(channel, message, sizeof message, NULL), 0);
    }
}

static void carries_everything(enum way way)
{
    ring3_channel_t channel;
    long message[8];
    stream_count = scaled(40000, 4000000) / 8 * 8;
    const pid_t pid = open_both(&channel, way, stream);

    if (storm)
        start_signal_storm();
    for (long i = 0; i < stream_count; i++) {
        check_eq(ring3_channel_receive(&channel, message, sizeof message, NULL),
                 (ssize_t)sizeof message, "%s, %ld", way_names[way], i);
        for (int w = 0; w < 8; w++)
            check_eq(message[w], i, "%s", way_names[way]);
    }
    check_eq(ring3_channel_receive(&channel, message, sizeof message, NULL), -EPIPE);
    if (storm)
        stop_signal_storm();
    ring3_channel_close(&channel);
    check_child(pid);
}

TEST(channel, carries_everything_in_order, 60)
{
    for (enum way way = 0; way < WAYS; way++)
        carries_everything(way);
}

TEST(channel, carries_everything_through_a_storm_of_signals, 60)
{
    storm = true;
    for (enum way way = 0; way < WAYS; way++)
        carries_everything(way);
}

static void *send_from_thread(void *channel)
{
    for (long i = 0; i < stream_count; i++)
        check_eq(ring3_channel_send(channel, &i, sizeof i, NULL), 0);
    return NULL;
}

TEST(channel, one_thread_sends_while_another_receives, 60)
{
    ring3_channel_t channel;
    pthread_t sender;
    long got;

    stream_count = scaled(20000, 1000000);
    const pid_t pid = open_both(&channel, MEMORY, echo);

    check_eq(pthread_create(&sender, NULL, send_from_thread, &channel), 0);
    for (long i = 0; i < stream_count; i++) {
        check_eq(ring3_channel_receive(&channel, &got, sizeof got, NULL), (ssize_t)sizeof got);
        check_eq(got, i);
    }
    check_eq(pthread_join(sender, NULL), 0);
    ring3_channel_close(&channel);
    check_child(pid);
}

/* --- Polling -------------------------------------------------------------------------------------- */

static void send_when_told(ring3_channel_t *channel)
{
    char byte;

    while (ring3_channel_receive(channel, &byte, 1, NULL) == 1)
        check_eq(ring3_channel_send(channel, &byte, 1, NULL), 0);
}

TEST(channel, is_pollable)
{
    for (enum way way = 0; way < WAYS; way++) {
        ring3_channel_t channel;
        const pid_t pid = open_both(&channel, way, send_when_told);
        const int fd = ring3_channel_fd(&channel);
        const struct timespec past = deadline_in(-1);
        char byte;

        check_ge(fd, 0);
        for (int i = 0; i < 200; i++) {
            check_eq(ring3_channel_arm(&channel), 0, "%s", way_names[way]);
            check_eq(ring3_fd_wait(fd, POLLIN, &past), -ETIMEDOUT, "%s", way_names[way]);
            check_eq(ring3_channel_send(&channel, "m", 1, NULL), 0);
            check(ring3_fd_wait(fd, POLLIN, NULL) > 0);
            check_eq(ring3_channel_receive(&channel, &byte, 1, NULL), 1);
        }
        check_eq(ring3_channel_arm(&channel), 0);
        kill(pid, SIGKILL);
        check(ring3_fd_wait(fd, POLLIN, NULL) > 0, "%s: death shows", way_names[way]);
        check_lt(ring3_channel_receive(&channel, &byte, 1, NULL), 0);
        check_killed(pid);
        ring3_channel_close(&channel);
    }
}

TEST(channel, waits_for_many)
{
    ring3_channel_t channels[WAYS], *all[WAYS];
    pid_t pids[WAYS];
    int answered[WAYS] = {0};
    const struct timespec past = deadline_in(-1);
    char byte;

    for (enum way way = 0; way < WAYS; way++) {
        pids[way] = open_both(&channels[way], way, send_when_told);
        all[way] = &channels[way];
    }
    check_eq(ring3_channel_wait_any(all, WAYS, &past), -ETIMEDOUT);
    check_eq(ring3_channel_wait_any(all, 0, &past), -EINVAL);
    for (int i = 0; i < 20 * WAYS; i++) {
        check_eq(ring3_channel_send(all[i % WAYS], "m", 1, NULL), 0);
        const int which = ring3_channel_wait_any(all, WAYS, NULL);

        check_eq(which, i % WAYS);
        answered[which]++;
        check_eq(ring3_channel_receive(all[which], &byte, 1, NULL), 1);
    }
    for (enum way way = 0; way < WAYS; way++) {
        check_eq(answered[way], 20);
        kill(pids[way], SIGKILL);
        check_killed(pids[way]);
        check_eq(ring3_channel_wait_any(&all[way], 1, NULL), 0, "%s: death is news",
                 way_names[way]);
        check_lt(ring3_channel_receive(all[way], &byte, 1, NULL), 0);
        ring3_channel_close(&channels[way]);
    }
}
