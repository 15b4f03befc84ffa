/* SPDX-License-Identifier: MIT */
/*
 * POSIX queues are descriptors on Linux: opened non-blocking, and waited for with poll. Their timed forms
 * take CLOCK_REALTIME, with which a deadline would move whenever somebody sets the clock.
 *
 * System V queues have types instead of priorities, and hand out the lowest type first when asked for
 * "up to": type = RING3_MQ_PRIORITIES - priority.
 */
#include "ring3/mq.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/wait.h"

#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

_Static_assert(sizeof(mqd_t) == sizeof(int) && sizeof(key_t) == sizeof(int),
               "the header says int for both");

#define SYSV_MESSAGE_MAX 8192 /* the kernel's default; a copy has to be made on the stack */

struct sysv_message {
    long type;
    char text[SYSV_MESSAGE_MAX];
};

static int finish_open(ring3_mq_t *mq, int fd)
{
    struct mq_attr about;

    if (fd < 0)
        return fd;
    const int err = ring3_call(mq_getattr(fd, &about));

    if (err) {
        ring3_fd_close(fd);
        return err;
    }
    *mq = (ring3_mq_t){.fd = fd, .id = -1, .message_size = (size_t)about.mq_msgsize};
    return 0;
}

int ring3_mq_posix_create(ring3_mq_t *mq, const char *name, size_t messages, size_t message_size,
                          mode_t mode)
{
    struct mq_attr wanted = {.mq_maxmsg = (long)messages, .mq_msgsize = (long)message_size};

    if (messages > INT_MAX || message_size > INT_MAX)
        return -EINVAL;
    return finish_open(mq,
                       ring3_retry(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC,
                                           mode, &wanted)));
}

int ring3_mq_posix_open(ring3_mq_t *mq, const char *name)
{
    return finish_open(mq, ring3_retry(mq_open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC)));
}

int ring3_mq_posix_remove(const char *name)
{
    return ring3_call(mq_unlink(name));
}

static int finish_get(ring3_mq_t *mq, int id)
{
    if (id < 0)
        return id;
    *mq = (ring3_mq_t){.fd = -1, .id = id, .message_size = SYSV_MESSAGE_MAX};
    return 0;
}

int ring3_mq_sysv_create(ring3_mq_t *mq, int key, mode_t mode)
{
    return finish_get(mq, ring3_call(msgget(key, IPC_CREAT | IPC_EXCL | (int)(mode & 0777))));
}

int ring3_mq_sysv_open(ring3_mq_t *mq, int key)
{
    return finish_get(mq, ring3_call(msgget(key, 0)));
}

int ring3_mq_sysv_remove(int key)
{
    const int id = ring3_call(msgget(key, 0));

    return id < 0 ? id : ring3_call(msgctl(id, IPC_RMID, NULL));
}

void ring3_mq_close(ring3_mq_t *mq)
{
    if (mq->fd >= 0)
        ring3_fd_close(mq->fd);
    *mq = (ring3_mq_t){.fd = -1, .id = -1};
}

static int send_posix(const ring3_mq_t *mq, const void *message, size_t size, unsigned priority,
                      const struct timespec *deadline)
{
    for (;;) {
        const int err = ring3_retry(mq_send(mq->fd, message, size, priority));

        if (err != -EAGAIN)
            return err;
        const int ready = ring3_fd_wait(mq->fd, POLLOUT, deadline);

        if (ready < 0)
            return ready;
    }
}

static ssize_t receive_posix(const ring3_mq_t *mq, void *message, size_t size, unsigned *priority,
                             const struct timespec *deadline)
{
    for (;;) {
        const ssize_t got = ring3_retry(mq_receive(mq->fd, message, size, priority));

        if (got != -EAGAIN)
            return got;
        const int ready = ring3_fd_wait(mq->fd, POLLIN, deadline);

        if (ready < 0)
            return ready;
    }
}

/* The queue was removed before the call, or else the system's limit is lower than ours. */
static int why_invalid(const ring3_mq_t *mq)
{
    struct msqid_ds about;

    return ring3_call(msgctl(mq->id, IPC_STAT, &about)) ? -EIDRM : -EMSGSIZE;
}

static int send_sysv(const ring3_mq_t *mq, const void *message, size_t size, unsigned priority,
                     const struct timespec *deadline)
{
    struct sysv_message copy;
    ring3_pause_t pause = {0};

    if (size > sizeof copy.text)
        return -EMSGSIZE;
    copy.type = (long)(RING3_MQ_PRIORITIES - priority);
    memcpy(copy.text, message, size);
    for (;;) {
        int err = ring3_retry(msgsnd(mq->id, &copy, size, deadline ? IPC_NOWAIT : 0));

        if (err == -EINVAL)
            return why_invalid(mq);
        if (err != -EAGAIN)
            return err;
        err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);
        if (err)
            return err;
    }
}

static ssize_t receive_sysv(const ring3_mq_t *mq, void *message, size_t size, unsigned *priority,
                            const struct timespec *deadline)
{
    struct sysv_message copy;
    ring3_pause_t pause = {0};

    if (size > sizeof copy.text)
        size = sizeof copy.text;
    for (;;) {
        const ssize_t got = ring3_retry(
            msgrcv(mq->id, &copy, size, -(long)RING3_MQ_PRIORITIES, deadline ? IPC_NOWAIT : 0));

        if (got >= 0) {
            memcpy(message, copy.text, (size_t)got);
            if (priority)
                *priority = (unsigned)(RING3_MQ_PRIORITIES - copy.type);
            return got;
        }
        if (got != -ENOMSG)
            return got == -E2BIG ? -EMSGSIZE : got == -EINVAL ? -EIDRM : got;
        const int err = ring3_pause(&pause, RING3_WAIT_PARK, deadline);

        if (err)
            return err;
    }
}

static bool malformed(const struct timespec *deadline)
{
    return deadline && ring3_deadline_check(CLOCK_MONOTONIC, deadline) != 0;
}

int ring3_mq_send(const ring3_mq_t *mq, const void *message, size_t size, unsigned priority,
                  const struct timespec *deadline)
{
    if (malformed(deadline) || priority >= RING3_MQ_PRIORITIES)
        return -EINVAL;
    return mq->fd >= 0 ? send_posix(mq, message, size, priority, deadline)
                       : send_sysv(mq, message, size, priority, deadline);
}

ssize_t ring3_mq_receive(const ring3_mq_t *mq, void *message, size_t size, unsigned *priority,
                         const struct timespec *deadline)
{
    if (malformed(deadline))
        return -EINVAL;
    return mq->fd >= 0 ? receive_posix(mq, message, size, priority, deadline)
                       : receive_sysv(mq, message, size, priority, deadline);
}
