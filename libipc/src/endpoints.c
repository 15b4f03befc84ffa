/* SPDX-License-Identifier: MIT */
#include "endpoints.h"

#include "ring3/channel.h"
#include "ring3/counters.h"

/* One per process, as the counters are. */
static struct ring3_endpoint table[RING3_ENDPOINTS];

void ring3_endpoint_add(ring3_channel_t *channel)
{
    static uint32_t shown;

    if (!ring3_exchange(&shown, 1, RING3_RELAXED))
        ring3_counter_table(RING3_ENDPOINTS_TABLE, table, RING3_ENDPOINTS, sizeof *table);
    for (int i = 0; i < RING3_ENDPOINTS; i++) {
        uint64_t none = 0;

        if (ring3_load(&table[i].address, RING3_RELAXED) == 0 &&
            ring3_cas_try(&table[i].address, &none, (uintptr_t)channel, RING3_ACQ_REL)) {
            ring3_store(&table[i].size, sizeof *channel, RING3_RELAXED);
            return;
        }
    }
}

void ring3_endpoint_remove(ring3_channel_t *channel)
{
    for (int i = 0; i < RING3_ENDPOINTS; i++)
        if (ring3_load(&table[i].address, RING3_RELAXED) == (uintptr_t)channel)
            ring3_store(&table[i].address, 0, RING3_RELEASE);
}
