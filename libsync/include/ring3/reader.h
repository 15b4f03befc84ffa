/* SPDX-License-Identifier: MIT */
/*
 * The reader record: what a context shows to those who wait for readers (ring3/rcu.h) or look what
 * is in use (ring3/hazard.h).
 *
 * A context gets its record at its first read section and gives it back when it ends; nobody
 * registers. Records are never unmapped: waiting sides walk over all of them without a lock, and
 * one without an owner says that nobody reads.
 */
#ifndef RING3_READER_H
#define RING3_READER_H

#include "ring3/api.h"
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/self.h"

#include <stdint.h>

RING3_API_BEGIN

#define RING3_READER_DOMAINS 14 /* of RCU: what fits into two cache lines beside the rest */
#define RING3_READER_HAZARDS 8  /* pointers that one context may protect at a time */

/*
 * awaited   bit d: somebody sleeps until the section in domain d has ended. Set by the sleeper,
 *           cleared by the reader
 * id        whose it is, for messages
 * since     one word per RCU domain, described in ring3/rcu.h; written by the owner only
 * hazard    protected pointers, NULL if none; written by the owner only
 */
typedef struct ring3_reader {
    uint32_t awaited, id;
    uint64_t since[RING3_READER_DOMAINS];
    struct ring3_reader *spare; /* the next one without an owner */
    void *hazard[RING3_READER_HAZARDS] RING3_CACHE_ALIGNED;
} RING3_CACHE_ALIGNED ring3_reader_t;

ring3_reader_t *ring3_reader_enter(ring3_self_t *self);

/** The record of the running context. */
static inline ring3_reader_t *ring3_reader(void)
{
    ring3_self_t *const self = ring3_self();
    ring3_reader_t *const reader = (ring3_reader_t *)self->reader;

    return ring3_likely(reader != NULL) ? reader : ring3_reader_enter(self);
}

RING3_API_END

#endif
