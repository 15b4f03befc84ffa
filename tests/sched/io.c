/* SPDX-License-Identifier: MIT */
/* Input and output of user threads. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/io.h"
#include "ring3/thread.h"
#include "ring3/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const ring3_runtime_options_t models[] = {
    {.workers = 1},
    {.workers = 3},
    {.model = RING3_RUNTIME_BOUND},
};

#define MODELS ((int)(sizeof models / sizeof *models))

static ring3_thread_t spawn(void *(*body)(void *), void *arg)
{
    ring3_thread_t thread = 0;

    check_eq(ring3_thread_create(&thread, NULL, body, arg), 0);
    return thread;
}

static long join(ring3_thread_t thread)
{
    void *result = NULL;

    check_eq(ring3_thread_join(thread, &result), 0);
    return (long)(intptr_t)result;
}

/* --- Pipes ------------------------------------------------------------------------------------ */

static void *read_all(void *fd)
{
    unsigned char block[1000];
    long sum = 0;
    ssize_t got;

    while ((got = ring3_read(*(int *)fd, block, sizeof block, NULL)) > 0)
        for (ssize_t i = 0; i < got; i++)
            sum += block[i];
    check_eq(got, 0);
    return (void *)(intptr_t)sum;
}

/* More than fits into the pipe: both sides have to wait. */
TEST(io, a_reader_and_a_writer_of_a_pipe_take_turns, 60)
{
    for (int model = 0; model < MODELS; model++) {
        unsigned char block[3000];
        ring3_thread_t reader;
        long sum = 0;
        int ends[2];

        check_eq(pipe(ends), 0);
        check_eq(ring3_runtime_start(&models[model]), 0);
        reader = spawn(read_all, &ends[0]);
        for (int turn = 0; turn < 100; turn++) {
            memset(block, turn, sizeof block);
            for (size_t done = 0; done < sizeof block;) {
                const ssize_t put = ring3_write(ends[1], block + done, sizeof block - done, NULL);

                check_gt(put, 0);
                done += (size_t)put;
            }
            sum += turn * (long)sizeof block;
        }
        check_eq(ring3_close(ends[1]), 0);
        check_eq(join(reader), sum, "model %d", model);
        check_eq(ring3_close(ends[0]), 0);
        check_eq(ring3_runtime_stop(), 0);
    }
}

static long turns;

static void *count_turns(void *stop)
{
    while (!ring3_load((uint32_t *)stop, RING3_RELAXED)) {
        turns++;
        ring3_thread_yield();
    }
    return NULL;
}

static void *write_later(void *fd)
{
    check_eq(ring3_sleep_ns(5000000), 0);
    check_eq(ring3_write(*(int *)fd, "x", 1, NULL), 1);
    return NULL;
}

TEST(io, a_waiting_read_lets_others_run_and_is_seen_while_they_do)
{
    ring3_thread_t counter, writer;
    uint32_t over = 0;
    int ends[2];
    char byte;

    check_eq(pipe(ends), 0);
    check_eq(ring3_runtime_start(&models[0]), 0);
    counter = spawn(count_turns, &over);
    writer = spawn(write_later, &ends[1]);
    check_eq(ring3_read(ends[0], &byte, 1, NULL), 1);
    check_gt(turns, 0);
    ring3_store(&over, 1, RING3_RELAXED);
    (void)join(counter);
    (void)join(writer);
    check_eq(ring3_runtime_stop(), 0);
}

static void *read_one(void *fd)
{
    char byte;

    return (void *)(intptr_t)ring3_read(*(int *)fd, &byte, 1, NULL);
}

TEST(io, deadlines_and_cancellation_end_a_read)
{
    for (int model = 0; model < MODELS; model++) {
        struct timespec deadline;
        ring3_thread_t reader;
        const double before = seconds_now();
        int ends[2];
        char byte;

        check_eq(pipe(ends), 0);
        check_eq(ring3_runtime_start(&models[model]), 0);
        deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
        check_eq(ring3_read(ends[0], &byte, 1, &deadline), -ETIMEDOUT);
        check_ge(seconds_now() - before, 0.01);
        reader = spawn(read_one, &ends[0]);
        ring3_thread_yield();
        check_eq(ring3_thread_cancel(reader), 0);
        check_eq(join(reader), -ECANCELED, "model %d", model);
        check_eq(ring3_close(ends[0]), 0);
        check_eq(ring3_write(-1, "x", 1, NULL), -EBADF);
        check_eq(ring3_close(ends[1]), 0);
        check_eq(ring3_close(ends[1]), -EBADF);
        check_eq(ring3_runtime_stop(), 0);
    }
}

TEST(io, regular_files_are_read_by_a_helper)
{
    char name[] = "/tmp/ring3-io-XXXXXX", text[16] = "";
    const int fd = mkstemp(name);

    check_ge(fd, 0);
    check_eq(unlink(name), 0);
    check_eq(ring3_runtime_start(&models[0]), 0);
    check_eq(ring3_write(fd, "to a file", 9, NULL), 9);
    check_eq(lseek(fd, 0, SEEK_SET), 0);
    check_eq(ring3_read(fd, text, sizeof text, NULL), 9);
    check_str_eq(text, "to a file");
    check_eq(ring3_close(fd), 0);
    check_eq(ring3_runtime_stop(), 0);
}

/* --- Sockets ---------------------------------------------------------------------------------- */

static struct sockaddr_in address;

static void *echo(void *fd)
{
    const int client = (int)(intptr_t)fd;
    char block[64];
    ssize_t got;

    while ((got = ring3_read(client, block, sizeof block, NULL)) > 0)
        check_eq(ring3_write(client, block, (size_t)got, NULL), got);
    check_eq(ring3_close(client), 0);
    return NULL;
}

static void *serve(void *server)
{
    for (;;) {
        const int client = ring3_accept(*(int *)server, NULL, NULL, NULL);

        if (client == -ECANCELED)
            return NULL;
        check_ge(client, 0);
        check_eq(ring3_thread_create(NULL, &(ring3_thread_attr_t){.detached = true}, echo,
                                     (void *)(intptr_t)client),
                 0);
    }
}

static void *talk(void *unused)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char back[8];

    (void)unused;
    check_ge(fd, 0);
    check_eq(ring3_connect(fd, (struct sockaddr *)&address, sizeof address, NULL), 0);
    for (int i = 0; i < 20; i++) {
        check_eq(ring3_write(fd, "message", 8, NULL), 8);
        for (size_t done = 0; done < 8;) {
            const ssize_t got = ring3_read(fd, back + done, 8 - done, NULL);

            check_gt(got, 0);
            done += (size_t)got;
        }
        check_str_eq(back, "message");
    }
    check_eq(ring3_close(fd), 0);
    return NULL;
}

TEST(io, many_clients_talk_to_an_echo_server, 60)
{
    enum { CLIENTS = 20 };

    for (int model = 0; model < 2; model++) {
        ring3_thread_t server, clients[CLIENTS];
        socklen_t length = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        check_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        check_eq(listen(fd, CLIENTS), 0);
        check_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        check_eq(ring3_runtime_start(&models[model]), 0);
        server = spawn(serve, &fd);
        for (int i = 0; i < CLIENTS; i++)
            clients[i] = spawn(talk, NULL);
        for (int i = 0; i < CLIENTS; i++)
            (void)join(clients[i]);
        check_eq(ring3_thread_cancel(server), 0);
        (void)join(server);
        check_eq(ring3_close(fd), 0);
        while (ring3_runtime_stop() == -EBUSY)
            ring3_thread_yield();
    }
}

TEST(io, a_refused_connection_says_so)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof nobody;
    const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* Bound, but not listening. */
    check_eq(bind(taken, (struct sockaddr *)&nobody, sizeof nobody), 0);
    check_eq(getsockname(taken, (struct sockaddr *)&nobody, &length), 0);
    check_eq(ring3_runtime_start(&models[0]), 0);
    check_eq(ring3_connect(fd, (struct sockaddr *)&nobody, sizeof nobody, NULL), -ECONNREFUSED);
    check_eq(ring3_close(fd), 0);
    check_eq(ring3_runtime_stop(), 0);
    check_eq(close(taken), 0);
}

/* --- Poll, processes, blocking calls ---------------------------------------------------------- */

TEST(io, poll_tells_which_descriptor_is_ready)
{
    struct pollfd fds[3];
    struct timespec deadline;
    ring3_thread_t writer;
    int a[2], b[2];

    check_eq(pipe(a), 0);
    check_eq(pipe(b), 0);
    check_eq(ring3_runtime_start(&models[0]), 0);
    fds[0] = (struct pollfd){.fd = a[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = b[0], .events = POLLIN};
    fds[2] = (struct pollfd){.fd = -1};
    deadline = ring3_deadline_in(CLOCK_MONOTONIC, 5000000);
    check_eq(ring3_poll(fds, 3, &deadline), 0, "the time has passed");
    writer = spawn(write_later, &b[1]);
    check_eq(ring3_poll(fds, 3, NULL), 1);
    check_eq(fds[0].revents, 0);
    check_eq(fds[1].revents, POLLIN);
    (void)join(writer);
    fds[2] = (struct pollfd){.fd = 12345, .events = POLLIN};
    check_eq(ring3_poll(fds + 2, 1, NULL), 1);
    check_eq(fds[2].revents, POLLNVAL);
    check_eq(ring3_poll(fds, 65, NULL), -EINVAL);
    check_eq(ring3_runtime_stop(), 0);
}

static void *wait_for_child(void *arg)
{
    int status = 0;
    pid_t pid;

    (void)arg;
    pid = fork();
    if (pid == 0) {
        usleep(5000);
        _exit(7);
    }
    check_eq(ring3_waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    check_eq(ring3_waitpid(pid, &status, 0), -ECHILD);
    return NULL;
}

TEST(io, waitpid_blocks_the_thread_only)
{
    ring3_thread_t waiter, counter;
    uint32_t over = 0;

    check_eq(ring3_runtime_start(&models[0]), 0);
    waiter = spawn(wait_for_child, NULL);
    counter = spawn(count_turns, &over);
    (void)join(waiter);
    check_gt(turns, 0);
    ring3_store(&over, 1, RING3_RELAXED);
    (void)join(counter);
    check_eq(ring3_runtime_stop(), 0);
}

static intptr_t block_for_real(void *fd)
{
    char byte;
    const ssize_t got = read(*(int *)fd, &byte, 1);

    errno = ENOTTY;
    return got;
}

static void *call_blocking(void *fd)
{
    const intptr_t got = ring3_blocking(block_for_real, fd);

    check_eq(errno, ENOTTY, "errno comes along");
    return (void *)got;
}

/* More calls than there are helpers, on one worker. */
TEST(io, blocking_calls_do_not_block_the_worker, 60)
{
    enum { CALLS = 70 };
    ring3_thread_t callers[CALLS];
    char bytes[CALLS] = "";
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(ring3_runtime_start(&models[0]), 0);
    for (int i = 0; i < CALLS; i++)
        callers[i] = spawn(call_blocking, &ends[0]);
    ring3_thread_yield();
    check_eq(write(ends[1], bytes, CALLS), CALLS);
    for (int i = 0; i < CALLS; i++)
        check_eq(join(callers[i]), 1);
    check_eq(ring3_runtime_stop(), 0);
    check_eq(close(ends[1]), 0);
    check_eq(ring3_blocking(block_for_real, &ends[0]), 0, "a plain call in a kernel thread");
}
