/* SPDX-License-Identifier: MIT */
/* The serving side: see ring3/rpc.h. */
#include "rpc_wire.h"

#include "call.h"
#include "channel_private.h"
#include "deadline.h"
#include "ring3/fd.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define BUFFER (RPC_HEADER + RING3_RPC_LARGEST)

/* A client that connects and then does not shake hands, or does not take its answer, holds everybody up
 * for so long at most. */
#define PATIENCE_NS 200000000
/* While clients keep us busy, newcomers are looked for every so many calls. */
#define CALLS_PER_ACCEPT 64

/* The last answer to a client. */
struct answer {
    uint64_t identity, number; /* of the client; of the call, 0 for none */
    uint64_t used;             /* when, in calls: the longest unused makes room */
    size_t size;               /* 0: it was too long to keep */
    unsigned char bytes[RING3_RPC_KEPT];
};

struct ring3_rpc_peer {
    ring3_channel_t channel;
    struct answer *answer; /* NULL until it is bound */
    bool used;
};

struct ring3_rpc_room {
    struct ring3_rpc_peer peers[RING3_RPC_CHANNELS];
    struct answer answers[RING3_RPC_CLIENTS];
    unsigned char in[BUFFER], out[BUFFER], arena[RPC_ARENA];
};

/* --- Opening, listening ------------------------------------------------------------------------------- */

int ring3_rpc_server_open(ring3_rpc_server_t *server, const ring3_rpc_service_t *service,
                          const void *handlers, const ring3_channel_options_t *options)
{
    const int saved = errno;

    *server = (ring3_rpc_server_t){.service = service, .handlers = handlers};
    if (options)
        server->options = *options;
    if (ring3_retry(getrandom(&server->epoch, sizeof server->epoch, 0)) !=
        (ssize_t)sizeof server->epoch)
        return -ENOSYS;
    server->room = mmap(NULL, sizeof *server->room, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (server->room == MAP_FAILED) {
        server->room = NULL;
        return -ENOMEM;
    }
    return 0;
}

static void drop(struct ring3_rpc_peer *peer)
{
    ring3_channel_close(&peer->channel);
    peer->used = false;
    peer->answer = NULL;
}

void ring3_rpc_server_close(ring3_rpc_server_t *server)
{
    for (int i = 0; i < RING3_RPC_LISTENERS; i++)
        if (server->listeners[i].open)
            ring3_listener_close(&server->listeners[i].listener);
    for (int i = 0; server->room && i < RING3_RPC_CHANNELS; i++)
        if (server->room->peers[i].used)
            drop(&server->room->peers[i]);
    if (server->room)
        (void)ring3_call(munmap(server->room, sizeof *server->room));
    *server = (ring3_rpc_server_t){0};
}

int ring3_rpc_server_listen(ring3_rpc_server_t *server, const ring3_address_t *address,
                            ring3_channel_kind_t kind)
{
    for (int i = 0; i < RING3_RPC_LISTENERS; i++) {
        ring3_rpc_listener_t *const one = &server->listeners[i];

        if (one->open)
            continue;
        const int err = ring3_listen(&one->listener, address,
                                     kind == RING3_CHANNEL_STREAM ? SOCK_STREAM : SOCK_SEQPACKET,
                                     RING3_RPC_CHANNELS);

        one->kind = kind;
        one->open = !err;
        return err;
    }
    return -ENOSPC;
}

int ring3_rpc_server_register(ring3_rpc_server_t *server, const char *directory)
{
    ring3_address_t address;
    const int err = ring3_rpc_registry_address(&address, directory, server->service);

    return err ? err : ring3_rpc_server_listen(server, &address, RING3_CHANNEL_MEMORY);
}

static struct ring3_rpc_peer *free_peer(const ring3_rpc_server_t *server)
{
    for (int i = 0; i < RING3_RPC_CHANNELS; i++)
        if (!server->room->peers[i].used)
            return &server->room->peers[i];
    return NULL;
}

int ring3_rpc_server_adopt(ring3_rpc_server_t *server, ring3_channel_t *channel)
{
    struct ring3_rpc_peer *const peer = free_peer(server);

    if (!peer)
        return -ENOSPC;
    ring3_channel_move(&peer->channel, channel);
    peer->used = true;
    peer->answer = NULL;
    return 0;
}

static void accept_one(ring3_rpc_server_t *server, const ring3_rpc_listener_t *listener)
{
    static const struct timespec at_once;
    struct ring3_rpc_peer *const peer = free_peer(server);
    const int fd = peer ? ring3_accept(listener->listener.fd, NULL, &at_once) : -EAGAIN;
    int err;

    if (fd < 0)
        return;
    if (listener->kind == RING3_CHANNEL_MEMORY) {
        const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, PATIENCE_NS);

        err = ring3_channel_accept(&peer->channel, fd, &server->options, &soon);
    } else {
        err = ring3_channel_over(&peer->channel, fd, fd, &server->options);
    }
    if (err) {
        server->refused++;
        ring3_fd_close(fd);
        return;
    }
    peer->used = true;
    peer->answer = NULL;
}

/* --- Answers -------------------------------------------------------------------------------------------- */

static int send_answer(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer,
                       const ring3_encoder_t *out)
{
    const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, PATIENCE_NS);
    const size_t size = (size_t)(out->at - out->start);

    (void)server;
    if (ring3_unlikely(out->fd_count > 0))
        return ring3_channel_send_fds(&peer->channel, out->start, size, out->fds, out->fd_count,
                                      &soon);
    return ring3_channel_send(&peer->channel, out->start, size, &soon);
}

/* Where the last answer to this client is kept; a newcomer gets the place that was unused longest. */
static struct answer *answer_for(ring3_rpc_server_t *server, uint64_t identity)
{
    struct answer *oldest = &server->room->answers[0];

    for (int i = 0; i < RING3_RPC_CLIENTS; i++) {
        struct answer *const one = &server->room->answers[i];

        if (one->identity == identity)
            return one;
        if (one->used < oldest->used)
            oldest = one;
    }
    for (int i = 0; i < RING3_RPC_CHANNELS; i++) /* there are more places than channels */
        if (server->room->peers[i].answer == oldest)
            server->room->peers[i].answer = NULL;
    oldest->identity = identity;
    oldest->number = oldest->size = 0;
    return oldest;
}

static int bind_peer(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer, ring3_decoder_t *in)
{
    const ring3_rpc_service_t *const service = server->service;
    struct ring3_rpc_header header = {.kind = RPC_BOUND};
    ring3_encoder_t out;
    const uint64_t identity = ring3_get_u64(in);
    const char *const name = ring3_get_string(in, RING3_RPC_NAME);
    const uint16_t major = ring3_get_u16(in), minor = ring3_get_u16(in);

    if (ring3_decoder_end(in))
        return -EPROTO;
    if (strcmp(name, service->name) != 0)
        header.status = -ENOENT;
    else if (major != service->major || minor > service->minor)
        header.status = -EPROTONOSUPPORT;
    else
        peer->answer = answer_for(server, identity);
    if (peer->answer)
        peer->answer->used = ++server->calls;
    ring3_encoder_init(&out, server->room->out, BUFFER);
    ring3_rpc_put_header(ring3_put_room(&out, RPC_HEADER), &header);
    ring3_put_u64(&out, server->epoch);
    ring3_put_u16(&out, service->minor);
    return send_answer(server, peer, &out);
}

/* --- Calls ----------------------------------------------------------------------------------------------- */

bool ring3_rpc_cancelled(ring3_rpc_call_t *call)
{
    static const struct timespec at_once;
    ring3_channel_t *const channel = &call->peer->channel;
    struct ring3_rpc_header header;
    ring3_decoder_t d;
    const void *data;

    if (call->cancelled || ring3_deadline_passed(CLOCK_MONOTONIC, call->deadline))
        return call->cancelled = true;
    const ssize_t got = ring3_channel_peek(channel, &data, &at_once);

    if (got < 0)
        return call->cancelled = got != -ETIMEDOUT && got != -ECANCELED;
    ring3_decoder_init(&d, data, (size_t)got, NULL, 0);
    ring3_rpc_get_header(&d, &header);
    if (!d.error && header.kind == RPC_CANCEL && header.number == call->number) {
        ring3_channel_release(channel);
        return call->cancelled = true;
    }
    ring3_channel_unpeek(channel);
    return false;
}

static int execute(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer,
                   const struct ring3_rpc_header *asked, ring3_decoder_t *in)
{
    const ring3_rpc_service_t *const service = server->service;
    const bool known = asked->procedure < service->count;
    struct ring3_rpc_header header = {
        .kind = RPC_ANSWER, .procedure = asked->procedure, .number = asked->number};
    struct timespec deadline;
    ring3_encoder_t out;
    ring3_rpc_call_t call = {.server = server,
                             .handlers = server->handlers,
                             .context = server->context,
                             .caller = peer->channel.peer,
                             .in = in,
                             .out = &out,
                             .peer = peer,
                             .number = asked->number};

    if (asked->budget >= 0) {
        deadline = ring3_deadline_in(CLOCK_MONOTONIC, asked->budget);
        call.deadline = &deadline;
    }
    ring3_encoder_init(&out, server->room->out, BUFFER);
    (void)ring3_put_room(&out, RPC_HEADER);
    server->calls++;
    header.status = known ? service->procedures[asked->procedure].dispatch(&call) : -EOPNOTSUPP;
    if (!header.status)
        header.status = out.error;
    if (header.status) { /* no results */
        out.at = out.start + RPC_HEADER;
        out.error = out.fd_count = 0;
    }
    ring3_rpc_put_header(out.start, &header);
    const size_t size = (size_t)(out.at - out.start);
    struct answer *const kept = peer->answer;

    if (kept) {
        kept->number = asked->number;
        kept->used = server->calls;
        kept->size = size <= sizeof kept->bytes && out.fd_count == 0 ? size : 0;
        memcpy(kept->bytes, out.start, kept->size);
    }
    if (known && (service->procedures[asked->procedure].flags & RING3_RPC_ONEWAY))
        return 0;
    return send_answer(server, peer, &out);
}

/* A call that was executed before: the same answer, if it was kept. */
static int repeat(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer,
                  const struct ring3_rpc_header *asked)
{
    const struct answer *const kept = peer->answer;
    const struct ring3_rpc_header lost = {
        .kind = RPC_ANSWER, .number = asked->number, .status = -ECONNRESET};
    ring3_encoder_t out;

    server->repeated++;
    ring3_encoder_init(&out, server->room->out, BUFFER);
    if (kept->number == asked->number && kept->size > 0) {
        memcpy(ring3_put_room(&out, kept->size), kept->bytes, kept->size);
    } else {
        ring3_rpc_put_header(ring3_put_room(&out, RPC_HEADER), &lost);
    }
    return send_answer(server, peer, &out);
}

static int handle(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer, ring3_decoder_t *in)
{
    struct ring3_rpc_header header;

    ring3_rpc_get_header(in, &header);
    if (in->error)
        return -EPROTO;
    switch (header.kind) {
    case RPC_BIND:
        return bind_peer(server, peer, in);
    case RPC_CANCEL:
        return 0; /* too late */
    case RPC_CALL:
        if (!peer->answer)
            return -EPROTO;
        if (header.number <= peer->answer->number)
            return repeat(server, peer, &header);
        return execute(server, peer, &header, in);
    default:
        return -EPROTO;
    }
}

static void serve(ring3_rpc_server_t *server, struct ring3_rpc_peer *peer)
{
    static const struct timespec at_once;
    ring3_decoder_t in;
    int fds[RING3_MARSHAL_FDS], count = RING3_MARSHAL_FDS;
    const ssize_t got =
        ring3_channel_receive_fds(&peer->channel, server->room->in, BUFFER, fds, &count, &at_once);

    if (got == -ETIMEDOUT || got == -ECANCELED)
        return;
    if (got < 0) {
        server->refused += got != -EPIPE && got != -ECONNRESET;
        drop(peer);
        return;
    }
    ring3_decoder_init(&in, server->room->in, (size_t)got, server->room->arena, RPC_ARENA);
    in.fd_count = count;
    memcpy(in.fds, fds, (size_t)count * sizeof *fds);
    const int err = handle(server, peer, &in);

    ring3_decoder_close_fds(&in);
    if (err) {
        server->refused += err == -EPROTO;
        drop(peer);
    }
}

static void accept_all(ring3_rpc_server_t *server)
{
    server->since_accept = 0;
    for (int i = 0; i < RING3_RPC_LISTENERS; i++)
        if (server->listeners[i].open)
            accept_one(server, &server->listeners[i]);
}

int ring3_rpc_server_turn(ring3_rpc_server_t *server, const struct timespec *deadline)
{
    struct ring3_rpc_peer *peers[RING3_RPC_CHANNELS];
    ring3_channel_t *channels[RING3_RPC_CHANNELS];
    struct pollfd listeners[RING3_RPC_LISTENERS];
    unsigned count = 0, listening = 0;

    if (server->since_accept++ >= CALLS_PER_ACCEPT)
        accept_all(server);
    for (int i = 0; i < RING3_RPC_CHANNELS; i++)
        if (server->room->peers[i].used) {
            peers[count] = &server->room->peers[i];
            channels[count++] = &server->room->peers[i].channel;
        }
    for (int i = 0; i < RING3_RPC_LISTENERS && count < RING3_RPC_CHANNELS; i++)
        if (server->listeners[i].open)
            listeners[listening++] =
                (struct pollfd){.fd = server->listeners[i].listener.fd, .events = POLLIN};
    const int which = ring3_channel_wait_any_or(channels, count, listeners, listening, deadline);

    if (which < 0)
        return which;
    if ((unsigned)which < count)
        serve(server, peers[which]);
    else
        accept_all(server);
    return 0;
}
