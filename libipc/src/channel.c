/* SPDX-License-Identifier: MIT */
/* The channel's one set of functions, whatever carries the messages. */
#include "channel_private.h"

#include "call.h"
#include "endpoints.h"
#include "mirror.h"
#include "ring3/fd.h"
#include "ring3/loop.h"

#include <errno.h>
#include <sys/mman.h>

int ring3_channel_begin(ring3_channel_t *channel, ring3_channel_kind_t kind,
                        const ring3_channel_options_t *options)
{
    static const ring3_channel_options_t defaults;
    const ring3_channel_options_t *const asked = options ? options : &defaults;
    const int saved = errno;

    memset(channel, 0, sizeof *channel);
    channel->kind = kind;
    channel->trust = asked->trust;
    channel->peer = (ring3_credentials_t){0, (uid_t)-1, (gid_t)-1};
    channel->control = channel->pidfd = channel->pollable = -1;
    channel->bells[0] = channel->bells[1] = -1;
    channel->peer_bells[0] = channel->peer_bells[1] = -1;
    channel->reader.fd = -1;
    channel->largest = asked->largest ? asked->largest : RING3_CHANNEL_LARGEST;
    channel->direct = asked->direct ? asked->direct : RING3_CHANNEL_DIRECT;
    channel->storage = mmap(NULL, channel->largest + (size_t)8, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (channel->storage == MAP_FAILED) {
        channel->storage = NULL;
        return -ENOMEM;
    }
    ring3_endpoint_add(channel);
    return 0;
}

void ring3_channel_move(ring3_channel_t *to, ring3_channel_t *from)
{
    ring3_endpoint_remove(from);
    *to = *from;
    ring3_endpoint_add(to);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        ring3_fd_close(*fd);
    *fd = -1;
}

void ring3_channel_abandon(ring3_channel_t *channel)
{
    const size_t page = ring3_page_size();

    ring3_endpoint_remove(channel);
    close_one(&channel->pollable);
    close_one(&channel->pidfd);
    for (int i = 0; i < 2; i++) {
        close_one(&channel->bells[i]);
        close_one(&channel->peer_bells[i]);
    }
    if (channel->kind != RING3_CHANNEL_MEMORY && channel->control != channel->reader.fd)
        close_one(&channel->reader.fd);
    close_one(&channel->control);
    if (channel->mine)
        ring3_mirror_unmap(channel->mine, page, channel->out.side.capacity);
    if (channel->theirs)
        ring3_mirror_unmap((void *)(uintptr_t)channel->theirs, page, channel->their_capacity);
    if (channel->pool)
        (void)ring3_call(munmap(channel->pool, (size_t)channel->loans * channel->loan_size));
    if (channel->their_pool)
        (void)ring3_call(munmap((void *)(uintptr_t)channel->their_pool,
                                (size_t)channel->their_loans * channel->their_loan_size));
    if (channel->storage)
        (void)ring3_call(munmap(channel->storage, channel->largest + (size_t)8));
    channel->mine = NULL;
    channel->theirs = NULL;
    channel->pool = channel->storage = NULL;
    channel->their_pool = NULL;
    channel->loans = 0;
}

void ring3_channel_close(ring3_channel_t *channel)
{
    if (channel->mine && channel->theirs) {
        ring3_ring_writer_close(&channel->out);
        ring3_ring_reader_close(&channel->in);
    }
    ring3_channel_abandon(channel);
}

/* --- The short way -----------------------------------------------------------------------------------
 *
 * Most messages are shorter than the ring and find room, or are there already: for them, what follows is all that
 * happens. Everything else is left to the functions below, which begin from the start.
 */

/* Adds the message to the ring, unpublished, if nothing has to be waited for. The ring is mirrored. */
static inline bool put_short(ring3_channel_t *channel, const void *data, size_t size)
{
    ring3_ring_writer_t *const out = &channel->out;
    const uint32_t capacity = out->side.capacity;

    if (ring3_unlikely(size >= channel->short_of))
        return false;
    if (ring3_unlikely(out->tail + ring3_ring_span(size) - out->seen > capacity))
        return false;
    memcpy(out->side.data + (out->tail & (capacity - 1)) + RING3_RING_HEADER, data, size);
    ring3_ring_commit(out, size, RECORD_DATA);
    channel->sent.messages++;
    channel->sent.bytes += size;
    return true;
}

/* Copies the next message out if it was seen already, is whole, carries nothing, and fits. Its size, or -1. */
static inline ssize_t receive_short(ring3_channel_t *channel, void *buffer, size_t size)
{
    ring3_ring_reader_t *const in = &channel->in;
    const size_t most = size < channel->largest ? size : channel->largest;
    const unsigned char *const at = in->side.data + (in->head & (in->side.capacity - 1));

    if (ring3_unlikely(channel->kind != RING3_CHANNEL_MEMORY || channel->shown ||
                       channel->complete || in->head == in->seen))
        return -1;
    /* Once: the writer may be hostile and change it between two looks. The high half is RECORD_DATA: zero. */
    const uint64_t length = ring3_load((const uint64_t *)(const void *)at, RING3_RELAXED);

    if (ring3_unlikely(length > most || ring3_ring_span(length) > in->seen - in->head))
        return -1;
    memcpy(buffer, at + RING3_RING_HEADER, length);
    in->span = ring3_ring_span(length);
    ring3_ring_release(in);
    channel->received.messages++;
    channel->received.bytes += length;
    return (ssize_t)length;
}

/* --- Sending --------------------------------------------------------------------------------------- */

static int put(ring3_channel_t *channel, const void *data, size_t size,
               const struct timespec *deadline)
{
    if (ring3_unlikely(channel->kind != RING3_CHANNEL_MEMORY))
        return ring3_channel_over_send(channel, data, size, NULL, 0, deadline);
    if (ring3_unlikely(size >= channel->direct) && size > 0)
        return ring3_channel_send_direct(channel, data, size, deadline);
    if (ring3_unlikely(size > ring3_ring_largest(&channel->out.side)))
        return ring3_channel_send_pieces(channel, data, size, deadline);
    return ring3_channel_put_record(channel, data, size, RECORD_DATA, deadline);
}

static __attribute__((noinline)) int put_long(ring3_channel_t *channel, const void *data,
                                              size_t size, const struct timespec *deadline)
{
    const int err = put(channel, data, size, deadline);

    if (err)
        return err;
    channel->sent.messages++;
    channel->sent.bytes += size;
    return 0;
}

int ring3_channel_put(ring3_channel_t *channel, const void *data, size_t size,
                      const struct timespec *deadline)
{
    return ring3_likely(put_short(channel, data, size)) ? 0
                                                        : put_long(channel, data, size, deadline);
}

void ring3_channel_flush(ring3_channel_t *channel)
{
    if (channel->kind == RING3_CHANNEL_MEMORY)
        ring3_ring_publish(&channel->out);
}

int ring3_channel_send(ring3_channel_t *channel, const void *data, size_t size,
                       const struct timespec *deadline)
{
    int err;

    if (ring3_likely(put_short(channel, data, size))) {
        ring3_ring_publish(&channel->out);
        return 0;
    }
    err = put_long(channel, data, size, deadline);
    if (!err)
        ring3_channel_flush(channel);
    return err;
}

int ring3_channel_send_fds(ring3_channel_t *channel, const void *data, size_t size, const int *fds,
                           int count, const struct timespec *deadline)
{
    void *slot;
    int err;

    if (channel->kind != RING3_CHANNEL_MEMORY) {
        err = ring3_channel_over_send(channel, data, size, fds, count, deadline);
    } else {
        err = ring3_channel_room(channel, size, deadline, &slot);
        if (!err) {
            /* First the descriptors: who sees the record finds them. */
            const ssize_t put = ring3_fdpass_send(channel->control, "F", 1, fds, count, deadline);

            err = put < 0 ? (int)put : 0;
        }
        if (!err) {
            memcpy(slot, data, size);
            ring3_ring_commit(&channel->out, size, RECORD_DATA | RECORD_FDS);
            ring3_ring_publish(&channel->out);
        }
    }
    if (err)
        return err;
    channel->sent.messages++;
    channel->sent.bytes += size;
    return 0;
}

/* --- Receiving ------------------------------------------------------------------------------------- */

/* Takes the descriptors that belong to a message; without room they are closed. */
static int take_fds(ring3_channel_t *channel, int *fds, int *count)
{
    static const struct timespec at_once; /* they were sent before the message */
    int none[1], zero = 0;
    char byte;
    const ssize_t got = ring3_fdpass_receive(channel->control, &byte, 1, fds ? fds : none,
                                             fds ? count : &zero, NULL, &at_once);

    if (got == -E2BIG && !fds)
        return 0;
    if (got == -E2BIG || got == -EMFILE)
        return (int)got;
    return got == 1 ? 0 : ring3_channel_refuse(channel);
}

void ring3_channel_release(ring3_channel_t *channel)
{
    const uint32_t shown = channel->shown;

    channel->shown = SHOWN_NOTHING;
    if (shown == SHOWN_LOAN)
        ring3_channel_return_loan(channel);
    if (shown == SHOWN_LOAN || shown == SHOWN_RECORD)
        ring3_ring_release(&channel->in);
    if (shown == SHOWN_STORAGE)
        channel->complete = 0, channel->stored = 0;
    if (channel->shown_fds) {
        channel->shown_fds = 0;
        (void)take_fds(channel, NULL, NULL);
    }
}

void ring3_channel_unpeek(ring3_channel_t *channel)
{
    channel->shown = SHOWN_NOTHING;
}

int ring3_channel_interrupt(ring3_channel_t *channel)
{
    if (channel->kind != RING3_CHANNEL_MEMORY || channel->trust == RING3_TRUST_UNTRUSTED)
        return -ENOTSUP;
    ring3_store(&channel->interrupted, 1, RING3_RELEASE);
    return ring3_event_raise(channel->bells[BELL_MESSAGE]);
}

static ssize_t received(ring3_channel_t *channel, size_t size)
{
    channel->received.messages++;
    channel->received.bytes += size;
    return (ssize_t)size;
}

static __attribute__((noinline)) ssize_t receive(ring3_channel_t *channel, void *buffer,
                                                 size_t size, int *fds, int *count,
                                                 const struct timespec *deadline)
{
    struct ring3_channel_message message;
    int err = 0, room = fds ? *count : 0;

    if (fds)
        *count = 0;
    if (channel->shown)
        ring3_channel_release(channel);
    if (ring3_unlikely(channel->kind != RING3_CHANNEL_MEMORY)) {
        const void *data;
        const ssize_t got =
            ring3_channel_over_peek(channel, &data, fds, fds ? &room : NULL, deadline);

        if (got < 0)
            return got;
        if ((size_t)got > size) {
            channel->shown = SHOWN_NOTHING; /* left there */
            return -EMSGSIZE;
        }
        memcpy(buffer, data, (size_t)got);
        if (fds)
            *count = room;
        ring3_channel_release(channel);
        return received(channel, (size_t)got);
    }
    err = ring3_channel_take(channel, buffer, size, &message, deadline);
    if (ring3_unlikely(err))
        return err;
    if (message.size > size) {
        channel->shown = SHOWN_NOTHING; /* left there */
        return -EMSGSIZE;
    }
    if (message.data != buffer)
        memcpy(buffer, message.data, message.size);
    if (ring3_unlikely(message.fds)) {
        err = take_fds(channel, fds, fds ? &room : NULL);
        if (!err && fds)
            *count = room;
    }
    ring3_channel_release(channel);
    return err ? err : received(channel, message.size);
}

ssize_t ring3_channel_receive(ring3_channel_t *channel, void *buffer, size_t size,
                              const struct timespec *deadline)
{
    const ssize_t got = receive_short(channel, buffer, size);

    return ring3_likely(got >= 0) ? got : receive(channel, buffer, size, NULL, NULL, deadline);
}

ssize_t ring3_channel_receive_fds(ring3_channel_t *channel, void *buffer, size_t size, int *fds,
                                  int *count, const struct timespec *deadline)
{
    return receive(channel, buffer, size, fds, count, deadline);
}

ssize_t ring3_channel_peek(ring3_channel_t *channel, const void **data,
                           const struct timespec *deadline)
{
    struct ring3_channel_message message;

    if (channel->shown)
        ring3_channel_release(channel);
    if (channel->kind != RING3_CHANNEL_MEMORY) {
        const ssize_t got = ring3_channel_over_peek(channel, data, NULL, NULL, deadline);

        return got < 0 ? got : received(channel, (size_t)got);
    }
    const int err = ring3_channel_take(channel, NULL, 0, &message, deadline);

    if (err)
        return err;
    channel->shown_fds = message.fds;
    const bool copy = (channel->shown == SHOWN_RECORD && channel->trust != RING3_TRUST_TRUSTED) ||
                      (channel->shown == SHOWN_LOAN && channel->trust == RING3_TRUST_UNTRUSTED);

    if (copy) {
        if (message.size > channel->largest)
            return ring3_channel_refuse(channel);
        memcpy(channel->storage, message.data, message.size);
        channel->shown_fds = 0;
        ring3_channel_release(channel);
        channel->shown_fds = message.fds;
        channel->shown = SHOWN_STORAGE;
        channel->stored = message.size;
        channel->complete = 1;
        message.data = channel->storage;
    }
    *data = message.data;
    return received(channel, message.size);
}
