/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers. The kernel calls one function of ours, which saves errno and calls the
 * program's. Dispositions belong to the process, hence the tables of file scope.
 *
 * handlers[s]  written by ring3_signal_handle and _restore before the kernel knows of the handler;
 * a delivery to another thread may read it at any time pipes[s]     1 + the write end of the
 * self-pipe that shows s, 0 if none
 */
#include "call.h"
#include "ring3/atomic.h"
#include "ring3/fd.h"
#include "ring3/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

static ring3_signal_handler_t handlers[NSIG];
static int pipes[NSIG];

static void dispatch(int signal, siginfo_t *info, void *context)
{
    const int interrupted_errno = errno;
    /* Pairs with the release in set_action. */
    const ring3_signal_handler_t handler = ring3_load(&handlers[signal], RING3_ACQUIRE);

    if (handler)
        handler(signal, info, context);
    errno = interrupted_errno;
}

static bool is_signal(int signal)
{
    return signal > 0 && signal < NSIG;
}

static int set_action(int signal, ring3_signal_handler_t handler, const struct sigaction *action,
                      ring3_signal_action_t *before)
{
    struct sigaction old;
    const ring3_signal_handler_t had = ring3_load(&handlers[signal], RING3_RELAXED);
    const bool ours = (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == dispatch;

    if (ours) /* pairs with the acquire in dispatch */
        ring3_store(&handlers[signal], handler, RING3_RELEASE);
    const int err = ring3_call(sigaction(signal, action, &old));

    if (err && ours)
        ring3_store(&handlers[signal], had, RING3_RELEASE);
    if (!err && before)
        *before = (ring3_signal_action_t){had, old};
    return err;
}

int ring3_signal_handle(int signal, ring3_signal_handler_t handler, unsigned flags,
                        ring3_signal_action_t *before)
{
    struct sigaction action = {0};

    if (!is_signal(signal))
        return -EINVAL;
    sigfillset(&action.sa_mask);
    if (handler == RING3_SIGNAL_DEFAULT) {
        action.sa_handler = SIG_DFL;
    } else if (handler == RING3_SIGNAL_IGNORE) {
        action.sa_handler = SIG_IGN;
    } else {
        action.sa_sigaction = dispatch;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    }
    if (flags & RING3_SIGNAL_RESTART)
        action.sa_flags |= SA_RESTART;
    if (flags & RING3_SIGNAL_ONCE)
        action.sa_flags |= (int)SA_RESETHAND;
    return set_action(signal, handler, &action, before);
}

int ring3_signal_restore(int signal, const ring3_signal_action_t *before)
{
    if (!is_signal(signal))
        return -EINVAL;
    return set_action(signal, before->handler, &before->action, NULL);
}

static void show_in_pipe(int signal, const siginfo_t *info, void *context)
{
    const uint8_t byte = (uint8_t)signal;
    const int end = ring3_load(&pipes[signal], RING3_RELAXED);

    (void)info;
    (void)context;
    /* A full pipe is readable, which is all a further byte could make it. Not the quiet write: the
     * read end is ours and open. */
    if (end && write(end - 1, &byte, 1) < 0)
        return;
}

int ring3_selfpipe_open(ring3_selfpipe_t *pipe)
{
    int ends[2];
    const int err = ring3_call(pipe2(ends, O_CLOEXEC | O_NONBLOCK));

    if (!err)
        *pipe = (ring3_selfpipe_t){ends[0], ends[1]};
    return err;
}

int ring3_selfpipe_watch(ring3_selfpipe_t *pipe, int signal)
{
    if (!is_signal(signal))
        return -EINVAL;
    const int had = ring3_cas(&pipes[signal], 0, pipe->writing + 1, RING3_RELAXED);

    if (had)
        return had == pipe->writing + 1 ? 0 : -EBUSY;
    const int err = ring3_signal_handle(signal, show_in_pipe, RING3_SIGNAL_RESTART, NULL);

    if (err)
        ring3_store(&pipes[signal], 0, RING3_RELAXED);
    return err;
}

int ring3_selfpipe_read(ring3_selfpipe_t *pipe, const struct timespec *deadline)
{
    uint8_t byte;
    const int err = ring3_fd_read_full(pipe->fd, &byte, 1, deadline, NULL);

    return err ? err : byte;
}

void ring3_selfpipe_close(ring3_selfpipe_t *pipe)
{
    for (int signal = 1; signal < NSIG; signal++) {
        if (ring3_load(&pipes[signal], RING3_RELAXED) != pipe->writing + 1)
            continue;
        (void)ring3_signal_handle(signal, RING3_SIGNAL_DEFAULT, 0, NULL);
        ring3_store(&pipes[signal], 0, RING3_RELAXED);
    }
    ring3_fd_close(pipe->writing);
    ring3_fd_close(pipe->fd);
    *pipe = (ring3_selfpipe_t){-1, -1};
}
