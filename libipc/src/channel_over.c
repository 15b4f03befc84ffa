/* SPDX-License-Identifier: MIT */
/* Channels over descriptors: length-prefixed on pipes and streams, as they are on sequenced packets. */
#include "channel_private.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/frame.h"
#include "ring3/socket.h"

#include <errno.h>
#include <sys/socket.h>

int ring3_channel_over(ring3_channel_t *channel, int in, int out,
                       const ring3_channel_options_t *options)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;

    if (in < 0 || out < 0)
        return -EBADF;
    if (ring3_call(getsockopt(out, SOL_SOCKET, SO_TYPE, &type, &size)) < 0)
        type = SOCK_STREAM; /* a pipe */
    const int err = ring3_channel_begin(
        channel, type == SOCK_STREAM ? RING3_CHANNEL_STREAM : RING3_CHANNEL_PACKET, options);

    if (err)
        return err;
    channel->control = out;
    ring3_reader_init(&channel->reader, in, channel->storage,
                      channel->largest + (size_t)RING3_FRAME_HEADER);
    if (ring3_peer_credentials(out, &channel->peer) || channel->peer.pid == 0)
        channel->peer = (ring3_credentials_t){0, (uid_t)-1, (gid_t)-1};
    return 0;
}

/* What the end of the peer is called, for a descriptor. */
static int translate(int err)
{
    return err == -ENODATA ? -EPIPE : err == -EBADMSG ? -ECONNRESET : err;
}

int ring3_channel_over_send(ring3_channel_t *channel, const void *data, size_t size, const int *fds,
                            int count, const struct timespec *deadline)
{
    if (channel->kind == RING3_CHANNEL_STREAM) {
        if (count > 0)
            return -ENOTSUP;
        const int err = ring3_frame_send(channel->control, data, size, deadline, &channel->sending);

        if (!err)
            channel->sending = 0;
        return err;
    }
    if (size == 0) /* could not be told from the end */
        return -EINVAL;
    const ssize_t put = count > 0
                            ? ring3_fdpass_send(channel->control, data, size, fds, count, deadline)
                            : ring3_send(channel->control, data, size, 0, deadline);

    return put < 0 ? (int)put : 0;
}

ssize_t ring3_channel_over_peek(ring3_channel_t *channel, const void **data, int *fds, int *count,
                                const struct timespec *deadline)
{
    int unwanted[RING3_FDPASS_MAX], came = RING3_FDPASS_MAX;
    size_t size = channel->stored;
    ssize_t got;
    int err;

    if (count && (channel->complete || channel->kind == RING3_CHANNEL_STREAM))
        *count = 0;
    if (channel->complete) { /* one that did not fit the buffer offered last time */
        *data = channel->reader.storage + channel->reader.start -
                (channel->kind == RING3_CHANNEL_STREAM ? size : 0);
    } else if (channel->kind == RING3_CHANNEL_STREAM) {
        err = ring3_frame_receive(&channel->reader, data, &size, deadline);
        if (err)
            return translate(err);
    } else {
        got = ring3_fdpass_receive(channel->control, channel->storage, channel->largest,
                                   fds ? fds : unwanted, fds ? count : &came, NULL, deadline);
        for (int i = 0; i < came && !fds && got >= 0; i++)
            ring3_fd_close(unwanted[i]);
        if (got <= 0)
            return got == 0 ? -EPIPE : got;
        *data = channel->storage;
        size = (size_t)got;
    }
    channel->stored = size;
    channel->complete = 1;
    channel->shown = SHOWN_STORAGE;
    return (ssize_t)size;
}
