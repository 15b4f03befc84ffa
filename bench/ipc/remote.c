/* SPDX-License-Identifier: MIT */
/* The same call made locally, marshalled only, and remotely over each transport. */
#include "remote.h"

#include "adder.c"

#include "ring3/socket.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int add(ring3_rpc_call_t *call, const struct adder_add_in *in, struct adder_add_out *out)
{
    (void)call;
    out->sum = in->a + in->b;
    return 0;
}

static const struct adder_handlers handlers = {add};

struct remote {
    ring3_rpc_client_t client;
    pid_t pid;
};

static void *connect_server(const struct ring3_bench *bench, int threads, int64_t param)
{
    const struct remote_place *const place = bench->context;
    const ring3_channel_kind_t kind = place->kind;
    const bool tcp = kind == RING3_CHANNEL_STREAM;
    struct remote *const remote = calloc(1, sizeof *remote);
    static ring3_rpc_server_t server;
    ring3_address_t address;

    (void)threads, (void)param;
    if (!remote ||
        (tcp ? ring3_address_ip(&address, "127.0.0.1", 0)
             : ring3_address_unix(&address, "@ring3-bench-adder")) ||
        ring3_rpc_server_open(&server, &adder_service, &handlers, NULL) ||
        ring3_rpc_server_listen(&server, &address, kind) ||
        ring3_socket_name(server.listeners[0].listener.fd, &address))
        abort();
    remote->pid = fork();
    if (remote->pid == 0) {
        link_pin(ipc_bench_cpu(place->apart));
        for (;;)
            (void)ring3_rpc_server_turn(&server, NULL);
    }
    ring3_rpc_server_close(&server);
    if (ring3_rpc_connect(&remote->client, &adder_service, &address, kind, NULL, NULL))
        abort();
    return remote;
}

static void disconnect(void *shared)
{
    struct remote *const remote = shared;

    ring3_rpc_client_close(&remote->client);
    (void)kill(remote->pid, SIGKILL);
    (void)waitpid(remote->pid, NULL, 0);
    free(remote);
}

static void remotely(struct ring3_bench_thread *t)
{
    struct remote *const remote = t->shared;
    struct adder_add_out out;

    for (; ring3_bench_running(t); t->ops++)
        if (adder_add(&remote->client, &(struct adder_add_in){1, (int32_t)t->ops}, &out, NULL))
            abort();
}

static void locally(struct ring3_bench_thread *t)
{
    int (*volatile call)(ring3_rpc_call_t *, const struct adder_add_in *, struct adder_add_out *) =
        add;
    struct adder_add_out out;

    for (; ring3_bench_running(t); t->ops++)
        (void)call(NULL, &(struct adder_add_in){1, (int32_t)t->ops}, &out);
}

/* Arguments and result, in and out again. */
static void marshalled(struct ring3_bench_thread *t)
{
    unsigned char message[64], arena[64];
    struct adder_add_in in;
    struct adder_add_out out;
    ring3_encoder_t e;
    ring3_decoder_t d;

    for (; ring3_bench_running(t); t->ops++) {
        ring3_encoder_init(&e, message, sizeof message);
        put_adder_add_in(&e, &(struct adder_add_in){1, (int32_t)t->ops});
        ring3_decoder_init(&d, message, (size_t)(e.at - e.start), arena, sizeof arena);
        get_adder_add_in(&d, &in);
        (void)add(NULL, &in, &out);
        ring3_encoder_init(&e, message, sizeof message);
        put_adder_add_out(&e, &out);
        ring3_decoder_init(&d, message, (size_t)(e.at - e.start), arena, sizeof arena);
        get_adder_add_out(&d, &out);
        if (ring3_decoder_end(&d))
            abort();
    }
}

/* --- One step of a call at a time --------------------------------------------------------------------------- */

static const struct remote_place together = {false, RING3_CHANNEL_MEMORY};

static void bind_step(struct ring3_bench_thread *t)
{
    const struct remote *const remote = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        ring3_rpc_client_t client;

        if (ring3_rpc_connect(&client, &adder_service, &remote->client.address,
                              RING3_CHANNEL_MEMORY, NULL, NULL))
            abort();
        ring3_rpc_client_close(&client);
    }
}

static void marshal_step(struct ring3_bench_thread *t)
{
    unsigned char message[64];
    ring3_encoder_t e;

    for (; ring3_bench_running(t); t->ops++) {
        ring3_encoder_init(&e, message, sizeof message);
        put_adder_add_in(&e, &(struct adder_add_in){1, (int32_t)t->ops});
        ring3_compiler_barrier();
    }
}

static void unmarshal_step(struct ring3_bench_thread *t)
{
    unsigned char message[64], arena[64];
    struct adder_add_in in;
    ring3_encoder_t e;
    ring3_decoder_t d;

    ring3_encoder_init(&e, message, sizeof message);
    put_adder_add_in(&e, &(struct adder_add_in){1, 2});
    for (; ring3_bench_running(t); t->ops++) {
        ring3_decoder_init(&d, message, (size_t)(e.at - e.start), arena, sizeof arena);
        get_adder_add_in(&d, &in);
        ring3_compiler_barrier();
        if (ring3_decoder_end(&d))
            abort();
    }
}

RING3_BENCH(bind_, .name = "step/bind", .body = bind_step, .setup = connect_server,
            .teardown = disconnect, .context = &together);
RING3_BENCH(marshal_, .name = "step/marshal", .body = marshal_step);
RING3_BENCH(unmarshal_, .name = "step/unmarshal", .body = unmarshal_step);
RING3_BENCH(execute_, .name = "step/execute", .body = locally);
RING3_BENCH(local, .name = "rpc/local", .body = locally);
RING3_BENCH(marshal, .name = "rpc/marshalled", .body = marshalled);

/* --- Where they run --------------------------------------------------------------------------------------- */

static void *pin(struct ring3_bench_thread *t)
{
    (void)t;
    link_pin(ipc_bench_cpu(false));
    return NULL;
}

void remote_register(const char *name, void (*body)(struct ring3_bench_thread *t),
                     void *(*setup)(const struct ring3_bench *bench, int threads, int64_t param),
                     void (*teardown)(void *shared), ring3_channel_kind_t kind)
{
    static struct {
        struct ring3_bench bench;
        struct remote_place place;
        char name[64];
    } all[16], *next = all;

    for (int apart = ipc_bench_cpu(false) != ipc_bench_cpu(true); apart >= 0; apart--, next++) {
        snprintf(next->name, sizeof next->name, "rpc/%s/%s", apart ? "apart" : "together", name);
        next->place = (struct remote_place){apart != 0, kind};
        next->bench = (struct ring3_bench){.name = next->name,
                                           .body = body,
                                           .setup = setup,
                                           .teardown = teardown,
                                           .thread_setup = pin,
                                           .context = &next->place};
        ring3_bench_register(&next->bench);
    }
}

__attribute__((constructor)) static void register_all(void)
{
    remote_register("ring3_memory", remotely, connect_server, disconnect, RING3_CHANNEL_MEMORY);
    remote_register("unix", remotely, connect_server, disconnect, RING3_CHANNEL_PACKET);
    remote_register("tcp", remotely, connect_server, disconnect, RING3_CHANNEL_STREAM);
}
