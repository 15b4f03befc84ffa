/* SPDX-License-Identifier: MIT */
/*
 * Input and output that block the user thread and not its worker.
 *
 *     int client = ring3_accept(server, NULL, NULL, NULL);
 *     while ((got = ring3_read(client, buffer, sizeof buffer, deadline)) > 0)
 *         ring3_write(client, buffer, (size_t)got, deadline);
 *     ring3_close(client);
 *
 * A call tries first, and waits only if it would have blocked. Pipes, sockets, terminals and the
 * like are made non-blocking (O_NONBLOCK, which whoever shares them sees too) and registered with
 * epoll once, at the first call; regular files are read and written by a helper kernel thread. A
 * descriptor that was used here must be closed with ring3_close, or the next one of the same number
 * may never be told that it is ready.
 *
 * Results are those of the system call of the name, with a negative errno in place of -1; besides
 * them -ETIMEDOUT, -ECANCELED (ring3_thread_cancel) and -EINVAL for a malformed deadline, which is
 * an absolute CLOCK_MONOTONIC time, NULL for ever. They are not interrupted by signals.
 *
 * In a kernel thread that is no worker they do the same and block it. Thread-safe; several threads
 * may wait for one descriptor. Not async-signal-safe. A forked child starts with nothing registered.
 */
#ifndef RING3_IO_H
#define RING3_IO_H

#include "ring3/api.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

ssize_t ring3_read(int fd, void *buffer, size_t size, const struct timespec *deadline);
ssize_t ring3_write(int fd, const void *buffer, size_t size, const struct timespec *deadline);

/** The new descriptor is close-on-exec and non-blocking. */
int ring3_accept(int fd, struct sockaddr *address, socklen_t *length,
                 const struct timespec *deadline);
int ring3_connect(int fd, const struct sockaddr *address, socklen_t length,
                  const struct timespec *deadline);

/** 0 when the time has passed. Takes up to 64 descriptors (-EINVAL). */
int ring3_poll(struct pollfd *fds, nfds_t count, const struct timespec *deadline);

/** Options as for waitpid. */
pid_t ring3_waitpid(pid_t pid, int *status, int options);

int ring3_close(int fd);

/**
 * Run function(arg) in a helper kernel thread, and let others run meanwhile: for calls that would
 * block the worker. errno is passed back. Returns what the function returns; cancellation waits for
 * it. At most 64 run at a time, more wait for their turn. In a kernel thread that is no worker, or if
 * no helper can be had, it is a plain call.
 */
intptr_t ring3_blocking(intptr_t (*function)(void *arg), void *arg);

/**
 * Brackets around calls that may block the kernel thread. They stay in it, and cost little if they do
 * not block; while they do and others wait, the worker is given to another kernel thread (within a few
 * milliseconds, and within the limit ring3_runtime_options_t.kernel_threads), and the thread waits in
 * _leave for its turn. In between the thread counts as a plain kernel thread: ring3's locks and calls
 * block that. errno is kept. Do not nest. Nothing happens in kernel threads that are no workers, in
 * bound threads, and on the virtual clock.
 *
 * Threads of that worker which have stopped before may then go on in another kernel thread: see
 * `preempt` in ring3/thread.h about thread-local variables.
 */
void ring3_blocking_enter(void);
void ring3_blocking_leave(void);

RING3_API_END

#endif
