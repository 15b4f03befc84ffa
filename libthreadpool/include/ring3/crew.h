/* SPDX-License-Identifier: MIT */
/*
 * A crew: workers with a queue each, where a pool has one queue for all.
 *
 *     const ring3_crew_options_t options = {.workers = 4, .steal = true};
 *     err = ring3_crew_create(&crew, &options);
 *     err = ring3_crew_submit(crew, &request.task, RING3_CREW_ANY, RING3_POOL_BLOCK, NULL);
 *     err = ring3_crew_submit(crew, &query.task, kind, RING3_POOL_BLOCK, NULL);    specialists
 *     err = ring3_crew_destroy(crew);
 *
 * The boss may choose the worker: one that he knows to be free (signalling it directly), or the
 * specialist for a kind of task, whose data is in that worker's cache. Or he leaves the choice to the
 * crew. Queues of their own spare the workers a common lock, and need balancing: with `steal` a worker
 * that has nothing to do takes tasks from the others, and is called when one of them has more than
 * it can begin at once. Without it, a task runs in the worker it was given to.
 *
 * Each worker is a pool of one thread: all that ring3/pool.h says of tasks and pools holds, with two
 * limits. A group belongs to the queue of one worker (ring3_crew_pool); and while a crew is closing,
 * its tasks may submit to the queue they came from only.
 */
#ifndef RING3_CREW_H
#define RING3_CREW_H

#include "ring3/api.h"
#include "ring3/pool.h"

#include <stdbool.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_crew ring3_crew_t;

/** A member that is zero has the default it names. */
typedef struct ring3_crew_options {
    unsigned workers; /* ring3_pool_default_size(); at most 4096 */
    bool steal;
    /* Of each worker's pool: name, capacity, stack, priorities, hooks and so on; `min`, `max` and
     * `on_demand` are the crew's. `pin` puts each worker on a CPU of its own. NULL: defaults. */
    const ring3_pool_options_t *pool;
} ring3_crew_options_t;

/** @param options  NULL for all defaults. @return 0; -ENOMEM; -EAGAIN; -EPERM; -EINVAL, as
 * ring3_pool_create */
int ring3_crew_create(ring3_crew_t **crew, const ring3_crew_options_t *options);

#define RING3_CREW_ANY      (~0u)     /* a worker without work if there is one, else each in turn */
#define RING3_CREW_SHORTEST (~0u - 1) /* the worker with the fewest tasks: looks at all */

/**
 * Hand a task to a worker.
 * @param worker  its number, from 0, or one of the above
 * @return as ring3_pool_submit; -EINVAL also for a worker that there is not
 */
int ring3_crew_submit(ring3_crew_t *crew, ring3_task_t *task, unsigned worker,
                      ring3_pool_full_t full, const struct timespec *deadline);

unsigned ring3_crew_size(const ring3_crew_t *crew);

/** The pool of a worker, for groups, lanes and figures; NULL if there is no such worker. Not to be
 * destroyed. */
ring3_pool_t *ring3_crew_pool(ring3_crew_t *crew, unsigned worker);

/** Tasks that ran in another worker than the one they were given to. */
uint64_t ring3_crew_stolen(const ring3_crew_t *crew);

/** As ring3_pool_shutdown, for all workers. */
int ring3_crew_shutdown(ring3_crew_t *crew, ring3_pool_closing_t how,
                        const struct timespec *deadline);

/** As ring3_pool_destroy. */
int ring3_crew_destroy(ring3_crew_t *crew);

RING3_API_END

#endif
