/* SPDX-License-Identifier: MIT */
/*
 * Fork server: a process that is forked early, while the program is small and has one thread, and forks
 * for it later, when fork would be slow or, with threads, unsafe. Each child starts from the state the
 * server was forked with (libraries loaded, tables built).
 *
 *     static int work(const void *request, size_t size, const int *fds, int count, void *context) { … }
 *
 *     ring3_zygote_start(&zygote, work, NULL);                 // first thing in main
 *     ring3_zygote_fork(&zygote, &job, sizeof job, &fd, 1, deadline, &child);
 *     ring3_zygote_wait(&zygote, &child, deadline, &status);   // the children are the server's
 *
 * Deadlines are absolute CLOCK_MONOTONIC times, NULL for ever. One thread at a time; not
 * async-signal-safe; asking takes 33 KiB of stack. The server ends when the last descriptor of zygote->socket is closed, also by the
 * program's death; children it has not been asked to wait for then go to the next reaper.
 */
#ifndef RING3_ZYGOTE_H
#define RING3_ZYGOTE_H

#include "ring3/api.h"
#include "ring3/process.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_ZYGOTE_REQUEST_MAX 32768 /* bytes */
#define RING3_ZYGOTE_FDS_MAX     253

/** What a child does; the result is its exit status. The descriptors are its own. */
typedef int (*ring3_zygote_body_t)(const void *request, size_t size, const int *fds, int count,
                                   void *context);

typedef struct ring3_zygote {
    ring3_process_t server;
    int socket;
    uint32_t sequence; /* of the last request */
} ring3_zygote_t;

/** Fork the server. Flush stdio before. @return 0; -EAGAIN, -EMFILE, -ENOMEM */
int ring3_zygote_start(ring3_zygote_t *zygote, ring3_zygote_body_t body, void *context);

/**
 * Have the server fork a child that runs the body with this request and these descriptors.
 *
 * @param child  wait for it with ring3_zygote_wait only; ring3_process_signal works
 * @return 0; -EMSGSIZE, -EINVAL (too many descriptors), -EAGAIN (no process left), -EPIPE (the server is
 *         gone, or has missed a deadline); -ETIMEDOUT: it is not known whether there is a child, and the
 *         server can only be stopped
 */
int ring3_zygote_fork(ring3_zygote_t *zygote, const void *request, size_t size, const int *fds,
                      int count, const struct timespec *deadline, ring3_process_t *child);

/** As ring3_process_wait, for children of the server.
 * @return 0; -ECHILD, -EPIPE; -ETIMEDOUT, after which all goes on unless the server itself hangs */
int ring3_zygote_wait(ring3_zygote_t *zygote, ring3_process_t *child,
                      const struct timespec *deadline, ring3_status_t *status);

/** End the server; its children go on. */
void ring3_zygote_stop(ring3_zygote_t *zygote);

RING3_API_END

#endif
