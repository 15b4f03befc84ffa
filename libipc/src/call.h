/* SPDX-License-Identifier: MIT */
/*
 * Kernel convention around libc's system calls: the value or a negative errno, the caller's errno
 * unharmed.
 *
 *     const int fd = ring3_call(open(path, flags, mode));
 *     const ssize_t got = ring3_retry(read(fd, buffer, size));
 */
#ifndef RING3_IPC_CALL_H
#define RING3_IPC_CALL_H

#include <errno.h>

#define ring3_call(call)                                                                           \
    (__extension__({                                                                               \
        const int saved_ = errno;                                                                  \
        __auto_type result_ = (call);                                                              \
        if (result_ < 0) {                                                                         \
            result_ = -errno;                                                                      \
            errno = saved_;                                                                        \
        }                                                                                          \
        result_;                                                                                   \
    }))

/* The same, repeated while a signal handler interrupts it. Not for close, dup2 and connect, which
 * have done their work when they report EINTR. */
#define ring3_retry(call)                                                                          \
    (__extension__({                                                                               \
        __typeof__(call) again_;                                                                   \
        do                                                                                         \
            again_ = ring3_call(call);                                                             \
        while (again_ == -EINTR);                                                                  \
        again_;                                                                                    \
    }))

#endif
