/* SPDX-License-Identifier: MIT */
/* A server of tests/ipc/sample.idl in a child, over every transport. */
#ifndef TEST_IPC_RPC_SUPPORT_H
#define TEST_IPC_RPC_SUPPORT_H

#include "ring3/rpc.h"
#include "sample.h"
#include "support.h"

enum transport { MEMORY, PACKETS, STREAM, TCP, TRANSPORTS };

extern const char *const rpc_names[TRANSPORTS];
extern const struct sample_handlers rpc_handlers;
extern uint64_t rpc_counted; /* calls of `count` and `count_once_more` */
extern int rpc_breaks; /* `count` breaks the connection before its answer so often: call->context is
                                the descriptor */

ring3_channel_kind_t kind_of(enum transport transport);

/* Starts a server; `address` is where it listens. */
pid_t start_server(enum transport transport, ring3_address_t *address);
void stop_server(pid_t pid);

/* Fails unless it connects. */
void connect_to(ring3_rpc_client_t *client, enum transport transport,
                const ring3_address_t *address);

#endif
