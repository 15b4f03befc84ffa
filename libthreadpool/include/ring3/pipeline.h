/* SPDX-License-Identifier: MIT */
/*
 * A pipeline: items pass through stages, each with threads of its own.
 *
 *     static void *parse(void *line, void *argument) { … return record; }
 *     static void *store(void *record, void *argument) { … return NULL; }
 *
 *     const ring3_stage_t stages[] = {
 *         {.name = "parse", .run = parse, .threads = 2},
 *         {.name = "store", .run = store, .ordered = true},
 *     };
 *     err = ring3_pipeline_create(&pipeline, stages, 2, 64);
 *     while (…) err = ring3_pipeline_put(pipeline, line, NULL);
 *     err = ring3_pipeline_flush(pipeline, NULL);
 *     err = ring3_pipeline_destroy(pipeline);
 *
 * At most `tokens` items are on their way at once; ring3_pipeline_put waits for one to leave when
 * there are as many. All memory is allocated when the pipeline is made. A stage whose queue is full
 * holds up the stage before it, and the last stage never waits for another, so a pipeline cannot
 * deadlock.
 *
 * An ordered stage takes up items in the order in which they were put, whatever the order in which
 * stages before it finished them; with one thread it also finishes them in that order. Other stages
 * take them as they come.
 *
 * Deadlines are absolute CLOCK_MONOTONIC times, NULL for ever. All functions are thread-safe and
 * none is async-signal-safe. Order: what came before a put happens before the item's first stage,
 * each stage before the next, and the last one before a flush returns. Threads, forks and what a
 * stage may do: as tasks of ring3/pool.h. A stage must not end its thread.
 */
#ifndef RING3_PIPELINE_H
#define RING3_PIPELINE_H

#include "ring3/api.h"
#include "ring3/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_pipeline ring3_pipeline_t;

typedef struct ring3_stage {
    const char *name; /* its threads are called name/0, …; "stage" */
    /* What the next stage gets; NULL: the item ends here. */
    void *(*run)(void *item, void *argument);
    void *argument;
    unsigned threads; /* 1 */
    size_t capacity;  /* most items that wait for a thread of the stage; the number of tokens */
    bool ordered;
    unsigned
        shares; /* n: it runs in the threads of stage n, counted from 1 and before this one, and
                        `name`, `threads` and `capacity` mean nothing; 0: threads of its own */
} ring3_stage_t;

/**
 * Make a pipeline of `count` stages for at most `tokens` items at once.
 * @return 0; -EINVAL: no stage, no token, a stage without `run`; -ENOMEM; -EAGAIN: no more threads
 */
int ring3_pipeline_create(ring3_pipeline_t **pipeline, const ring3_stage_t *stages, unsigned count,
                          unsigned tokens);

/** A layer: a group of related subtasks with threads of its own. */
typedef struct ring3_layer {
    const char *name;
    void *(*down)(void *item, void *argument); /* on the way in; NULL passes the item on */
    void *(*up)(void *item, void *argument);   /* on the way out; likewise */
    void *argument;
    unsigned threads; /* 1 */
} ring3_layer_t;

/**
 * Make layers: items go down through all of them, in order, and back up through those above the last,
 * each step in the threads of its layer. They are a pipeline of 2 * count - 1 stages, the last of which is
 * `up` of the first layer. An item for which a step returns NULL ends there.
 * @return as ring3_pipeline_create; -EINVAL also for a last layer without `down`
 */
int ring3_layers_create(ring3_pipeline_t **pipeline, const ring3_layer_t *layers, unsigned count,
                        unsigned tokens);

/**
 * Put an item (any pointer but NULL) into the first stage. Not from a stage of the same pipeline.
 * @return 0; -ETIMEDOUT; -EINVAL: NULL, or a malformed time; -EDEADLK: from a stage; -ECHILD
 */
int ring3_pipeline_put(ring3_pipeline_t *pipeline, void *item, const struct timespec *deadline);

/** Wait until no item is on its way. @return 0; -ETIMEDOUT; -EINVAL; -EDEADLK: from a stage; -ECHILD
 */
int ring3_pipeline_flush(ring3_pipeline_t *pipeline, const struct timespec *deadline);

/** The figures of a stage's pool. @return 0; -EINVAL: no such stage; -ECHILD */
int ring3_pipeline_stats(ring3_pipeline_t *pipeline, unsigned stage, ring3_pool_stats_t *stats);

/** Flush and free. No put may be under way. @return 0; -EDEADLK: from a stage, and nothing was done */
int ring3_pipeline_destroy(ring3_pipeline_t *pipeline);

RING3_API_END

#endif
