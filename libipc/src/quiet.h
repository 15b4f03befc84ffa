/* SPDX-License-Identifier: MIT */
/*
 * Writing without SIGPIPE. Linux 6.18 has a flag for it (RWF_NOSIGNAL). Before, the thread blocks
 * the signal around the call and, if the call raised it, takes it back. A SIGPIPE that was pending
 * before is not ours and stays.
 */
#ifndef RING3_IPC_QUIET_H
#define RING3_IPC_QUIET_H

#include <signal.h>
#include <stdbool.h>
#include <sys/uio.h>

typedef struct ring3_quiet {
    sigset_t before;
    bool pending;
} ring3_quiet_t;

/* Around calls that take no flag (splice, sendfile). `broken`: the call returned -EPIPE. */
void ring3_quiet_begin(ring3_quiet_t *quiet);
void ring3_quiet_end(const ring3_quiet_t *quiet, bool broken);

/* pwritev2 with `flags` and without the signal; offset -1 uses the description's own.
 * Returns bytes or a negative errno; EINTR is hidden. */
ssize_t ring3_quiet_writev(int fd, const struct iovec *buffers, int count, off_t offset, int flags);

#endif
