/* SPDX-License-Identifier: MIT */
#ifndef RING3_IPC_MESSAGE_H
#define RING3_IPC_MESSAGE_H

#include <sys/socket.h>
#include <time.h>

/* sendmsg and recvmsg by a deadline, without SIGPIPE and EINTR: bytes or a negative errno. */
ssize_t ring3_message_send(int fd, const struct msghdr *message, int flags,
                           const struct timespec *deadline);
ssize_t ring3_message_receive(int fd, struct msghdr *message, int flags,
                              const struct timespec *deadline);

#endif
