/* SPDX-License-Identifier: MIT */
/*
 * Channel: messages both ways between two processes, over shared memory, a socket or a pair of pipes,
 * with one set of functions.
 *
 *     control = ring3_connect(&address, SOCK_SEQPACKET, deadline);         // the server accepts one
 *     err = ring3_channel_connect(&channel, control, &options, deadline);  // ring3_channel_accept there
 *     err = ring3_channel_send(&channel, data, size, deadline);
 *     got = ring3_channel_receive(&channel, buffer, sizeof buffer, deadline);
 *     ring3_channel_close(&channel);
 *
 * Over shared memory (the default) the control socket carries the peer's credentials, memory files and
 * event descriptors in a handshake of three messages, then descriptors that are sent, and last the
 * news of the peer's death. Nothing has a name, and nothing is left when both have died.
 *
 * How a message goes
 *     up to the ring's capacity   through the ring, one copy on each side
 *     `direct` bytes and more     the receiver copies it from the sender's memory (process_vm_readv),
 *                                 where both may: then sending lasts until it has been received
 *     longer than the ring        in pieces
 *     in a loaned buffer          not at all: the receiver sees the sender's buffer, read-only
 *
 * Trust
 *     default    each side writes its own file only; what comes is checked and copied before it is shown
 *     trusted    what comes is shown where it lies: for peers that do not change what they have sent
 *     untrusted  as default, and the peer's files must be sealed so that not even we could write there
 * At every level sizes are sealed and indices checked: a hostile peer ends its own channel only (-EPROTO).
 *
 * The peer's end: -EPIPE once all it sent was received and it had closed; -ECONNRESET if it died. A peer
 * that has died is noticed within a fraction of a millisecond by who sleeps, and by others when there is
 * nothing more to receive. A message is received whole or not at all.
 *
 * One thread may send while another receives. Not async-signal-safe. After fork only the process that
 * made the channel uses it; the other calls ring3_channel_abandon. No memory is allocated after opening.
 * A channel stays where it is (ring3_channel_move). `ring3 ipc top` and `tap` watch it from outside.
 */
#ifndef RING3_CHANNEL_H
#define RING3_CHANNEL_H

#include "ring3/api.h"
#include "ring3/fdpass.h"
#include "ring3/ring.h"
#include "ring3/stream.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef enum ring3_channel_kind {
    RING3_CHANNEL_MEMORY,
    RING3_CHANNEL_STREAM, /* pipes, TCP, UNIX streams: length-prefixed */
    RING3_CHANNEL_PACKET, /* UNIX sequenced packets */
} ring3_channel_kind_t;

typedef enum ring3_trust {
    RING3_TRUST_DEFAULT,
    RING3_TRUST_TRUSTED,
    RING3_TRUST_UNTRUSTED,
} ring3_trust_t;

#define RING3_CHANNEL_VERSION      1
#define RING3_CHANNEL_CAPACITY     (256u << 10)
#define RING3_CHANNEL_CAPACITY_MAX (64u << 20)
#define RING3_CHANNEL_LARGEST      (16u << 20)
#define RING3_CHANNEL_DIRECT       (64u << 10)
#define RING3_CHANNEL_LOANS_MAX    512

/* All-zero: the defaults. */
typedef struct ring3_channel_options {
    ring3_trust_t trust;
    uint32_t capacity;  /* of the ring we write, a power of two; 0: RING3_CHANNEL_CAPACITY */
    uint32_t largest;   /* message we receive; 0: RING3_CHANNEL_LARGEST */
    uint32_t direct;    /* see above; 0: RING3_CHANNEL_DIRECT, UINT32_MAX: never */
    uint32_t loans;     /* buffers we can lend, up to RING3_CHANNEL_LOANS_MAX */
    uint32_t loan_size; /* bytes of each */
} ring3_channel_options_t;

/* One direction. */
typedef struct ring3_channel_counters {
    uint64_t messages, bytes;
    uint64_t direct, loaned, pieces; /* messages that went so, and pieces */
    uint64_t refused;                /* what made no sense */
} ring3_channel_counters_t;

typedef struct ring3_channel {
    ring3_channel_kind_t kind;
    ring3_trust_t trust;
    ring3_credentials_t peer; /* as the kernel vouches for it; pid 0, ids -1 where it does not */
    int control, pidfd, pollable;
    int bells[2];      /* ours: a message came, room came */
    int peer_bells[2]; /* the same of the peer */
    uint32_t gone;     /* the peer died, or hung up */
    uint32_t interrupted;
    uint32_t largest, direct;
    uint32_t short_of; /* what is shorter goes through the ring in one piece; 0: there is no ring */
    ring3_channel_counters_t sent, received;
    struct ring3_channel_page *mine;
    const struct ring3_channel_page *theirs;
    uint32_t their_capacity;
    ring3_ring_writer_t out;
    ring3_ring_reader_t in;
    /* Messages in pieces, and copied in, are put together here. */
    unsigned char *storage;
    size_t stored;
    uint64_t out_seen; /* the position of `out` at the last wait */
    uint32_t at_once;  /* waits in a row that were over at once */
    uint32_t complete; /* a whole message is in storage */
    uint32_t shown;    /* what release gives back */
    uint32_t shown_fds;
    uint64_t direct_sent;
    /* Buffers that we lend, and those that the peer does. */
    unsigned char *pool;
    const unsigned char *their_pool;
    uint32_t loans, loan_size, their_loans, their_loan_size;
    uint32_t next_loan, shown_loan;
    uint32_t lent[RING3_CHANNEL_LOANS_MAX];
    /* Over descriptors */
    ring3_reader_t reader;
    size_t sending; /* bytes of a message that timed out half-way */
} ring3_channel_t;

/* --- Opening ------------------------------------------------------------------------------------ */

/**
 * Shake hands over a connected SOCK_SEQPACKET socket: one side connects, the other accepts.
 *
 * @param control  belongs to the channel if it returns 0, else it stays the caller's
 * @param options  NULL: the defaults
 * @return 0; -EPROTONOSUPPORT (another version), -EPROTO or -EBADMSG (it does not speak this protocol),
 *         -EPERM (files without the seals that our trust demands, or the peer refused ours),
 *         -EPIPE, -ECONNRESET, -ETIMEDOUT, -EMFILE, -ENOMEM, -ENOSPC, -EINVAL. Nothing is left behind.
 */
int ring3_channel_connect(ring3_channel_t *channel, int control,
                          const ring3_channel_options_t *options, const struct timespec *deadline);
int ring3_channel_accept(ring3_channel_t *channel, int control,
                         const ring3_channel_options_t *options, const struct timespec *deadline);

/** Over descriptors that exist: two pipes, or twice the same socket (streams and sequenced packets; no
 * handshake). Takes them over. @return 0; -ENOMEM, -EBADF */
int ring3_channel_over(ring3_channel_t *channel, int in, int out,
                       const ring3_channel_options_t *options);

/** Move a channel to another place; `from` is no channel any more. */
void ring3_channel_move(ring3_channel_t *to, ring3_channel_t *from);

/** Say goodbye and give everything back. */
void ring3_channel_close(ring3_channel_t *channel);

/** Give everything back without a word, as a forked child must. */
void ring3_channel_abandon(ring3_channel_t *channel);

/* --- Messages ------------------------------------------------------------------------------------ */

/**
 * Send one message, waiting for room if needed.
 * @return 0; -ETIMEDOUT: it was not sent (one that is received directly may still have arrived; over a
 *         stream, send the same again to finish it); -EMSGSIZE; -EPIPE, -ECONNRESET, -EPROTO
 */
int ring3_channel_send(ring3_channel_t *channel, const void *data, size_t size,
                       const struct timespec *deadline);

/** The same, but the peer need not see it before ring3_channel_flush or a later send: for batches. */
int ring3_channel_put(ring3_channel_t *channel, const void *data, size_t size,
                      const struct timespec *deadline);
void ring3_channel_flush(ring3_channel_t *channel);

/** Send with descriptors, which stay open here (memory and packets over UNIX sockets only: -ENOTSUP). */
int ring3_channel_send_fds(ring3_channel_t *channel, const void *data, size_t size, const int *fds,
                           int count, const struct timespec *deadline);

/** Receive one message. @return its size; -EMSGSIZE: longer than `size`, left there; -ETIMEDOUT;
 * -EPIPE, -ECONNRESET, -EPROTO. Descriptors that came with it are closed. From shared memory a reader that
 * keeps up with a stream, and answers nothing, lets messages gather for up to 3 microseconds. */
ssize_t ring3_channel_receive(ring3_channel_t *channel, void *buffer, size_t size,
                              const struct timespec *deadline);

/** The same with the descriptors of ring3_channel_send_fds: room for *count, which becomes their number.
 * @return also -E2BIG, -EMFILE: the message is consumed */
ssize_t ring3_channel_receive_fds(ring3_channel_t *channel, void *buffer, size_t size, int *fds,
                                  int *count, const struct timespec *deadline);

/** Show the next message without copying it to the caller. It stays until ring3_channel_release, or
 * the next call to receive. @return its size, or as above */
ssize_t ring3_channel_peek(ring3_channel_t *channel, const void **data,
                           const struct timespec *deadline);
void ring3_channel_release(ring3_channel_t *channel);

/** From another thread: let the one that waits to receive return -ECANCELED, once; now or next time.
 * For ring3_channel_arm and ring3_channel_wait_any there is then something to report.
 * @return 0; -ENOTSUP (over descriptors, or untrusted memory) */
int ring3_channel_interrupt(ring3_channel_t *channel);

/* --- Loans ---------------------------------------------------------------------------------------- */

/** Borrow a buffer of loan_size bytes from our own pool, to fill and send. Waits until one is free.
 * @return 0; -ENOTSUP (no pool), -ETIMEDOUT, -ECONNRESET, … */
int ring3_channel_loan(ring3_channel_t *channel, void **buffer, const struct timespec *deadline);

/** Give one back that was not sent. */
void ring3_channel_unloan(ring3_channel_t *channel, void *buffer);

/** Send it; it comes back when the receiver has released it. `put` and flush go with it as above. */
int ring3_channel_send_loan(ring3_channel_t *channel, void *buffer, size_t size,
                            const struct timespec *deadline);

/* --- Waiting for many ------------------------------------------------------------------------------ */

/**
 * A descriptor that is readable when a message has come or the peer has gone, once announced: poll it
 * only after ring3_channel_arm returned 0. The peer then makes one system call per sleep, and none
 * while nobody sleeps.
 * @return a descriptor that belongs to the channel; -EMFILE
 */
int ring3_channel_fd(ring3_channel_t *channel);

/** @return 1: there is something to receive, do not sleep; 0: sleep */
int ring3_channel_arm(ring3_channel_t *channel);

#define RING3_CHANNEL_WAIT_MAX 64

/** Wait until one of `count` channels (RING3_CHANNEL_WAIT_MAX at most) has something to receive or to
 * report. @return its index, each channel in its turn; -ETIMEDOUT, -EINVAL */
int ring3_channel_wait_any(ring3_channel_t *const *channels, unsigned count,
                           const struct timespec *deadline);

RING3_API_END

#endif
