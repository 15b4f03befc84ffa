/* SPDX-License-Identifier: MIT */
/*
 * The file that RING3_MALLOC=trace=FILE writes and `ring3 heap replay` reads: native byte order, a
 * header in the first chunk, events in the others. A chunk belongs to one thread and is filled
 * from its start; a thread's chunks lie in the order of their events.
 *
 * An event is two words:
 *     time << 4 | what                  cycles (arch.h); events of all threads in its order are the
 *                                       calls in an order in which they may have happened
 *     address / 16 << 20 | size         0 for a release; TRACE_SIZE_APART: see the next event
 * TRACE_MORE follows an event whose size is too large or whose alignment is above 16:
 *     log2 of the alignment << 4 | TRACE_MORE
 *     size
 */
#ifndef RING3_TRACE_H
#define RING3_TRACE_H

#include <stdint.h>

#define TRACE_MAGIC      "ring3trc"
#define TRACE_VERSION    1u
#define TRACE_CHUNK      ((uint64_t)64 << 10)
#define TRACE_SIZE_APART ((uint64_t)0xfffff)
#define TRACE_SIZE_BITS  20

enum trace_what { TRACE_ALLOCATE = 1, TRACE_RELEASE, TRACE_RESIZE, TRACE_MORE };

struct trace_header {
    char magic[8];
    uint32_t version, pid;
    uint64_t chunk; /* TRACE_CHUNK */
};

struct trace_event {
    uint64_t when, what;
};

struct trace_chunk {
    uint32_t thread, count;
    uint64_t unused;
    struct trace_event events[];
};

#define TRACE_EVENTS ((TRACE_CHUNK - sizeof(struct trace_chunk)) / sizeof(struct trace_event))

#endif
