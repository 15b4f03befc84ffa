/* SPDX-License-Identifier: MIT */
/*
 * What every echo server here has in common: a listening socket, a client (bench/sched/client/main.c, a
 * process of its own) that keeps one message of 64 bytes under way on each of its connections, and how
 * the server's CPU time is counted: from the last accept to the last answer.
 */
#ifndef BENCH_SCHED_ECHO_H
#define BENCH_SCHED_ECHO_H

#include "ring3_bench.h"

#include <sys/types.h>

#define ECHO_MESSAGE 64

struct echo {
    int listener;
    int connections, accepted;
    long rounds; /* of all connections together */
    int start;   /* a byte written here lets the client begin */
    pid_t client;
    double began;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Listen, and start the client with t->param connections. */
void echo_begin(struct echo *echo, struct ring3_bench_thread *t);

/* One more connection has been accepted. False when it was the last. */
bool echo_more(struct echo *echo);

/* All connections have been closed by the client: counts server_us, the CPU time of a round. */
void echo_end(struct echo *echo, struct ring3_bench_thread *t);

#ifdef __cplusplus
}
#endif

#endif
