/* SPDX-License-Identifier: MIT */
/*
 * Signals: block, send, wait for without a race, turn into descriptors, handle safely.
 *
 * The best handler is none: block the signals, and take them when it suits, from ring3_signal_wait
 * or from a descriptor in the event loop.
 *
 *     ring3_signal_set(&set, signals, 2);
 *     ring3_signal_block(&set, NULL);             // before threads start: they inherit the mask
 *     int fd = ring3_signalfd_open(&set);         // or
 *     err = ring3_signal_wait(&set, deadline, &info);
 *
 * A standard signal that is pending already is not queued again: n of them may arrive as one.
 * Real-time signals (SIGRTMIN to SIGRTMAX) queue, each with its value, the lowest number first.
 *
 * Masks are per thread; handlers per process. A forked child inherits both and no pending signals;
 * exec keeps the mask and what is ignored. Nothing here touches errno. SIGKILL and SIGSTOP cannot
 * be blocked (silently) or handled (-EINVAL). Source: signal(7), signalfd(2), sigaction(2).
 */
#ifndef RING3_SIGNALS_H
#define RING3_SIGNALS_H

#include "ring3/api.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

/** The set of `count` signals. @return 0, -EINVAL for a number that is no signal */
int ring3_signal_set(sigset_t *set, const int *signals, int count);

/** Block, unblock, or block exactly these in the calling thread; *before (may be NULL) receives the
 * mask there was. Async-signal-safe. @return 0 */
int ring3_signal_block(const sigset_t *set, sigset_t *before);
int ring3_signal_unblock(const sigset_t *set, sigset_t *before);
int ring3_signal_mask(const sigset_t *set, sigset_t *before);

/** The signals that wait for the calling thread because they are blocked. */
int ring3_signal_pending(sigset_t *set);

/** Send to process `pid` (0: own group, -N: group N; signal 0 only asks).
 * @return 0; -ESRCH, -EPERM (neither my real nor effective user is its real or saved one), -EINVAL
 */
int ring3_signal_send(pid_t pid, int signal);

/** The same with a value, which ring3_signal_wait and handlers find in info->si_value.
 * @return also -EAGAIN: too many signals are queued (RLIMIT_SIGPENDING) */
int ring3_signal_queue(pid_t pid, int signal, union sigval value);

/**
 * Take one pending signal of `set`, waiting for it as needed. The set must be blocked, in every
 * thread if the signal is sent to the process; then no signal is missed between two waits.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, NULL for ever
 * @param info      who sent it, with what value; may be NULL
 * @return the signal; -ETIMEDOUT, -EINVAL. Handlers of other signals do not end the wait.
 */
int ring3_signal_wait(const sigset_t *set, const struct timespec *deadline, siginfo_t *info);

/** Put `mask` in place and sleep until a handler has run, as one step; then restore the mask. This
 * is how to wait for what a handler notes: block the signal, look, suspend with it unblocked.
 * @return 0 */
int ring3_signal_suspend(const sigset_t *mask);

/** A non-blocking descriptor that is readable while one of `set` is pending for the reading thread.
 * The set must be blocked. @return a descriptor; -EMFILE, … */
int ring3_signalfd_open(const sigset_t *set);

/** Take one signal from it, as ring3_signal_wait does. @return the signal; -ETIMEDOUT */
int ring3_signalfd_read(int fd, const struct timespec *deadline, siginfo_t *info);

/* --- Handlers -------------------------------------------------------------------------------- */

typedef void (*ring3_signal_handler_t)(int signal, const siginfo_t *info, void *context);

#define RING3_SIGNAL_IGNORE  ((ring3_signal_handler_t)1)
#define RING3_SIGNAL_DEFAULT ((ring3_signal_handler_t)0)

#define RING3_SIGNAL_ONCE    1u /* the first delivery puts the default back */
#define RING3_SIGNAL_RESTART 2u /* interrupted system calls go on where the kernel allows it */

typedef struct ring3_signal_action {
    ring3_signal_handler_t handler;
    struct sigaction action;
} ring3_signal_action_t;

/**
 * Handle a signal. The handler runs with all signals blocked, so handlers do not interrupt each
 * other, on the alternate stack if the thread has one, and errno is saved around it. It may call
 * only what is async-signal-safe: of this library, what says so.
 *
 * @param before  if not NULL, receives what there was, for ring3_signal_restore
 * @return 0; -EINVAL: no such signal, or SIGKILL or SIGSTOP
 */
int ring3_signal_handle(int signal, ring3_signal_handler_t handler, unsigned flags,
                        ring3_signal_action_t *before);
int ring3_signal_restore(int signal, const ring3_signal_action_t *before);

/* --- Self-pipe ------------------------------------------------------------------------------- */

/*
 * Signals as bytes in a pipe, for programs that cannot block a signal in all their threads. Like
 * pending signals, several of a kind may show as fewer, but at least one byte shows after each. One
 * pipe per signal at a time.
 */
typedef struct ring3_selfpipe {
    int fd;      /* read end, non-blocking: poll it, or ring3_selfpipe_read */
    int writing; /* write end, for the handler */
} ring3_selfpipe_t;

int ring3_selfpipe_open(ring3_selfpipe_t *pipe);

/** From now on `signal` shows in the pipe. @return 0; -EBUSY if it shows in another; -EINVAL */
int ring3_selfpipe_watch(ring3_selfpipe_t *pipe, int signal);

/** @return a signal; -ETIMEDOUT. Waits as ring3_fd_wait does. */
int ring3_selfpipe_read(ring3_selfpipe_t *pipe, const struct timespec *deadline);

/** Put the defaults of the watched signals back and close. */
void ring3_selfpipe_close(ring3_selfpipe_t *pipe);

RING3_API_END

#endif
