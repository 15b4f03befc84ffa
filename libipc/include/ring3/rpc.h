/* SPDX-License-Identifier: MIT */
/*
 * Remote procedure calls over channels: shared memory, UNIX sockets and TCP with the same stubs.
 *
 *     service calculator 1.0 {                    # calculator.idl
 *         call add(i32 a, i32 b) -> (i32 sum);
 *     }
 *     $ ring3 rpcgen calculator.idl               # writes calculator.h and calculator.c
 *
 *     static int add(ring3_rpc_call_t *call, const struct calculator_add_in *in,
 *                    struct calculator_add_out *out) { out->sum = in->a + in->b; return 0; }
 *     server: ring3_rpc_server_open(&server, &calculator_service, &(struct calculator_handlers){add}, NULL);
 *             ring3_rpc_server_register(&server, directory);
 *             while (ring3_rpc_server_turn(&server, NULL) >= 0) ;
 *     client: ring3_rpc_bind(&client, &calculator_service, directory, deadline);
 *             err = calculator_add(&client, &(struct calculator_add_in){1, 2}, &out, deadline);
 *
 * A call returns 0, the negative errno that the handler returned, or what went wrong on the way; and
 * client.outcome then says what is known of the call:
 *     RING3_RPC_NOT_SENT  it was not executed, and will not be
 *     RING3_RPC_UNKNOWN   it may have been executed, or may yet be (-ETIMEDOUT, -ECONNRESET, …)
 *     RING3_RPC_DONE      it was executed; the result is the handler's
 *
 * Retries: when the connection breaks, the client binds again until the deadline and sends the same call
 * with the same number. The server remembers the last answer to each client and does not execute a call
 * twice: at most once. A server that was restarted remembers nothing; then only calls marked `idempotent`
 * are repeated, and others end with -ECONNRESET and UNKNOWN.
 *
 * Cancellation: a client whose deadline passes, or that another thread interrupts (ring3_rpc_interrupt),
 * tells the server, whose handler may ask ring3_rpc_cancelled. The rest of the deadline travels with the call.
 *
 * Versions: a client of version 1.2 is served by 1.2 and 1.3, not by 1.1 or 2.0. Calls are numbered in order:
 * add new ones at the end and count up the second number.
 *
 * Who called: call->caller, as the kernel vouches for it, taken when the connection was made (pid 0 and
 * ids -1 over TCP).
 *
 * One thread per client and per server. Not async-signal-safe, and not to be used on both sides of a fork.
 * Source: Birrell and Nelson 1984 (binding, at most once, the last answer kept).
 */
#ifndef RING3_RPC_H
#define RING3_RPC_H

#include "ring3/api.h"
#include "ring3/channel.h"
#include "ring3/marshal.h"
#include "ring3/socket.h"

RING3_API_BEGIN

#define RING3_RPC_NAME     64
#define RING3_RPC_LARGEST  (1u << 20) /* bytes of arguments or results */
#define RING3_RPC_CHANNELS 64         /* clients at once */
#define RING3_RPC_CLIENTS  256        /* clients whose last answer is remembered */
#define RING3_RPC_KEPT     4096 /* the longest answer that is; longer: -ECONNRESET on a retry */

/* --- What rpcgen generates -------------------------------------------------------------------------- */

struct ring3_rpc_call;

enum {
    RING3_RPC_ONEWAY = 1,     /* no answer */
    RING3_RPC_IDEMPOTENT = 2, /* may be executed again by a server that has forgotten */
};

typedef struct ring3_rpc_procedure {
    const char *name;
    /* Decodes call->in, calls the handler, encodes into call->out. */
    int (*dispatch)(struct ring3_rpc_call *call);
    unsigned flags;
} ring3_rpc_procedure_t;

typedef struct ring3_rpc_service {
    const char *name;
    uint16_t major, minor;
    const ring3_rpc_procedure_t *procedures;
    uint32_t count;
} ring3_rpc_service_t;

/* --- Serving ------------------------------------------------------------------------------------------ */

typedef struct ring3_rpc_server ring3_rpc_server_t;

typedef struct ring3_rpc_call {
    ring3_rpc_server_t *server;
    const void *handlers; /* the service's */
    void *context;        /* ring3_rpc_server_t.context */
    ring3_credentials_t caller;
    const struct timespec *deadline; /* CLOCK_MONOTONIC, NULL: none */
    ring3_decoder_t *in;
    ring3_encoder_t *out;
    struct ring3_rpc_peer *peer;
    uint64_t number;
    bool cancelled;
} ring3_rpc_call_t;

typedef struct ring3_rpc_listener {
    ring3_listener_t listener;
    ring3_channel_kind_t kind;
    bool open;
} ring3_rpc_listener_t;

#define RING3_RPC_LISTENERS 4

struct ring3_rpc_server {
    const ring3_rpc_service_t *service;
    const void *handlers;
    void *context; /* the caller's, for handlers */
    ring3_channel_options_t options;
    ring3_rpc_listener_t listeners[RING3_RPC_LISTENERS];
    struct ring3_rpc_room *room; /* channels, answers, buffers */
    uint64_t epoch;              /* random: another server, another number */
    uint64_t calls, repeated, refused;
    uint32_t since_accept;
};

/** Get ready to serve. `options` of the channels over memory, NULL: the defaults.
 * @return 0; -ENOMEM, … */
int ring3_rpc_server_open(ring3_rpc_server_t *server, const ring3_rpc_service_t *service,
                          const void *handlers, const ring3_channel_options_t *options);
void ring3_rpc_server_close(ring3_rpc_server_t *server);

/** Listen at an address: RING3_CHANNEL_MEMORY (UNIX), RING3_CHANNEL_PACKET (UNIX) or RING3_CHANNEL_STREAM
 * (UNIX or TCP). @return 0; -ENOSPC (RING3_RPC_LISTENERS are open), or as ring3_listen */
int ring3_rpc_server_listen(ring3_rpc_server_t *server, const ring3_address_t *address,
                            ring3_channel_kind_t kind);

/** Listen over memory where ring3_rpc_bind finds it: `directory`/NAME.MAJOR.MINOR.
 * @return 0; -EADDRINUSE (another server of this version lives), -ENAMETOOLONG, -ENOENT, -EACCES */
int ring3_rpc_server_register(ring3_rpc_server_t *server, const char *directory);

/** Take over a connected channel, e.g. over a socket pair. @return 0; -ENOSPC */
int ring3_rpc_server_adopt(ring3_rpc_server_t *server, ring3_channel_t *channel);

/** Wait for one thing to do, and do it: accept a client, execute a call, notice that a client has gone.
 * @return 0; -ETIMEDOUT */
int ring3_rpc_server_turn(ring3_rpc_server_t *server, const struct timespec *deadline);

/** In a handler: true when the client has given up, or gone, or its deadline has passed. */
bool ring3_rpc_cancelled(ring3_rpc_call_t *call);

/* --- Calling -------------------------------------------------------------------------------------------- */

typedef enum ring3_rpc_outcome {
    RING3_RPC_NOT_SENT,
    RING3_RPC_UNKNOWN,
    RING3_RPC_DONE,
} ring3_rpc_outcome_t;

typedef struct ring3_rpc_client {
    const ring3_rpc_service_t *service;
    ring3_rpc_outcome_t outcome; /* of the last call */
    ring3_channel_t channel;
    bool bound;
    /* How to bind again: an address, or a directory. */
    ring3_address_t address;
    ring3_channel_kind_t kind;
    ring3_channel_options_t options;
    char directory[108];
    uint64_t identity; /* random; with `number` it names a call for ever */
    uint64_t number;
    uint64_t epoch; /* of the server we are bound to */
    uint16_t server_minor;
    uint64_t retries;
    unsigned char *buffer, *inbox, *arena; /* one request, one answer, what was decoded of it */
    ring3_encoder_t out;
    ring3_decoder_t in;
} ring3_rpc_client_t;

/** Connect to a server at an address. `options` for channels over memory, NULL: the defaults.
 * @return 0; -ENOENT (it serves something else), -EPROTONOSUPPORT (another version), or as
 * ring3_connect and ring3_channel_connect */
int ring3_rpc_connect(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                      const ring3_address_t *address, ring3_channel_kind_t kind,
                      const ring3_channel_options_t *options, const struct timespec *deadline);

/** Look the service up in `directory` and connect to the newest server that is compatible.
 * @return 0; -ENOENT (none), or as ring3_rpc_connect */
int ring3_rpc_bind(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                   const char *directory, const struct timespec *deadline);

/** Over a channel that is connected already; without retries. Takes it over.
 * @return as ring3_rpc_connect */
int ring3_rpc_over(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                   ring3_channel_t *channel, const struct timespec *deadline);
void ring3_rpc_client_close(ring3_rpc_client_t *client);

/** From another thread: end the present call with -ECANCELED. @return 0; -ENOTSUP (not over memory) */
int ring3_rpc_interrupt(ring3_rpc_client_t *client);

/** For stubs: begin a call; encode the arguments into client->out; then send it and wait. The answer is
 * to be decoded from client->in, and ring3_rpc_end called with what decoding returned. */
void ring3_rpc_begin(ring3_rpc_client_t *client);
int ring3_rpc_call(ring3_rpc_client_t *client, uint32_t procedure, const struct timespec *deadline);
int ring3_rpc_end(ring3_rpc_client_t *client);

RING3_API_END

#endif
