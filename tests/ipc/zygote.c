/* SPDX-License-Identifier: MIT */
#include "ring3/zygote.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* "exit N", "write TEXT" (to the descriptor), "hang", "die", and "state": what the server was made with. */
static int work(const void *request, size_t size, const int *fds, int count, void *context)
{
    const char *const text = request;

    if (size > 5 && memcmp(text, "exit ", 5) == 0)
        return text[5] - '0';
    if (size > 6 && memcmp(text, "write ", 6) == 0)
        return count == 1 && ring3_fd_write(fds[0], text + 6, size - 6) == (ssize_t)size - 6 ? 0
                                                                                             : 1;
    if (size == 5 && memcmp(text, "state", 5) == 0)
        return *(int *)context;
    if (size == 3 && memcmp(text, "die", 3) == 0)
        raise(SIGKILL);
    for (;;)
        pause();
}

static int state = 42;

static ring3_zygote_t start(void)
{
    ring3_zygote_t zygote;

    signal(SIGTERM, SIG_DFL); /* the test framework may have a handler, which fork would pass on */
    check_eq(ring3_zygote_start(&zygote, work, &state), 0);
    return zygote;
}

static ring3_process_t ask_for(ring3_zygote_t *zygote, const char *request, const int *fds,
                               int count)
{
    ring3_process_t child;

    check_eq(ring3_zygote_fork(zygote, request, strlen(request), fds, count, NULL, &child), 0);
    check_gt(child.pid, 0);
    return child;
}

static void forks_and_waits(void)
{
    const int descriptors = open_descriptors();
    ring3_zygote_t zygote = start();
    ring3_status_t status;
    char text[6] = {0};
    int ends[2];

    state = 7; /* the server keeps what it was forked with */
    start_signal_storm();
    ring3_process_t child = ask_for(&zygote, "state", NULL, 0);

    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), 0);
    check_eq(status.value, 42);
    check_eq(child.pid, 0);
    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), -ECHILD);

    check_eq(pipe(ends), 0);
    child = ask_for(&zygote, "write hello", &ends[1], 1);
    close(ends[1]);
    check_eq(ring3_fd_read_full(ends[0], text, 5, NULL, NULL), 0);
    check_str_eq(text, "hello");
    check_eq(ring3_fd_read(ends[0], text, 1), 0, "somebody else still holds the pipe");
    close(ends[0]);
    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), 0);
    check_eq(status.value, 0);

    child = ask_for(&zygote, "die", NULL, 0);
    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_KILLED);
    stop_signal_storm();

    child = ask_for(&zygote, "hang", NULL, 0);
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(30);

    check_eq(ring3_zygote_wait(&zygote, &child, &soon, &status), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.03);
    check_eq(ring3_process_signal(&child, SIGTERM), 0);
    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), 0);
    check_eq(status.value, SIGTERM);
    ring3_zygote_stop(&zygote);
    check_eq(open_descriptors(), descriptors);
    check_eq(waitpid(-1, NULL, WNOHANG), -1, "the server is left");
}

TEST(zygote, forks_and_waits)
{
    forks_and_waits();
}

TEST(zygote, forks_and_waits_without_pidfds)
{
    check_eq(ring3_env_disable("pidfd"), 0);
    forks_and_waits();
}

TEST(zygote, a_dead_or_hanging_server_is_an_error)
{
    const int descriptors = open_descriptors();
    ring3_zygote_t zygote = start();
    ring3_process_t child;

    check_eq(ring3_process_signal(&zygote.server, SIGKILL), 0);
    check_eq(ring3_zygote_fork(&zygote, "exit 0", 6, NULL, 0, NULL, &child), -EPIPE);
    check_eq(ring3_zygote_fork(&zygote, "exit 0", 6, NULL, 0, NULL, &child), -EPIPE);
    ring3_zygote_stop(&zygote);

    zygote = start();
    check_eq(ring3_process_signal(&zygote.server, SIGSTOP), 0);
    const struct timespec soon = deadline_in(30);

    check_eq(ring3_zygote_fork(&zygote, "exit 0", 6, NULL, 0, &soon, &child), -ETIMEDOUT);
    check_eq(ring3_zygote_fork(&zygote, "exit 0", 6, NULL, 0, NULL, &child), -EPIPE);
    ring3_zygote_stop(&zygote);
    check_eq(open_descriptors(), descriptors);
}

TEST(zygote, requests_are_checked)
{
    static char large[RING3_ZYGOTE_REQUEST_MAX + 1] = "exit 5";
    static int many[RING3_ZYGOTE_FDS_MAX + 1];
    ring3_zygote_t zygote = start();
    ring3_process_t child;
    ring3_status_t status;

    check_eq(ring3_zygote_fork(&zygote, large, sizeof large, NULL, 0, NULL, &child), -EMSGSIZE);
    check_eq(ring3_zygote_fork(&zygote, "x", 1, many, RING3_ZYGOTE_FDS_MAX + 1, NULL, &child),
             -EINVAL);
    check_eq(ring3_zygote_fork(&zygote, large, sizeof large - 1, many, RING3_ZYGOTE_FDS_MAX, NULL,
                               &child),
             0);
    check_eq(ring3_zygote_wait(&zygote, &child, NULL, &status), 0);
    check_eq(status.value, 5);
    ring3_process_t stranger = {getpid(), -1};

    check_eq(ring3_zygote_wait(&zygote, &stranger, NULL, &status), -ECHILD);
    ring3_zygote_stop(&zygote);
}

/* The program dies without a word: the server must not stay. */
TEST(zygote, the_server_ends_with_its_program)
{
    int ends[2];
    char byte;

    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        start(); /* inherits the pipe's writing end, and holds it while it lives */
        raise(SIGKILL);
    }
    close(ends[1]);
    check_eq(ring3_fd_read(ends[0], &byte, 1), 0);
    check_eq(waitpid(pid, NULL, 0), pid);
}
