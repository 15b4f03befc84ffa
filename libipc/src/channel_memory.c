/* SPDX-License-Identifier: MIT */
/* Messages through the two rings of a channel over memory. */
#include "channel_private.h"

#include <errno.h>

int ring3_channel_refuse(ring3_channel_t *channel)
{
    channel->in.side.broken = 1;
    channel->received.refused++;
    return -EPROTO;
}

/* Waits for room for `size` bytes; *slot is where they go. */
int ring3_channel_room(ring3_channel_t *channel, size_t size, const struct timespec *deadline,
                       void **slot)
{
    ring3_ring_writer_t *const out = &channel->out;
    int late = 0;

    if (size > ring3_ring_largest(&out->side))
        return -EMSGSIZE;
    for (;;) {
        *slot = ring3_ring_claim(out, size);
        if (*slot)
            return 0;
        if (out->side.broken)
            return -EPROTO;
        if (ring3_load(&out->side.peer->position, RING3_RELAXED) & RING3_RING_CLOSED)
            return -EPIPE;
        if (late)
            return late;
        ring3_ring_publish(out);
        late = ring3_channel_wait(channel, &out->side, BELL_ROOM, &out->side.peer->position,
                                  out->seen, deadline);
    }
}

int ring3_channel_put_record(ring3_channel_t *channel, const void *data, size_t size, uint32_t type,
                             const struct timespec *deadline)
{
    void *slot;
    const int err = ring3_channel_room(channel, size, deadline, &slot);

    if (err)
        return err;
    memcpy(slot, data, size);
    ring3_ring_commit(&channel->out, size, type);
    return 0;
}

/* The next record, waiting for it. */
static int next(ring3_channel_t *channel, ring3_record_t *record, const struct timespec *deadline)
{
    ring3_ring_reader_t *const in = &channel->in;
    int late = 0;

    for (;;) {
        const int err = ring3_ring_peek(in, record);

        if (err == -EPROTO)
            return ring3_channel_refuse(channel);
        if (err != -EAGAIN)
            return err;
        if (late) /* what the peer sent before it died has been looked for once more */
            return late;
        late = ring3_channel_wait(channel, &in->side, BELL_MESSAGE, &in->side.peer->position,
                                  in->seen, deadline);
    }
}

/* One more piece of a long message. 1 when it is complete, 0 when not. */
static int gather(ring3_channel_t *channel, const ring3_record_t *record)
{
    if (record->type & RECORD_FIRST)
        channel->stored = 0;
    if (record->size > channel->largest - channel->stored)
        return ring3_channel_refuse(channel);
    memcpy(channel->storage + channel->stored, record->data, record->size);
    channel->stored += record->size;
    channel->received.pieces++;
    ring3_ring_release(&channel->in);
    return (record->type & RECORD_KIND) == RECORD_LAST;
}

int ring3_channel_take(ring3_channel_t *channel, void *buffer, size_t size,
                       struct ring3_channel_message *message, const struct timespec *deadline)
{
    ring3_record_t record;

    message->fds = false;
    for (;;) {
        if (channel->complete) { /* perhaps one that did not fit the buffer offered last time */
            message->data = channel->storage;
            message->size = channel->stored;
            message->fds = channel->shown_fds;
            channel->shown_fds = 0;
            channel->shown = SHOWN_STORAGE;
            return 0;
        }
        int err = next(channel, &record, deadline);

        if (err)
            return err;
        switch (record.type & RECORD_KIND) {
        case RECORD_DATA:
            if (record.size > channel->largest)
                return ring3_channel_refuse(channel);
            message->data = record.data;
            message->size = record.size;
            message->fds = (record.type & RECORD_FDS) != 0;
            channel->shown = SHOWN_RECORD;
            return 0;
        case RECORD_PIECE:
        case RECORD_LAST:
            err = gather(channel, &record);
            if (err < 0)
                return err;
            channel->complete = (uint32_t)err;
            continue;
        case RECORD_DIRECT:
            err = ring3_channel_take_direct(channel, &record, buffer, size, message);
            if (err == -EAGAIN) /* it was revoked, or must come another way */
                continue;
            return err;
        case RECORD_LOAN:
            return ring3_channel_take_loan(channel, &record, message);
        default:
            return ring3_channel_refuse(channel);
        }
    }
}
