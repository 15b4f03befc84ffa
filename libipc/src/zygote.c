/* SPDX-License-Identifier: MIT */
/*
 * One request, one answer, over a seqpacket socket. When an answer does not come in time the two would be
 * out of step, and an answer that comes late may bring a descriptor: the socket is closed then.
 */
#include "ring3/zygote.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/fdpass.h"
#include "ring3/socket.h"
#include "ring3/wait.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_NS                                                                                  \
    (10 * RING3_SECOND_NS) /* to a question that takes microseconds: the server hangs */

enum verb { FORK = 1, WAIT };

struct request {
    uint32_t verb, sequence;
    int32_t pid; /* WAIT */
    char body[RING3_ZYGOTE_REQUEST_MAX];
};

#define REQUEST_HEAD offsetof(struct request, body)

struct answer {
    uint32_t sequence;
    int32_t err, pid;
    ring3_status_t status;
};

/* --- The server --- */

struct server {
    int socket;
    ring3_zygote_body_t body;
    void *context;
};

static int fork_child(const struct server *server, const struct request *request, size_t size,
                      const int *fds, int count)
{
    const pid_t pid = ring3_call(fork());

    if (pid == 0) {
        ring3_fd_close(server->socket);
        _exit(server->body(request->body, size, fds, count, server->context));
    }
    return pid;
}

static void serve_one(const struct server *server, const struct request *request, size_t size,
                      const int *fds, int count)
{
    static const struct timespec at_once;
    struct answer answer = {.sequence = request->sequence, .err = -EINVAL};
    ring3_process_t child = {request->pid, -1};
    int pidfd = -1;

    if (request->verb == FORK) {
        answer.pid = fork_child(server, request, size - REQUEST_HEAD, fds, count);
        answer.err = answer.pid < 0 ? answer.pid : 0;
        if (answer.pid > 0)
            pidfd = ring3_pidfd_open(answer.pid);
    } else if (request->verb == WAIT) {
        answer.err = ring3_process_wait(&child, 0, &at_once, &answer.status);
    }
    for (int i = 0; i < count; i++)
        ring3_fd_close(fds[i]);
    (void)ring3_fdpass_send(server->socket, &answer, sizeof answer, &pidfd, pidfd >= 0, NULL);
    if (pidfd >= 0)
        ring3_fd_close(pidfd);
}

__attribute__((noreturn)) static void serve(const struct server *server)
{
    struct request request;
    int fds[RING3_ZYGOTE_FDS_MAX];

    for (;;) {
        int count = RING3_ZYGOTE_FDS_MAX;
        const ssize_t got =
            ring3_fdpass_receive(server->socket, &request, sizeof request, fds, &count, NULL, NULL);

        if (got < (ssize_t)REQUEST_HEAD) /* the program has closed its end, or died */
            _exit(0);
        serve_one(server, &request, (size_t)got, fds, count);
    }
}

int ring3_zygote_start(ring3_zygote_t *zygote, ring3_zygote_body_t body, void *context)
{
    int ends[2];
    int err = ring3_socket_pair(ends, SOCK_SEQPACKET);

    if (err)
        return err;
    const pid_t pid = ring3_call(fork());

    if (pid == 0) {
        ring3_fd_close(ends[0]);
        serve(&(struct server){ends[1], body, context});
    }
    ring3_fd_close(ends[1]);
    *zygote = (ring3_zygote_t){.socket = ends[0]};
    err = pid < 0 ? pid : ring3_process_adopt(&zygote->server, pid);
    if (err)
        ring3_fd_close(ends[0]);
    return err;
}

/* --- The program --- */

static void hang_up(ring3_zygote_t *zygote)
{
    if (zygote->socket >= 0)
        ring3_fd_close(zygote->socket);
    zygote->socket = -1;
}

static int ask(ring3_zygote_t *zygote, struct request *request, size_t size, const int *fds,
               int count, const struct timespec *deadline, struct answer *answer, int *pidfd)
{
    int came = 1;

    if (zygote->socket < 0)
        return -EPIPE;
    request->sequence = ++zygote->sequence;
    ssize_t moved =
        ring3_fdpass_send(zygote->socket, request, REQUEST_HEAD + size, fds, count, deadline);

    if (moved < 0)
        return moved == -ECONNRESET ? -EPIPE : (int)moved; /* all or nothing: still in step */
    *pidfd = -1;
    moved =
        ring3_fdpass_receive(zygote->socket, answer, sizeof *answer, pidfd, &came, NULL, deadline);
    if (moved == (ssize_t)sizeof *answer && answer->sequence == request->sequence)
        return 0;
    if (came == 1 && *pidfd >= 0)
        ring3_fd_close(*pidfd);
    hang_up(zygote);
    return moved == -ETIMEDOUT || moved == -EMFILE ? (int)moved : -EPIPE;
}

int ring3_zygote_fork(ring3_zygote_t *zygote, const void *request, size_t size, const int *fds,
                      int count, const struct timespec *deadline, ring3_process_t *child)
{
    struct request message = {.verb = FORK};
    struct answer answer;
    int pidfd;

    if (size > sizeof message.body)
        return -EMSGSIZE;
    if (size > 0)
        memcpy(message.body, request, size);
    const int err = ask(zygote, &message, size, fds, count, deadline, &answer, &pidfd);

    if (err || answer.err)
        return err ? err : answer.err;
    *child = (ring3_process_t){answer.pid, pidfd};
    return 0;
}

int ring3_zygote_wait(ring3_zygote_t *zygote, ring3_process_t *child,
                      const struct timespec *deadline, ring3_status_t *status)
{
    ring3_pause_t pause = {0};

    if (child->pid <= 0)
        return -ECHILD;
    if (deadline && ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    for (;;) {
        /* The question itself is quick, and must not be cut off by a deadline that has passed. */
        const struct timespec patience = ring3_deadline_in(CLOCK_MONOTONIC, ANSWER_NS);
        struct request request = {.verb = WAIT, .pid = child->pid};
        struct answer answer;
        int pidfd, err = ask(zygote, &request, 0, NULL, 0, &patience, &answer, &pidfd);

        if (!err && !answer.err) {
            ring3_process_drop(child);
            if (status)
                *status = answer.status;
            return 0;
        }
        if (err || answer.err != -ETIMEDOUT)
            return err ? err : answer.err;
        if (child->pidfd >= 0)
            err = ring3_fd_wait(child->pidfd, POLLIN, deadline);
        else
            err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err < 0)
            return err;
    }
}

void ring3_zygote_stop(ring3_zygote_t *zygote)
{
    hang_up(zygote);
    (void)ring3_process_signal(&zygote->server, SIGKILL); /* it may hang; it holds nothing */
    (void)ring3_process_wait(&zygote->server, 0, NULL, NULL);
}
