/* SPDX-License-Identifier: MIT */
/*
 * The channels of this process, where `ring3 ipc top` and `tap` find them: a table of addresses in the
 * counters (ring3/counters.h). What is counted lies in the channels themselves; the tools read it there.
 */
#ifndef RING3_IPC_ENDPOINTS_H
#define RING3_IPC_ENDPOINTS_H

#include <stdint.h>

#define RING3_ENDPOINTS       256 /* more are not shown */
#define RING3_ENDPOINTS_TABLE "ipc.channels.1"

struct ring3_endpoint {
    uint64_t
        address; /* of a ring3_channel_t; 0: free. Taken by compare-and-swap, freed by its owner */
    uint64_t size; /* of it: another size, another version */
};

struct ring3_channel;

void ring3_endpoint_add(struct ring3_channel *channel);
void ring3_endpoint_remove(struct ring3_channel *channel);

#endif
