/* SPDX-License-Identifier: MIT */
#include "ipc_bench.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 5, LARGEST = 16 << 20 };

static unsigned char buffer[LARGEST];

struct place {
    const struct transport *transport;
    bool apart;
    char name[2][64];
    struct ring3_bench trips, stream;
};

struct running {
    struct link link;
    pid_t pid;
    cpu_set_t before;
};

int ipc_bench_cpu(bool last)
{
    cpu_set_t set;
    int found = -1;

    if (sched_getaffinity(0, sizeof set, &set))
        return -1;
    for (int i = 0; i < CPU_SETSIZE && (last || found < 0); i++)
        if (CPU_ISSET((size_t)i, &set))
            found = i;
    return found;
}

void *ipc_bench_context(const struct ring3_bench *bench, int threads, int64_t param)
{
    (void)threads, (void)param;
    return (void *)(uintptr_t)bench->context;
}

static void *open_link(const struct ring3_bench *bench, int64_t size,
                       void (*peer)(struct link *, size_t))
{
    const struct place *const place = bench->context;
    struct running *const running = calloc(1, sizeof *running);

    if (!running)
        abort();
    signal(SIGPIPE, SIG_IGN);
    running->pid = link_open(&running->link, place->transport, ipc_bench_cpu(place->apart), peer,
                             (size_t)size);
    if (running->pid < 0) {
        fprintf(stderr, "%s: cannot be opened\n", place->transport->name);
        abort();
    }
    return running;
}

static void *open_trips(const struct ring3_bench *bench, int threads, int64_t size)
{
    (void)threads;
    return open_link(bench, size, link_echo);
}

static void *open_stream(const struct ring3_bench *bench, int threads, int64_t size)
{
    (void)threads;
    return open_link(bench, size, link_drain);
}

static void close_link(void *shared)
{
    struct running *const running = shared;

    link_close(&running->link, running->pid);
    free(running);
}

static void *pin(struct ring3_bench_thread *t)
{
    struct running *const running = t->shared;

    (void)sched_getaffinity(0, sizeof running->before, &running->before);
    link_pin(ipc_bench_cpu(false));
    return NULL;
}

static void unpin(struct ring3_bench_thread *t)
{
    const struct running *const running = t->shared;

    (void)sched_setaffinity(0, sizeof running->before, &running->before);
}

static void trips(struct ring3_bench_thread *t)
{
    struct link *const link = &((struct running *)t->shared)->link;
    const struct transport *const transport = link->transport;
    const size_t size = (size_t)t->param;

    for (; ring3_bench_running(t); t->ops++) {
        if (transport->send(link, buffer, size))
            abort();
        if (transport->flush)
            transport->flush(link);
        if (transport->receive(link, buffer, size) != (ssize_t)size)
            abort();
    }
}

static void stream(struct ring3_bench_thread *t)
{
    struct link *const link = &((struct running *)t->shared)->link;
    const struct transport *const transport = link->transport;
    const size_t size = (size_t)t->param;
    const int batch = size > 10000 ? 1 : 32;

    while (ring3_bench_running(t)) {
        for (int i = 0; i < batch; i++, t->ops++)
            if (transport->send(link, buffer, size))
                abort();
        if (transport->flush)
            transport->flush(link);
    }
}

void ipc_bench_transport(const struct transport *transport)
{
    static struct place places[64];
    static int count;

    for (int apart = ipc_bench_cpu(false) != ipc_bench_cpu(true); apart >= 0; apart--) {
        struct place *const place = &places[count++];
        const char *const where = apart ? "apart" : "together";

        *place = (struct place){.transport = transport, .apart = apart != 0};
        snprintf(place->name[0], sizeof place->name[0], "trip/%s/%s", where, transport->name);
        snprintf(place->name[1], sizeof place->name[1], "stream/%s/%s", where, transport->name);
        place->trips = (struct ring3_bench){.name = place->name[0],
                                            .body = trips,
                                            .setup = open_trips,
                                            .params = {64},
                                            .context = place};
        place->stream = (struct ring3_bench){.name = place->name[1],
                                             .body = stream,
                                             .setup = open_stream,
                                             .params = {64, 4096, 65536, 1 << 20, LARGEST},
                                             .context = place};
        for (int i = 0; i < SIZES; i++)
            if (place->stream.params[i] > (int64_t)transport->largest)
                place->stream.params[i] = 0;
        place->trips.teardown = place->stream.teardown = close_link;
        place->trips.thread_setup = place->stream.thread_setup = pin;
        place->trips.thread_teardown = place->stream.thread_teardown = unpin;
        ring3_bench_register(&place->trips);
        ring3_bench_register(&place->stream);
    }
}

__attribute__((constructor)) static void register_all(void)
{
    for (const struct transport *t = transports; t->name; t++)
        ipc_bench_transport(t);
}
