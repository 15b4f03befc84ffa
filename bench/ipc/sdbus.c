/* SPDX-License-Identifier: MIT */
/* Peer: sd-bus without a bus between the two, with the caller's credentials as the kernel vouches for them. */
#include "remote.h"

#include "ring3/socket.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define INTERFACE "org.example.Adder"

struct pair {
    sd_bus *bus;
    pid_t pid;
};

static int add(sd_bus_message *message, void *data, sd_bus_error *error)
{
    int32_t a, b;
    const int err = sd_bus_message_read(message, "ii", &a, &b);

    (void)data, (void)error;
    return err < 0 ? err : sd_bus_reply_method_return(message, "i", a + b);
}

static const sd_bus_vtable table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Add", "ii", "i", add, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static sd_bus *start(int fd, bool server)
{
    sd_id128_t id = SD_ID128_NULL;
    sd_bus *bus;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
        (server && (sd_id128_randomize(&id) < 0 || sd_bus_set_server(bus, 1, id) < 0 ||
                    sd_bus_add_object_vtable(bus, NULL, "/adder", INTERFACE, table, NULL) < 0)) ||
        sd_bus_start(bus) < 0)
        abort();
    return bus;
}

static void serve(int fd)
{
    sd_bus *const bus = start(fd, true);

    for (;;) {
        const int busy = sd_bus_process(bus, NULL);

        if (busy < 0 || (busy == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
            _exit(0);
    }
}

static void *connect_server(const struct ring3_bench *bench, int threads, int64_t param)
{
    struct pair *const pair = calloc(1, sizeof *pair);
    int ends[2];

    (void)threads, (void)param;
    if (!pair || ring3_socket_pair(ends, SOCK_STREAM))
        abort();
    pair->pid = fork();
    if (pair->pid == 0) {
        close(ends[0]);
        link_pin(ipc_bench_cpu(((const struct remote_place *)bench->context)->apart));
        serve(ends[1]);
    }
    close(ends[1]);
    pair->bus = start(ends[0], false);
    return pair;
}

static void disconnect(void *shared)
{
    struct pair *const pair = shared;

    sd_bus_close_unref(pair->bus);
    (void)kill(pair->pid, SIGKILL);
    (void)waitpid(pair->pid, NULL, 0);
    free(pair);
}

static void call(struct ring3_bench_thread *t)
{
    const struct pair *const pair = t->shared;

    for (; ring3_bench_running(t); t->ops++) {
        sd_bus_message *reply = NULL;
        int32_t sum;

        if (sd_bus_call_method(pair->bus, NULL, "/adder", INTERFACE, "Add", NULL, &reply, "ii", 1,
                               (int32_t)t->ops) < 0 ||
            sd_bus_message_read(reply, "i", &sum) < 0 || sum != 1 + (int32_t)t->ops)
            abort();
        sd_bus_message_unref(reply);
    }
}

__attribute__((constructor)) static void register_all(void)
{
    remote_register("sd_bus", call, connect_server, disconnect, RING3_CHANNEL_STREAM);
}
