/* SPDX-License-Identifier: MIT */
/* A pool's life: made, closed, freed; and what forks do to it. */
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_CAPACITY 1024
#define DEFAULT_IDLE_NS  RING3_SECOND_NS
#define DEFAULT_SPARE    16

/* Of the process, because pools do not know of each other: the only thing a child has to change. */
uint32_t pool_forks;

static void count_fork(void)
{
    ring3_store(&pool_forks, pool_forks + 1, RING3_RELAXED);
    figures_forget();
}

__attribute__((constructor)) static void pool_start(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

static int complete_options(ring3_pool_options_t *options)
{
    if (!options->name)
        options->name = "pool";
    if (!options->capacity)
        options->capacity = DEFAULT_CAPACITY;
    if (!options->max)
        options->max = options->min ? options->min : ring3_pool_default_size();
    if (options->on_demand)
        options->min = 0;
    else if (!options->min)
        options->min = options->max;
    if (!options->idle_ns)
        options->idle_ns = DEFAULT_IDLE_NS;
    if (!options->spare)
        options->spare = DEFAULT_SPARE;
    return options->min > options->max || options->idle_ns < 0 ? -EINVAL : 0;
}

size_t pool_size(const ring3_pool_options_t *options)
{
    const size_t size =
        sizeof(ring3_pool_t) + ((size_t)options->max + options->spare) * sizeof(struct worker);

    return (size + RING3_CACHE_LINE - 1) & -(size_t)RING3_CACHE_LINE;
}

static ring3_pool_t *allocate(const ring3_pool_options_t *options)
{
    ring3_pool_t *const pool = aligned_alloc(RING3_CACHE_LINE, pool_size(options));
    struct measured *const measured = options->measure ? calloc(1, sizeof *measured) : NULL;

    if (!pool || (options->measure && !measured)) {
        free(pool);
        free(measured);
        return NULL;
    }
    *pool = (ring3_pool_t){.options = *options, .forks = ring3_load(&pool_forks, RING3_RELAXED)};
    (void)snprintf(pool->name, sizeof pool->name, "%s", options->name);
    pool->options.name = pool->name;
    pool->measured = measured;
    if (measured) {
        measured->since = pool_now();
        pool->watched = 1;
    }
    queue_init(&pool->queue, options->aging);
    ring3_list_init(&pool->blocked);
    ring3_list_init(&pool->idle);
    for (unsigned i = 0; i < pool_slots(pool); i++)
        pool->workers[i] = (struct worker){.pool = pool, .index = i};
    return pool;
}

int pool_make(ring3_pool_t **pool, const ring3_pool_options_t *options)
{
    ring3_pool_options_t chosen = options ? *options : (ring3_pool_options_t){0};
    const int err = complete_options(&chosen);

    if (err)
        return err;
    *pool = allocate(&chosen);
    if (!*pool)
        return -ENOMEM;
    figures_show(*pool);
    return 0;
}

int pool_start_workers(ring3_pool_t *pool)
{
    int err = 0;

    for (unsigned i = 0; i < pool->options.min && !err; i++) {
        pool_lock(pool);
        pool->workers[i].slot = SLOT_SERVING;
        pool->alive++;
        pool->stats.threads_most = ++pool->stats.threads;
        pool->stats.starts++;
        pool_unlock_unchanged(pool);
        err = pool_worker_start(&pool->workers[i]);
    }
    return err;
}

int ring3_pool_create(ring3_pool_t **pool, const ring3_pool_options_t *options)
{
    ring3_pool_t *new;
    int err = pool_make(&new, options);

    if (err)
        return err;
    err = pool_start_workers(new);
    if (err) {
        (void)ring3_pool_destroy(new);
        return err;
    }
    *pool = new;
    return 0;
}

/* With the lock held. */
static void refuse_blocked(ring3_pool_t *pool, struct after *after)
{
    ring3_list_t *link;

    while ((link = ring3_list_pop(&pool->blocked))) {
        struct blocked *const blocked = ring3_container_of(link, struct blocked, link);

        /* Pairs with the acquire in wait_for_room. */
        ring3_store(&blocked->outcome, BLOCKED_REFUSED, RING3_RELEASE);
        after_wake(after, &blocked->outcome);
        pool_unlock(pool, after);
        pool_lock(pool);
    }
}

static void close_pool(ring3_pool_t *pool, ring3_pool_closing_t how)
{
    struct after after = {.count = 0};

    pool_lock(pool);
    /* Relaxed: running tasks read a request, not a message. */
    if (pool->closing < how)
        ring3_store(&pool->closing, how, RING3_RELAXED);
    refuse_blocked(pool, &after);
    while (pool->closing >= RING3_POOL_CANCEL && pool->queue.length) {
        ring3_task_t *const task = queue_least(&pool->queue);

        pool_take_this(pool, task, &after);
        pool_drop(pool, task, &after);
    }
    delay_rouse(pool, &after);
    pool_rouse(pool, &after);
    pool_check_end(pool, &after);
    pool_unlock(pool, &after);
}

int ring3_pool_shutdown(ring3_pool_t *pool, ring3_pool_closing_t how,
                        const struct timespec *deadline)
{
    if (pool_forked(pool))
        return -ECHILD;
    if (how < RING3_POOL_DRAIN || how > RING3_POOL_NOW ||
        ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    if (pool_inside(pool))
        return -EDEADLK;
    close_pool(pool, how);
    /* Pairs with the release in pool_check_end. */
    if (ring3_wait_change(&pool->ended, 0, RING3_WAIT_ADAPTIVE, deadline) == -ETIMEDOUT)
        return -ETIMEDOUT;
    ring3_wait_wake(&pool->ended); /* one was woken, and wakes the next */
    return 0;
}

void pool_join_workers(ring3_pool_t *pool)
{
    if (pool_forked(pool))
        return;
    for (unsigned i = 0; i < pool_slots(pool); i++)
        pool_worker_join(&pool->workers[i]);
    if (pool->has_clock)
        (void)pthread_join(pool->clock, NULL);
}

void pool_free(ring3_pool_t *pool)
{
    if (!pool_forked(pool))
        figures_hide(pool);
    free(pool->measured);
    free(pool);
}

int ring3_pool_destroy(ring3_pool_t *pool)
{
    if (!pool_forked(pool)) {
        const int err = ring3_pool_shutdown(pool, RING3_POOL_DRAIN, NULL);

        if (err)
            return err;
    }
    pool_join_workers(pool);
    pool_free(pool);
    return 0;
}

int ring3_pool_stats(ring3_pool_t *pool, ring3_pool_stats_t *stats)
{
    if (pool_forked(pool))
        return -ECHILD;
    pool_lock(pool);
    *stats = pool->stats;
    stats->queued = pool->queue.length;
    pool_unlock_unchanged(pool);
    return 0;
}
