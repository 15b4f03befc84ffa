/* SPDX-License-Identifier: MIT */
/*
 * Broadcast: one publisher, any number of subscribers that each see every message, in memory that all
 * can reach. What it costs to publish does not depend on how many subscribe.
 *
 *     ring3_broadcast_format(memory, bytes, 64, 1024, RING3_SHARED);     // messages of up to 64 bytes
 *     ring3_publisher_open(&publisher, memory, bytes);     ring3_subscriber_open(&sub, memory, bytes,
 *     ring3_publish(&publisher, data, size, NULL);                       RING3_FROM_NOW, false);
 *                                                          got = ring3_subscriber_receive(&sub, …);
 *
 * Lossy subscribers (the default) write nothing: one that falls behind by more than the slots is told
 * exactly how many messages it has missed. A lossless one takes one of RING3_CREDITS places, and the
 * publisher waits rather than overwrite what it has not read; one that has died is let go. Who comes late
 * may begin with the last message (RING3_FROM_LAST) or with up to N of those that are still there.
 *
 * A slot's word is odd while the slot is being written: 2n + 1, then 2n + 2 for message n. A copy between
 * two looks at the same even word is message n, whole. A publisher that dies while it writes leaves one odd
 * slot; its successor writes the same message number again.
 *
 * head   published  number of messages so far. Publisher only
 *        waiting    1 when a subscriber may sleep: set by subscribers, cleared by the publisher that wakes them
 *        bell       counts wakings; subscribers sleep on it
 * credit owner      who has it: pid << 32 | start time; by compare-and-swap
 *        taken      how many its owner has read; owner only
 *        wanting    1 when the publisher sleeps for credit; set by it, cleared by who wakes it
 *
 * Subscribers check what they read against bounds of their own; a hostile publisher can send rubbish,
 * and no more (-EPROTO). Who can write the memory can also spoil it for the others: see ring3/channel.h
 * for peers that are not trusted.
 *
 * One thread per publisher and subscriber. Not async-signal-safe. Sources: ring3/seqlock.h; Thompson et al.,
 * Aeron's broadcast buffer.
 */
#ifndef RING3_BROADCAST_H
#define RING3_BROADCAST_H

#include "ring3/api.h"
#include "ring3/ring.h"

RING3_API_BEGIN

#define RING3_CREDITS 64

typedef struct ring3_broadcast_credit {
    uint64_t owner, taken;
    char apart[RING3_RING_APART - 16];
} ring3_broadcast_credit_t;

typedef struct ring3_broadcast_head {
    uint32_t magic, slot_size, slots, shared;
    char apart[RING3_RING_APART - 16];
    uint64_t published;
    char apart_too[RING3_RING_APART - 8];
    uint32_t waiting, bell, wanting, returns, credits;
    char apart_three[RING3_RING_APART - 20];
    ring3_broadcast_credit_t credit[RING3_CREDITS];
} ring3_broadcast_head_t;

/* What one process knows of it. */
typedef struct ring3_broadcast {
    ring3_broadcast_head_t *head;
    uint64_t *slots;
    uint32_t slot_size, count, shared;
    uint32_t slot_words; /* 8-byte words from one slot to the next */
} ring3_broadcast_t;

typedef struct ring3_publisher {
    ring3_broadcast_t where;
    uint64_t next;  /* number of the next message */
    uint64_t limit; /* it may be written up to here without asking for credit */
    uint32_t light;
    uint64_t waits;
} ring3_publisher_t;

typedef struct ring3_subscriber {
    ring3_broadcast_t where;
    uint64_t next; /* number of the next message */
    uint64_t lost; /* missed so far */
    uint64_t given;
    ring3_broadcast_credit_t *credit; /* NULL: lossy */
} ring3_subscriber_t;

size_t ring3_broadcast_size(uint32_t slot_size, uint32_t slots);

/** Lay it out over zeroed, 128-byte aligned memory. @param slots a power of two.
 * @return 0; -EINVAL (too small) */
int ring3_broadcast_format(void *memory, size_t bytes, uint32_t slot_size, uint32_t slots,
                           int shared);

/** Become the publisher, going on where the last one ended. There may be one at a time.
 * @return 0; -EBADMSG (not formatted, or for more memory than `bytes`) */
int ring3_publisher_open(ring3_publisher_t *publisher, void *memory, size_t bytes);

/** Publish one message. Waits only for lossless subscribers.
 * @return 0; -EMSGSIZE; -ETIMEDOUT, -EINVAL */
int ring3_publish(ring3_publisher_t *publisher, const void *data, size_t size,
                  const struct timespec *deadline);

#define RING3_FROM_NOW  UINT64_C(0)
#define RING3_FROM_LAST UINT64_C(1)
#define RING3_FROM_ALL  UINT64_MAX

/**
 * Subscribe.
 *
 * @param history   begin with up to so many of the latest messages
 * @param lossless  the publisher must wait for us
 * @return 0; -EBADMSG; -EBUSY (no place for another lossless one); -ESRCH, … (no /proc)
 */
int ring3_subscriber_open(ring3_subscriber_t *subscriber, void *memory, size_t bytes,
                          uint64_t history, bool lossless);
void ring3_subscriber_close(ring3_subscriber_t *subscriber);

/**
 * The next message, waiting for it.
 *
 * @param lost  may be NULL; receives how many were missed just before this one
 * @return its size; -EMSGSIZE (left there), -ETIMEDOUT, -EINVAL, -EPROTO
 */
ptrdiff_t ring3_subscriber_receive(ring3_subscriber_t *subscriber, void *buffer, size_t size,
                                   uint64_t *lost, const struct timespec *deadline);

RING3_API_END

#endif
