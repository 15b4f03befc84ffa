/* SPDX-License-Identifier: MIT */
/* The calling side: see ring3/rpc.h. */
#include "rpc_wire.h"

#include "call.h"
#include "deadline.h"
#include "ring3/fd.h"

#include <sys/mman.h>
#include <sys/random.h>

#define BUFFER (RPC_HEADER + RING3_RPC_LARGEST)

/* --- Binding ----------------------------------------------------------------------------------------- */

static int64_t budget(const struct timespec *deadline)
{
    struct timespec left;

    if (!deadline)
        return -1;
    (void)ring3_deadline_left(deadline, &left);
    return (int64_t)left.tv_sec * RING3_SECOND_NS + left.tv_nsec;
}

static void unbind(ring3_rpc_client_t *client)
{
    if (client->bound)
        ring3_channel_close(&client->channel);
    client->bound = false;
}

/* The next message; its header. Descriptors are left to client->in. */
static int next_answer(ring3_rpc_client_t *client, struct ring3_rpc_header *header,
                       const struct timespec *deadline)
{
    ring3_decoder_t *const in = &client->in;
    int fds[RING3_MARSHAL_FDS], count = RING3_MARSHAL_FDS;
    const ssize_t got =
        ring3_channel_receive_fds(&client->channel, client->inbox, BUFFER, fds, &count, deadline);

    if (got < 0)
        return (int)got;
    ring3_decoder_init(in, client->inbox, (size_t)got, client->arena, RPC_ARENA);
    in->fd_count = count;
    memcpy(in->fds, fds, (size_t)count * sizeof *fds);
    ring3_rpc_get_header(in, header);
    if (!in->error)
        return 0;
    ring3_decoder_close_fds(in);
    return -EPROTO;
}

/* Over a fresh channel: which service, which version. */
static int shake_hands(ring3_rpc_client_t *client, const struct timespec *deadline)
{
    const struct ring3_rpc_header hello = {.kind = RPC_BIND};
    struct ring3_rpc_header answer;
    ring3_encoder_t e;
    int err;

    ring3_encoder_init(&e, client->arena, 1024); /* `buffer` may hold a call to repeat */
    ring3_rpc_put_header(ring3_put_room(&e, RPC_HEADER), &hello);
    ring3_put_u64(&e, client->identity);
    ring3_put_string(&e, client->service->name, RING3_RPC_NAME);
    ring3_put_u16(&e, client->service->major);
    ring3_put_u16(&e, client->service->minor);
    if (e.error)
        return -EINVAL;
    err = ring3_channel_send(&client->channel, e.start, (size_t)(e.at - e.start), deadline);
    if (err)
        return err;
    const void *data;
    const ssize_t got = ring3_channel_peek(&client->channel, &data, deadline);
    ring3_decoder_t d;

    if (got < 0)
        return (int)got;
    ring3_decoder_init(&d, data, (size_t)got, NULL, 0);
    ring3_rpc_get_header(&d, &answer);
    client->epoch = ring3_get_u64(&d);
    client->server_minor = ring3_get_u16(&d);
    ring3_channel_release(&client->channel);
    if (d.error || answer.kind != RPC_BOUND)
        return -EPROTO;
    return answer.status;
}

static int connect_channel(ring3_rpc_client_t *client, const struct timespec *deadline)
{
    const int type = client->kind == RING3_CHANNEL_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
    int err = 0;

    if (client->directory[0])
        err = ring3_rpc_registry_find(&client->address, client->directory, client->service);
    if (err)
        return err;
    const int fd = ring3_connect(&client->address, type, deadline);

    if (fd < 0)
        return fd;
    err = client->kind == RING3_CHANNEL_MEMORY
              ? ring3_channel_connect(&client->channel, fd, &client->options, deadline)
              : ring3_channel_over(&client->channel, fd, fd, &client->options);
    if (err)
        ring3_fd_close(fd);
    return err;
}

static int bind_again(ring3_rpc_client_t *client, const struct timespec *deadline)
{
    int err = client->address.length == 0 && !client->directory[0]
                  ? -ENOTCONN
                  : connect_channel(client, deadline);

    if (err)
        return err;
    client->bound = true;
    err = shake_hands(client, deadline);
    if (err)
        unbind(client);
    return err;
}

static int begin_client(ring3_rpc_client_t *client, const ring3_rpc_service_t *service)
{
    const int saved = errno;

    memset(client, 0, sizeof *client);
    client->service = service;
    if (ring3_retry(getrandom(&client->identity, sizeof client->identity, 0)) !=
        (ssize_t)sizeof client->identity)
        return -ENOSYS;
    client->buffer = mmap(NULL, (size_t)2 * BUFFER + RPC_ARENA, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (client->buffer == MAP_FAILED) {
        client->buffer = NULL;
        return -ENOMEM;
    }
    client->inbox = client->buffer + BUFFER;
    client->arena = client->inbox + BUFFER;
    return 0;
}

void ring3_rpc_client_close(ring3_rpc_client_t *client)
{
    unbind(client);
    if (client->buffer)
        (void)ring3_call(munmap(client->buffer, (size_t)2 * BUFFER + RPC_ARENA));
    client->buffer = NULL;
}

int ring3_rpc_connect(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                      const ring3_address_t *address, ring3_channel_kind_t kind,
                      const ring3_channel_options_t *options, const struct timespec *deadline)
{
    int err = begin_client(client, service);

    if (err)
        return err;
    client->address = *address;
    client->kind = kind;
    if (options)
        client->options = *options;
    err = bind_again(client, deadline);
    if (err)
        ring3_rpc_client_close(client);
    return err;
}

int ring3_rpc_bind(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                   const char *directory, const struct timespec *deadline)
{
    int err = begin_client(client, service);

    if (err)
        return err;
    if (strlen(directory) >= sizeof client->directory)
        err = -ENAMETOOLONG;
    else
        memcpy(client->directory, directory, strlen(directory) + 1);
    if (!err)
        err = bind_again(client, deadline);
    if (err)
        ring3_rpc_client_close(client);
    return err;
}

int ring3_rpc_over(ring3_rpc_client_t *client, const ring3_rpc_service_t *service,
                   ring3_channel_t *channel, const struct timespec *deadline)
{
    int err = begin_client(client, service);

    if (err)
        return err;
    ring3_channel_move(&client->channel, channel);
    client->bound = true;
    err = shake_hands(client, deadline);
    if (err)
        ring3_rpc_client_close(client);
    return err;
}

int ring3_rpc_interrupt(ring3_rpc_client_t *client)
{
    return ring3_channel_interrupt(&client->channel);
}

/* --- Calling ------------------------------------------------------------------------------------------ */

void ring3_rpc_begin(ring3_rpc_client_t *client)
{
    ring3_encoder_init(&client->out, client->buffer, BUFFER);
    (void)ring3_put_room(&client->out, RPC_HEADER);
}

static bool is_broken(int err)
{
    return err == -ECONNRESET || err == -EPIPE || err == -ENOTCONN;
}

/* Before anything of it was sent elsewhere: a server that is just being restarted. */
static bool may_come_back(int err)
{
    return is_broken(err) || err == -ECONNREFUSED || err == -ENOENT;
}

static int send_call(ring3_rpc_client_t *client, const struct ring3_rpc_header *header,
                     const struct timespec *deadline)
{
    const ring3_encoder_t *const out = &client->out;
    const size_t size = (size_t)(out->at - out->start);

    ring3_rpc_put_header(client->buffer, header);
    if (ring3_unlikely(out->fd_count > 0))
        return ring3_channel_send_fds(&client->channel, client->buffer, size, out->fds,
                                      out->fd_count, deadline);
    return ring3_channel_send(&client->channel, client->buffer, size, deadline);
}

static void cancel(ring3_rpc_client_t *client)
{
    static const struct timespec at_once;
    const struct ring3_rpc_header header = {.kind = RPC_CANCEL, .number = client->number};
    unsigned char message[RPC_HEADER];

    ring3_rpc_put_header(message, &header);
    (void)ring3_channel_send(&client->channel, message, sizeof message, &at_once);
}

/* The answer to the present call; older ones are too late. */
static int receive_answer(ring3_rpc_client_t *client, struct ring3_rpc_header *answer,
                          const struct timespec *deadline)
{
    for (;;) {
        const int err = next_answer(client, answer, deadline);

        if (err)
            return err;
        if (answer->kind == RPC_ANSWER && answer->number == client->number)
            return 0;
        ring3_decoder_close_fds(&client->in);
        if (answer->kind != RPC_ANSWER || answer->number > client->number)
            return -EPROTO;
    }
}

/* One attempt over the present channel. Writes the answer's status. */
static int attempt(ring3_rpc_client_t *client, struct ring3_rpc_header *header, int *status,
                   const struct timespec *deadline)
{
    const unsigned flags = client->service->procedures[header->procedure].flags;
    struct ring3_rpc_header answer;
    int err;

    header->budget = budget(deadline);
    err = send_call(client, header, deadline);
    if (err) {
        if (is_broken(err))
            client->outcome = RING3_RPC_UNKNOWN;
        return err;
    }
    client->outcome = RING3_RPC_UNKNOWN;
    *status = 0;
    if (flags & RING3_RPC_ONEWAY) {
        ring3_decoder_init(&client->in, NULL, 0, NULL, 0);
        return 0;
    }
    err = receive_answer(client, &answer, deadline);
    if (err == -ETIMEDOUT || err == -ECANCELED)
        cancel(client);
    if (err)
        return err;
    client->outcome = RING3_RPC_DONE;
    *status = answer.status;
    return 0;
}

/* The call stays encoded in `buffer` until the next one, to be sent again if need be. */
int ring3_rpc_call(ring3_rpc_client_t *client, uint32_t procedure, const struct timespec *deadline)
{
    struct ring3_rpc_header header = {.kind = RPC_CALL, .procedure = procedure};
    const uint64_t epoch = client->epoch;
    const bool idempotent =
        (client->service->procedures[procedure].flags & RING3_RPC_IDEMPOTENT) != 0;
    ring3_pause_t pause = {0};
    int err = 0, status = 0;

    client->outcome = RING3_RPC_NOT_SENT;
    client->in.fd_count = 0;
    if (client->out.error)
        return client->out.error;
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    header.number = ++client->number;
    for (;;) {
        if (ring3_unlikely(!client->bound)) {
            err = bind_again(client, deadline);
            if (may_come_back(err) && deadline && err != -ENOTCONN &&
                ring3_pause(&pause, RING3_WAIT_PARK, deadline) == 0)
                continue;
            if (err)
                return err;
            if (client->outcome == RING3_RPC_UNKNOWN && client->epoch != epoch && !idempotent)
                return -ECONNRESET; /* the server that may know has gone */
        }
        err = attempt(client, &header, &status, deadline);
        if (!err)
            return status;
        if (!is_broken(err)) {
            if (err == -EPROTO || err == -EBADMSG)
                unbind(client);
            return err;
        }
        unbind(client);
        if (client->address.length == 0 && !client->directory[0])
            return err;
        header.flags = RPC_AGAIN;
        client->retries++;
    }
}

int ring3_rpc_end(ring3_rpc_client_t *client)
{
    const int err = ring3_decoder_end(&client->in);

    ring3_decoder_close_fds(&client->in);
    return err;
}
