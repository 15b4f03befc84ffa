/* SPDX-License-Identifier: MIT */
/* What the files of the channel share. */
#ifndef RING3_IPC_CHANNEL_PRIVATE_H
#define RING3_IPC_CHANNEL_PRIVATE_H

#include "ring3/channel.h"

/*
 * The first page of each side's file. Its owner writes it; the peer has it read-only, and believes
 * nothing that it has not checked.
 */
struct ring3_channel_page {
    ring3_ring_end_t writer; /* of the ring whose data follow the page */
    ring3_ring_end_t reader; /* of the ring in the peer's file */
    uint64_t answered; /* last direct message received: its number << 1, and 1 if it was copied */
    uint64_t revoked;  /* direct messages up to this number must not be received any more */
    uint64_t returns;  /* loans given back, all together */
    char apart[RING3_RING_APART - 24];
    uint32_t returned[RING3_CHANNEL_LOANS_MAX]; /* of each buffer: how often it was given back */
};

/* Types of records in a ring. */
enum {
    RECORD_DATA,
    RECORD_PIECE,  /* more follow */
    RECORD_LAST,   /* the last piece */
    RECORD_DIRECT, /* struct ring3_channel_direct */
    RECORD_LOAN,   /* struct ring3_channel_lent */
    RECORD_KIND = 0xff,
    RECORD_FIRST = 0x100, /* a first piece: forget earlier ones */
    RECORD_FDS = 0x200,   /* descriptors wait in the control socket */
};

struct ring3_channel_direct {
    uint64_t address, number, size;
};

struct ring3_channel_lent {
    uint32_t buffer, size;
};

/* What came. */
struct ring3_channel_message {
    const void *data;
    size_t size;
    bool fds;
};

/* Which of a channel's two bells. */
enum { BELL_MESSAGE, BELL_ROOM };

/*
 * Waits until *word, one of the peer's, is not `seen`, or may not be.
 * Returns 0; -ECONNRESET when the peer has gone; -ETIMEDOUT; -EINVAL.
 */
int ring3_channel_wait(ring3_channel_t *channel, ring3_ring_side_t *side, int bell,
                       const uint64_t *word, uint64_t seen, const struct timespec *deadline);

/*
 * ring3_channel_wait_any, also for `extra` other descriptors, of which there are RING3_CHANNEL_EXTRA at most:
 * the result is then `count` and more.
 */
#define RING3_CHANNEL_EXTRA 8
int ring3_channel_wait_any_or(ring3_channel_t *const *channels, unsigned count,
                              const struct pollfd *extra, unsigned extras,
                              const struct timespec *deadline);

/* The message that was peeked is to come again. */
void ring3_channel_unpeek(ring3_channel_t *channel);

/* Over memory: channel_memory.c, channel_large.c. */
int ring3_channel_room(ring3_channel_t *channel, size_t size, const struct timespec *deadline,
                       void **slot);
int ring3_channel_put_record(ring3_channel_t *channel, const void *data, size_t size, uint32_t type,
                             const struct timespec *deadline);
/* `buffer` (or NULL) may take the message at once; `message` tells where it is. */
int ring3_channel_take(ring3_channel_t *channel, void *buffer, size_t size,
                       struct ring3_channel_message *message, const struct timespec *deadline);
int ring3_channel_send_direct(ring3_channel_t *channel, const void *data, size_t size,
                              const struct timespec *deadline);
int ring3_channel_send_pieces(ring3_channel_t *channel, const void *data, size_t size,
                              const struct timespec *deadline);
int ring3_channel_take_direct(ring3_channel_t *channel, const ring3_record_t *record, void *buffer,
                              size_t size, struct ring3_channel_message *message);
int ring3_channel_take_loan(ring3_channel_t *channel, const ring3_record_t *record,
                            struct ring3_channel_message *message);
void ring3_channel_return_loan(ring3_channel_t *channel);

/* A message that makes no sense: the ring is not used any further. */
int ring3_channel_refuse(ring3_channel_t *channel);

/* channel.shown */
enum { SHOWN_NOTHING, SHOWN_RECORD, SHOWN_LOAN, SHOWN_STORAGE };

/* Over descriptors: channel_over.c. */
int ring3_channel_over_send(ring3_channel_t *channel, const void *data, size_t size, const int *fds,
                            int count, const struct timespec *deadline);
ssize_t ring3_channel_over_peek(ring3_channel_t *channel, const void **data, int *fds, int *count,
                                const struct timespec *deadline);

/* A fresh channel: no descriptors, storage for what is received. 0 or -ENOMEM. */
int ring3_channel_begin(ring3_channel_t *channel, ring3_channel_kind_t kind,
                        const ring3_channel_options_t *options);

#endif
