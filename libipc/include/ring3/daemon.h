/* SPDX-License-Identifier: MIT */
/*
 * Put this program in the background, and tell the foreground when it is ready to serve, or why
 * not.
 *
 *     ring3_process_t daemon;
 *     int report;
 *     switch (ring3_daemon_start(&daemon, deadline, &report)) {
 *     case 0:  return 0;                                   // launcher: the daemon is ready
 *     case 1:  ring3_daemon_ready(report, set_up()); …      // daemon
 *     default: complain(…);                                // launcher: it failed, and is gone
 *     }
 *
 * One fork: the daemon leads a session of its own, and the launcher, while it lives, can supervise
 * it by its pidfd. (The second fork of the old recipe only keeps a program from getting a
 * controlling terminal by opening one without O_NOCTTY.)
 *
 * Call it while the process has one thread, with nothing unflushed in stdio. Not async-signal-safe.
 */
#ifndef RING3_DAEMON_H
#define RING3_DAEMON_H

#include "ring3/api.h"
#include "ring3/process.h"

RING3_API_BEGIN

/**
 * Fork; in the child, leave the session and terminal, make "/" the working directory and /dev/null
 * the standard descriptors (2 as well: write logs elsewhere), and go on.
 *
 * @param daemon    launcher: the daemon, once it is ready
 * @param deadline  launcher: absolute CLOCK_MONOTONIC time by which it must be, or NULL
 * @param report    daemon: to be given to ring3_daemon_ready
 * @return 1 in the daemon; 0 in the launcher when the daemon is ready; in the launcher after a
 * failure, with the daemon killed and reaped: the negative errno it reported, -ECHILD when it ended
 * without a report, -ETIMEDOUT, -EAGAIN, -EMFILE
 */
int ring3_daemon_start(ring3_process_t *daemon, const struct timespec *deadline, int *report);

/** Report from the daemon, once: 0, or a negative errno before giving up. Closes `report`. */
void ring3_daemon_ready(int report, int err);

RING3_API_END

#endif
