/* SPDX-License-Identifier: MIT */
/*
 * Messages of ring3/rpc.h: a header, then arguments or results.
 *
 *     kind       u32   RPC_*, with a version of this protocol in the upper half
 *     procedure  u32   number of the call in the service, from 0
 *     number     u64   of the call; each client counts for itself
 *     budget     i64   nanoseconds until the client's deadline, negative: none
 *     status     i32   answers: 0 or a negative errno
 *     flags      u32   RPC_AGAIN
 */
#ifndef RING3_IPC_RPC_WIRE_H
#define RING3_IPC_RPC_WIRE_H

#include "ring3/rpc.h"

#define RPC_PROTOCOL (1u << 16)

enum {
    RPC_BIND = RPC_PROTOCOL | 1, /* client's identity u64, service string, major u16, minor u16 */
    RPC_BOUND,                   /* server's epoch u64, minor u16; status tells */
    RPC_CALL,
    RPC_ANSWER,
    RPC_CANCEL,
};

#define RPC_AGAIN  1u /* the client has sent this call before */
#define RPC_HEADER 32

struct ring3_rpc_header {
    uint32_t kind, procedure;
    uint64_t number;
    int64_t budget;
    int32_t status;
    uint32_t flags;
};

static inline void ring3_rpc_put_header(unsigned char *at, const struct ring3_rpc_header *header)
{
    ring3_encoder_t e;

    ring3_encoder_init(&e, at, RPC_HEADER);
    ring3_put_u32(&e, header->kind);
    ring3_put_u32(&e, header->procedure);
    ring3_put_u64(&e, header->number);
    ring3_put_i64(&e, header->budget);
    ring3_put_i32(&e, header->status);
    ring3_put_u32(&e, header->flags);
}

static inline void ring3_rpc_get_header(ring3_decoder_t *d, struct ring3_rpc_header *header)
{
    header->kind = ring3_get_u32(d);
    header->procedure = ring3_get_u32(d);
    header->number = ring3_get_u64(d);
    header->budget = ring3_get_i64(d);
    header->status = ring3_get_i32(d);
    header->flags = ring3_get_u32(d);
}

/* "directory/name.major.minor" as an address. */
int ring3_rpc_registry_address(ring3_address_t *address, const char *directory,
                               const ring3_rpc_service_t *service);
/* The newest version there that serves a client of `service`. 0 or -ENOENT. */
int ring3_rpc_registry_find(ring3_address_t *address, const char *directory,
                            const ring3_rpc_service_t *service);

#define RPC_ARENA (4u << 20) /* for what is decoded */

#endif
