/* SPDX-License-Identifier: MIT */
/*
 * Message passing between this process and a child: ring3, the kernel's means and other libraries, all
 * behind struct transport (libipc/tools/transports.h).
 *
 *     IPC_TRANSPORT(libzmq)      registers `static const struct transport libzmq`
 */
#ifndef RING3_IPC_BENCH_H
#define RING3_IPC_BENCH_H

#include "ring3_bench.h"

#ifdef __cplusplus
extern "C" {
#endif

#include "transports.h"

/* Registers round trips and one-way streams, on CPUs of their own and on one. */
void ipc_bench_transport(const struct transport *transport);

/* The first and the last CPU that we may use. */
int ipc_bench_cpu(bool last);

/* A setup whose result is the benchmark's context. */
void *ipc_bench_context(const struct ring3_bench *bench, int threads, int64_t param);

static inline uint64_t ipc_bench_now(void) /* ns */
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#ifdef __cplusplus
}
#endif

#define IPC_TRANSPORT(transport)                                                                   \
    __attribute__((constructor)) static void transport##_register(void)                            \
    {                                                                                              \
        ipc_bench_transport(&transport);                                                           \
    }                                                                                              \
    struct transport /* takes the semicolon */

#endif
