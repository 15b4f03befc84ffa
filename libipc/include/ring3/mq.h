/* SPDX-License-Identifier: MIT */
/*
 * Message queues of the kernel, POSIX and System V, behind one interface: messages with priorities, the
 * highest first, first in first out within each, and absolute deadlines.
 *
 *     err = ring3_mq_posix_create(&mq, "/jobs", 10, 256, 0600);
 *     err = ring3_mq_send(&mq, &job, sizeof job, 0, deadline);
 *     got = ring3_mq_receive(&mq, &job, sizeof job, NULL, deadline);
 *
 *                POSIX                                   System V
 * name           "/name"                                 a key
 * limits         10 messages of 8 KiB (/proc/sys/        8 KiB a message, 16 KiB a queue
 *                fs/mqueue), RLIMIT_MSGQUEUE             (/proc/sys/kernel/msgm*)
 * deadline       poll, which the kernel's own timed      trying again with pauses of up to 1 ms:
 *                form would take from the wall clock     the kernel has no timed form
 * poll it        mq.fd                                   no
 *
 * A queue lives until it is removed. Deadlines are on CLOCK_MONOTONIC, NULL for ever; EINTR is hidden.
 * Thread-safe; async-signal-safe; both sides of a fork may go on.
 */
#ifndef RING3_MQ_H
#define RING3_MQ_H

#include "ring3/api.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_mq {
    int fd;              /* POSIX: readable when a message is there; non-blocking; otherwise -1 */
    int id;              /* System V; otherwise -1 */
    size_t message_size; /* the longest message */
} ring3_mq_t;

#define RING3_MQ_PRIORITIES 32768 /* 0 to 32767 */

/** Make a queue. @return 0; -EEXIST; -EINVAL (name without '/', beyond the limits), -EMFILE (also
 * RLIMIT_MSGQUEUE), -ENOSPC (too many queues) */
int ring3_mq_posix_create(ring3_mq_t *mq, const char *name, size_t messages, size_t message_size,
                          mode_t mode);
int ring3_mq_sysv_create(ring3_mq_t *mq, int key, mode_t mode);

/** Use one that exists, for both directions. @return 0; -ENOENT, -EACCES */
int ring3_mq_posix_open(ring3_mq_t *mq, const char *name);
int ring3_mq_sysv_open(ring3_mq_t *mq, int key);

/** Remove the queue. POSIX: those who have it open go on; System V: they get -EIDRM. @return 0; -ENOENT */
int ring3_mq_posix_remove(const char *name);
int ring3_mq_sysv_remove(int key);

/** @return 0; -EMSGSIZE, -EINVAL (priority), -ETIMEDOUT, -EIDRM */
int ring3_mq_send(const ring3_mq_t *mq, const void *message, size_t size, unsigned priority,
                  const struct timespec *deadline);

/** Take the first message of the highest priority there is. `priority` may be NULL.
 * @return its length; -EMSGSIZE: POSIX: `size` is less than mq->message_size; System V: than this message,
 *         which stays; -ETIMEDOUT, -EIDRM */
ssize_t ring3_mq_receive(const ring3_mq_t *mq, void *message, size_t size, unsigned *priority,
                         const struct timespec *deadline);

/** Close what ring3_mq_posix_create or _open opened; the queue stays. */
void ring3_mq_close(ring3_mq_t *mq);

RING3_API_END

#endif
