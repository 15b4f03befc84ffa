/* SPDX-License-Identifier: MIT */
/*
 * Copy from one descriptor to another by the shortest way the kernel offers.
 *
 *     err = ring3_copy(file, socket, UINT64_MAX, NULL, &copied);
 *
 * from -> to                  way                     what it saves
 * regular -> regular          copy_file_range         everything, where the file system shares
 * blocks pipe -> any, any -> pipe    splice                  the copy through user memory regular
 * -> any              sendfile                the same otherwise, or refused       read and write -
 *
 * A way that the kernel or the file system refuses is given up for the next, also in the middle.
 */
#ifndef RING3_COPY_H
#define RING3_COPY_H

#include "ring3/api.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/**
 * Copy until the end of `from` or `limit` bytes, from and to the descriptors' own offsets.
 *
 * @param limit     UINT64_MAX for all
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL to wait for ever. With a deadline only
 * ways that can keep it are taken (copy_file_range; otherwise read and write)
 * @param done      if not NULL, the number of bytes that arrived, also after a failure
 * @return 0 at the end or limit; -EPIPE, -ENOSPC, -ETIMEDOUT, -EBADF, … . When reading and writing
 * is the way and the write fails, up to 64 KiB are taken from `from` and have not arrived.
 *
 * Raises no SIGPIPE, hides EINTR. Thread-safe; async-signal-safe; uses 64 KiB of stack.
 */
int ring3_copy(int from, int to, uint64_t limit, const struct timespec *deadline, uint64_t *done);

RING3_API_END

#endif
