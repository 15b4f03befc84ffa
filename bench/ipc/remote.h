/* SPDX-License-Identifier: MIT */
/* A remote call, measured with caller and server on CPUs of their own and on one. */
#ifndef RING3_BENCH_REMOTE_H
#define RING3_BENCH_REMOTE_H

#include "ipc_bench.h"

/* The context of the benchmarks that are registered. */
struct remote_place {
    bool apart;
    ring3_channel_kind_t kind;
};

/* Registers rpc/apart/NAME and rpc/together/NAME; the caller's thread is put on its CPU. */
void remote_register(const char *name, void (*body)(struct ring3_bench_thread *t),
                     void *(*setup)(const struct ring3_bench *bench, int threads, int64_t param),
                     void (*teardown)(void *shared), ring3_channel_kind_t kind);

#endif
