/* SPDX-License-Identifier: MIT */
/*
 * How often a request and its answer enter the kernel, in both processes together: counted by a tracer, between
 * two marks that the measured process makes.
 */
#include "ipc_bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIPS = 200, MESSAGE = 64, MARK = 0x7fffff01 };

static unsigned char message[MESSAGE];

static void mark(void)
{
    (void)syscall(SYS_getpgid, MARK); /* of a process that there cannot be */
}

static void trips(struct link *link, int count)
{
    for (int i = 0; i < count; i++)
        if (link->transport->send(link, message, MESSAGE) ||
            link->transport->receive(link, message, MESSAGE) != MESSAGE)
            _exit(1);
}

static void talk(const struct transport *transport)
{
    struct link link;

    (void)raise(SIGSTOP); /* until the tracer is there */
    const pid_t pid = link_open(&link, transport, ipc_bench_cpu(true), link_echo, MESSAGE);

    if (pid < 0)
        _exit(1);
    link_pin(ipc_bench_cpu(false));
    trips(&link, TRIPS / 10);
    mark();
    trips(&link, TRIPS);
    mark();
    link_close(&link, pid);
    _exit(0);
}

struct count {
    long crossings;
    int marks;
};

/* One process or thread has stopped. The signal that it is to go on with. */
static int judge(pid_t pid, int status, struct count *count)
{
    struct __ptrace_syscall_info call;

    if (status >> 16 || WSTOPSIG(status) == SIGSTOP) /* an event, or a new one */
        return 0;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80))
        return WSTOPSIG(status);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call) <= 0 ||
        call.op != PTRACE_SYSCALL_INFO_ENTRY)
        return 0;
    if (call.entry.nr == SYS_getpgid && call.entry.args[0] == MARK)
        count->marks++;
    else if (count->marks == 1)
        count->crossings++;
    return 0;
}

static double crossings(const struct transport *transport)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    struct count count = {0, 0};
    int status;
    const pid_t first = fork();

    if (first == 0)
        talk(transport);
    if (waitpid(first, &status, WUNTRACED) != first || ptrace(PTRACE_SEIZE, first, NULL, options)) {
        perror("ptrace");
        exit(1);
    }
    (void)kill(first, SIGCONT);
    for (;;) {
        const pid_t pid = waitpid(-1, &status, __WALL);

        if (pid < 0)
            break;
        if (WIFSTOPPED(status))
            (void)ptrace(PTRACE_SYSCALL, pid, NULL, judge(pid, status, &count));
    }
    if (count.marks != 2)
        abort();
    return (double)count.crossings / TRIPS;
}

static void body(struct ring3_bench_thread *t)
{
    t->ops = TRIPS;
    ring3_bench_count(t, "crossings", crossings(t->shared));
}

__attribute__((constructor)) static void register_all(void)
{
    static const char *const compared[] = {"pipe", "unix_stream", "tcp", "posix_mq",
                                           "ring3_channel"};
    static struct ring3_bench benches[5];
    static char names[5][64];

    for (int i = 0; i < 5; i++) {
        const struct transport *const t = transport_named(compared[i]);

        snprintf(names[i], sizeof names[i], "crossings/%s", t->name);
        benches[i] = (struct ring3_bench){
            .name = names[i], .body = body, .setup = ipc_bench_context, .context = t};
        ring3_bench_register(&benches[i]);
    }
}
