/* SPDX-License-Identifier: MIT */
/*
 * Messages over a stream: four bytes of length, little-endian, then so many bytes. The receiver puts them
 * together however the stream cut them, in storage of its own, and believes no length beyond it.
 *
 *     err = ring3_frame_send(fd, message, length, deadline, &done);
 *
 *     ring3_reader_init(&in, fd, storage, sizeof storage);
 *     while ((err = ring3_frame_receive(&in, &message, &length, deadline)) == 0) …
 *
 * One thread at a time per direction; deadlines as in ring3/fd.h.
 */
#ifndef RING3_FRAME_H
#define RING3_FRAME_H

#include "ring3/api.h"
#include "ring3/stream.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_FRAME_HEADER 4

/**
 * Send one message of at most UINT32_MAX bytes.
 *
 * @param done  0 at first; bytes sent so far, header included. After -ETIMEDOUT call again with the same
 *              message and *done to finish it: half a message would spoil the stream
 * @return 0; -EMSGSIZE, -ETIMEDOUT, -EPIPE, …
 */
int ring3_frame_send(int fd, const void *message, size_t length, const struct timespec *deadline,
                     size_t *done);

/**
 * The next message, in the reader's storage, valid until the next call on the reader.
 *
 * @return 0; -ENODATA at the end between messages; -EBADMSG at an end within one; -EMSGSIZE when the length
 *         does not fit the storage (RING3_FRAME_HEADER bytes of which the header takes): the stream
 *         cannot be used any further; -ETIMEDOUT (nothing is lost, call again), …
 */
int ring3_frame_receive(ring3_reader_t *reader, const void **message, size_t *length,
                        const struct timespec *deadline);

RING3_API_END

#endif
