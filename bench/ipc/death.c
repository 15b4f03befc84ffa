/* SPDX-License-Identifier: MIT */
/* How soon a process that waits for a message is told that the other side was killed. */
#include "ipc_bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void live(struct link *link, size_t size)
{
    (void)link, (void)size;
    for (;;)
        pause();
}

static void deaths(struct ring3_bench_thread *t)
{
    const struct transport *const transport = t->shared;
    double late = 0, worst = 0;

    for (; ring3_bench_running(t); t->ops++) {
        char message[64];
        struct link link;
        const pid_t pid = link_open(&link, transport, ipc_bench_cpu(true), live, sizeof message);

        if (pid < 0)
            abort();
        const uint64_t when = ipc_bench_now();

        if (kill(pid, SIGKILL) || transport->receive(&link, message, sizeof message) >= 0)
            abort();
        const double took = (double)(ipc_bench_now() - when);

        late += took;
        worst = took > worst ? took : worst;
        link_close(&link, pid);
    }
    ring3_bench_count(t, "late_us", late / (t->ops ? (double)t->ops : 1) * 1e-3);
    ring3_bench_count(t, "worst_us", worst * 1e-3);
}

__attribute__((constructor)) static void register_all(void)
{
    static const char *const compared[] = {"pipe", "unix_stream", "unix_seqpacket",
                                           "ring3_channel"};
    static struct ring3_bench benches[4];
    static char names[4][64];

    for (int i = 0; i < 4; i++) {
        const struct transport *const t = transport_named(compared[i]);

        snprintf(names[i], sizeof names[i], "death/%s", t->name);
        benches[i] = (struct ring3_bench){
            .name = names[i], .body = deaths, .setup = ipc_bench_context, .context = t};
        ring3_bench_register(&benches[i]);
    }
}
