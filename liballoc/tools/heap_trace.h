/* SPDX-License-Identifier: MIT */
/* A recorded trace (trace.h) as one sequence of steps in the order of their times. */
#ifndef RING3_HEAP_TRACE_H
#define RING3_HEAP_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum { STEP_ALLOCATE, STEP_RELEASE, STEP_RESIZE };

struct step {
    uint32_t object;         /* numbered by birth */
    uint8_t what, alignment; /* log2 */
    uint64_t size;
};

struct steps {
    struct step *step;
    size_t count;
    uint32_t objects;
    size_t strangers;    /* releases of blocks that were allocated before the trace began */
    uint64_t live, peak; /* bytes asked for: at the end, and the most */
    size_t bytes;        /* of the mapping at `step` */
};

/* Read the file. 0, or 1 after saying on stderr what is wrong. */
int trace_read(const char *path, struct steps *steps);

#endif
