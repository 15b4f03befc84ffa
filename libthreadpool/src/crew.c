/* SPDX-License-Identifier: MIT */
/*
 * Crews: pools of one thread that know of each other.
 *
 * A worker that finds nothing in its own queue looks into the others. Before it sleeps it says that
 * it rests, and looks once more; who leaves a task in a queue whose own worker is busy looks
 * afterwards for one that rests, and calls it. Both look under the lock of that queue in between:
 * whichever comes second there sees what the other has done.
 *
 * Locks of two pools are never held together.
 */
#include "ring3/crew.h"

#include "core.h"

#include <errno.h>
#include <stdlib.h>

#define MOST_WORKERS 4096

struct ring3_crew {
    unsigned size;
    bool steal;
    uint32_t turn; /* whose turn it is when none rests */
    uint32_t resting RING3_CACHE_ALIGNED;
    uint64_t stolen;
    ring3_pool_t *pools[];
};

/* --- Resting and being called ----------------------------------------------------------------- */

static void rest(ring3_pool_t *pool)
{
    /* Relaxed throughout: the locks in between order them, as said above. */
    ring3_store(&pool->resting, 1, RING3_RELAXED);
    (void)ring3_fetch_add(&pool->crew->resting, 1, RING3_RELAXED);
}

/* True for one of those who try. */
static bool rouse(ring3_pool_t *pool)
{
    if (!ring3_load(&pool->resting, RING3_RELAXED) ||
        !ring3_exchange(&pool->resting, 0, RING3_RELAXED))
        return false;
    (void)ring3_fetch_sub(&pool->crew->resting, 1, RING3_RELAXED);
    return true;
}

void crew_call(ring3_pool_t *busy)
{
    ring3_crew_t *const crew = busy->crew;
    struct after after = {.count = 0};

    for (unsigned i = 1; ring3_load(&crew->resting, RING3_RELAXED) && i < crew->size; i++) {
        ring3_pool_t *const pool = crew->pools[(busy->place + i) % crew->size];

        if (!rouse(pool))
            continue;
        pool_lock(pool);
        pool->summoned = true;
        pool_call(pool, &after);
        pool_unlock(pool, &after);
        return;
    }
}

/* --- Stealing --------------------------------------------------------------------------------- */

/* Take one task from another's queue and run it. */
static bool steal_from(ring3_pool_t *victim)
{
    struct after after = {.count = 0};

    pool_lock(victim);
    ring3_task_t *const task = pool_take(victim, &after);

    if (task) {
        const bool more = pool_has_excess(victim);

        (void)ring3_fetch_add(&victim->crew->stolen, 1, RING3_RELAXED);
        if (more) {
            pool_unlock(victim, &after);
            crew_call(victim); /* and that one calls the next */
            pool_lock(victim);
        }
        pool_run(victim, task, &after);
    }
    pool_unlock(victim, &after);
    return task != NULL;
}

static bool steal(ring3_pool_t *pool)
{
    ring3_crew_t *const crew = pool->crew;

    for (unsigned i = 1; i < crew->size; i++)
        if (steal_from(crew->pools[(pool->place + i) % crew->size]))
            return true;
    return false;
}

bool crew_help(ring3_pool_t *pool, struct after *after)
{
    bool helped;

    if (!pool->crew || !pool->crew->steal)
        return false;
    pool->summoned = false;
    pool_unlock(pool, after);
    helped = steal(pool);
    if (!helped) {
        rest(pool);
        helped = steal(pool);
    }
    pool_lock(pool);
    /* Work of its own, or a call, may have come meanwhile. */
    if (!helped && !pool->summoned && !pool->queue.ready)
        return false;
    (void)rouse(pool);
    return true;
}

void crew_awake(ring3_pool_t *pool)
{
    if (pool->crew)
        (void)rouse(pool);
}

/* --- Submitting ------------------------------------------------------------------------------- */

static unsigned one_that_rests(const ring3_crew_t *crew, unsigned first)
{
    for (unsigned i = 0; ring3_load(&crew->resting, RING3_RELAXED) && i < crew->size; i++)
        if (ring3_load(&crew->pools[(first + i) % crew->size]->resting, RING3_RELAXED))
            return (first + i) % crew->size;
    return first;
}

static unsigned the_shortest(ring3_crew_t *crew)
{
    uint64_t fewest = UINT64_MAX;
    unsigned best = 0;

    for (unsigned i = 0; i < crew->size && fewest; i++) {
        ring3_pool_stats_t stats;

        if (ring3_pool_stats(crew->pools[i], &stats) == 0 &&
            stats.queued + stats.running < fewest) {
            fewest = stats.queued + stats.running;
            best = i;
        }
    }
    return best;
}

static unsigned choose(ring3_crew_t *crew, unsigned worker)
{
    if (worker == RING3_CREW_ANY)
        return one_that_rests(crew, ring3_fetch_add(&crew->turn, 1, RING3_RELAXED) % crew->size);
    return worker == RING3_CREW_SHORTEST ? the_shortest(crew) : worker;
}

int ring3_crew_submit(ring3_crew_t *crew, ring3_task_t *task, unsigned worker,
                      ring3_pool_full_t full, const struct timespec *deadline)
{
    const unsigned chosen = choose(crew, worker);

    return chosen < crew->size ? ring3_pool_submit(crew->pools[chosen], task, full, deadline)
                               : -EINVAL;
}

unsigned ring3_crew_size(const ring3_crew_t *crew)
{
    return crew->size;
}

ring3_pool_t *ring3_crew_pool(ring3_crew_t *crew, unsigned worker)
{
    return worker < crew->size ? crew->pools[worker] : NULL;
}

uint64_t ring3_crew_stolen(const ring3_crew_t *crew)
{
    return ring3_load(&crew->stolen, RING3_RELAXED);
}

/* --- Made and freed --------------------------------------------------------------------------- */

int ring3_crew_create(ring3_crew_t **crew, const ring3_crew_options_t *options)
{
    const ring3_crew_options_t chosen = options ? *options : (ring3_crew_options_t){0};
    ring3_pool_options_t each = chosen.pool ? *chosen.pool : (ring3_pool_options_t){.name = "crew"};
    const unsigned size = chosen.workers ? chosen.workers : ring3_pool_default_size();
    int err = 0;

    if (size > MOST_WORKERS)
        return -EINVAL;
    const size_t bytes = sizeof(ring3_crew_t) + size * sizeof(ring3_pool_t *);
    ring3_crew_t *const new =
        aligned_alloc(RING3_CACHE_LINE, (bytes + RING3_CACHE_LINE - 1) & -(size_t)RING3_CACHE_LINE);

    if (!new)
        return -ENOMEM;
    *new = (ring3_crew_t){.steal = chosen.steal};
    each.min = each.max = 1;
    each.on_demand = false;
    /* All are there before the first of their threads looks for the others. */
    while (!err && new->size < size) {
        err = pool_make(&new->pools[new->size], &each);
        if (!err) {
            new->pools[new->size]->crew = new;
            new->pools[new->size]->place = new->size;
            new->size++;
        }
    }
    for (unsigned i = 0; i < new->size && !err; i++)
        err = pool_start_workers(new->pools[i]);
    if (err) {
        (void)ring3_crew_destroy(new);
        return err;
    }
    *crew = new;
    return 0;
}

int ring3_crew_shutdown(ring3_crew_t *crew, ring3_pool_closing_t how,
                        const struct timespec *deadline)
{
    const struct timespec past = {0, 0};
    int result = 0;

    for (unsigned i = 0; i < crew->size; i++)
        if (!pool_forked(crew->pools[i]) && pool_inside(crew->pools[i]))
            return -EDEADLK;
    /* All are asked before any is waited for. */
    for (unsigned i = 0; i < crew->size && (!result || result == -ETIMEDOUT); i++)
        result = ring3_pool_shutdown(crew->pools[i], how, &past);
    if (result && result != -ETIMEDOUT)
        return result;
    result = 0;
    for (unsigned i = 0; i < crew->size && !result; i++)
        result = ring3_pool_shutdown(crew->pools[i], how, deadline);
    return result;
}

int ring3_crew_destroy(ring3_crew_t *crew)
{
    if (crew->size && !pool_forked(crew->pools[0])) {
        const int err = ring3_crew_shutdown(crew, RING3_POOL_DRAIN, NULL);

        if (err)
            return err;
    }
    /* None of them looks into another's queue any more when the first is freed. */
    for (unsigned i = 0; i < crew->size; i++)
        pool_join_workers(crew->pools[i]);
    for (unsigned i = 0; i < crew->size; i++)
        pool_free(crew->pools[i]);
    free(crew);
    return 0;
}
