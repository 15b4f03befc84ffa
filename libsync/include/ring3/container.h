/* SPDX-License-Identifier: MIT */
/*
 * From an intrusive link back to the structure around it.
 *
 *     struct job *job = ring3_container_of(link, struct job, link);
 */
#ifndef RING3_CONTAINER_H
#define RING3_CONTAINER_H

#include <stddef.h>

/** The structure of type `type` whose field `member` is at `pointer` (which must not be NULL). */
#define ring3_container_of(pointer, type, member)                                                  \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
