/* SPDX-License-Identifier: MIT */
/* Large messages: copied directly from the sender's memory, in pieces, or not at all (loans). */
#include "channel_private.h"

#include "call.h"
#include "ring3/fd.h"

#include <errno.h>
#include <sys/uio.h>

/* --- Directly -------------------------------------------------------------------------------------
 *
 * The sender describes its buffer and waits for the answer. If its time runs out it revokes the
 * message, and a receiver that finds it revoked after it has copied throws the copy away:
 *
 *     sender:    revoked = number;  full fence;  load answered
 *     receiver:  copy;  full fence;  load revoked;  answered = number
 *
 * So a message that is delivered was copied before the sender was free to change it.
 */

int ring3_channel_send_direct(ring3_channel_t *channel, const void *data, size_t size,
                              const struct timespec *deadline)
{
    const struct ring3_channel_direct note = {(uintptr_t)data, ++channel->direct_sent, size};
    const uint64_t *const answered = &channel->theirs->answered;
    int late = ring3_channel_put_record(channel, &note, sizeof note, RECORD_DIRECT, deadline);

    if (late)
        return late;
    ring3_ring_publish(&channel->out);
    for (;;) {
        /* Pairs with the release in answer. */
        const uint64_t answer = ring3_load(answered, RING3_ACQUIRE);

        if (answer == (note.number << 1 | 1)) {
            channel->sent.direct++;
            return 0;
        }
        if (answer == note.number << 1) { /* it may not read our memory after all */
            channel->direct = UINT32_MAX;
            return ring3_channel_send_pieces(channel, data, size, deadline);
        }
        if (ring3_load(&channel->out.side.peer->position, RING3_RELAXED) & RING3_RING_CLOSED)
            late = -EPIPE;
        if (late) {
            ring3_store(&channel->mine->revoked, note.number, RING3_RELAXED);
            ring3_fence_full();
            return ring3_load(answered, RING3_ACQUIRE) == (note.number << 1 | 1) ? 0 : late;
        }
        late =
            ring3_channel_wait(channel, &channel->out.side, BELL_ROOM, answered, answer, deadline);
    }
}

static void answer(ring3_channel_t *channel, uint64_t number, bool copied)
{
    /* Pairs with the acquire in ring3_channel_send_direct. */
    ring3_store(&channel->mine->answered, number << 1 | copied, RING3_RELEASE);
    ring3_ring_notify(&channel->in.side);
}

/* A pid that was reused would be a stranger's: it was the peer if the peer still lives afterwards. */
static bool lives(const ring3_channel_t *channel)
{
    struct pollfd pidfd = {.fd = channel->pidfd, .events = POLLIN};
    static const struct timespec at_once;

    return channel->pidfd >= 0 && ring3_fd_wait_any(&pidfd, 1, &at_once) == -ETIMEDOUT;
}

static bool read_peer(const ring3_channel_t *channel, void *to, uint64_t from, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const struct iovec here = {(char *)to + done, size - done},
                           there = {(void *)(uintptr_t)(from + done), size - done};
        const ssize_t got =
            ring3_retry(process_vm_readv(channel->peer.pid, &here, 1, &there, 1, 0));

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return lives(channel);
}

int ring3_channel_take_direct(ring3_channel_t *channel, const ring3_record_t *record, void *buffer,
                              size_t size, struct ring3_channel_message *message)
{
    struct ring3_channel_direct note;

    if (record->size != sizeof note)
        return ring3_channel_refuse(channel);
    memcpy(&note, record->data, sizeof note);
    if (note.size > channel->largest)
        return ring3_channel_refuse(channel);
    if (buffer && note.size > size) {
        message->size = note.size;
        return -EMSGSIZE; /* the sender goes on waiting */
    }
    void *const to = buffer ? buffer : channel->storage;
    const bool copied = read_peer(channel, to, note.address, note.size);

    ring3_ring_release(&channel->in);
    ring3_fence_full();
    if (ring3_load(&channel->theirs->revoked, RING3_RELAXED) >= note.number)
        return -EAGAIN;
    answer(channel, note.number, copied);
    if (!copied)
        return -EAGAIN; /* it comes in pieces */
    channel->received.direct++;
    channel->shown = buffer ? SHOWN_NOTHING : SHOWN_STORAGE;
    channel->stored = note.size;
    channel->complete = !buffer;
    message->data = to;
    message->size = note.size;
    return 0;
}

/* --- In pieces ------------------------------------------------------------------------------------ */

int ring3_channel_send_pieces(ring3_channel_t *channel, const void *data, size_t size,
                              const struct timespec *deadline)
{
    /* A quarter of the ring, so that both sides are at work. */
    const size_t most = channel->out.side.capacity / 4 - RING3_RING_HEADER;
    uint32_t first = RECORD_FIRST;
    size_t done = 0;

    do {
        const size_t now = size - done < most ? size - done : most;
        const uint32_t kind = done + now == size ? RECORD_LAST : RECORD_PIECE;
        const int err = ring3_channel_put_record(channel, (const char *)data + done, now,
                                                 kind | first, deadline);

        if (err)
            return err;
        ring3_ring_publish(&channel->out);
        channel->sent.pieces++;
        done += now;
        first = 0;
    } while (done < size);
    return 0;
}

/* --- Loans ---------------------------------------------------------------------------------------- */

/* The peer has given it back as often as we have lent it. */
static bool is_free(const ring3_channel_t *channel, uint32_t buffer)
{
    /* Pairs with the release in ring3_channel_return_loan. */
    return ring3_load(&channel->theirs->returned[buffer], RING3_ACQUIRE) == channel->lent[buffer];
}

int ring3_channel_loan(ring3_channel_t *channel, void **buffer, const struct timespec *deadline)
{
    const uint64_t *const returns = channel->theirs ? &channel->theirs->returns : NULL;
    int late = 0;

    if (channel->loans == 0)
        return -ENOTSUP;
    for (;;) {
        const uint64_t seen = ring3_load(returns, RING3_ACQUIRE);

        for (uint32_t i = 0; i < channel->loans; i++) {
            const uint32_t at = channel->next_loan;

            channel->next_loan = at + 1 == channel->loans ? 0 : at + 1;
            if (is_free(channel, at)) {
                channel->lent[at]++;
                *buffer = channel->pool + (size_t)at * channel->loan_size;
                return 0;
            }
        }
        if (late)
            return late;
        ring3_ring_publish(&channel->out);
        late = ring3_channel_wait(channel, &channel->out.side, BELL_ROOM, returns, seen, deadline);
    }
}

/* The number of a buffer of ours, or -EINVAL. */
static int number_of(const ring3_channel_t *channel, const void *buffer)
{
    const size_t offset = (size_t)((const unsigned char *)buffer - channel->pool);

    if (channel->loans == 0 || offset % channel->loan_size != 0 ||
        offset / channel->loan_size >= channel->loans)
        return -EINVAL;
    return (int)(offset / channel->loan_size);
}

void ring3_channel_unloan(ring3_channel_t *channel, void *buffer)
{
    const int number = number_of(channel, buffer);

    if (number >= 0)
        channel->lent[number]--;
}

int ring3_channel_send_loan(ring3_channel_t *channel, void *buffer, size_t size,
                            const struct timespec *deadline)
{
    const int number = number_of(channel, buffer);
    const struct ring3_channel_lent note = {(uint32_t)number, (uint32_t)size};

    if (number < 0 || size > channel->loan_size)
        return -EINVAL;
    const int err = ring3_channel_put_record(channel, &note, sizeof note, RECORD_LOAN, deadline);

    if (err)
        return err;
    channel->sent.loaned++;
    channel->sent.messages++;
    channel->sent.bytes += size;
    ring3_ring_publish(&channel->out);
    return 0;
}

int ring3_channel_take_loan(ring3_channel_t *channel, const ring3_record_t *record,
                            struct ring3_channel_message *message)
{
    struct ring3_channel_lent note;

    if (record->size != sizeof note)
        return ring3_channel_refuse(channel);
    memcpy(&note, record->data, sizeof note);
    if (note.buffer >= channel->their_loans || note.size > channel->their_loan_size)
        return ring3_channel_refuse(channel);
    channel->shown = SHOWN_LOAN;
    channel->shown_loan = note.buffer;
    message->data = channel->their_pool + (size_t)note.buffer * channel->their_loan_size;
    message->size = note.size;
    return 0;
}

void ring3_channel_return_loan(ring3_channel_t *channel)
{
    struct ring3_channel_page *const mine = channel->mine;
    uint32_t *const returned = &mine->returned[channel->shown_loan];

    channel->received.loaned++;
    /* Pair with the acquires in is_free and ring3_channel_loan: we read no more of the buffer. */
    ring3_store(returned, ring3_load(returned, RING3_RELAXED) + 1, RING3_RELEASE);
    ring3_store(&mine->returns, ring3_load(&mine->returns, RING3_RELAXED) + 1, RING3_RELEASE);
    ring3_ring_notify(&channel->in.side);
}
