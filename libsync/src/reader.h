/* SPDX-License-Identifier: MIT */
/* Walking over the reader records of the process, with or without an owner. */
#ifndef RING3_READER_LIST_H
#define RING3_READER_LIST_H

#include "ring3/reader.h"

/* A run of records; runs are added at the front and stay. */
struct ring3_reader_run {
    struct ring3_reader_run *next;
    uint32_t count;
    ring3_reader_t *readers;
};

/* Acquire it after the fence that makes readers visible: a reader in a run that is not in this list
 * yet comes after that fence. */
extern struct ring3_reader_run *ring3_reader_runs;

#define ring3_reader_for_each(reader, run)                                                         \
    for (const struct ring3_reader_run *run = ring3_load(&ring3_reader_runs, RING3_ACQUIRE); run;  \
         run = run->next)                                                                          \
        for (ring3_reader_t *reader = run->readers; reader < run->readers + run->count; reader++)

/* Give the record of a context that ends back. */
void ring3_reader_give_back(ring3_self_t *self);

/*
 * A heavy fence for those who must not go on without it: when the kernel has taken membarrier away,
 * it waits until the stores of readers have become visible by themselves.
 */
void ring3_fence_patient(void);

#endif
